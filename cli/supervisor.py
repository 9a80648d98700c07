"""
Runs a stack: starts its processes as soon as what they need is ready, starts again what dies,
and ends all in order.

Run as `python -m cli.supervisor`, by `studio up` in its place or detached by whoever needs a
stack. It imports little, since it stays.
"""

import argparse
import asyncio
import json
import os
import signal
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any

from chassis.settings import EX_CONFIG, SettingsError
from cli import ports, preflight, processes, vendors
from cli.child import Child
from cli.folder import Busy, CannotUse, Folder
from cli.forks import Forks
from cli.guardian import Guardian
from cli.orphans import bury
from cli.processes import Process
from cli.settings import StackSettings, load
from cli.shape import Shape

_DRAIN = 10.0  # seconds that a process gets to end
_START = 120.0  # seconds to the first readiness; making the database takes the longest
_TRIES = 3  # of a process that was never ready
_PAUSES = (0.0, 0.0, 0.2, 0.5, 1.0, 2.0, 5.0)  # seconds from the last start, by failures
_SOON = 0.5  # at the most where it had got ready: who is killed is back within a second
_LIVED = 10.0  # seconds after which a process that dies does not count as "keeps dying"
_LOG_CHECK = 30.0  # seconds
_CTRL_C = 130  # exit status, as a shell tells of it

Report = Callable[[dict[str, Any]], None]


class StartFailed(Exception):
    """A process cannot be started; *status* is what we exit with."""

    def __init__(self, message: str, status: int = 1) -> None:
        super().__init__(message)
        self.status = status


