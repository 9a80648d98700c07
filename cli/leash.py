"""
No process outlives its stack, whatever kills the supervisor.

On Linux the kernel signals each child when its parent dies (`tied`). Beside that, and alone on
macOS, a guardian watches: it reads the children's pids from a pipe, and when the pipe ends
it asks them to end, and after a while makes them. It is run as a plain script, so that it stays
small, and holds the folder's lock until the last of them is gone.
"""

import ctypes
import os
import signal
import sys
import time
from collections.abc import Callable

_PATIENCE = "12"  # seconds; a service may drain for 10
_PR_SET_PDEATHSIG = 1
_libc = ctypes.CDLL(None) if sys.platform == "linux" else None


def tied(asked: signal.Signals) -> Callable[[], None]:
    """Return what a child does before exec, so that it gets *asked* when this process dies."""
    parent = os.getpid()
    return lambda: tie(parent, asked)


def tie(parent: int, asked: signal.Signals) -> None:
    """Let this process get *asked* when its *parent* dies, also after an exec (Linux)."""
    if _libc:
        _libc.prctl(_PR_SET_PDEATHSIG, asked)
        if os.getppid() != parent:  # it died in between
            os._exit(1)


def main() -> None:
    """Read `+pid signal` and `-pid` lines from standard input until it ends; then end them all.

    The first argument says how many seconds they get.
    """
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)  # it ends when the stack has
    watched: dict[int, int] = {}
    with open(0) as lines:
        for line in lines:
            pid, _, asked = line[1:].strip().partition(" ")
            if line[0] == "+":
                watched[int(pid)] = int(asked)
            else:
                watched.pop(int(pid), None)
    _end(watched, float(sys.argv[1] if len(sys.argv) > 1 else _PATIENCE))


def _end(watched: dict[int, int], patience: float) -> None:
    give_up = time.monotonic() + patience
    left = {pid for pid, asked in watched.items() if _signal(os.kill, pid, asked)}
    while left and time.monotonic() < give_up:
        time.sleep(0.05)
        left = {pid for pid in left if _signal(os.kill, pid, 0)}
    for pid in watched:  # each leads a group: its own children end with it
        _signal(os.killpg, pid, signal.SIGKILL)


def _signal(send: Callable[[int, int], None], pid: int, number: int) -> bool:
    try:
        send(pid, number)
    except (ProcessLookupError, PermissionError):
        return False
    return True


if __name__ == "__main__":
    main()
