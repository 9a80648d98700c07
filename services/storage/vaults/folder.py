"""
A vault in a folder of one file system.

files/{aa}/{name} with {name}.json beside it, receipts and thumbnails likewise, tmp for what
is on its way in, journal for what is told of files later, and id, which `mark.py` knows it by.
Several processes may share it. What blocks runs in threads.
"""

import asyncio
import hashlib
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Protocol, Self, TypeVar

from chassis import logs
from chassis.faults import point
from services.storage.disk import Disk, full
from services.storage.hands import Hands
from services.storage.vault import Digests, Found, Full, Gone, Shelf, Sick
from services.storage.vaults.journal import Journal
from services.storage.vaults.mark import Mark
from services.storage.vaults.shelves import Shelves

BLOCK = 128 * 1024  # bytes read at a time
_DIGESTED = 4 * 1024 * 1024  # bytes in one hop, so many at a time:
_DIGEST = 1024 * 1024  # a file that is not larger is handed out, too
_HELD = 1024 * 1024  # bytes, or so, in memory before they are written: a small picture waits
_HELD_BY_ALL = 8 * 1024 * 1024  # bytes; beyond, each draft writes what is worth a hop
_WORTH = 256 * 1024
_PIECES = 512  # at most, however small
_THREADS = 8  # fsyncs wait side by side
log = logs.get()

Result = TypeVar("Result")


class FolderVault:
    """
    Keeps files under *root*, which may not exist yet, on *disk*.

    The file *known*, beside it unless told otherwise, remembers which vault it is.
    """

    def __init__(self, root: Path, disk: Disk, known: Path | None = None) -> None:
        self._root, self._disk = root, disk
        self._known = known or root.parent / f"{root.name}.id"
        self._mark = Mark(root, self._known, disk)
        self._shelves, self._journal = Shelves(root, disk), Journal(root / "journal", disk)
        self._hands = Hands(_THREADS, "vault")
        self._memory = _Memory()

    async def open(self) -> None:
        try:
            await self._hop(self._mark.check)  # first: nothing is written into another folder
            await self._hop(self._shelves.prepare)
            await self._hop(self._mark.settle)
        except (Full, Sick) as error:
            why = error.why if isinstance(error, Sick) else error
            raise SystemExit(
                f"storage: {self._root}, or {self._known}, cannot be written ({why}): make both "
                "writable for this user and free some space, or set VAULT_URL to another folder "
                "and VAULT_ID_FILE to another file"
            ) from error

    async def close(self) -> None:
        await asyncio.to_thread(self._hands.close)
        self._journal.close()
        self._disk.unlock()

    def draft(self) -> "_Draft":
        return _Draft(self._shelves, self._disk, self._hop, self._memory)

    async def find(self, shelf: Shelf, name: str, /) -> Found | None:
        return await self._hop(partial(self._sure, self._shelves.find, shelf, name))

    async def read(
        self, shelf: Shelf, name: str, start: int = 0, stop: int | None = None, /
    ) -> AsyncIterator[bytes]:
        reader = self._reader(shelf, name)
        try:
            while block := (
                reader.read_cached(start, stop)
                or await self._hop(partial(reader.read, start, stop))
            ):
                yield block
                start += len(block)
                if len(block) < BLOCK or start == stop:
                    return
        finally:
            reader.close()

    async def digest(self, shelf: Shelf, name: str, /) -> Digests:
        reader = self._reader(shelf, name)
        hashes = _Hashes()
        try:
            while await self._hop(partial(hashes.take, reader, _DIGESTED)):
                pass
        finally:
            reader.close()
        return hashes.digests

    async def annotate(self, shelf: Shelf, name: str, key: str, note: bytes, /) -> None:
        await self._hop(partial(self._shelves.annotate, shelf, name, key, note))

    async def notes(self, shelf: Shelf, name: str, /) -> list[bytes]:
        return await self._hop(partial(self._sure, self._shelves.notes, shelf, name))

    async def is_torn(self, shelf: Shelf, name: str, /) -> bool:
        return await self._hop(partial(self._shelves.is_torn, shelf, name))

    async def record(self, lines: bytes, /) -> None:
        await self._hop(partial(self._journal.append, lines))

    async def remove(self, shelf: Shelf, name: str, /) -> None:
        await self._hop(partial(self._shelves.remove, shelf, name))

    async def probe(self) -> None:
        await self._hop(self._mark.prove)
        await self._hop(self._shelves.probe)

    def free(self) -> int:
        return self._disk.free()

    def _reader(self, shelf: Shelf, name: str) -> "_Reader":
        return _Reader(self._disk, self._shelves.place(shelf, name), self._mark)

    def _sure(self, look: Callable[[Shelf, str], Result], shelf: Shelf, name: str) -> Result:
        """Look for a file; that there is none is told only where the vault is."""
        found = look(shelf, name)
        if not found:
            self._mark.prove()
        return found

    async def _hop(self, step: Callable[[], Result]) -> Result:
        """Run a blocking *step* in a thread, to its end; raises Full, Sick."""
        try:
            return await self._hands.do(step)
        except OSError as error:
            if full(error):
                raise Full(str(error)) from error
            # In full here alone: whoever is refused sees no path of ours, and no link in it.
            log.warning("the vault's disk fails", error=str(error))
            raise Sick(error.strerror or "it fails") from error


