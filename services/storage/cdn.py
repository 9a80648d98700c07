"""
The seam between us and a company that serves copies of what is kept.

A CDN is one file in `cdns/` with one class that satisfies `Cdn`. It is given bytes, never a
URL, and answers only when the copy there is proven to be the same bytes. Whatever it
raises, the vault serves the file meanwhile, and somebody tries again.
"""

from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from typing import Protocol

from chassis.settings import Secret


@dataclass(frozen=True, slots=True, kw_only=True)
class File:
    """One file of the vault; *read* yields its bytes from one offset to another."""

    link: str  # its name for ever, here and there
    user_id: int
    display_name: str
    media_type: str
    size: int
    md5: str  # lower-case hex
    read: Callable[[int, int], AsyncIterator[bytes]]


@dataclass(frozen=True, slots=True)
class Published:
    """Where the copy and a preview of it are served; both have the link in their path."""

    url: str
    thumbnail_url: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """Whose copies they are: a *cloud* at the CDN, and what proves that it is ours."""

    key: str
    secret: Secret
    cloud: str


class CdnError(Exception):
    """A copy that is not proven to be there; *retry_after* is in seconds."""

    def __init__(self, why: str, *, retry_after: float | None = None) -> None:
        super().__init__(why)
        self.retry_after = retry_after


class Busy(CdnError):
    """Not now: it did not answer, or not as it should."""


class Refused(CdnError):
    """It said no, and will again until somebody changes something."""


class Cdn(Protocol):
    """One verb."""

    @property
    def name(self) -> str:
        """What people call it."""

    async def publish(self, file: File, /) -> Published:
        """
        Have a copy of *file* there, named by its link; again is the same copy.

        Raises Busy or Refused. Returns in bounded time, with a bounded part of the file in memory.
        """

    async def close(self) -> None:
        """Let go of connections."""
