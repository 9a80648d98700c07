"""What the settings choose: the models that can be bought here, and who writes."""

from collections.abc import Mapping

from chassis.errors import Fault
from chassis.settings import SettingsError, read
from services.generator import models
from services.generator.language import prices
from services.generator.settings import Settings

WRITERS = {  # what to set for a vendor's language models
    "openai": "OPENAI_API_KEY",
    "anthropic": "ANTHROPIC_API_KEY",
    "google": "GEMINI_API_KEY",
}


def problems(environment: Mapping[str, str]) -> list[str]:
    """All that is wrong with what *environment* sets and chooses, a line each."""
    try:
        settings = read(Settings, environment)
    except SettingsError as error:
        return error.problems
    found = []
    for choose in (registry, writer):
        try:
            choose(settings)
        except SettingsError as error:
            found += error.problems
    return found


def registry(settings: Settings) -> models.Registry:
    """The models; SettingsError where DEFAULT_MODEL is none of those that can be used."""
    keys = {
        "replicate": settings.replicate_api_token,
        "recraft": settings.recraft_api_token,
        "google": settings.gemini_api_key,
        "openai": settings.openai_api_key,
    }
    configured = {"sketch", *(provider for provider, key in keys.items() if key)}
    everyone = (*settings.models, *models.EVERY)
    found = models.Registry(everyone, configured=configured, default=settings.default_model)
    try:
        found.usable(found.default)
    except Fault as fault:
        there_are = ", ".join(model.key for model in found if found.ready(model))
        raise SettingsError([f"DEFAULT_MODEL: {fault.message} There are {there_are}."]) from fault
    return found


def writer(settings: Settings) -> prices.Entry | None:
    """The language model, None without a key; SettingsError where LANGUAGE_MODEL has none."""
    keys = {
        "openai": settings.openai_api_key,
        "anthropic": settings.anthropic_api_key,
        "google": settings.gemini_api_key,
    }
    usable = [entry for entry in prices.EVERY if keys[entry.vendor]]
    wanted = settings.language_model
    if not usable and not wanted:
        return None
    entry = next((each for each in usable if wanted in ("", each.key)), None)
    if entry is None:
        raise SettingsError([f"LANGUAGE_MODEL: {_advice(wanted, [each.key for each in usable])}"])
    return entry


def _advice(wanted: str, usable: list[str]) -> str:
    others = f", or name one of {', '.join(usable)}" if usable else ""
    known = {entry.key: entry.vendor for entry in prices.EVERY}
    if wanted in known:
        return f"{wanted} needs {WRITERS[known[wanted]]}: set it{others}."
    return f"there is no {wanted[:80]!r}; there are {', '.join(known)}."
