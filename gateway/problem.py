"""
Faults as RFC 9457 problem+json: one function decides on the status, one renders.

`code` is the reason of the contract, `fields` says what is wrong with which argument.
"""

import json
import math
import re
from typing import Any

from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from chassis import errors
from gateway.bodies import FORMS

_BY_REASON = {
    "REQUEST_ID_REUSED": 422,
    "SPEND_CAP_EXCEEDED": 402,
    "COST_LIMIT_EXCEEDED": 402,
    "PROVIDER_BALANCE_EMPTY": 402,
    "ETAG_MISMATCH": 412,
    "DISK_FULL": 507,
    "IMAGE_TOO_LARGE": 413,
    "LANGUAGE_ANSWER_LOST": 502,
    "LANGUAGE_ANSWER_UNFIT": 502,
}
_BY_KIND: tuple[tuple[type[errors.Fault], int], ...] = (
    (errors.Invalid, 400),
    (errors.OutOfRange, 400),
    (errors.Unauthenticated, 401),
    (errors.Denied, 403),
    (errors.Missing, 404),
    (errors.Exists, 409),
    (errors.Precondition, 409),
    (errors.Stale, 409),
    (errors.Exhausted, 429),
    (errors.Unavailable, 503),
    (errors.Late, 503),
)
_NAMES_IN_A_BODY = frozenset({"MODEL_UNKNOWN", "PRESET_UNKNOWN"})
_ADVICE = {
    404: "There is nothing at this path; /docs lists what there is.",
    405: "This path takes other methods; /docs lists them.",
    413: "Send a body of at most 1 MiB, or a picture of at most 25 MiB to /images/references.",
    415: "Send JSON, with 'Content-Type: application/json'.",
}


_AROUND = re.compile(r"^(spec|preset)[.](?=[a-z])")


