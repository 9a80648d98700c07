"""Google's text models: POST /v1/models/{model}:generateContent and :streamGenerateContent."""

import uuid
from collections.abc import Iterable, Iterator
from typing import Any, ClassVar

from aiohttp import web

from lab.writing.author import Asked, Written
from lab.writing.desk import Desk, Problem, body, check_key

_STATUSES = {
    400: "INVALID_ARGUMENT", 401: "UNAUTHENTICATED", 403: "PERMISSION_DENIED", 404: "NOT_FOUND",
    429: "RESOURCE_EXHAUSTED", 500: "INTERNAL", 503: "UNAVAILABLE",
}  # fmt: skip
_FINISHED = {"whole": "STOP", "long": "MAX_TOKENS", "refused": "PROHIBITED_CONTENT"}


class Text(Desk):
    """The text half of the vendor behind /google."""

    name = "google"
    prices: ClassVar = {
        "gemini-3.5-flash-lite": (0.3, 2.5),
        "gemini-3.8-flash": (0.75, 3.75),
    }

    def routes(self) -> Iterable[web.RouteDef]:
        kinds = {"generateContent": self._whole, "streamGenerateContent": self._stream}
        names = "|".join(self.prices).replace(".", r"\.")
        return [
            self.route(rf"/google/{{version:v1|v1beta}}/models/{{model:{names}}}:{kind}", handler)
            for kind, handler in kinds.items()
        ]

    def refuse(self, status: int, message: str) -> web.Response:
        kind = _STATUSES.get(status, "UNKNOWN")
        if status == 402:
            status, kind = 400, "FAILED_PRECONDITION"
            message = "Please enable billing on your project in Google AI Studio."
        told = {"code": status, "message": message, "status": kind}
        return web.json_response({"error": told}, status=status)

    async def _whole(self, request: web.Request) -> web.StreamResponse:
        asked, ticket, written = await self._written(request)
        chunk = _chunk(asked.model, ticket, "".join(written.pieces))
        return web.json_response(_ended(chunk, written))

    async def _stream(self, request: web.Request) -> web.StreamResponse:
        if request.query.get("alt") != "sse":
            raise Problem(400, "The lab streams with alt=sse alone")
        asked, ticket, written = await self._written(request)
        return self.stream(("", chunk) for chunk in _chunks(asked.model, ticket, written))

    async def _written(self, request: web.Request) -> tuple[Asked, str, Written]:
        check_key(request.headers.get("x-goog-api-key", ""))
        asked, ticket = _asked(request.match_info["model"], await body(request)), uuid.uuid4().hex
        return asked, ticket, self.write(asked, ticket)


def _asked(model: str, found: dict[str, Any]) -> Asked:
    contents = found.get("contents")
    if not isinstance(contents, list) or not contents:
        raise Problem(400, "contents is not specified")
    parts = [part for content in contents for part in content.get("parts") or []]
    texts = [str(part["text"]) for part in parts if "text" in part]
    pictures = [part for part in parts if "inlineData" in part]
    system = (found.get("systemInstruction") or {}).get("parts") or []
    instructions = "\n".join(str(part.get("text")) for part in system)
    config = found.get("generationConfig") or {}
    most = config.get("maxOutputTokens") or 65_536
    return Asked(model, instructions, "\n".join(texts), len(pictures), most)


def _chunk(model: str, ticket: str, text: str) -> dict[str, Any]:
    content = {"role": "model", "parts": [{"text": text}]}
    return {
        "candidates": [{"content": content, "index": 0}],
        "modelVersion": model,
        "responseId": ticket,
    }


def _ended(chunk: dict[str, Any], written: Written) -> dict[str, Any]:
    chunk["candidates"][0]["finishReason"] = _FINISHED[written.stop]
    chunk["usageMetadata"] = {
        "promptTokenCount": written.read,
        "candidatesTokenCount": written.written,
        "totalTokenCount": written.read + written.written,
    }
    return chunk


def _chunks(model: str, ticket: str, written: Written) -> Iterator[dict[str, Any]]:
    *before, last = written.pieces or ("",)
    for piece in before:
        yield _chunk(model, ticket, piece)
    yield _ended(_chunk(model, ticket, last), written)
