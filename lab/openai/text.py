"""OpenAI's text models: POST /v1/responses and /v1/chat/completions, whole or as a stream."""

import time
import uuid
from collections.abc import Iterable, Iterator
from typing import Any, ClassVar

from aiohttp import web

from lab.openai import chat
from lab.writing.author import Asked, Written
from lab.writing.desk import Desk, Problem, bearer, body, check_key

_CODES = {
    401: ("invalid_request_error", "invalid_api_key"),
    402: ("insufficient_quota", "insufficient_quota"),
    404: ("invalid_request_error", "model_not_found"),
    429: ("requests", "rate_limit_exceeded"),
}


class Text(Desk):
    """The text half of the vendor behind /openai."""

    name = "openai"
    prices: ClassVar = {
        "gpt-6-luna": (0.1, 0.5),
        "gpt-6.1-terra": (1.0, 5.0),
        "gpt-6.1-sol": (2.0, 10.0),
    }

    def routes(self) -> Iterable[web.RouteDef]:
        return [
            self.route("/openai/v1/responses", self._responses),
            self.route("/openai/v1/chat/completions", self._chat),
        ]

    def refuse(self, status: int, message: str) -> web.Response:
        kind, code = _CODES.get(status, (_kind(status), None))
        error = {"message": message, "type": kind, "param": None, "code": code}
        status = 429 if status == 402 else status  # an empty account is a 429 of its own
        headers = {"x-request-id": uuid.uuid4().hex}
        return web.json_response({"error": error}, status=status, headers=headers)

    async def _responses(self, request: web.Request) -> web.StreamResponse:
        check_key(bearer(request))
        found = await body(request)
        asked, ticket = _asked(found), f"resp_{uuid.uuid4().hex}"
        written = self.write(asked, ticket)
        if not found.get("stream"):
            return web.json_response(_response(asked.model, ticket, written))
        events = enumerate(_events(asked.model, ticket, written))
        return self.stream(
            (event["type"], event | {"sequence_number": number}) for number, event in events
        )

    async def _chat(self, request: web.Request) -> web.StreamResponse:
        check_key(bearer(request))
        found = await body(request)
        asked, ticket = chat.asked(found), f"chatcmpl-{uuid.uuid4().hex}"
        written = self.write(asked, ticket)
        if not found.get("stream"):
            return web.json_response(chat.completion(asked.model, ticket, written))
        usage = chat.wants_usage(found)
        return self.stream(chat.chunks(asked.model, ticket, written, usage=usage))


def _kind(status: int) -> str:
    return "server_error" if status >= 500 else "invalid_request_error"


def _asked(found: dict[str, Any]) -> Asked:
    given = found.get("input")
    if isinstance(given, str):
        given = [{"role": "user", "content": [{"type": "input_text", "text": given}]}]
    if not isinstance(given, list) or not given:
        raise Problem(400, "Missing required parameter: 'input'")
    parts = [part for message in given for part in _parts(message.get("content"))]
    texts = [str(part["text"]) for part in parts if part.get("type") == "input_text"]
    pictures = [part for part in parts if part.get("type") == "input_image"]
    for picture in pictures:
        if not str(picture.get("image_url", "")).startswith(("data:image/", "https://")):
            raise Problem(400, "Invalid 'image_url': expected a URL or a data URL")
    most = found.get("max_output_tokens") or 4096
    system = str(found.get("instructions") or "")
    return Asked(str(found.get("model")), system, "\n".join(texts), len(pictures), most)


def _parts(content: Any) -> list[dict[str, Any]]:
    return [{"type": "input_text", "text": content}] if isinstance(content, str) else content or []


def _response(model: str, ticket: str, written: Written) -> dict[str, Any]:
    incomplete = {"long": "max_output_tokens", "refused": "content_filter"}.get(written.stop)
    return {
        "id": ticket,
        "object": "response",
        "created_at": int(time.time()),
        "status": "incomplete" if incomplete else "completed",
        "error": None,
        "incomplete_details": {"reason": incomplete} if incomplete else None,
        "instructions": None,
        "metadata": {},
        "model": model,
        "output": [_item("".join(written.pieces), "completed")],
        "parallel_tool_calls": True,
        "temperature": 1.0,
        "tool_choice": "auto",
        "tools": [],
        "top_p": 1.0,
        "usage": {
            "input_tokens": written.read,
            "input_tokens_details": {"cached_tokens": 0},
            "output_tokens": written.written,
            "output_tokens_details": {"reasoning_tokens": 0},
            "total_tokens": written.read + written.written,
        },
    }


def _item(text: str, status: str) -> dict[str, Any]:
    content = [{"type": "output_text", "text": text, "annotations": []}]
    return {
        "id": "msg_lab", "type": "message", "role": "assistant", "status": status,
        "content": content if text else [],
    }  # fmt: skip


def _events(model: str, ticket: str, written: Written) -> Iterator[dict[str, Any]]:
    whole = _response(model, ticket, written)
    begun = whole | {"status": "in_progress", "output": [], "usage": None}
    begun["incomplete_details"] = None
    place = {"item_id": "msg_lab", "output_index": 0, "content_index": 0}
    yield {"type": "response.created", "response": begun}
    item = _item("", "in_progress")
    yield {"type": "response.output_item.added", "output_index": 0, "item": item}
    part = {"type": "output_text", "text": "", "annotations": []}
    yield {"type": "response.content_part.added", **place, "part": part}
    for piece in written.pieces:
        yield {"type": "response.output_text.delta", **place, "delta": piece, "logprobs": []}
    text = "".join(written.pieces)
    yield {"type": "response.output_text.done", **place, "text": text, "logprobs": []}
    yield {"type": f"response.{whole['status']}", "response": whole}
