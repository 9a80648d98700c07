"""
What a folder vault is told beside its files: lines, in a file for each process. All blocks.

Each addition begins with a line of its own, so that one which a full disk has cut off
spoils nothing after it.
"""

import threading
import uuid
from collections.abc import Iterator
from pathlib import Path

from chassis.faults import point
from services.storage.disk import Disk


class Journal:
    """Lines below *folder*, which may not exist yet, on *disk*."""

    def __init__(self, folder: Path, disk: Disk) -> None:
        self._folder, self._disk = folder, disk
        self._alone = threading.Lock()
        self._handle: int | None = None

    def append(self, lines: bytes) -> None:
        """Add whole *lines*; they are durable when this returns. Raises OSError."""
        with self._alone:
            if self._handle is None:
                self._handle = self._begin()
            self._disk.write(self._handle, (b"\n", lines))
            point("storage.journal.before_sync")
            self._disk.sync(self._handle)  # fsync: whoever asked may forget them now
            point("storage.journal.after_sync")

    def lines(self) -> Iterator[bytes]:
        """Read all lines of all processes."""
        for name in sorted(self._disk.entries(self._folder)):
            path = self._folder / name
            handle = self._disk.open(path)
            try:
                found = self._disk.read(handle, 0, self._disk.size(path) or 0)
            finally:
                self._disk.close(handle)
            yield from filter(None, found.split(b"\n"))

    def close(self) -> None:
        """Let go of the file."""
        with self._alone:
            if self._handle is not None:
                self._disk.close(self._handle)
                self._handle = None

    def _begin(self) -> int:
        """Make a file. fsync of both folders: else a crash takes its name along."""
        self._disk.make_folder(self._folder)
        handle = self._disk.create(self._folder / f"{uuid.uuid4().hex}.jsonl")
        self._disk.sync_folder(self._folder)
        self._disk.sync_folder(self._folder.parent)
        return handle
