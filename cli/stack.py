"""The stack of this checkout as other commands see it: running or not, started, ended."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterable
from typing import Any

from cli.folder import CannotUse, Folder
from cli.settings import CHECKOUT, StackSettings

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


def ensure(settings: StackSettings, say: Say) -> None:
    """Return when a stack runs and is ready: the one that does, or one that is started detached."""
    folder = Folder(settings.data)
    if running(folder):
        return
    if folder.holder() is None:  # a new one waits for what is left of a killed one
        say("no stack runs here; starting one that stays (./studio down ends it)")
        if start_detached(settings, 1, say):
            return
    _await_ready(folder, say)


def start_detached(settings: StackSettings, generators: int, say: Say) -> bool:
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
                "--generators", str(generators), "--report", str(writer),
            ],
            stdin=subprocess.DEVNULL, stdout=log, stderr=log, pass_fds=[writer],
            start_new_session=True, cwd=CHECKOUT,
        )  # fmt: skip
    os.close(writer)
    with os.fdopen(reader) as lines:
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


def _await_ready(folder: Folder, say: Say) -> None:
    """Another process is starting one, or one is ending."""
    say("waiting for the stack that is starting")
    give_up = time.monotonic() + _START
    while time.monotonic() < give_up:
        if running(folder):
            return
        if not folder.is_locked():
            raise CannotStart(["the stack that was starting is gone; ./studio logs says why"], 1)
        time.sleep(_POLL)
    raise CannotStart(["the stack does not get ready; ./studio logs says why"], 1)


def end(folder: Folder) -> bool:
    """End the stack and wait until all of it is gone; False where none runs."""
    if not folder.is_locked():
        return False
    pid = folder.holder()
    if pid:
        os.kill(pid, signal.SIGTERM)
    give_up = time.monotonic() + _END
    while folder.is_locked():
        if time.monotonic() > give_up:
            raise CannotUse(f"the stack does not end; its supervisor has the pid {pid}")
        time.sleep(_POLL)
    return True
