"""
Which vault a folder is: an id that lies in it, and once more in a file outside of it.

Where a disk is not mounted, an empty folder is in its place. Taken for a new vault, all that was
kept would look lost, and what comes next would be gone once the disk is back.
"""

import errno
import uuid
from pathlib import Path

from chassis.settings import SettingsError
from services.storage.disk import Disk


class Mark:
    """The id of the vault in *root*, remembered in the file *known*. All blocks, raises OSError."""

    def __init__(self, root: Path, known: Path, disk: Disk) -> None:
        self._inside, self._known, self._disk = root / "id", known, disk
        self._id = b""

    def check(self) -> None:
        """Return where the vault is the one that was here, or none was; else SettingsError."""
        known, found = self._read(self._known), self._read(self._inside)
        if known and found != known:
            what = f"is another vault ({found.decode()})" if found else "has no vault in it"
            problem = (
                f"VAULT_URL: {self._inside.parent} {what}, and the one that was here is "
                f"{known.decode()}: mount its disk, or set VAULT_URL to it. Only where it is gone "
                f"for good and this folder takes its place: rm {self._known}"
            )
            raise SettingsError([problem])

    def settle(self) -> None:
        """
        Give the vault an id where it has none yet, as one of an older release, and remember it.

        It has the id before anything remembers it: else a crash would make a stranger of it.
        """
        held = self._disk.hold_folder(self._inside.parent)  # another process may be at it, too
        try:
            found = self._read(self._inside)
            if not found:
                found = uuid.uuid4().hex.encode()
                self._write(self._inside, found)
            if not self._read(self._known):
                self._disk.make_folder(self._known.parent)
                self._write(self._known, found)
            self._id = found
        finally:
            self._disk.close(held)

    def prove(self) -> None:
        """Raise where what is missing proves nothing, since the vault itself is not there."""
        if self._read(self._inside) != self._id:
            why = "the vault is not there: is its disk mounted?"
            raise FileNotFoundError(errno.ENOENT, why, str(self._inside.parent))

    def _read(self, path: Path) -> bytes:
        try:
            handle = self._disk.open(path)
        except FileNotFoundError:
            return b""
        try:
            return self._disk.read(handle, 0, self._disk.size(path) or 0).strip()
        finally:
            self._disk.close(handle)

    def _write(self, path: Path, content: bytes) -> None:
        """Write a small file. fsync of file and folder: half an id, or none, is another vault."""
        new = path.with_name(f"{path.name}.new")
        self._disk.remove(new)  # of a start that died
        handle = self._disk.create(new)
        try:
            self._disk.write(handle, (content + b"\n",))
            self._disk.sync(handle)
        finally:
            self._disk.close(handle)
        self._disk.rename(new, path)
        self._disk.sync_folder(path.parent)
