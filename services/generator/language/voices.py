"""The language model that is asked here, as its vendor is reached."""

import httpx

from chassis.settings import Secret
from services.generator import choices
from services.generator.language import anthropic
from services.generator.language.anthropic import Anthropic
from services.generator.language.call import Voice
from services.generator.language.google import Google
from services.generator.language.openai import OpenAI
from services.generator.language.seam import LanguageModel
from services.generator.language.stream import Door
from services.generator.providers import transport
from services.generator.settings import Settings


def voice_here(settings: Settings, outgoing: list[transport.Outgoing]) -> Voice | None:
    """
    The model that is asked, None without a key; its client is added to *outgoing*, to be closed.

    Raises SettingsError where LANGUAGE_MODEL is none of those whose key is set.
    """
    entry = choices.writer(settings)
    if entry is None:
        return None
    http = transport.client(*_wire(entry.vendor, settings))
    outgoing.append(http)
    return Voice(entry, _model(entry.vendor, http, settings.language_seconds))


def _wire(vendor: str, settings: Settings) -> tuple[str, dict[str, str]]:
    match vendor:
        case "openai":
            return settings.openai_base_url, _bearer(settings.openai_api_key)
        case "anthropic":
            headers = {**_bearer(settings.anthropic_api_key), **anthropic.HEADERS}
            return settings.anthropic_base_url, headers
    return settings.gemini_base_url, {"x-goog-api-key": settings.gemini_api_key.reveal()}


def _bearer(key: Secret) -> dict[str, str]:
    return {"Authorization": f"Bearer {key.reveal()}"}


def _model(vendor: str, http: httpx.AsyncClient, patience: float) -> LanguageModel:
    kinds: dict[str, tuple[str, type[OpenAI | Anthropic | Google]]] = {
        "openai": ("OpenAI", OpenAI),
        "anthropic": ("Anthropic", Anthropic),
        "google": ("Google", Google),
    }
    company, kind = kinds[vendor]
    key = choices.WRITERS[vendor]
    return kind(Door(http=http, company=company, key=key, patience=patience))
