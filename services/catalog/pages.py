"""
Page tokens: a position in a list, bound to the user and to what was asked for.

Not signed, since a forged one only moves about in the caller's own rows; but checked, so
that a token of another list is refused rather than answered with nonsense.
"""

import base64
import hashlib
import json
from dataclasses import dataclass
from math import inf
from typing import Any

from google.protobuf.message import Message

from chassis.errors import Invalid
from services.catalog.arguments import invalid, page_size

NEWEST = 2**63 - 1  # above every id


@dataclass(frozen=True, slots=True)
class Page:
    """*size* rows wanted, after *position* (None: from the start), of the list *digest*."""

    size: int
    position: list[Any] | None
    digest: str

    def below(self) -> int:
        """Return the id below which the page begins, of a list of the newest first."""
        match self.position:
            case None:
                return NEWEST
            case [int(number)] if _is_id(number):
                return number
        raise _foreign()

    def after(self) -> str:
        """Return the key after which the page begins, of a list by key."""
        match self.position:
            case None:
                return ""
            case [str(key)] if "\x00" not in key:
                return key
        raise _foreign()

    def ranked(self) -> tuple[int, float, int]:
        """Return the top of the window, then rank and id after which the page begins."""
        match self.position:
            case None:
                return NEWEST, inf, NEWEST
            case [int(top), None, int(last)] if _is_id(top) and _is_id(last):
                return top, inf, last
            case [int(top), float(rank), int(last)] if (
                _is_id(top) and _is_id(last) and abs(rank) < 1e9
            ):
                return top, rank, last
        raise _foreign()

    def next(self, *position: Any) -> str:
        """Make the token of the page after *position*."""
        raw = json.dumps([self.digest, *position], separators=(",", ":"))
        return base64.urlsafe_b64encode(raw.encode()).decode().rstrip("=")


def page(request: Any, user_id: int) -> Page:
    """Read page_size and page_token of *request*, any message that has both."""
    size, digest = page_size(request.page_size), _digest(request, user_id)
    if not request.page_token:
        return Page(size, None, digest)
    found, *position = _opened(request.page_token)
    if found != digest:
        raise _foreign()
    return Page(size, position, digest)


def _is_id(number: int) -> bool:
    return 0 <= number <= NEWEST


def _opened(token: str) -> list[Any]:
    try:
        raw = base64.urlsafe_b64decode(token.encode() + b"=" * (-len(token) % 4))
        found = json.loads(raw)
    except (ValueError, RecursionError):
        raise _foreign() from None
    if not isinstance(found, list) or len(found) < 2:
        raise _foreign()
    return found


def _digest(request: Message, user_id: int) -> str:
    """Name the list: its user and all arguments but the page's own."""
    asked = type(request)()
    asked.CopyFrom(request)
    asked.ClearField("page_size")
    asked.ClearField("page_token")
    words = f"{user_id} {asked.DESCRIPTOR.full_name} ".encode()
    words += asked.SerializeToString(deterministic=True)
    return hashlib.blake2b(words, digest_size=9).hexdigest()


def _foreign() -> Invalid:
    return invalid("page_token", "belongs to another list; leave it out to begin anew")
