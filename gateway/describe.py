"""How routes are described in OpenAPI: their problems, their streams, and no 422 of FastAPI's."""

from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi

from gateway.answers import Event, Problem, WordsEvent

_WHEN = {
    400: "An argument is missing or wrong",
    401: "No valid credential",
    402: "Over the spend cap or max_cost_usd",
    403: "The key lacks a scope, or a foreign page sent this",
    404: "Nothing there, or another user's",
    408: "No bytes came for too long",
    409: "Not in the present state",
    412: "It was changed meanwhile: read it again",
    413: "More than 1 MiB, or a picture of more than 25",
    416: "No such range",
    422: "The request id was used with another request",
    428: "If-Match is missing",
    429: "Too much at once",
    502: "A language model's answer was lost or makes no sense; it may have been paid for",
    503: "A service does not answer",
    507: "The disk is full: nothing is lost, nothing new is taken",
}
_ALWAYS = (400, 401, 403, 503)
_PROBLEM = "#/components/schemas/Problem"
_METHODS = ("get", "post", "patch", "delete", "put")


def problems(*codes: int) -> dict[int | str, dict[str, Any]]:
    """Describe what any route may answer, and *codes*."""
    return {code: {"description": _WHEN[code]} for code in sorted({*_ALWAYS, *codes})}


EVENTS: dict[int | str, dict[str, Any]] = {
    200: {
        "description": "The events of a job, to its end. `id` is on durable events only; send the "
        "last as Last-Event-ID to go on after it.",
        "content": {"text/event-stream": {"schema": {"$ref": "#/components/schemas/Event"}}},
    }
}


FEED: dict[int | str, dict[str, Any]] = {
    200: {
        "description": "The caller's feed, without end. `id` is the number in the feed; send the "
        "last as Last-Event-ID to go on after it.",
        "content": {"text/event-stream": {"schema": {"$ref": "#/components/schemas/Event"}}},
    }
}


WORDS: dict[int | str, dict[str, Any]] = {
    200: {
        "description": "What is written, as it comes; `summary` or `error` is last. It is not "
        "taken up again after a cut: whoever asks anew pays anew.",
        "content": {"text/event-stream": {"schema": {"$ref": "#/components/schemas/WordsEvent"}}},
    }
}


def describe(app: FastAPI) -> dict[str, Any]:
    """Make the description of *app* once."""
    if app.openapi_schema:
        return app.openapi_schema
    found = get_openapi(
        title=app.title, version=app.version, description=app.description, routes=app.routes
    )
    schemas = found["components"]["schemas"]
    schemas["Problem"] = Problem.model_json_schema()
    schemas["Event"] = Event.model_json_schema()
    schemas["WordsEvent"] = WordsEvent.model_json_schema()
    for absent in ("HTTPValidationError", "ValidationError"):
        schemas.pop(absent, None)
    for path in found["paths"].values():
        for method in _METHODS:
            if method in path:
                _with_problems(path[method]["responses"])
    found["components"]["securitySchemes"] = {"key": {"type": "http", "scheme": "bearer"}}
    found["security"] = [{"key": []}, {}]
    app.openapi_schema = found
    return found


def _with_problems(responses: dict[str, Any]) -> None:
    if responses.get("422", {}).get("description") != _WHEN[422]:
        responses.pop("422", None)
    for code, response in responses.items():
        if code.isdecimal() and int(code) >= 400:
            schema = {"schema": {"$ref": _PROBLEM}}
            response["content"] = {"application/problem+json": schema}
