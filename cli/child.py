"""One process of a running stack: spawned tied to us, watched, asked to end, made to end."""

import asyncio
import os
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from cli import leash
from cli.folder import CannotUse, Folder
from cli.forks import Forked, Forks
from cli.processes import Process
from cli.settings import CHECKOUT

_LOG_AT_START = 1024 * 1024  # bytes; above it a start begins a new file and keeps the last
_LOG_WHILE_RUNNING = 32 * 1024 * 1024
_LOOK = 1.0  # seconds between two looks whether it lingers


class Child:
    """The one running copy of *process*; `exited` and `ready` tell how far it is."""

    def __init__(self, process: Process, folder: Folder) -> None:
        self.process, self.log = process, folder.logs / f"{process.name}.log"
        self._began = 0  # where in its log the last start's words begin
        self.ready, self.exited = asyncio.Event(), asyncio.Event()
        self.was_ready = False
        self._popen: subprocess.Popen[bytes] | Forked | None = None

    @property
    def pid(self) -> int | None:
        """Of the running process; None where there is none."""
        return self._popen.pid if self._popen and self._popen.returncode is None else None

    async def start(self, forks: Forks | None) -> None:
        """Run it as the leader of a session, its output to its log; forked where it can be."""
        self.exited.clear()
        self._popen = None  # who looks meanwhile would find the dead one, and call us dead
        for path, text in self.process.files.items():
            if not path.exists() or path.read_text() != text:  # a disk that is full by now
                path.write_text(text)
        _shorten(self.log, _LOG_AT_START)
        with _appending(self.log) as log:
            self._began = os.fstat(log).st_size
            self._popen = await self._forked(forks, log) or self._executed(log)
        self.look()  # it may have ended while nobody knew it

    async def _forked(self, forks: Forks | None, log: int) -> Forked | None:
        process = self.process
        if forks is None or process.module is None:
            return None
        return await forks.fork(
            process.module, process.environment, name=process.name, log=log,
            asked=process.asked, wait=not process.at_once,
        )  # fmt: skip

    def _executed(self, log: int) -> subprocess.Popen[bytes]:
        tie = leash.tied(self.process.asked)
        return subprocess.Popen(
            self.process.command,
            env=self.process.environment,
            cwd=CHECKOUT,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,  # Ctrl-C is for the supervisor, which ends us in order
            preexec_fn=tie,  # safe: one thread, and nothing but a system call  # noqa: PLW1509
        )

    def look(self) -> None:
        """See whether it has ended; if so, end the rest of its group."""
        if self._popen and not self.exited.is_set() and self._popen.poll() is not None:
            with suppress(ProcessLookupError, PermissionError):
                os.killpg(self._popen.pid, signal.SIGKILL)
            self.ready.clear()
            self.exited.set()

    @property
    def status(self) -> int | None:
        """The exit status; negative: the signal that ended it."""
        return self._popen.returncode if self._popen else None

    def ended_how(self) -> str:
        status = self.status or 0
        if status < 0:
            return f"killed by {signal.Signals(-status).name}"
        return f"exit status {status}"

    async def become_ready(self, patience: float) -> bool:
        """Wait until it is ready; False where it ended before, or did not within *patience*."""
        pause, give_up = 0.02, time.monotonic() + patience
        while time.monotonic() < give_up:
            if self.exited.is_set():
                return self.process.probe is None and self.status == 0
            if self.process.probe and await self.process.probe():
                return not self.exited.is_set()
            with suppress(TimeoutError):
                await asyncio.wait_for(self.exited.wait(), pause)
            pause = min(0.1, pause * 1.5)
        return False

    async def outlive(self) -> None:
        """Return when it has ended; where somebody asked it to and it lingers, ask as we do."""
        lingers = self.process.lingers
        while lingers and not self.exited.is_set():
            with suppress(TimeoutError):
                await asyncio.wait_for(self.exited.wait(), _LOOK)
            if lingers():
                self._signal(self.process.asked)
        await self.exited.wait()

    async def end(self, patience: float) -> bool:
        """Ask it to end, and make it after *patience* seconds; False where it had to be made."""
        if self.pid is None:
            return True
        self._signal(self.process.asked)
        try:
            await asyncio.wait_for(self.exited.wait(), patience)
        except TimeoutError:
            self.kill()
            await self.exited.wait()
            return False
        return True

    def kill(self) -> None:
        self._signal(signal.SIGKILL)

    def _signal(self, number: signal.Signals) -> None:
        if self._popen and self._popen.returncode is None:
            self._popen.send_signal(number)

    def last_words(self, lines: int = 12) -> str:
        """The end of its log, as far as its last start wrote it."""
        with suppress(OSError), self.log.open("rb") as file:
            size = self.log.stat().st_size
            file.seek(max(self._began if self._began <= size else 0, size - 8192))
            return "\n".join(file.read().decode(errors="replace").splitlines()[-lines:])
        return ""

    def shorten_log(self) -> None:
        _shorten(self.log, _LOG_WHILE_RUNNING)


@contextmanager
def _appending(log: Path) -> Iterator[int]:
    try:
        descriptor = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    except OSError as error:
        raise CannotUse(f"{log} cannot be written: {error.strerror}; free some space") from error
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def _shorten(log: Path, limit: int) -> None:
    """Keep the last part of a long log beside it. The writer appends, so it may go on writing."""
    with suppress(OSError):
        if log.stat().st_size > limit:
            with log.open("rb") as file:
                file.seek(-limit, os.SEEK_END)
                log.with_name(f"{log.name}.1").write_bytes(file.read(limit))
            os.truncate(log, 0)