class HttpFault(errors.Fault):
    """What only HTTP can get wrong; *status* is the answer's."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__("RESOURCE_UNKNOWN" if status == 404 else "REQUEST_INVALID", message)
        self.status = status


def status_of(fault: errors.Fault, *, in_path: bool) -> int:
    """Choose the HTTP status; a name that is not known is 404 in a path and 400 in a body."""
    if isinstance(fault, HttpFault):
        return fault.status
    if fault.reason in _NAMES_IN_A_BODY and not in_path:
        return 400
    if found := _BY_REASON.get(fault.reason):
        return found
    return next((status for kind, status in _BY_KIND if isinstance(fault, kind)), 500)


def to_json(fault: errors.Fault, status: int, instance: str | None = None) -> dict[str, Any]:
    """Render *fault* as the members of a problem."""
    found: dict[str, Any] = {
        "type": f"urn:imagestudio:problem:{fault.reason.lower().replace('_', '-')}",
        "title": fault.reason.replace("_", " ").capitalize(),
        "status": status,
        "detail": _ours(fault.message),
        "code": fault.reason,
    }
    if instance:
        found["instance"] = instance
    if fault.fields:
        found["fields"] = {_ours(name): why for name, why in fault.fields.items()}
    if fault.retry_after is not None:
        found["retry_after"] = fault.retry_after
    return found


def _ours(words: str) -> str:
    """Leave out what the contract's requests have around a body's fields, and REST has not."""
    return _AROUND.sub("", words, count=1)


def respond(fault: errors.Fault, *, in_path: bool = False, instance: str | None = None) -> Response:
    """Answer with *fault*."""
    status = status_of(fault, in_path=in_path)
    headers = {"Cache-Control": "no-store"}
    if fault.retry_after is not None:
        headers["Retry-After"] = str(max(1, math.ceil(fault.retry_after)))
    if status == 401:
        headers["WWW-Authenticate"] = "Bearer"
    body = json.dumps(to_json(fault, status, instance), ensure_ascii=False)
    return Response(
        body.encode("utf-8", "replace"), status, headers, media_type="application/problem+json"
    )


async def on_fault(request: Request, fault: Exception) -> Response:
    """Answer a request that ended in a Fault."""
    assert isinstance(fault, errors.Fault)
    return respond(fault, in_path=bool(request.path_params), instance=request.url.path)


async def on_http(request: Request, error: Exception) -> Response:
    """Answer what the framework itself refuses: no such path, no such method, no JSON."""
    assert isinstance(error, HTTPException)
    message = _ADVICE.get(error.status_code, str(error.detail))
    if error.status_code == 400:
        message = (
            "The body cannot be read: send JSON in UTF-8, not nested too deeply and without "
            "numbers of thousands of digits."
        )
    answer = respond(HttpFault(error.status_code, message), instance=request.url.path)
    answer.headers.update(error.headers or {})
    return answer


class _Left(Response):
    """No answer: `Edge` gives it, and logs why."""

    async def __call__(self, _scope: Scope, _receive: Receive, _send: Send) -> None: ...


async def on_defect(_request: Request, _error: Exception) -> Response:
    """Keep the framework from answering in plain text what it then raises to `Edge`."""
    return _Left()


async def on_invalid(request: Request, error: Exception) -> Response:
    """Answer arguments that do not fit their declaration."""
    assert isinstance(error, RequestValidationError)
    fault = invalid(error.errors())
    return respond(fault, in_path=bool(request.path_params), instance=request.url.path)


def invalid(found: Any) -> errors.Fault:
    """Turn pydantic's findings into one Invalid that names each field."""
    told = found[:_TOLD]
    fields = {_name(one["loc"]): _why(one) for one in told}
    kinds = {one["type"] for one in told}
    if kinds == {"json_invalid"}:
        return errors.Invalid("REQUEST_INVALID", "The body is not JSON: check it, and send again.")
    if "" in fields:
        return HttpFault(
            400, "Send one JSON object as the body, with 'Content-Type: application/json'."
        )
    message = "; ".join(f"{name}: {why}" for name, why in fields.items())
    return errors.Invalid("REQUEST_INVALID", message, fields=fields)


_TOLD = 20  # of the arguments that are wrong, an answer names so many
_SAID = {
    "missing": "is missing",
    "string_too_short": "is empty",
    "string_too_long": "takes at most {max_length} characters",
    "too_long": "takes {max_length} at most",
    "too_short": "takes {min_length} at least",
    "greater_than_equal": "takes {ge:g} or more",
    "greater_than": "takes more than {gt:g}",
    "less_than_equal": "takes {le:g} or less",
    "less_than": "takes less than {lt:g}",
    "finite_number": "takes a finite number",
    **dict.fromkeys(("int_type", "int_parsing", "int_from_float"), "takes a whole number"),
    "int_parsing_size": "takes a whole number of fewer digits",
    **dict.fromkeys(("float_type", "float_parsing"), "takes a number"),
    **dict.fromkeys(("bool_type", "bool_parsing"), "takes true or false"),
    "string_type": "takes text",
    "list_type": "takes a list",
    **dict.fromkeys(("dict_type", "model_type", "model_attributes_type"), "takes an object"),
    "literal_error": "takes {expected}",
    "uuid_parsing": "takes a UUID",
}


def _why(found: Any) -> str:
    if found["type"] == "string_pattern_mismatch":
        return FORMS[found["ctx"]["pattern"]]
    if found["type"] == "value_error":
        return str(found["ctx"]["error"])
    said = _SAID.get(found["type"])
    return said.format(**found.get("ctx", {})) if said else str(found["msg"])


def _name(location: tuple[Any, ...]) -> str:
    """Name an argument as our own checks do: "references[0].role"."""
    parts = location[1:]  # the first one is body, query or header
    named = "".join(f"[{part}]" if isinstance(part, int) else f".{part[:100]}" for part in parts)
    return named.removeprefix(".")[:200]
