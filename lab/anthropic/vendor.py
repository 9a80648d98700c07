"""Anthropic: POST /v1/messages, whole or as a stream."""

import uuid
from collections.abc import Iterable, Iterator
from typing import Any, ClassVar

from aiohttp import web

from lab.writing.author import Asked, Written
from lab.writing.desk import Desk, Problem, bearer, body, check_key

_KINDS = {
    400: "invalid_request_error", 401: "authentication_error", 402: "billing_error",
    403: "permission_error", 404: "not_found_error", 413: "request_too_large",
    429: "rate_limit_error", 529: "overloaded_error",
}  # fmt: skip
_STOPS = {"whole": "end_turn", "long": "max_tokens", "refused": "refusal"}


class Anthropic(Desk):
    """The vendor behind /anthropic."""

    name = "anthropic"
    prices: ClassVar = {
        "claude-haiku-5-5": (0.1, 0.5),
        "claude-sonnet-5-5": (2.0, 10.0),
        "claude-opus-5-5": (4.0, 20.0),
    }

    def routes(self) -> Iterable[web.RouteDef]:
        return [self.route("/anthropic/v1/messages", self._messages)]

    def refuse(self, status: int, message: str) -> web.Response:
        error = {"type": _KINDS.get(status, "api_error"), "message": message}
        name = f"req_{uuid.uuid4().hex[:24]}"
        told = {"type": "error", "error": error, "request_id": name}
        return web.json_response(told, status=status, headers={"request-id": name})

    async def _messages(self, request: web.Request) -> web.StreamResponse:
        check_key(bearer(request) or request.headers.get("x-api-key", ""))
        if "anthropic-version" not in request.headers:
            raise Problem(400, "anthropic-version: header is required")
        found = await body(request)
        asked, ticket = _asked(found), f"msg_{uuid.uuid4().hex[:24]}"
        written = self.write(asked, ticket)
        if not found.get("stream"):
            return web.json_response(_message(asked.model, ticket, written))
        return self.stream((str(event["type"]), event) for event in _events(asked, ticket, written))


def _asked(found: dict[str, Any]) -> Asked:
    most, messages = found.get("max_tokens"), found.get("messages")
    if type(most) is not int or most < 1:
        raise Problem(400, "max_tokens: Field required")
    if not isinstance(messages, list) or not messages:
        raise Problem(400, "messages: at least one message is required")
    parts: list[Any] = []
    for message in messages:
        content = message.get("content")
        parts += [{"type": "text", "text": content}] if isinstance(content, str) else content or []
    texts = [str(part["text"]) for part in parts if part.get("type") == "text"]
    pictures = [part for part in parts if part.get("type") == "image"]
    for picture in pictures:
        source = picture.get("source") or {}
        if source.get("type") not in ("base64", "url"):
            raise Problem(400, "image.source.type: must be base64 or url")
    model, system = str(found.get("model")), str(found.get("system") or "")
    return Asked(model, system, "\n".join(texts), len(pictures), most)


def _message(model: str, ticket: str, written: Written) -> dict[str, Any]:
    return {
        "id": ticket,
        "type": "message",
        "role": "assistant",
        "model": model,
        "content": [{"type": "text", "text": "".join(written.pieces)}],
        "stop_reason": _STOPS[written.stop],
        "stop_sequence": None,
        "usage": {"input_tokens": written.read, "output_tokens": written.written},
    }


def _events(asked: Asked, ticket: str, written: Written) -> Iterator[dict[str, Any]]:
    begun = _message(asked.model, ticket, written)
    begun |= {"content": [], "stop_reason": None}
    begun["usage"] = {"input_tokens": written.read, "output_tokens": 1}
    yield {"type": "message_start", "message": begun}
    block = {"type": "text", "text": ""}
    yield {"type": "content_block_start", "index": 0, "content_block": block}
    yield {"type": "ping"}
    for piece in written.pieces:
        delta = {"type": "text_delta", "text": piece}
        yield {"type": "content_block_delta", "index": 0, "delta": delta}
    yield {"type": "content_block_stop", "index": 0}
    yield {
        "type": "message_delta",
        "delta": {"stop_reason": _STOPS[written.stop], "stop_sequence": None},
        "usage": {"output_tokens": written.written},
    }
    yield {"type": "message_stop"}
