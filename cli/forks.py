"""
The supervisor's end of the zygote (cli/zygote.py): keeps one that is as new as the sources.

Where there is none, be it for the system or because it cannot import what there is, the caller
executes the process, which then tells by itself what is wrong.
"""

import asyncio
import errno
import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from cli import leash
from cli.guardian import Guardian
from cli.orphans import adopt
from cli.settings import CHECKOUT
from cli.sources import Fingerprint, fingerprint
from cli.title import ROOM

GO = b"go"  # what a fork waits for; without it, it ends
READY = b"ready"
_IMPORTS = 60.0  # seconds
_ANSWER = 10.0  # seconds: it forks in a hundredth


class Forked:
    """A process that the zygote forked and that is our own child; like subprocess.Popen."""

    def __init__(self, pid: int) -> None:
        self.pid = pid
        self.returncode: int | None = None

    def poll(self) -> int | None:
        """Return the exit status, negative a signal's number; None while it runs."""
        if self.returncode is None:
            try:
                ended, status = os.waitpid(self.pid, os.WNOHANG)
            except ChildProcessError:  # killed before it began, and taken for a stranger
                self.returncode = -signal.SIGKILL
            else:
                if ended:
                    self.returncode = os.waitstatus_to_exitcode(status)
        return self.returncode

    def send_signal(self, number: int) -> None:
        """Send it, as long as the pid is its own."""
        if self.poll() is None:
            os.kill(self.pid, number)


class _Zygote:
    """One zygote, from its start to its end."""

    def __init__(
        self,
        sources: Fingerprint,
        modules: Sequence[str],
        environment: Mapping[str, str],
        log: Path,
    ) -> None:
        self.sources = sources
        self._turn = asyncio.Lock()
        self._socket, its = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._socket.setblocking(False)
        with its, log.open("wb") as said:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "cli.zygote", str(its.fileno()), *modules, ROOM],
                env=environment,
                cwd=CHECKOUT,
                stdin=subprocess.DEVNULL,
                stdout=said,
                stderr=said,
                pass_fds=[its.fileno()],
                start_new_session=True,
                preexec_fn=leash.tied(signal.SIGKILL),  # as cli/child.py  # noqa: PLW1509
            )
        self.ready = asyncio.create_task(self._becomes_ready())

    async def _becomes_ready(self) -> bool:
        try:
            async with asyncio.timeout(_IMPORTS):
                return await self._hear() == READY
        except (OSError, TimeoutError):
            return False
        finally:
            self._close()

    def was_ready(self) -> bool:
        """Whether it had imported everything."""
        return self.ready.done() and not self.ready.cancelled() and self.ready.result()

    async def fork(self, errand: Mapping[str, object], log: int) -> Forked | None:
        """Ask for one fork; None, and the zygote ends, where it does not answer as it should."""
        reader, go = os.pipe()
        try:
            async with self._turn, asyncio.timeout(_ANSWER):
                socket.send_fds(self._socket, [json.dumps(errand).encode()], [log, reader])
                pid = int(await self._hear() or b"0")
                if pid:
                    os.write(go, GO)
                return Forked(pid) if pid else None
        except (OSError, TimeoutError) as error:
            if error.errno != errno.EMSGSIZE:  # an errand too large never came there
                self.end()
            return None
        except asyncio.CancelledError:
            self.end()  # its answer would be taken for the next one's
            raise
        finally:
            os.close(reader)
            os.close(go)
            self._close()

    async def _hear(self) -> bytes:
        return await asyncio.get_running_loop().sock_recv(self._socket, 64)

    def end(self) -> None:
        """Make it end; what it has forked goes on, and who waits for its answer hears the end."""
        self.process.kill()
        self.process.wait()
        if self.ready.done() and not self._turn.locked():
            self._close()

    def _close(self) -> None:
        if self.process.returncode is not None:
            self._socket.close()


class Forks:
    """Forks of *modules*, from a zygote that is told *environment* and writes to *log*."""

    def __init__(
        self,
        modules: Sequence[str],
        environment: Mapping[str, str],
        log: Path,
        guardian: Guardian,
        sources: Callable[[], Fingerprint] = fingerprint,
    ) -> None:
        self._told = modules, environment, log
        self._sources = sources
        self._guardian = guardian
        self._zygote: _Zygote | None = None

    @property
    def pid(self) -> int | None:
        """The zygote's."""
        return self._zygote.process.pid if self._zygote else None

    def start(self) -> None:
        """Begin to import; have all orphans below us become our children. Needs the loop."""
        adopt()
        self._begin()

    async def fork(
        self, module: str, environment: Mapping[str, str], *, name: str, log: int, asked: int,
        wait: bool,
    ) -> Forked | None:  # fmt: skip
        """
        Run *module* in a session of its own, its output to *log*, tied to us by *asked*.

        None where it cannot be forked, or where the imports are not through and *wait* is false.
        """
        zygote = self._current()
        if not (wait or zygote.ready.done()) or not await zygote.ready:
            return None
        errand = {"module": module, "environment": dict(environment), "name": name, "asked": asked}
        return await zygote.fork(errand, log)

    def _current(self) -> _Zygote:
        """The zygote, another one where it is older than the sources or was killed."""
        zygote = self._zygote
        if zygote is None or zygote.sources != self._sources() or (zygote.process.poll() or 0) < 0:
            zygote = self._begin()
        return zygote

    def look(self) -> None:
        """See whether the zygote has ended; one that could be forked is made anew at once."""
        zygote = self._zygote
        if zygote and zygote.process.poll() is not None and zygote.was_ready():
            self._begin()

    def dismiss(self) -> None:
        """End the zygote; what it has forked goes on."""
        if self._zygote:
            self._guardian.forget(self._zygote.process.pid)
            self._zygote.end()
            self._zygote = None

    def _begin(self) -> _Zygote:
        self.dismiss()
        sources = self._sources()  # before it reads them: what changes meanwhile makes it old
        self._zygote = _Zygote(sources, *self._told)
        self._guardian.watch(self._zygote.process.pid, signal.SIGKILL)
        return self._zygote
