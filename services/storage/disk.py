"""
The few things that a folder vault asks of a file system, so that a test can cut its power.

All of it blocks, and raises OSError. What is written is safe after `sync`, a name after
`sync_folder` of the folder it is in; nothing else is promised.
"""

import errno
import fcntl
import os
import sys
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Protocol

Place = str | Path  # text where it matters what a path costs
_FULL = frozenset({errno.ENOSPC, errno.EDQUOT})
_AT_ONCE: int | None = getattr(os, "RWF_NOWAIT", None)  # Linux has it
_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC


class Disk(Protocol):
    """A file system; a handle is a number, as in POSIX."""

    def lock(self, path: Place) -> bool:
        """Hold the vault until `unlock` or death. True: no other process has it."""

    def share(self) -> None:
        """Let other processes into the vault from now on."""

    def unlock(self) -> None:
        """Let go of the vault."""

    def make_folder(self, path: Place) -> None:
        """Make a folder and its parents; fine where it is there."""

    def entries(self, folder: Place) -> list[str]:
        """List the names in a folder; none where there is no such folder."""

    def create(self, path: Place) -> int:
        """Open a new, empty file for writing."""

    def write(self, handle: int, pieces: Sequence[bytes]) -> None:
        """Append all of *pieces*, at most 512, as they are: to join them costs more."""

    def start(self, handle: int) -> None:
        """Have a small file go to the medium, so that its `sync` waits less. Promises nothing."""

    def sync(self, handle: int) -> None:
        """Return when what was written is on the medium."""

    def close(self, handle: int) -> None:
        """Close a handle."""

    def rename(self, source: Place, target: Place) -> None:
        """Give a file another name, in the place of what had that name."""

    def sync_folder(self, folder: Place) -> None:
        """Return when the names in *folder* are on the medium."""

    def hold_folder(self, folder: Place) -> int:
        """Open a folder, for `sync` and `close`; other holders wait until it is closed."""

    def remove(self, path: Place) -> None:
        """Remove a file; fine where there is none."""

    def size(self, path: Place) -> int | None:
        """Size in bytes; None where there is no such file."""

    def open(self, path: Place) -> int:
        """Open a file for reading; raises FileNotFoundError."""

    def read(self, handle: int, start: int, length: int) -> bytes:
        """Up to *length* bytes from *start*; fewer only at the end."""

    def read_cached(self, handle: int, start: int, length: int) -> bytes | None:
        """Exactly these bytes where all of them are in memory; never waits for the medium."""

    def free(self) -> int:
        """Bytes that we may still write."""


def full(error: OSError) -> bool:
    """Whether *error* says that there is no room."""
    return error.errno in _FULL


class LocalDisk:
    """The real one; *root* is anywhere on it and exists."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._lock: int | None = None

    def lock(self, path: Place) -> bool:
        self._lock = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            fcntl.flock(self._lock, fcntl.LOCK_SH)  # waits while another one cleans up
            return False
        return True

    def share(self) -> None:
        if self._lock is not None:
            fcntl.flock(self._lock, fcntl.LOCK_SH)

    def unlock(self) -> None:
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None

    def make_folder(self, path: Place) -> None:
        Path(path).mkdir(mode=0o700, parents=True, exist_ok=True)

    def entries(self, folder: Place) -> list[str]:
        try:
            return os.listdir(folder)  # noqa: PTH208 -- names, not paths
        except FileNotFoundError:
            return []

    def create(self, path: Place) -> int:
        return os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)

    def write(self, handle: int, pieces: Sequence[bytes]) -> None:
        written = os.writev(handle, pieces)
        if written < sum(map(len, pieces)):  # the disk may be full only now
            rest = memoryview(b"".join(pieces))[written:]
            while rest:
                rest = rest[os.write(handle, rest) :]

    def start(self, handle: int) -> None:
        if sys.platform != "linux":  # writes what it is to forget, and keeps a page named in part
            return
        with suppress(OSError):  # not every file system takes advice; `sync` tells of the medium
            os.posix_fadvise(handle, 0, 1, os.POSIX_FADV_DONTNEED)

    def sync(self, handle: int) -> None:
        if sys.platform == "darwin":  # fsync leaves it in the drive's cache there
            fcntl.fcntl(handle, fcntl.F_FULLFSYNC)
        else:
            os.fsync(handle)

    def close(self, handle: int) -> None:
        os.close(handle)

    def rename(self, source: Place, target: Place) -> None:
        os.rename(source, target)  # noqa: PTH104 -- text, as below

    def sync_folder(self, folder: Place) -> None:
        handle = os.open(folder, _FOLDER)
        try:
            self.sync(handle)
        finally:
            os.close(handle)

    def hold_folder(self, folder: Place) -> int:
        handle = os.open(folder, _FOLDER)
        fcntl.flock(handle, fcntl.LOCK_EX)
        return handle

    def remove(self, path: Place) -> None:
        with suppress(FileNotFoundError):
            os.unlink(path)  # noqa: PTH108

    def size(self, path: Place) -> int | None:
        try:
            return os.stat(path).st_size  # noqa: PTH116
        except FileNotFoundError:
            return None

    def open(self, path: Place) -> int:
        return os.open(path, os.O_RDONLY | os.O_CLOEXEC)

    def read(self, handle: int, start: int, length: int) -> bytes:
        return os.pread(handle, length, start)

    def read_cached(self, handle: int, start: int, length: int) -> bytes | None:
        if _AT_ONCE is None:
            return None
        block = bytearray(length)
        try:
            count = os.preadv(handle, [block], start, _AT_ONCE)
        except OSError:  # it would have to wait, or that file system cannot tell
            return None
        return bytes(block) if count == length else None

    def free(self) -> int:
        found = os.statvfs(self._root)
        return found.f_bavail * found.f_frsize
