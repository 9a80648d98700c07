"""OpenAI's refusals: JSON with a message, a type, a parameter and a code."""

from aiohttp import web

_KINDS = {429: "requests", 500: "server_error", 503: "server_error"}
_CODES = {
    401: "invalid_api_key", 404: "model_not_found", 429: "rate_limit_exceeded",
    500: "server_error", 503: "server_error",
}  # fmt: skip


class Problem(Exception):
    """
    A call that is refused with *status*; kind and code are the usual ones where left out.

    *wait* is the seconds of its Retry-After; *more* goes into its error beside the rest.
    """

    def __init__(
        self,
        status: int,
        message: str,
        *,
        code: str | None = None,
        kind: str = "",
        param: str | None = None,
        wait: int | None = None,
        **more: object,
    ) -> None:
        super().__init__(message)
        self.error = {
            "message": message,
            "type": kind or _KINDS.get(status, "invalid_request_error"),
            "param": param,
            "code": code or _CODES.get(status),
            **more,
        }
        self.status, self.wait = status, wait

    @property
    def answer(self) -> web.Response:
        headers = {} if self.wait is None else {"Retry-After": str(self.wait)}
        return web.json_response({"error": self.error}, status=self.status, headers=headers)


def by_status(status: int) -> web.Response:
    """What it says where a fault wants *status*."""
    return Problem(status, "The lab was asked for this.").answer


def blocked(stage: str) -> Problem:
    """Of what its moderation stops, at the *stage* input or output."""
    return Problem(
        400,
        "Your request was rejected by the safety system.",
        code="moderation_blocked",
        kind="image_generation_user_error",
        moderation_details={"moderation_stage": stage, "categories": ["violence"]},
    )