class _Hop(Protocol):
    async def __call__(self, step: Callable[[], Result], /) -> Result: ...


@dataclass(slots=True)
class _Memory:
    """What all drafts together hold, in bytes."""

    held: int = 0


class _Draft:
    """Bytes in memory up to 1 MiB, then in tmp; a small picture costs one hop in all."""

    def __init__(self, shelves: Shelves, disk: Disk, hop: "_Hop", memory: _Memory) -> None:
        self._shelves, self._disk, self._hop, self._memory = shelves, disk, hop, memory
        self._counted = 0  # of what is held
        self._held: list[bytes] = []
        self._size = 0
        self._path: str | None = None
        self._handle: int | None = None

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_ended: object) -> None:
        self._let_go()
        if self._path is not None:
            await self._hop(self._discard)

    async def write(self, chunk: bytes, /) -> None:
        self._held.append(chunk)
        self._size += len(chunk)
        self._counted += len(chunk)
        self._memory.held += len(chunk)
        crowded = self._memory.held > _HELD_BY_ALL and self._size >= _WORTH
        if crowded or self._size > _HELD or len(self._held) >= _PIECES:
            await self._hop(self._flush)
            self._let_go()

    def content(self) -> bytes | None:
        return b"".join(self._held) if self._path is None else None

    async def keep(
        self, shelf: Shelf, name: str, note: bytes, /, *, replace: bool = False
    ) -> Found | None:
        keep = partial(self._shelves.keep, shelf, name, note, self._settle, replace=replace)
        found = await self._hop(keep)
        if found is None:
            self._path = None  # it has its name now
        return found

    def _let_go(self) -> None:
        """Count no more what is written, or will never be."""
        self._memory.held -= self._counted
        self._counted = 0

    def _discard(self) -> None:
        """Remove what is still under its temporary name."""
        self._close()
        if self._path is not None:
            self._disk.remove(self._path)

    def _settle(self) -> str:
        """Write what is held, and sync. fsync: a name must never lead to half a file."""
        path = self._flush()
        if self._handle is not None:
            point("storage.folder.before_file_sync")
            self._disk.sync(self._handle)
            point("storage.folder.after_file_sync")
            self._close()
        return path

    def _flush(self) -> str:
        if self._path is None:
            self._path = self._shelves.temporary()
            self._handle = self._disk.create(self._path)
        if self._held:
            assert self._handle is not None
            self._disk.write(self._handle, self._held)
            self._held.clear()
            self._size = 0
        return self._path

    def _close(self) -> None:
        if self._handle is not None:
            self._disk.close(self._handle)
            self._handle = None


class _Hashes:
    """Of one file, made where it is read."""

    def __init__(self) -> None:
        self._sha256, self._md5 = hashlib.sha256(), hashlib.md5(usedforsecurity=False)
        self._at = 0
        self._content: bytes | None = None

    @property
    def digests(self) -> Digests:
        """What they are."""
        return Digests(self._sha256.hexdigest(), self._md5.hexdigest(), self._content)

    def take(self, reader: "_Reader", count: int) -> bool:
        """Go on by *count* bytes; False at the end."""
        stop = self._at + count
        while self._at < stop:
            block = reader.read(self._at, stop, _DIGEST)
            self._sha256.update(block)
            self._md5.update(block)
            if len(block) < _DIGEST:
                self._content = None if self._at else block
                return False
            self._at += len(block)
        return True


class _Reader:
    """One open file; it stays readable where it is removed in the meantime."""

    def __init__(self, disk: Disk, place: str, mark: Mark) -> None:
        self._disk, self._place, self._mark = disk, place, mark
        self._handle: int | None = None

    def read(self, start: int, stop: int | None, most: int = BLOCK) -> bytes:
        """Read the next block; raises Gone."""
        if self._handle is None:
            self._handle = self._opened()
        length = most if stop is None else max(0, min(most, stop - start))
        return self._disk.read(self._handle, start, length)

    def _opened(self) -> int:
        """Open it; Gone where it is not there, though the vault is."""
        try:
            return self._disk.open(self._place)
        except FileNotFoundError as error:
            self._mark.prove()  # else an unmounted disk would have lost it all
            raise Gone(self._place.rpartition("/")[2]) from error

    def read_cached(self, start: int, stop: int | None) -> bytes | None:
        """Read the next block where that takes no time; it begins with a `read`, which opens."""
        if self._handle is None or stop is None or start >= stop:
            return None
        return self._disk.read_cached(self._handle, start, min(BLOCK, stop - start))

    def close(self) -> None:
        """Let go of the file."""
        if self._handle is not None:
            self._disk.close(self._handle)
            self._handle = None
