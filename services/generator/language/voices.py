"""Which language model is asked here, by the keys that are set and by LANGUAGE_MODEL."""

from collections.abc import Mapping

import httpx

from chassis.settings import Secret, SettingsError
from services.generator.language import anthropic, prices
from services.generator.language.anthropic import Anthropic
from services.generator.language.call import Voice
from services.generator.language.google import Google
from services.generator.language.openai import OpenAI
from services.generator.language.seam import LanguageModel
from services.generator.language.stream import Door
from services.generator.providers import transport
from services.generator.settings import Settings

_KEYS = {
    "openai": "OPENAI_API_KEY",
    "anthropic": "ANTHROPIC_API_KEY",
    "google": "GEMINI_API_KEY",
}


def voice_here(settings: Settings, outgoing: list[httpx.AsyncClient]) -> Voice | None:
    """
    The model that is asked, None without a key; its client is added to *outgoing*, to be closed.

    Raises SettingsError where LANGUAGE_MODEL is none of those whose key is set.
    """
    keys = _keys(settings)
    usable = [entry for entry in prices.EVERY if keys[entry.vendor]]
    wanted = settings.language_model
    if not usable and not wanted:
        return None
    entry = next((each for each in usable if wanted in ("", each.key)), None)
    if entry is None:
        raise SettingsError([f"LANGUAGE_MODEL: {_advice(wanted, [each.key for each in usable])}"])
    http = transport.client(*_wire(entry.vendor, settings, keys[entry.vendor].reveal()))
    outgoing.append(http)
    return Voice(entry, _model(entry.vendor, http, settings.language_seconds))


def _keys(settings: Settings) -> Mapping[str, Secret]:
    return {
        "openai": settings.openai_api_key,
        "anthropic": settings.anthropic_api_key,
        "google": settings.gemini_api_key,
    }


def _wire(vendor: str, settings: Settings, key: str) -> tuple[str, dict[str, str]]:
    match vendor:
        case "openai":
            return settings.openai_base_url, {"Authorization": f"Bearer {key}"}
        case "anthropic":
            headers = {"Authorization": f"Bearer {key}", **anthropic.HEADERS}
            return settings.anthropic_base_url, headers
    return settings.gemini_base_url, {"x-goog-api-key": key}


def _model(vendor: str, http: httpx.AsyncClient, patience: float) -> LanguageModel:
    kinds: dict[str, tuple[str, type[OpenAI | Anthropic | Google]]] = {
        "openai": ("OpenAI", OpenAI),
        "anthropic": ("Anthropic", Anthropic),
        "google": ("Google", Google),
    }
    company, kind = kinds[vendor]
    return kind(Door(http=http, company=company, key=_KEYS[vendor], patience=patience))


def _advice(wanted: str, usable: list[str]) -> str:
    others = f", or name one of {', '.join(usable)}" if usable else ""
    known = {entry.key: entry.vendor for entry in prices.EVERY}
    if wanted in known:
        return f"{wanted} needs {_KEYS[known[wanted]]}: set it{others}."
    return f"there is no {wanted[:80]!r}; there are {', '.join(known)}."
