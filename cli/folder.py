"""
The data folder of a stack: its layout, its format's version, its lock and its secrets.

    postgres/ nats/ vault/     what the stack keeps        logs/       a file for each process
    secrets/ (0700)            made once, 0600 each        stack.json  what runs now
    seats/                     a file for each generator, held by the one that runs
    vault.id                   which vault it is, so that an empty folder is not taken for it
    VENDORS                    who its jobs were made with: lab, or vendors; none before either
"""

import fcntl
import json
import os
import secrets as random
import stat
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from chassis.settings import Secret
from cli.shape import Shape

FORMAT = 1  # of this folder; a release that cannot read what an older one wrote counts it up


class CannotUse(Exception):
    """The data folder or the machine is not as needed; the message says what to do."""


class Busy(CannotUse):
    """Another stack holds the folder; *pid* is its supervisor's, or None while it ends."""

    def __init__(self, message: str, pid: int | None) -> None:
        super().__init__(message)
        self.pid = pid


@dataclass(frozen=True, slots=True)
class Folder:
    """One data folder; nothing is made before `prepare`."""

    path: Path

    @property
    def logs(self) -> Path:
        return self.path / "logs"

    @property
    def secrets(self) -> Path:
        return self.path / "secrets"

    @property
    def seats(self) -> Path:
        return self.path / "seats"

    def prepare(self) -> None:
        """Make the folder, or see that it can be used."""
        try:
            self.path.mkdir(mode=0o755, parents=True, exist_ok=True)
            for folder in (self.logs, self.secrets, self.seats):
                folder.mkdir(mode=0o700, exist_ok=True)
            probe = self.path / f".writable.{os.getpid()}"
            probe.write_bytes(b"?")
            probe.unlink()
        except OSError as error:
            raise CannotUse(
                f"the data folder {self.path} cannot be written: {error.strerror}; "
                "give this user the right to, free some space, or set STUDIO_DATA to another folder"
            ) from error
        self._check_owner()
        self._check_format()

    def _check_owner(self) -> None:
        for folder in (self.secrets, self.logs, self.seats):
            if not os.access(folder, os.R_OK | os.W_OK | os.X_OK):
                found = folder.stat()
                if found.st_uid == os.geteuid():
                    raise CannotUse(
                        f"{folder} is this user's, and its mode {found.st_mode & 0o777:03o} "
                        f"keeps it out: `chmod u+rwx {folder}`"
                    )
                raise CannotUse(
                    f"{folder} belongs to another user (uid {found.st_uid}): run as that "
                    "user, or give yourself the folder (chown -R), or set STUDIO_DATA to another"
                )

    def _check_format(self) -> None:
        path = self.path / "FORMAT"
        if not path.exists():
            _write(path, f"{FORMAT}\n", 0o644)
            return
        found = path.read_text(errors="replace").strip()
        if not found.isdecimal() or int(found) > FORMAT:
            raise CannotUse(
                f"the data folder {self.path} is of format {found[:20]!r}, this release knows "
                f"up to {FORMAT}: use the newer Image Studio that wrote it (git pull), "
                "or set STUDIO_DATA to another folder"
            )

    def keep_to(self, who: str) -> None:
        """Remember *who* its jobs are made with, and raise CannotUse where it was another.

        "lab" or "vendors", empty where nobody can be bought from. A job of the lab's would be
        bought for real, and a real one be given up: the lab knows nothing of it.
        """
        if not who:
            return
        if not self._vendors.exists():
            _write(self._vendors, f"{who}\n", 0o644)
        if self.kept_to != who:
            raise CannotUse(_made_with(self.path, self.kept_to))

    @property
    def kept_to(self) -> str:
        """Who its jobs are made with: "lab" or "vendors", empty for nobody yet."""
        exists = self._vendors.exists()
        return self._vendors.read_text(errors="replace").strip() if exists else ""

    @property
    def _vendors(self) -> Path:
        return self.path / "VENDORS"

    def vendors(self) -> str:
        """Return whom its jobs were made with; empty before any."""
        path = self.path / "VENDORS"
        return path.read_text(errors="replace").strip() if path.exists() else ""

    def lock(self) -> int:
        """Take the folder for this process; return the descriptor that holds it.

        Whoever inherits the descriptor holds it too: that is how the guardian keeps a new
        stack waiting while the processes of a killed one still end.
        """
        descriptor = os.open(self.path / "stack.lock", os.O_RDWR | os.O_CREAT, 0o644)
        if not _flock(descriptor):
            pid = os.read(descriptor, 20).decode().strip()
            os.close(descriptor)
            raise _busy(self.path, pid, Shape.of(self.read_state() or {}))
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, f"{os.getpid()}\n".encode(), 0)
        return descriptor

    def unlock(self, descriptor: int) -> None:
        """Let go of the folder; nobody has it any more."""
        os.ftruncate(descriptor, 0)
        os.close(descriptor)

    @contextmanager
    def held(self) -> Iterator[None]:
        """Hold the folder for a moment; raise Busy where a stack runs in it."""
        descriptor = self.lock()
        try:
            yield
        finally:
            self.unlock(descriptor)

    def is_locked(self) -> bool:
        """Whether a stack runs here, or is starting or ending."""
        try:
            descriptor = os.open(self.path / "stack.lock", os.O_RDONLY)
        except OSError:
            return False
        try:
            fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except OSError:
            return True
        finally:
            os.close(descriptor)
        return False

    def holder(self) -> int | None:
        """Return the pid of the supervisor that has the folder; None where none has.

        One that has let go may still be a zombie, or another process may have its pid by now.
        """
        if not self.is_locked():
            return None
        try:
            pid = (self.path / "stack.lock").read_text().strip()
        except OSError:
            return None
        return int(pid) if pid.isdecimal() and _is_alive(int(pid)) else None

    def secret(self, name: str, given: Secret) -> Secret:
        """Return *given*, else the secret of that name, made here once and never changed."""
        if given:
            return given
        path = self.secrets / name
        if not path.exists():
            _write(path, random.token_hex(32) + "\n", 0o600)
        if path.stat().st_mode & (stat.S_IRWXG | stat.S_IRWXO):
            path.chmod(0o600)
        return Secret(path.read_text().strip())

    def link_key(self, given: Secret) -> Secret:
        """Return the key that names pictures: another one would break every link."""
        path, vault = self.secrets / "link_key", self.path / "vault"
        known = path.read_text().strip() if path.exists() else ""
        if given and known and given.reveal() != known:
            raise CannotUse(
                f"LINK_KEY differs from {path}, which named the pictures so far; remove the "
                "setting, since another key breaks every link"
            )
        if not known and not given and vault.is_dir() and any(vault.iterdir()):
            raise CannotUse(
                f"{path} is gone but {vault} has pictures: put it back from a copy, or set "
                "LINK_KEY to it; a new key would break their links"
            )
        if given and not known:
            _write(path, given.reveal() + "\n", 0o600)
        return self.secret("link_key", given)

    def take_link_key(self, key: str) -> None:
        """Take the *key* of a copy; raise CannotUse where the folder has another one."""
        path = self.secrets / "link_key"
        if not path.exists():
            _write(path, key + "\n", 0o600)
        if path.read_text().strip() != key:
            raise CannotUse(
                f"{path} differs from the copy's: its pictures have other links; restore into a "
                "folder of its own (STUDIO_DATA)"
            )

    def forget_state(self) -> None:
        (self.path / "stack.json").unlink(missing_ok=True)

    def write_state(self, state: Mapping[str, Any]) -> None:
        _write(self.path / "stack.json", json.dumps(state) + "\n", 0o644, durable=False)

    def read_state(self) -> dict[str, Any] | None:
        """Return what runs here; None where nothing does, or where a killed stack still ends."""
        if self.holder() is None:
            return None
        try:
            found = json.loads((self.path / "stack.json").read_text())
        except (OSError, ValueError):
            return None
        return found if isinstance(found, dict) else None


