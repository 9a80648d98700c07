"""The stack of this checkout as other commands see it: running or not, started, ended."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any

from cli.folder import CannotUse, Folder
from cli.settings import CHECKOUT, StackSettings
from cli.shape import Shape

_POLL = 0.05  # seconds
_START = 180.0  # seconds; the supervisor itself gives up earlier, and says why
_END = 60.0

Say = Callable[[str], None]


class CannotStart(Exception):
    """No stack could be started; *status* is what to exit with."""

    def __init__(self, lines: list[str], status: int) -> None:
        super().__init__("\n".join(lines))
        self.status = status


def running(folder: Folder) -> dict[str, Any] | None:
    """Return the state of a stack that is ready; None where none is."""
    state = folder.read_state()
    return state if state and state.get("state") == "ready" else None


def ensure(settings: StackSettings, shape: Shape, say: Say) -> dict[str, Any]:
    """Return the state of the stack that runs and is ready; start one where none does.

    Raise CannotStart where the one that runs has another *shape*.
    """
    folder = Folder(settings.data)
    state = running(folder)
    if state is None:
        if folder.holder() is None:  # a new one waits for what is left of a killed one
            say("no stack runs here; starting one that stays (./studio down ends it)")
            start_detached(settings, shape, say)
        with _goes_on("starting; ./studio down ends it"):
            state = _await_ready(folder, say)
    if not shape.fits(found := Shape.of(state)):
        again = " ".join(["./studio up", *shape.to_arguments()])
        words = f"a stack already runs in {folder.path} with {found}"
        raise CannotStart([f"{words}; to change that: `./studio down`, then `{again}`"], 1)
    return state


def start_detached(settings: StackSettings, shape: Shape, say: Say) -> bool:
    """Start a stack in a session of its own and wait until it is ready.

    False where another one has the folder; raise CannotStart where it cannot start.
    """
    folder = Folder(settings.data)
    try:
        folder.prepare()
    except CannotUse as error:
        raise CannotStart([str(error)], 1) from error
    reader, writer = os.pipe()
    with (folder.logs / "supervisor.log").open("ab") as log:
        subprocess.Popen(
            [
                sys.executable, "-P", "-m", "cli.supervisor",
                *shape.to_arguments(), "--report", str(writer),
            ],
            stdin=subprocess.DEVNULL, stdout=log, stderr=log, pass_fds=[writer],
            start_new_session=True, cwd=CHECKOUT,
        )  # fmt: skip
    os.close(writer)
    with _goes_on("starting; ./studio down ends it"), os.fdopen(reader) as lines:
        return _listen(lines, say)


def _listen(lines: Iterable[str], say: Say) -> bool:
    """Pass on what the supervisor tells until it is ready or has failed."""
    for line in lines:
        told = json.loads(line)
        if "say" in told:
            say(told["say"])
        if "ready" in told:
            say(f"ready after {told['seconds']} s")
            return True
        if told.get("busy"):
            return False
        if "failed" in told:
            raise CannotStart(told["failed"], told["status"])
    raise CannotStart(["the supervisor died; ./studio logs supervisor says why"], 1)


def _await_ready(folder: Folder, say: Say) -> dict[str, Any]:
    """Another process is starting one, or one is ending."""
    give_up, told = time.monotonic() + _START, False
    while time.monotonic() < give_up:
        if state := running(folder):
            return state
        if not folder.is_locked():
            raise CannotStart(["the stack that was starting is gone; ./studio logs says why"], 1)
        if not told:
            say("waiting for the stack that is starting")
            told = True
        time.sleep(_POLL)
    raise CannotStart(["the stack does not get ready; ./studio logs says why"], 1)


@contextmanager
def _goes_on(what: str) -> Iterator[None]:
    """Where Ctrl-C ends our waiting, say what the stack goes on with."""
    try:
        yield
    except KeyboardInterrupt:
        raise KeyboardInterrupt(f"interrupted; the stack goes on {what}") from None


def end(folder: Folder) -> bool:
    """End the stack and wait until all of it is gone; False where none runs."""
    if not folder.is_locked():
        return False
    pid = folder.holder()
    with _goes_on("ending"):
        if pid:
            os.kill(pid, signal.SIGTERM)
        _await_end(folder, pid)
    return True


def _await_end(folder: Folder, pid: int | None) -> None:
    give_up = time.monotonic() + _END
    while folder.is_locked():
        if time.monotonic() > give_up:
            raise CannotUse(f"the stack does not end; its supervisor has the pid {pid}")
        time.sleep(_POLL)
