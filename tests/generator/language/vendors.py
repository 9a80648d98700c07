"""Language models of each company on a wire that a test scripts, or at the lab."""

import json
from collections.abc import AsyncIterator

import httpx

from services.generator.language import anthropic, google, openai
from services.generator.language.seam import LanguageModel, Picture, Question, Told
from services.generator.language.stream import Door
from services.generator.providers import transport
from tests import patient

PICTURE = Picture("image/webp", b"RIFF....WEBP")
QUESTION = Question(instructions="be brief", text="the sea", pictures=(PICTURE,), most=900)
KINDS = {
    "openai": (openai.OpenAI, "gpt-6-luna"),
    "anthropic": (anthropic.Anthropic, "claude-haiku-5-5"),
    "google": (google.Google, "gemini-3.5-flash-lite"),
}


def keyed(vendor: str, key: str) -> dict[str, str]:
    if vendor == "google":
        return {"x-goog-api-key": key}
    return {"Authorization": f"Bearer {key}", **anthropic.HEADERS}


def model(vendor: str, http: httpx.AsyncClient, patience: float = 5.0) -> LanguageModel:
    kind, _ = KINDS[vendor]
    return kind(Door(http=http, company=vendor, key="SOME_KEY", patience=patience))


def scripted(vendor: str, wire: httpx.AsyncBaseTransport, patience: float = 5.0) -> LanguageModel:
    return model(vendor, patient.AsyncClient(transport=wire, base_url="https://v.test"), patience)


def at(vendor: str, url: str, key: str = "lab", patience: float = 5.0) -> LanguageModel:
    """The model at the lab on *url*, over the transport that is shipped."""
    base = f"{url}/openai/v1" if vendor == "openai" else f"{url}/{vendor}"
    return model(vendor, transport.client(base, keyed(vendor, key)), patience)


async def answered(pieces: AsyncIterator[str | Told]) -> tuple[str, Told]:
    """The whole text, and the end, which is last."""
    found = [piece async for piece in pieces]
    *texts, told = found
    assert isinstance(told, Told)
    return "".join(texts), told


def sse(*events: dict, end: bytes = b"") -> httpx.Response:
    return httpx.Response(200, content=b"".join(map(_line, events)) + end)


def _line(event: dict) -> bytes:
    return f"event: {event.get('type', 'message')}\r\ndata: {json.dumps(event)}\r\n\r\n".encode()
