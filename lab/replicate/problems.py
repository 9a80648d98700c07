"""Replicate's refusals: problem+json, in its own words where they are known."""

import json
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

from aiohttp import web

_POOR = (
    "You have insufficient credit to run this model. Go to "
    "https://replicate.com/account/billing#billing to purchase credit. Once you purchase "
    "credit, please wait a few minutes before trying again."
)


@dataclass(frozen=True, slots=True)
class Flaw:
    """One thing that is wrong with a request."""

    kind: str
    field: str
    description: str


class Problem(Exception):
    """A call that is refused; *answer* says so."""

    def __init__(self, answer: web.Response) -> None:
        super().__init__(answer.status)
        self.answer = answer


def problem(status: int, **body: Any) -> web.Response:
    """An answer of *status* whose body is a problem."""
    text = json.dumps({**body, "status": status}, ensure_ascii=False)
    return web.Response(status=status, text=text, content_type="application/problem+json")


def unauthenticated() -> Problem:
    detail = "You did not pass a valid authentication token"
    return Problem(problem(401, title="Unauthenticated", detail=detail))


def poor() -> Problem:
    return Problem(problem(402, title="Insufficient credit", detail=_POOR))


def not_found() -> Problem:
    return Problem(problem(404, detail="The requested resource could not be found."))


def invalid(found: list[Flaw]) -> Problem:
    """Refuse an input; the detail is a list, and once more in fields."""
    detail = "".join(f"- {flaw.field}: {flaw.description}\n" for flaw in found)
    fields = [
        {"type": flaw.kind, "field": flaw.field, "description": flaw.description} for flaw in found
    ]
    title = "Input validation failed"
    return Problem(problem(422, title=title, detail=detail, invalid_fields=fields))


def no_such_version() -> Problem:
    detail = (
        "The specified version does not exist (or perhaps you don't have permission to use it?)"
    )
    return Problem(problem(422, title="Invalid version or not permitted", detail=detail))


def malformed(detail: str) -> Problem:
    return Problem(problem(400, title="Bad request", detail=detail))


def throttled(what: str, seconds: int, *, header: bool) -> web.Response:
    """Say to wait *seconds*: always in the body, in a header only if it is wanted."""
    detail = f"Request was throttled. Your rate limit for {what} resets in ~{seconds}s."
    answer = problem(429, detail=detail, retry_after=seconds)
    if header:
        answer.headers["Retry-After"] = str(seconds)
    return answer


def by_status(status: int) -> web.Response:
    """A refusal of any *status*, which a fault asks for."""
    match status:
        case 401:
            return unauthenticated().answer
        case 402:
            return poor().answer
        case 404:
            return not_found().answer
        case 429:
            return throttled("creating predictions", 1, header=False)
    phrase = HTTPStatus(status).phrase if status in set(HTTPStatus) else "Error"
    return problem(status, title=phrase, detail=f"{phrase}, says the lab.")
