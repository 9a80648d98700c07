"""
The shelves of a folder vault, and the order in which bytes become durable. All blocks.

Every write goes: temporary file, fsync, rename, fsync of the folder. File and note are
whole before either has its name, and the note gets its name first: a file that can be
seen has its note, and a note without a file is nothing. Paths are text: what builds a Path costs
more than what the kernel does with it.
"""

import itertools
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from chassis.faults import point
from services.storage.disk import Disk
from services.storage.vault import Found, Shelf

VERSION = b"1"  # of the layout


class Shelves:
    """Files under *root*, which may not exist yet, on *disk*."""

    def __init__(self, root: Path, disk: Disk) -> None:
        self.disk, self._root, self._tmp = disk, root, str(root / "tmp")
        self._durable: set[str] = set()  # folders whose own names are on the medium
        self._process, self._numbers = uuid.uuid4().hex, itertools.count()

    def prepare(self) -> None:
        """Make the folders, and clear tmp if no other process has the vault; raises OSError."""
        self.disk.make_folder(self._root)
        alone = self.disk.lock(self._root / "lock")
        self._check_version()
        for folder in (*(f"{self._root}/{shelf}" for shelf in Shelf), self._tmp):
            self.disk.make_folder(folder)
            self._durable.update(f"{folder}/{name}" for name in self.disk.entries(folder))
            self.disk.sync_folder(folder)  # what is in it may have been made just before a kill
        for above in (self._root, *self._root.parents):
            with suppress(PermissionError):  # what we may not even list we have not made
                self.disk.sync_folder(above)
        for name in self.disk.entries(self._tmp) if alone else ():
            self.disk.remove(f"{self._tmp}/{name}")
        self.probe()
        self.disk.share()

    def probe(self) -> None:
        """Write a small file and remove it. fsync: only that proves that the disk takes it."""
        self.disk.remove(self._write(b"can be written"))

    def place(self, shelf: Shelf, name: str) -> str:
        """Where *name* lies. A receipt's id begins with the time: its end spreads better."""
        if shelf is Shelf.RECEIPTS:
            return f"{self._root}/{shelf}/{name[-2:]}/{name}"
        suffix = ".webp" if shelf is Shelf.THUMBNAILS else ""
        return f"{self._root}/{shelf}/{name[:2]}/{name}{suffix}"

    def temporary(self) -> str:
        """Return a name in tmp that nobody has."""
        return f"{self._tmp}/{self._process}.{next(self._numbers)}"

    def find(self, shelf: Shelf, name: str) -> Found | None:
        """Find a file with its note; a thumbnail has none."""
        return self._find(self.place(shelf, name), noted=shelf is not Shelf.THUMBNAILS)

    def keep(
        self, shelf: Shelf, name: str, note: bytes, settle: Callable[[], str], *, replace: bool
    ) -> Found | None:
        """
        Name what *settle* returns, a synced temporary file; the first one wins.

        *settle* is not even called where the name is taken.
        """
        place = self.place(shelf, name)
        folder = _folder(place)
        self._make_folder(folder)
        if shelf is Shelf.THUMBNAILS:
            self.disk.rename(settle(), place)  # no fsync of the folder: lost, it is made again
            return None
        found = None if replace else self._find(place)
        if found is not None:
            # fsync: whoever put it there may have died before his own.
            self.disk.sync_folder(folder)
            return found
        beside, handle = self._begin(note)
        named = False
        try:
            file = self._settled(settle, handle)
            point("storage.shelves.after_note_sync")
            with self._alone_in(folder) as held:
                found = None if replace else self._find(place)
                if found is None:
                    self._name(place, file, beside)
                    named = True
                # fsync: one for both names, so that neither is lost.
                self.disk.sync(held)
                point("storage.shelves.after_folder_sync")
                return found
        finally:
            if not named:
                self.disk.remove(beside)

    def annotate(self, shelf: Shelf, name: str, key: str, note: bytes) -> None:
        """Put one more note beside a file."""
        place = self.place(shelf, name)
        path = self._write(note)
        point("storage.shelves.before_extra_rename")
        self.disk.rename(path, f"{place}.{key}.json")
        point("storage.shelves.after_extra_rename")
        self.disk.sync_folder(_folder(place))  # fsync: so that the name is not lost
        point("storage.shelves.after_extra_folder_sync")

    def notes(self, shelf: Shelf, name: str) -> list[bytes]:
        """Read all notes of a file, the first one first."""
        place = self.place(shelf, name)
        if self.disk.size(place) is None:
            return []
        found = [self._content(path) for path in self._beside(place)]
        return [note for note in found if note is not None]

    def is_torn(self, shelf: Shelf, name: str) -> bool:
        """Whether a first note lies there without its file."""
        place = self.place(shelf, name)
        return self.disk.size(place) is None and self.disk.size(_note(place)) is not None

    def names(self, shelf: Shelf) -> Iterator[str]:
        """List the files of a shelf that has notes; a note without its file is nothing."""
        folder = f"{self._root}/{shelf}"
        for part in sorted(self.disk.entries(folder)):
            for name in sorted(self.disk.entries(f"{folder}/{part}")):
                if not name.endswith(".json"):
                    yield name

    def remove(self, shelf: Shelf, name: str) -> None:
        """Remove a file, then its notes: without the file they are nothing."""
        place = self.place(shelf, name)
        notes = self._beside(place)
        point("storage.shelves.before_removal")
        self.disk.remove(place)
        point("storage.shelves.after_removal")
        for path in notes:
            self.disk.remove(path)
        if _folder(place) in self._durable:
            self.disk.sync_folder(_folder(place))  # fsync: who deletes does not want it back
        point("storage.shelves.after_removal_sync")

    def _find(self, place: str, *, noted: bool = True) -> Found | None:
        size = self.disk.size(place)
        if size is None:
            return None
        note = self._content(_note(place)) if noted else b""
        return None if note is None else Found(note, size)

    def _name(self, place: str, file: str, note: str) -> None:
        point("storage.shelves.before_note_rename")
        self.disk.rename(note, _note(place))
        point("storage.shelves.before_file_rename")
        try:
            self.disk.rename(file, place)
        except OSError:
            if self.disk.size(place) is None:
                self.disk.remove(_note(place))
            raise
        point("storage.shelves.after_file_rename")

    @contextmanager
    def _alone_in(self, folder: str) -> Iterator[int]:
        """Look and name in one step, other processes included: nothing is ever overwritten."""
        handle = self.disk.hold_folder(folder)
        try:
            yield handle
        finally:
            self.disk.close(handle)

    def _make_folder(self, folder: str) -> None:
        """Have a folder whose own name is on the medium, else a crash takes all that is in it."""
        if folder not in self._durable:
            self.disk.make_folder(folder)
            self.disk.sync_folder(_folder(folder))
            self._durable.add(folder)

    def _settled(self, settle: Callable[[], str], note: int) -> str:
        """
        Have file and note on the medium, and return the file.

        The note is on its way there when the file is synced: so both mostly take one commit of
        the file system's journal. fsync: the note must be whole before it has a name.
        """
        try:
            self.disk.start(note)
            file = settle()
            self.disk.sync(note)
            return file
        finally:
            self.disk.close(note)

    def _write(self, content: bytes) -> str:
        """Write a small temporary file. fsync: it must be whole before it has a name."""
        path, handle = self._begin(content)
        try:
            self.disk.sync(handle)
        except OSError:
            self.disk.remove(path)
            raise
        finally:
            self.disk.close(handle)
        return path

    def _begin(self, content: bytes) -> tuple[str, int]:
        """Write a small temporary file, which whoever calls has to sync and to close."""
        path = self.temporary()
        handle = self.disk.create(path)
        try:
            self.disk.write(handle, (content,))
        except OSError:
            self.disk.close(handle)
            self.disk.remove(path)
            raise
        return path, handle

    def _check_version(self) -> None:
        path = f"{self._root}/version"
        version = self._content(path)
        if version is None:
            self.disk.make_folder(self._tmp)
            self.disk.rename(self._write(VERSION), path)
        elif version != VERSION:
            raise SystemExit(
                f"storage: {self._root} was written by a newer version (layout "
                f"{version.decode(errors='replace')}, we know {VERSION.decode()}): start that one"
            )

    def _beside(self, place: str) -> list[str]:
        first, folder = _note(place), _folder(place)
        beside = (f"{folder}/{name}" for name in sorted(self.disk.entries(folder)))
        more = [path for path in beside if path.startswith(f"{place}.") and path != first]
        return [first, *more]

    def _content(self, path: str) -> bytes | None:
        try:
            handle = self.disk.open(path)
        except FileNotFoundError:
            return None
        try:
            return self.disk.read(handle, 0, self.disk.size(path) or 0)
        finally:
            self.disk.close(handle)


def _folder(path: str) -> str:
    return path.rpartition("/")[0]


def _note(place: str) -> str:
    return f"{place}.json"
