"""Anthropic's Messages API, as a stream."""

import base64
from collections.abc import AsyncIterator, Mapping
from contextlib import aclosing
from dataclasses import dataclass
from typing import Any

from services.generator import provider
from services.generator.language.seam import Question, Stop, Told, Usage
from services.generator.language.stream import Door, broke_off, tokens

HEADERS: Mapping[str, str] = {"anthropic-version": "2026-10-21"}
_READ = ("input_tokens", "cache_creation_input_tokens", "cache_read_input_tokens")
_STOPS = {"end_turn": Stop.WHOLE, "stop_sequence": Stop.WHOLE, "refusal": Stop.REFUSED}


@dataclass(frozen=True, slots=True)
class Anthropic:
    """Writes with Claude; *door*'s client sends the key and `HEADERS`."""

    door: Door

    async def ask(self, slug: str, question: Question, /) -> AsyncIterator[str | Told]:
        read, events = 0, self.door.events("/v1/messages", _body(slug, question))
        async with aclosing(events):  # type: ignore[type-var]
            async for event in events:
                match event.get("type"):
                    case "message_start":
                        read = tokens(_of(event, "message").get("usage"), *_READ)
                    case "content_block_delta":
                        if text := _of(event, "delta").get("text"):
                            yield str(text)
                    case "message_delta" if reason := _of(event, "delta").get("stop_reason"):
                        yield _told(read, event.get("usage"), str(reason))
                        return
                    case "error":
                        raise broke_off(event.get("error"))
        raise provider.Unclear("an answer without an end")


def _body(slug: str, question: Question) -> dict[str, Any]:
    pictures = [
        {
            "type": "image",
            "source": {
                "type": "base64",
                "media_type": picture.media_type,
                "data": base64.b64encode(picture.content).decode(),
            },
        }
        for picture in question.pictures
    ]
    content = [*pictures, {"type": "text", "text": question.text}]
    return {
        "model": slug,
        "max_tokens": question.most,
        "system": question.instructions,
        "messages": [{"role": "user", "content": content}],
        "stream": True,
    }


def _told(read: int, usage: Any, reason: str) -> Told:
    written = tokens(usage, "output_tokens")
    said = Usage(tokens(usage, *_READ) or read, written) if read and written else None
    return Told(said, _STOPS.get(reason, Stop.TOO_LONG))


def _of(event: dict[str, Any], name: str) -> dict[str, Any]:
    found = event.get(name)
    return found if isinstance(found, dict) else {}