class Supervisor:
    """Keeps *what* running in *folder* until it is told to stop."""

    def __init__(
        self,
        what: Sequence[Process],
        folder: Folder,
        guardian: Guardian,
        report: Report,
        settings: StackSettings,
        shape: Shape,
        *,
        pauses: Sequence[float] = _PAUSES,
        drain: float = _DRAIN,
    ) -> None:
        self.children = {process.name: Child(process, folder) for process in what}
        self.folder, self.guardian, self.report = folder, guardian, report
        self._pauses, self._drain = pauses, drain
        self.forks = _forks(what, folder, guardian)
        self.facts: dict[str, Any] = {"url": settings.public, "address": settings.address}
        self.facts |= {"auth": settings.auth, "generators": shape.count, "lab": shape.lab}
        self.stopping, self.hurry, self.status = asyncio.Event(), False, 0
        self.state = "starting"

    async def run(self) -> int:
        """Start all, keep them running, and end them; return the exit status.

        Raise StartFailed if they cannot start.
        """
        self._listen()
        if self.forks:
            self.forks.start()
        keepers = [asyncio.create_task(self._keep(child)) for child in self.children.values()]
        keepers.append(asyncio.create_task(self._announce()))
        keepers.append(asyncio.create_task(self._shorten_logs()))
        stop = asyncio.create_task(self.stopping.wait())
        try:
            await _first_failure(stop, keepers)
        finally:
            self.stopping.set()
            for task in (*keepers, stop):
                task.cancel()
            await asyncio.gather(*keepers, stop, return_exceptions=True)
            await self._end()
            if self.forks:
                self.forks.dismiss()
            _hold_ctrl_c()  # a further one has nothing to add
        return self.status

    def _listen(self) -> None:
        loop = asyncio.get_running_loop()
        loop.add_signal_handler(signal.SIGCHLD, self._look)
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            loop.add_signal_handler(number, self._stop, number)
        _let_ctrl_c_in()

    def _stop(self, number: int) -> None:
        if number == signal.SIGINT:
            self.status = _CTRL_C
        if self.stopping.is_set():
            self.hurry = True
            for child in self.children.values():
                child.kill()
        self.stopping.set()

    def _look(self) -> None:
        for child in self.children.values():
            child.look()
        if not self.stopping.is_set():
            self.guardian.look()
        if self.forks:
            if not self.stopping.is_set():
                self.forks.look()
            ours = {child.pid for child in self.children.values()}
            bury(ours | {self.guardian.pid, self.forks.pid})

    async def _announce(self) -> None:
        began = time.monotonic()
        for child in self.children.values():
            await child.ready.wait()
        self.state = "ready"
        self._tell_state()
        self.report({"ready": self.facts["url"], "seconds": round(time.monotonic() - began, 1)})

    async def _keep(self, child: Child) -> None:
        """Start it, and start it again whenever it ends."""
        for name in child.process.after:
            await self.children[name].ready.wait()
        failures, was_up, began = 0, False, 0.0
        while True:
            lived = time.monotonic() - began
            pause = pause_before(failures, lived, was_up=was_up, pauses=self._pauses)
            await asyncio.sleep(pause)
            was_up, began = False, time.monotonic()
            pid = await self._spawn(child)
            if pid is None:
                failures += 1
                continue
            if await child.become_ready(_START):
                child.ready.set()
                self._tell_state()
                if child.process.probe is None:
                    self.guardian.forget(pid)
                    return  # it ran once, and well
                if child.was_ready:
                    self.report({"say": f"{child.process.name} is back (pid {pid})"})
                child.was_ready = True
                await child.outlive()
                was_up = True
            elif not child.exited.is_set():
                await self._give_up_on(child)
            self.guardian.forget(pid)
            failures = 1 if time.monotonic() - began > _LIVED else failures + 1
            self._tell_death(child, failures)

    async def _spawn(self, child: Child) -> int | None:
        """Start it and return its pid; None where a stack that runs cannot do so just now."""
        try:
            await child.start(self.forks)
        except (OSError, CannotUse) as error:
            what = f"{child.process.name} cannot be started: {error}"
            if not child.was_ready:
                raise StartFailed(f"{what}; ./studio doctor tells more") from error
            self.report({"say": f"{what}; trying again"})
            return None
        pid = child.pid or 0
        self.guardian.watch(pid, child.process.asked)
        self._tell_state()
        return pid

    async def _give_up_on(self, child: Child) -> None:
        """It runs and does not get ready: that ends a start, and later it is started anew."""
        if not child.was_ready:
            raise StartFailed(_words(child, f"was not ready within {_START:.0f} s"))
        child.kill()
        await child.exited.wait()

    def _tell_death(self, child: Child, failures: int) -> None:
        name, how = child.process.name, child.ended_how()
        if not child.was_ready:
            once = child.process.probe is None
            if once or failures >= _TRIES or child.status == EX_CONFIG:
                status = EX_CONFIG if child.status == EX_CONFIG else 1
                raise StartFailed(_words(child, f"did not start ({how})"), status)
        again = f" for the {failures}th time in a row" if failures > 2 else ""
        self.report({"say": f"{name} ended{again} ({how}); starting it again (log: {child.log})"})
        self._tell_state()

    def _tell_state(self) -> None:
        running = [
            {"name": child.process.name, "pid": child.pid, "port": child.process.port}
            for child in self.children.values()
            if child.pid and child.process.port
        ]
        state = {"pid": os.getpid(), "state": self.state, **self.facts, "processes": running}
        with suppress(OSError):  # a full disk must not end what runs
            self.folder.write_state(state)

    async def _shorten_logs(self) -> None:
        while True:
            await asyncio.sleep(_LOG_CHECK)
            for child in self.children.values():
                child.shorten_log()

    async def _end(self) -> None:
        """End all, the outermost first, each level at once."""
        self.state = "stopping"
        self._tell_state()
        levels = sorted({child.process.level for child in self.children.values()}, reverse=True)
        for level in levels:
            ending = [c for c in self.children.values() if c.process.level == level]
            await asyncio.gather(*(self._end_one(child) for child in ending))

    async def _end_one(self, child: Child) -> None:
        pid = child.pid
        if pid is None:
            return
        if not await child.end(0 if self.hurry else self._drain):
            self.report({"say": f"{child.process.name} did not end within its time and was killed"})
        self.guardian.forget(pid)


def _forks(what: Sequence[Process], folder: Folder, guardian: Guardian) -> Forks | None:
    """Who forks those of *what* that may be; None where there are none, or elsewhere than Linux."""
    modules = list(dict.fromkeys(each.module for each in what if each.module))
    if not modules or sys.platform != "linux":
        return None
    return Forks(
        modules, processes.inherited() | processes.LEAN, folder.logs / "zygote.log", guardian
    )


def pause_before(
    failures: int, lived: float, *, was_up: bool, pauses: Sequence[float] = _PAUSES
) -> float:
    """
    Seconds until what has ended is started again, *lived* seconds after its last start.

    The pauses lie between two starts, so that who has run for a while is not kept waiting.
    """
    pause = pauses[min(failures, len(pauses) - 1)]
    return max(0.0, (min(pause, _SOON) if was_up else pause) - lived)


