"""Google's refusals: an error with a code, a message, a status, and details by their type."""

from typing import Any

from aiohttp import web

_STATUSES = {
    400: "INVALID_ARGUMENT", 401: "UNAUTHENTICATED", 403: "PERMISSION_DENIED", 404: "NOT_FOUND",
    429: "RESOURCE_EXHAUSTED", 500: "INTERNAL", 503: "UNAVAILABLE", 504: "DEADLINE_EXCEEDED",
}  # fmt: skip
_TYPES = "type.googleapis.com/google.rpc."


class Problem(Exception):
    """A call that is refused with *code*; *status* is the usual one for it where left out."""

    def __init__(self, code: int, message: str, *, status: str = "", **details: Any) -> None:
        super().__init__(message)
        self.answer = problem(code, message, status=status, **details)


def problem(code: int, message: str, *, status: str = "", **details: Any) -> web.Response:
    """The answer; a detail is named by its type, as in ``RetryInfo={"retryDelay": "7s"}``."""
    error: dict[str, Any] = {
        "code": code,
        "message": message,
        "status": status or _STATUSES.get(code, "UNKNOWN"),
    }
    if details:
        error["details"] = [{"@type": _TYPES + name, **told} for name, told in details.items()]
    return web.json_response({"error": error}, status=code)


def throttled(seconds: int) -> Problem:
    """Too many calls; the next may come in so many *seconds*."""
    return Problem(
        429,
        f"You exceeded your current quota. Please retry in {seconds}s.",
        RetryInfo={"retryDelay": f"{seconds}s"},
    )


def by_status(status: int) -> web.Response:
    """What it says where a fault wants *status*."""
    if status == 429:
        return throttled(1).answer
    if status == 503:
        return problem(status, "The model is overloaded. Please try again later.")
    return problem(status, "The lab was asked for this.")
