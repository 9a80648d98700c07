"""What POST /v1/chat/completions is asked, and how it answers: whole, or in chunks."""

import time
from collections.abc import Iterator
from typing import Any

from lab.writing.author import Asked, Written
from lab.writing.desk import Problem

DONE = "[DONE]"  # what ends its streams, and is no JSON
_INSTRUCTING = ("system", "developer")
_ROLES = (*_INSTRUCTING, "user", "assistant")
_STOPS = {"whole": "stop", "long": "length", "refused": "content_filter"}
_MOST = 4096  # tokens, where nobody says


def asked(found: dict[str, Any]) -> Asked:
    """Read the body *found*; raises Problem."""
    messages = found.get("messages")
    if not isinstance(messages, list) or not messages:
        raise Problem(400, "Missing required parameter: 'messages'.")
    if "max_tokens" in found:
        why = "is not supported with this model. Use 'max_completion_tokens' instead."
        raise Problem(400, f"Unsupported parameter: 'max_tokens' {why}")
    if found.get("n") not in (None, 1):
        raise Problem(400, "Invalid 'n': the lab writes one choice.")
    if found.get("stream_options") and not found.get("stream"):
        why = "parameter is only allowed when 'stream' is enabled."
        raise Problem(400, f"The 'stream_options' {why}")
    told: dict[bool, list[str]] = {True: [], False: []}
    pictures = 0
    for place, message in enumerate(messages):
        role = message.get("role") if isinstance(message, dict) else None
        if role not in _ROLES:
            raise Problem(400, f"Invalid value: {role!r} for 'messages[{place}].role'.")
        texts, shown = _content(message.get("content"), f"messages[{place}].content")
        told[role in _INSTRUCTING] += texts
        pictures += shown
    most = found.get("max_completion_tokens") or _MOST
    instructions, text = "\n".join(told[True]), "\n".join(told[False])
    return Asked(str(found.get("model")), instructions, text, pictures, most)


def wants_usage(found: dict[str, Any]) -> bool:
    """Whether a stream's last chunk shall tell what was used."""
    return bool((found.get("stream_options") or {}).get("include_usage"))


def completion(model: str, ticket: str, written: Written) -> dict[str, Any]:
    """The whole answer."""
    message: dict[str, object] = {
        "role": "assistant", "content": "".join(written.pieces), "refusal": None, "annotations": [],
    }  # fmt: skip
    choice = {
        "index": 0, "message": message, "logprobs": None, "finish_reason": _STOPS[written.stop],
    }  # fmt: skip
    head = _head(model, ticket, "chat.completion")
    return head | {"choices": [choice], "usage": _usage(written)}


def chunks(
    model: str, ticket: str, written: Written, *, usage: bool
) -> Iterator[tuple[str, object]]:
    """The answer in events without names; with *usage* one more tells it, and no other does."""
    head = _head(model, ticket, "chat.completion.chunk") | ({"usage": None} if usage else {})

    def chunk(delta: dict[str, Any], stop: str | None = None) -> tuple[str, object]:
        choice = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": stop}
        return "", head | {"choices": [choice]}

    yield chunk({"role": "assistant", "content": "", "refusal": None})
    for piece in written.pieces:
        yield chunk({"content": piece})
    yield chunk({}, _STOPS[written.stop])
    if usage:
        yield "", head | {"choices": [], "usage": _usage(written)}
    yield "", DONE


def _content(found: Any, where: str) -> tuple[list[str], int]:
    """The texts of a message, and how many pictures it shows."""
    parts = [{"type": "text", "text": found}] if isinstance(found, str) else found
    if not isinstance(parts, list):
        raise Problem(400, f"Invalid type for '{where}': expected a text or a list of parts.")
    texts, pictures = [], 0
    for part in parts:
        if part.get("type") == "text":
            texts.append(str(part.get("text")))
        elif part.get("type") == "image_url":
            url = str((part.get("image_url") or {}).get("url", ""))
            if not url.startswith(("data:image/", "https://")):
                raise Problem(400, "Invalid 'image_url': expected a URL or a data URL")
            pictures += 1
        else:
            raise Problem(400, f"Invalid value: {part.get('type')!r} for the type in '{where}'.")
    return texts, pictures


def _head(model: str, ticket: str, kind: str) -> dict[str, Any]:
    return {
        "id": ticket, "object": kind, "created": int(time.time()), "model": model,
        "service_tier": "default", "system_fingerprint": None,
    }  # fmt: skip


def _usage(written: Written) -> dict[str, Any]:
    return {
        "prompt_tokens": written.read,
        "completion_tokens": written.written,
        "total_tokens": written.read + written.written,
        "prompt_tokens_details": {"cached_tokens": 0, "audio_tokens": 0},
        "completion_tokens_details": {
            "reasoning_tokens": 0, "audio_tokens": 0,
            "accepted_prediction_tokens": 0, "rejected_prediction_tokens": 0,
        },
    }  # fmt: skip