def _flock(descriptor: int) -> bool:
    """Try for a moment: `is_locked` of another process holds the lock for an instant."""
    for _ in range(20):
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            time.sleep(0.01)
        else:
            return True
    return False


def _made_with(path: Path, found: str) -> str:
    if found == "lab":
        remedy = "set STUDIO_DATA to another folder for real vendors, or go on with --lab"
        return f"the jobs in {path} were made with the lab: {remedy}"
    remedy = "set STUDIO_DATA to another folder for the lab, or go on without --lab"
    return f"the jobs in {path} were made with real vendors: {remedy}"


def _busy(path: Path, pid: str, shape: Shape) -> Busy:
    if pid.isdecimal() and _is_alive(int(pid)):
        return Busy(
            f"a stack already runs in {path} (pid {pid}) with {shape}: `./studio ps` shows it; "
            "to change it, `./studio down` and start it anew; set STUDIO_DATA and the ports for a "
            "second one",
            int(pid),
        )
    return Busy(f"the last stack in {path} is still ending; try again in some seconds", None)


def _is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def _write(path: Path, text: str, mode: int, *, durable: bool = True) -> None:
    """Write a whole file or none."""
    new = path.with_name(f"{path.name}.{os.getpid()}.new")
    with os.fdopen(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, mode), "w") as file:
        file.write(text)
        file.flush()
        if durable:
            os.fsync(file.fileno())
    new.rename(path)
