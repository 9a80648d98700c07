"""
A vault in a folder of one file system.

files/{aa}/{name} with {name}.json beside it, receipts and thumbnails likewise, and tmp
for what is on its way in. Many processes may share it; whoever is alone clears tmp.

Every write goes: temporary file, fsync, rename, fsync of the folder. Both halves of a
file are whole before either has its name, and the note gets its name first: a file that
can be seen has its note, and a note without a file is nothing.
"""

import asyncio
import uuid
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import TypeVar

from chassis.faults import point
from services.storage.disk import Disk, full
from services.storage.vault import Found, Full, Gone, Shelf

BLOCK = 1024 * 1024  # bytes taken to or from the disk at a time; a small picture is one block
VERSION = b"1"  # of the layout
_THREADS = 8  # fsyncs wait side by side

Result = TypeVar("Result")


class FolderVault:
    """Keeps files under *root*, which may not exist yet, on *disk*."""

    def __init__(self, root: Path, disk: Disk) -> None:
        self.disk, self._root, self.tmp = disk, root, root / "tmp"
        self._pool = ThreadPoolExecutor(_THREADS, thread_name_prefix="vault")
        self._durable: set[Path] = set()  # folders whose own names are on the medium

    async def open(self) -> None:
        try:
            await self.hop(self._open)
        except OSError as error:
            raise SystemExit(
                f"storage: {self._root} cannot be written ({error.strerror}): make it writable "
                "for this user, or set VAULT_URL to a folder that is"
            ) from error

    async def close(self) -> None:
        await asyncio.to_thread(self._pool.shutdown)

    @asynccontextmanager
    async def draft(self) -> AsyncIterator["_Draft"]:
        draft = _Draft(self)
        try:
            yield draft
        finally:
            if draft.unkept:
                await self.hop(draft.discard)

    async def find(self, shelf: Shelf, name: str, /) -> Found | None:
        return await self.hop(self.look, shelf, name)

    async def read(
        self, shelf: Shelf, name: str, start: int = 0, stop: int | None = None, /
    ) -> AsyncIterator[bytes]:
        reader = _Reader(self.disk, self.place(shelf, name))
        try:
            while block := await self.hop(reader.read, start, _length(start, stop)):
                yield block
                start += len(block)
                if len(block) < BLOCK or start == stop:
                    return
        except FileNotFoundError:
            raise Gone(name) from None
        finally:
            reader.close()

    async def annotate(self, shelf: Shelf, name: str, key: str, note: bytes, /) -> None:
        await self.hop(self._annotate, self.place(shelf, name), key, note)

    async def notes(self, shelf: Shelf, name: str, /) -> list[bytes]:
        return await self.hop(self._notes, self.place(shelf, name))

    async def remove(self, shelf: Shelf, name: str, /) -> None:
        await self.hop(self._remove, self.place(shelf, name))

    def free(self) -> int:
        return self.disk.free()

    async def hop(self, step: Callable[..., Result], *arguments: object) -> Result:
        """
        Run a blocking *step* in the pool, to its end even where the caller is cancelled.

        Nobody may tidy up after a step that still runs.
        """
        running = asyncio.get_running_loop().run_in_executor(self._pool, step, *arguments)
        try:
            return await asyncio.shield(running)
        except asyncio.CancelledError:
            while not running.done():
                with suppress(asyncio.CancelledError):
                    await asyncio.wait((running,))
            running.exception()  # the cancellation is what the caller hears of
            raise
        except OSError as error:
            if full(error):
                raise Full(str(error)) from error
            raise

    def place(self, shelf: Shelf, name: str) -> Path:
        """Where *name* lies. A receipt's id begins with the time: its end spreads better."""
        if shelf is Shelf.RECEIPTS:
            return self._root / shelf / name[-2:] / name
        suffix = ".webp" if shelf is Shelf.THUMBNAILS else ""
        return self._root / shelf / name[:2] / f"{name}{suffix}"

    def look(self, shelf: Shelf, name: str) -> Found | None:
        """Find a file with its note; a thumbnail has none."""
        place = self.place(shelf, name)
        size = self.disk.size(place)
        if size is None:
            return None
        note = b"" if shelf is Shelf.THUMBNAILS else self._content(_note(place))
        return None if note is None else Found(note, size)

    def make_folder(self, folder: Path) -> None:
        """Have a folder whose name is on the medium: else a crash takes it with all in it."""
        if folder in self._durable:
            return
        self.disk.make_folder(folder)
        self.disk.sync_folder(folder.parent)
        self._durable.add(folder)

    def write_temporary(self, content: bytes) -> Path:
        """Write a small file under a name that nobody knows, and sync it."""
        path = self.temporary()
        handle = self.disk.create(path)
        try:
            self.disk.write(handle, content)
            self.disk.sync(handle)
        except OSError:
            self.disk.remove(path)
            raise
        finally:
            self.disk.close(handle)
        return path

    def temporary(self) -> Path:
        """Return a name in tmp that nobody has."""
        return self.tmp / uuid.uuid4().hex

    def _open(self) -> None:
        self.disk.make_folder(self._root)
        alone = self.disk.lock(self._root / "lock")
        self._check_version()
        for folder in (*(self._root / shelf for shelf in Shelf), self.tmp):
            self.disk.make_folder(folder)
            self._durable.update(folder / name for name in self.disk.entries(folder))
            self.disk.sync_folder(folder)  # what is in it may have been made just before a kill
        self.disk.sync_folder(self._root)
        if alone:
            for name in self.disk.entries(self.tmp):
                self.disk.remove(self.tmp / name)
        self.disk.remove(self.write_temporary(b"writable"))
        self.disk.share()

    def _check_version(self) -> None:
        path = self._root / "version"
        version = self._content(path)
        if version is None:
            self.disk.make_folder(self.tmp)
            self.disk.rename(self.write_temporary(VERSION), path)
        elif version != VERSION:
            raise SystemExit(
                f"storage: {self._root} was written by a newer version (layout "
                f"{version.decode(errors='replace')}, we know {VERSION.decode()}): start that one"
            )

    def _annotate(self, place: Path, key: str, note: bytes) -> None:
        point("storage.folder.before_extra_sync")
        path = self.write_temporary(note)  # fsync: a note must be whole before it has a name
        point("storage.folder.after_extra_sync")
        self.disk.rename(path, place.with_name(f"{place.name}.{key}.json"))
        point("storage.folder.after_extra_rename")
        self.disk.sync_folder(place.parent)  # fsync: so that the name is not lost
        point("storage.folder.after_extra_folder_sync")

    def _notes(self, place: Path) -> list[bytes]:
        if self.disk.size(place) is None:
            return []
        found = [self._content(path) for path in self._beside(place)]
        return [note for note in found if note is not None]

    def _remove(self, place: Path) -> None:
        notes = self._beside(place)
        point("storage.folder.before_removal")
        self.disk.remove(place)  # first: a note without a file is nothing
        point("storage.folder.after_removal")
        for path in notes:
            self.disk.remove(path)
        if place.parent in self._durable:
            self.disk.sync_folder(place.parent)  # fsync: who deletes does not want it back
        point("storage.folder.after_removal_sync")

    def _beside(self, place: Path) -> list[Path]:
        names = sorted(self.disk.entries(place.parent))
        more = [n for n in names if n.startswith(f"{place.name}.") and n.endswith(".json")]
        first = _note(place)
        return [first, *(place.with_name(n) for n in more if n != first.name)]

    def _content(self, path: Path) -> bytes | None:
        try:
            handle = self.disk.open(path)
        except FileNotFoundError:
            return None
        try:
            return self.disk.read(handle, 0, self.disk.size(path) or 0)
        finally:
            self.disk.close(handle)