async def _first_failure(stop: asyncio.Task[Any], keepers: list[asyncio.Task[None]]) -> None:
    """Return when *stop* is done; raise what one of the keepers raises before."""
    waiting: set[asyncio.Task[Any]] = {stop, *keepers}
    while not stop.done():
        done, waiting = await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
        for task in done:
            task.result()


def _words(child: Child, what: str) -> str:
    said = child.last_words()
    tail = f"; the end of {child.log}:\n{said}" if said else ""
    return f"{child.process.name} {what}{tail}"


def main() -> None:
    arguments = _arguments()
    report = _reporter(arguments.report)
    try:
        _let_ctrl_c_in()  # `up` kept it for us
        settings = load()
        sys.exit(_supervise(settings, Shape(arguments.generators, arguments.lab), report))
    except KeyboardInterrupt:
        report({"failed": ["stopped before anything was started"], "status": _CTRL_C})
        sys.exit(_CTRL_C)
    except SettingsError as error:
        report({"failed": [f"settings: {line}" for line in error.problems], "status": EX_CONFIG})
        sys.exit(EX_CONFIG)
    except Busy as error:
        report({"failed": [str(error)], "status": 1, "busy": True})
        sys.exit(1)
    except CannotUse as error:
        report({"failed": str(error).splitlines(), "status": 1})
        sys.exit(1)
    except OSError as error:
        report({"failed": [f"{error}; ./studio doctor tells more"], "status": 1})
        sys.exit(1)
    except StartFailed as error:
        report({"failed": str(error).splitlines(), "status": error.status})
        sys.exit(error.status)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="studio up")
    parser.add_argument("--generators", type=int)
    parser.add_argument("--lab", action="store_true")
    parser.add_argument("--report", type=int, default=-1, help="descriptor for JSON lines")
    return parser.parse_args()


def _supervise(settings: StackSettings, shape: Shape, report: Report) -> int:
    folder = Folder(settings.data)
    folder.prepare()
    lock = _lock(folder, report)
    folder.forget_state()
    folder.keep_to(vendors.standing(settings, shape))
    if taken := ports.taken(processes.ports(settings, shape)):
        raise CannotUse("\n".join(f"{found}: {remedy}" for found, remedy in taken))
    what = processes.stack(settings, folder, shape)
    preflight.look(what)
    if shape.lab:
        report({"say": f"--lab: {vendors.in_place_of_all(settings)}"})
    _hold_ctrl_c()  # until the supervisor listens
    report({"say": f"starting {', '.join(p.name for p in what)} (data in {folder.path})"})
    guardian = Guardian(lock)
    try:
        supervisor = Supervisor(what, folder, guardian, report, settings, shape)
        status = asyncio.run(supervisor.run())
    finally:
        folder.forget_state()
        guardian.dismiss()
    report({"say": "stopped; everything is kept"})
    return status


def _hold_ctrl_c() -> None:
    signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGINT])


def _let_ctrl_c_in() -> None:
    signal.pthread_sigmask(signal.SIG_UNBLOCK, [signal.SIGINT])


def _lock(folder: Folder, report: Report) -> int:
    """Take the folder; where a killed stack's processes are just ending, wait for them."""
    give_up, told = time.monotonic() + 30, False
    while True:
        try:
            return folder.lock()
        except Busy as busy:
            if busy.pid is not None or time.monotonic() > give_up:
                raise
            if not told:
                report({"say": "waiting for the last stack's processes to end"})
                told = True
            time.sleep(0.1)


def _reporter(descriptor: int) -> Report:
    """Return what tells people: as lines on a terminal, or as JSON to whoever detached us."""
    waiting = [descriptor]  # until it has heard of the end of the start

    def to_starter(what: dict[str, Any]) -> None:
        to_terminal(what)  # a detached stack's standard error is its log
        for pipe in waiting:
            with suppress(OSError):  # the one who started us need not stay
                os.write(pipe, (json.dumps(what) + "\n").encode())
        if waiting and ("ready" in what or "failed" in what):
            os.close(waiting.pop())

    def to_terminal(what: dict[str, Any]) -> None:
        if "ready" in what:
            print(f"ready after {what['seconds']} s; Ctrl-C ends it", file=sys.stderr, flush=True)
            print(what["ready"], flush=True)
        for line in what.get("failed", [what["say"]] if "say" in what else []):
            print(line, file=sys.stderr, flush=True)

    return to_starter if descriptor >= 0 else to_terminal


if __name__ == "__main__":
    main()
