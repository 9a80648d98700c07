"""
A disk in memory that keeps apart what was written and what is on the medium.

It can lose its power after any step, and be full at any step. What survives a power cut
is what was synced, and of the rest whatever an unkind file system chooses.
"""

import errno
import os
import random
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

from services.storage.disk import Place


class PowerCut(Exception):
    """The process is no more."""


@dataclass(eq=False)
class Inode:
    """A file; *safe* is what is on the medium."""

    content: bytes = b""
    safe: bytes = b""


Names = dict[Path, dict[str, "Inode | None"]]  # None is a folder


@dataclass
class MemoryDisk:
    """*cut_at* and *full_at* count the steps that change something, from 1."""

    names: Names = field(default_factory=lambda: {Path("/"): {}})
    safe: Names = field(default_factory=lambda: {Path("/"): {}})
    cut_at: int = 0
    full_at: int = 0
    steps: int = 0
    handles: dict[int, Inode | Path] = field(default_factory=dict)
    held: set[Path] = field(default_factory=set)

    def after_power_cut(self, seed: int) -> Self:
        """The disk as the next start finds it; *seed* decides about all that was not synced."""
        unkind = random.Random(seed)
        again = type(self)()
        chosen: dict[Path, dict[str, Inode | None]] = {}
        for folder in self.names:
            live, safe = self.names[folder], self.safe.get(folder, {})
            chosen[folder] = {}
            for name in sorted(live.keys() | safe.keys()):
                before, now = (name in safe, safe.get(name)), (name in live, live.get(name))
                there, entry = now if unkind.random() < 0.5 else before
                if there:
                    chosen[folder][name] = _survivor(entry, unkind)
        again.names = _reachable(chosen)
        again.safe = {folder: dict(entries) for folder, entries in again.names.items()}
        return again

    def lock(self, path: Path) -> bool:
        return True

    def share(self) -> None:
        pass

    def unlock(self) -> None:
        pass

    def make_folder(self, path: Place) -> None:
        path = Path(path)
        for folder in reversed((path, *path.parents)):
            if folder not in self.names:
                self._step()
                self.names[folder.parent][folder.name] = None
                self.names[folder] = {}

    def entries(self, folder: Place) -> list[str]:
        return list(self.names.get(Path(folder), {}))

    def create(self, path: Place) -> int:
        path = Path(path)
        self._step()
        if path.name in self._folder(path):
            raise FileExistsError(path)
        self._folder(path)[path.name] = inode = Inode()
        return self._handle(inode)

    def write(self, handle: int, pieces: Sequence[bytes]) -> None:
        self._step()
        self._file(handle).content += b"".join(pieces)

    def start(self, handle: int) -> None:
        pass  # the unkindest one

    def sync(self, handle: int) -> None:
        self._step()
        found = self.handles[handle]
        if isinstance(found, Path):
            self.safe[found] = dict(self.names[found])
        else:
            found.safe = found.content

    def close(self, handle: int) -> None:
        self.held.discard(self.handles.pop(handle))

    def rename(self, source: Place, target: Place) -> None:
        source, target = Path(source), Path(target)
        self._step()
        entries = self._folder(source)
        if source.name not in entries:
            raise FileNotFoundError(source)
        self._folder(target)[target.name] = entries.pop(source.name)

    def sync_folder(self, folder: Place) -> None:
        handle = self._handle(Path(folder))
        try:
            self.sync(handle)
        finally:
            self.close(handle)

    def hold_folder(self, folder: Place) -> int:
        folder = Path(folder)
        assert folder not in self.held, "two hold it at once"
        self.held.add(folder)
        return self._handle(folder)

    def remove(self, path: Place) -> None:
        path = Path(path)
        self._step(may_be_full=False)
        self.names.get(path.parent, {}).pop(path.name, None)

    def size(self, path: Place) -> int | None:
        path = Path(path)
        found = self.names.get(path.parent, {}).get(path.name)
        return len(found.content) if found else None

    def open(self, path: Place) -> int:
        path = Path(path)
        found = self.names.get(path.parent, {}).get(path.name)
        if found is None:
            raise FileNotFoundError(path)
        return self._handle(found)

    def read(self, handle: int, start: int, length: int) -> bytes:
        return self._file(handle).content[start : start + length]

    def read_cached(self, handle: int, start: int, length: int) -> bytes | None:
        return None

    def free(self) -> int:
        return 10**9

    def _step(self, *, may_be_full: bool = True) -> None:
        self.steps += 1
        if self.cut_at and self.steps > self.cut_at:
            raise PowerCut
        if may_be_full and self.full_at and self.steps == self.full_at:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    def _folder(self, path: Path) -> dict[str, Inode | None]:
        if path.parent not in self.names:
            raise FileNotFoundError(path)
        return self.names[path.parent]

    def _handle(self, what: Inode | Path) -> int:
        number = max(self.handles, default=0) + 1
        self.handles[number] = what
        return number

    def _file(self, handle: int) -> Inode:
        found = self.handles[handle]
        assert isinstance(found, Inode)
        return found


def _survivor(entry: Inode | None, unkind: random.Random) -> Inode | None:
    if entry is None:
        return None
    content = entry.safe
    if entry.content != entry.safe and unkind.random() < 0.5:
        content = entry.content[: unkind.randrange(len(entry.content) + 1)]
    return Inode(content, content)


def _reachable(chosen: Names) -> Names:
    """Only what hangs together from the root: a folder whose name was lost takes all with it."""
    found: Names = {}
    wanted = [Path("/")]
    while wanted:
        folder = wanted.pop()
        found[folder] = chosen.get(folder, {})
        wanted += [folder / name for name, entry in found[folder].items() if entry is None]
    return found