class _Draft:
    """Bytes in memory up to a block, then in tmp; a small picture costs one hop in all."""

    def __init__(self, vault: FolderVault) -> None:
        self._vault, self._disk = vault, vault.disk
        self._held = bytearray()
        self._path: Path | None = None
        self._handle: int | None = None

    async def write(self, chunk: bytes, /) -> None:
        self._held += chunk
        if len(self._held) >= BLOCK:
            await self._vault.hop(self._flush)

    async def keep(
        self, shelf: Shelf, name: str, note: bytes, /, *, replace: bool = False
    ) -> Found | None:
        return await self._vault.hop(self._keep, shelf, name, note, replace)

    @property
    def unkept(self) -> bool:
        """Whether there is a temporary file."""
        return self._path is not None or self._handle is not None

    def discard(self) -> None:
        """Remove what is still under its temporary name."""
        self._close()
        if self._path is not None:
            self._disk.remove(self._path)

    def _keep(self, shelf: Shelf, name: str, note: bytes, replace: bool) -> Found | None:  # noqa: FBT001
        place = self._vault.place(shelf, name)
        found = None if replace else self._vault.look(shelf, name)
        if found is not None:
            # fsync: whoever put it there may have died before its own.
            self._disk.sync_folder(place.parent)
            return found
        self._vault.make_folder(place.parent)
        if shelf is Shelf.THUMBNAILS:
            self._name(place)  # no fsync of the folder: if it is lost, it is made again
        else:
            self._keep_both(place, note)
        return None

    def _keep_both(self, place: Path, note: bytes) -> None:
        beside = self._vault.write_temporary(note)  # fsync: the note, whole before it has a name
        point("storage.folder.after_note_sync")
        try:
            self._settle()
            self._disk.rename(beside, _note(place))
            point("storage.folder.after_note_rename")
            self._name(place)
        except OSError:
            self._disk.remove(beside)
            if self._disk.size(place) is None:
                self._disk.remove(_note(place))
            raise
        point("storage.folder.before_folder_sync")
        self._disk.sync_folder(place.parent)  # fsync: one for both names, so that neither is lost
        point("storage.folder.after_folder_sync")

    def _name(self, place: Path) -> None:
        path = self._settle()
        point("storage.folder.before_rename")
        self._disk.rename(path, place)
        self._path = None
        point("storage.folder.after_rename")

    def _settle(self) -> Path:
        """Write what is held, and sync: a name must never lead to half a file."""
        if self._handle is None and self._path is not None:
            return self._path
        path = self._flush()
        assert self._handle is not None
        point("storage.folder.before_file_sync")
        self._disk.sync(self._handle)
        point("storage.folder.after_file_sync")
        self._close()
        return path

    def _flush(self) -> Path:
        if self._path is None or self._handle is None:
            self._path = self._vault.temporary()
            self._handle = self._disk.create(self._path)
        self._disk.write(self._handle, self._held)
        self._held.clear()
        return self._path

    def _close(self) -> None:
        if self._handle is not None:
            self._disk.close(self._handle)
            self._handle = None


class _Reader:
    """One open file; it stays readable where it is removed in the meantime."""

    def __init__(self, disk: Disk, place: Path) -> None:
        self._disk, self._place = disk, place
        self._handle: int | None = None

    def read(self, start: int, length: int) -> bytes:
        if self._handle is None:
            self._handle = self._disk.open(self._place)
        return self._disk.read(self._handle, start, length)

    def close(self) -> None:
        if self._handle is not None:
            self._disk.close(self._handle)
            self._handle = None


def _note(place: Path) -> Path:
    return place.with_name(f"{place.name}.json")


def _length(start: int, stop: int | None) -> int:
    return BLOCK if stop is None else max(0, min(BLOCK, stop - start))
