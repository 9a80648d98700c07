"""A process of the tests that tells as one JSON line how it was started, and stays."""

import ctypes
import gc
import inspect
import json
import os
import random
import signal
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

from aiohttp._websocket.writer import WebSocketWriter

_PR_GET_PDEATHSIG = 2


def main() -> None:
    print(json.dumps(state()), flush=True)
    signal.pause()


def state() -> dict[str, object]:
    """All by which a fork could differ from what is executed."""
    asked = ctypes.c_int()
    ctypes.CDLL(None).prctl(_PR_GET_PDEATHSIG, ctypes.byref(asked))
    return {
        "parent": os.getppid(),
        "leads its session": os.getsid(0) == os.getpid(),
        "is asked to end by": asked.value,
        "environment": dict(os.environ),
        "its programs' own": subprocess.check_output(["/usr/bin/env"], text=True).splitlines(),
        "folder": str(Path.cwd()),
        "arguments": [Path(word).stem for word in sys.argv[1:]],
        "blocked": sorted(signal.pthread_sigmask(signal.SIG_BLOCK, ())),
        "handlers": {n.name: str(signal.getsignal(n)) for n in signal.valid_signals()
                     if isinstance(n, signal.Signals)},
        "descriptors": descriptors(os.getpid()),
        "umask": os.umask(0),
        "collects": gc.isenabled(),
    }  # fmt: skip


def descriptors(pid: int) -> dict[str, str]:
    """What a process has open, by number; less the one that looks."""
    found = {}
    for each in Path(f"/proc/{pid}/fd").iterdir():
        with suppress(FileNotFoundError):
            found[each.name] = str(each.readlink())
    return {name: what for name, what in sorted(found.items()) if not what.endswith("/fd")}


def dice() -> list[str]:
    """The generators of chance that would throw alike in all forks; `random` has its own."""
    gc.unfreeze()  # else they are not found
    masks = inspect.signature(WebSocketWriter).parameters["random"].default
    reseeded = (random._inst, masks)  # aiohttp's is for WebSockets, and we speak none
    return [
        repr(each)
        for each in gc.get_objects()
        if isinstance(each, random.Random)
        and not isinstance(each, random.SystemRandom)
        and not any(each is known for known in reseeded)
    ]


if __name__ == "__main__":
    main()
