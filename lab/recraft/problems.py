"""Recraft's refusals: JSON with a code and a message; its real words are not known."""

from aiohttp import web

_CODES = {
    400: "invalid_request", 401: "unauthorized", 402: "not_enough_credits", 404: "not_found",
    429: "rate_limit_exceeded", 500: "internal_error", 503: "service_unavailable",
}  # fmt: skip


class Problem(Exception):
    """A call that is refused with *status*; *code* is the usual one for it where left out."""

    def __init__(self, status: int, message: str, code: str = "") -> None:
        super().__init__(message)
        self.answer = problem(status, message, code)


def problem(status: int, message: str, code: str = "") -> web.Response:
    body = {"code": code or _CODES.get(status, "error"), "message": message}
    return web.json_response(body, status=status)


def by_status(status: int) -> web.Response:
    """What it says where a fault wants *status*."""
    return problem(status, "The lab was asked for this.")
