"""
The seam between us and where the bytes lie for good.

A vault keeps files on shelves, each file under a name and with notes beside it: small
documents that tell what the file is. It does not know what an image is. Whoever keeps or
removes takes turns by name (`turns.py`); reading needs none.
"""

from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from chassis.errors import Unavailable

_AGAIN = 2.0  # seconds until a disk that fails may be another one


class Shelf(StrEnum):
    """What a file is: the same name on two shelves is two files."""

    FILES = "files"
    RECEIPTS = "receipts"
    THUMBNAILS = "thumbnails"  # can be made again


@dataclass(frozen=True, slots=True)
class Found:
    """A file that is there: its first *note* and its *size* in bytes."""

    note: bytes
    size: int


@dataclass(frozen=True, slots=True)
class Digests:
    """Of the bytes as they lie there now, in lower-case hex; the bytes too where they are few."""

    sha256: str
    md5: str
    content: bytes | None = None


class Full(Exception):
    """There is no room. What was to be kept is not safe; it is not there, or whole, never half."""


class Gone(Exception):
    """No file has that name."""


class Sick(Unavailable):
    """
    The disk under it fails, or is not there. What lies on it may be as well as ever.

    Nothing was kept; whoever asks again later does no harm.
    """

    def __init__(self, why: str) -> None:
        self.why = why
        super().__init__(
            "VAULT_UNAVAILABLE",
            f"The vault's disk cannot be used now ({why}): look after it. Nothing that was kept "
            "is given up meanwhile.",
            retry_after=_AGAIN,
        )


class Draft(Protocol):
    """Bytes on their way in; nobody can see them before `keep` returns."""

    async def write(self, chunk: bytes, /) -> None:
        """Append *chunk*; raises Full."""

    def content(self) -> bytes | None:
        """All of it, where it is still in memory; ask before `keep`."""

    async def keep(
        self, shelf: Shelf, name: str, note: bytes, /, *, replace: bool = False
    ) -> Found | None:
        """
        Give the bytes a name; when this returns, file and note are durable.

        The first wins: where the name is taken, nothing changes, and what is there is
        returned, durable too. *replace* overwrites it instead. Raises Full.
        """


class Vault(Protocol):
    """Where the bytes lie for good."""

    async def open(self) -> None:
        """
        Make ready, and clear away what a dead process left.

        SettingsError where another vault was here, SystemExit with the remedy for all else.
        """

    async def close(self) -> None:
        """Finish what runs."""

    def draft(self) -> AbstractAsyncContextManager[Draft]:
        """Begin to take bytes; what was not kept when the block ends is gone."""

    async def find(self, shelf: Shelf, name: str, /) -> Found | None:
        """Return what is there, or None."""

    def read(
        self, shelf: Shelf, name: str, start: int = 0, stop: int | None = None, /
    ) -> AsyncIterator[bytes]:
        """Yield blocks of the bytes *start* to *stop*, of moderate size; raises Gone."""

    async def digest(self, shelf: Shelf, name: str, /) -> Digests:
        """Read a file once, from one end to the other; raises Gone."""

    async def annotate(self, shelf: Shelf, name: str, key: str, note: bytes, /) -> None:
        """Put one more note beside a file, durably; the same *key* overwrites. Raises Full."""

    async def notes(self, shelf: Shelf, name: str, /) -> list[bytes]:
        """All notes of a file, the first one first; none where there is no file."""

    async def is_torn(self, shelf: Shelf, name: str, /) -> bool:
        """Whether a first note lies there without its file, which somebody took away."""

    async def record(self, lines: bytes, /) -> None:
        """Append whole *lines* to what the vault knows beside its files, durably. Raises Full."""

    async def remove(self, shelf: Shelf, name: str, /) -> None:
        """Remove a file and its notes, durably; fine where there is none."""

    async def probe(self) -> None:
        """Write a few bytes, durably, and remove them. Raises Full and Sick."""

    def free(self) -> int:
        """Bytes that can still be taken; it may block, so ask in a thread."""
