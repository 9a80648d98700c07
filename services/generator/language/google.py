"""Google's Gemini API, as a stream; nothing is kept there."""

import base64
from collections.abc import AsyncIterator, Iterator
from contextlib import aclosing
from dataclasses import dataclass
from typing import Any

from services.generator import provider
from services.generator.language.seam import Question, Stop, Told, Usage
from services.generator.language.stream import Door, broke_off, tokens

_STOPS = {"STOP": Stop.WHOLE, "MAX_TOKENS": Stop.TOO_LONG}  # all others are refusals


@dataclass(frozen=True, slots=True)
class Google:
    """Writes with Gemini; *door*'s client sends the key."""

    door: Door

    async def ask(self, slug: str, question: Question, /) -> AsyncIterator[str | Told]:
        path = f"/v1/models/{slug}:streamGenerateContent?alt=sse"
        usage, stop, events = None, None, self.door.events(path, _body(question))
        async with aclosing(events):  # type: ignore[type-var]
            async for event in events:
                if error := event.get("error"):
                    raise broke_off(error)
                for text in _texts(event):
                    yield text
                usage = _usage(event) or usage
                stop = _stop(event) or stop
        if stop is None:  # the stream has no end of its own
            raise provider.Unclear("an answer without an end")
        yield Told(usage, stop)


def _body(question: Question) -> dict[str, Any]:
    pictures = [
        {
            "inlineData": {
                "mimeType": picture.media_type,
                "data": base64.b64encode(picture.content).decode(),
            }
        }
        for picture in question.pictures
    ]
    return {
        "systemInstruction": {"parts": [{"text": question.instructions}]},
        "contents": [{"role": "user", "parts": [*pictures, {"text": question.text}]}],
        "generationConfig": {"maxOutputTokens": question.most},
        "store": False,
    }


def _texts(event: dict[str, Any]) -> Iterator[str]:
    content = _candidate(event).get("content")
    parts = content.get("parts") if isinstance(content, dict) else None
    for part in parts if isinstance(parts, list) else ():
        if isinstance(part, dict) and part.get("text") and not part.get("thought"):
            yield str(part["text"])


def _usage(event: dict[str, Any]) -> Usage | None:
    said = event.get("usageMetadata")
    read = tokens(said, "promptTokenCount")
    written = tokens(said, "candidatesTokenCount", "thoughtsTokenCount")
    return Usage(read, written) if read else None


def _stop(event: dict[str, Any]) -> Stop | None:
    feedback = event.get("promptFeedback")
    if isinstance(feedback, dict) and feedback.get("blockReason"):
        return Stop.REFUSED
    reason = _candidate(event).get("finishReason")
    return _STOPS.get(str(reason), Stop.REFUSED) if reason else None


def _candidate(event: dict[str, Any]) -> dict[str, Any]:
    candidates = event.get("candidates")
    first = candidates[0] if isinstance(candidates, list) and candidates else None
    return first if isinstance(first, dict) else {}
