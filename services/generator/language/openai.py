"""OpenAI's Responses API, as a stream; nothing is kept there."""

import base64
from collections.abc import AsyncIterator
from contextlib import aclosing
from dataclasses import dataclass
from typing import Any

from services.generator import provider
from services.generator.language.seam import Picture, Question, Stop, Told, Usage
from services.generator.language.stream import Door, broke_off, tokens


@dataclass(frozen=True, slots=True)
class OpenAI:
    """Writes with GPT; *door*'s client sends the key."""

    door: Door

    async def ask(self, slug: str, question: Question, /) -> AsyncIterator[str | Told]:
        refused, events = False, self.door.events("/responses", _body(slug, question))
        async with aclosing(events):  # type: ignore[type-var]
            async for event in events:
                match event.get("type"):
                    case "response.output_text.delta":
                        yield str(event.get("delta") or "")
                    case "response.refusal.delta":
                        refused = True
                    case "response.completed":
                        yield _told(event, Stop.REFUSED if refused else Stop.WHOLE)
                        return
                    case "response.incomplete":
                        yield _told(event, _why_incomplete(event))
                        return
                    case "response.failed" | "error":
                        raise broke_off(_error(event))
        raise provider.Unclear("an answer without an end")


def _body(slug: str, question: Question) -> dict[str, Any]:
    content = [
        *({"type": "input_image", "image_url": _url(each)} for each in question.pictures),
        {"type": "input_text", "text": question.text},
    ]
    return {
        "model": slug,
        "instructions": question.instructions,
        "input": [{"role": "user", "content": content}],
        "max_output_tokens": question.most,
        "store": False,
        "stream": True,
    }


def _url(picture: Picture) -> str:
    return f"data:{picture.media_type};base64,{base64.b64encode(picture.content).decode()}"


def _told(event: dict[str, Any], stop: Stop) -> Told:
    usage = _response(event).get("usage")
    read, written = tokens(usage, "input_tokens"), tokens(usage, "output_tokens")
    return Told(Usage(read, written) if read and written else None, stop)


def _why_incomplete(event: dict[str, Any]) -> Stop:
    details = _response(event).get("incomplete_details")
    reason = details.get("reason") if isinstance(details, dict) else None
    return Stop.REFUSED if reason == "content_filter" else Stop.TOO_LONG


def _response(event: dict[str, Any]) -> dict[str, Any]:
    found = event.get("response")
    return found if isinstance(found, dict) else {}


def _error(event: dict[str, Any]) -> Any:
    return _response(event).get("error") or event.get("message")
