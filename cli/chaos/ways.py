"""What a client of the campaign hears and how it fails, whichever way it comes in."""

import hashlib
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any, Protocol


@dataclass(frozen=True, slots=True)
class Heard:
    """One event of a job; *sequence* is 0 for a live one."""

    job: str
    sequence: int
    kind: str
    digest: str  # of all that it says; the same event, told again this way, has the same


def digest(text: bytes) -> str:
    """Return what stands for *text*, which may be long."""
    return hashlib.sha256(text).hexdigest()[:20]


class Broken(Exception):
    """The connection, or who is behind it, is gone for now: come again."""


class Refused(Exception):
    """The spend cap does not allow it."""


class Wrong(Exception):
    """An answer that makes no sense, whatever is killed."""


class Way(Protocol):
    """A way into the studio for one user; a request id makes a request the same request."""

    async def start(self, request: dict[str, Any], request_id: str) -> str:
        """Start a job and return its number."""

    async def glance(self, request: dict[str, Any], request_id: str) -> str:
        """Start a job on a stream, leave at its first byte, and return its number."""

    def generate(self, request: dict[str, Any], request_id: str) -> AsyncIterator[Heard]:
        """Start a job and hear its events from the first on."""

    def watch(self, job: str, after: int) -> AsyncIterator[Heard]:
        """Hear the events of *job* after one of them."""

    async def cancel(self, job: str) -> None:
        """Ask for the end of *job*."""
