"""
The zygote: a process that has imported what the services need, and forks each from itself.

Run by the supervisor on Linux (cli/forks.py): `python -m cli.zygote DESCRIPTOR MODULE… ROOM`. A
fork is the supervisor's own child, as one that it executes. Nothing here may open a connection,
make a loop or start a thread: it would be shared by all, and in none of them be whole.
"""

import array
import atexit
import gc
import importlib
import importlib.util
import json
import logging
import os
import signal
import socket
import sys
from collections.abc import Callable, Sequence
from typing import Any

from chassis import telemetry
from cli import leash
from cli.forks import GO, READY
from cli.title import set_title

_MOST = 1024 * 1024  # bytes of a request: an environment

Main = Callable[[], None]


def main() -> None:
    """Import the modules, and fork one whenever the supervisor asks; end when it does."""
    ended_well: list[str] = []
    atexit.register(_leave, ended_well)  # what is registered first is called last
    supervisor = os.getppid()
    asked = socket.socket(fileno=int(sys.argv[1]))
    signal.pthread_sigmask(signal.SIG_SETMASK, ())
    set_title("python -m cli.zygote", "zygote")
    mains = {module: _imported(module) for module in sys.argv[2:-1]}
    gc.disable()
    gc.freeze()  # what all share the collector must not write into
    asked.send(READY)
    if (errand := _serve(asked)) is not None:  # we are the fork
        asked.close()
        _become(errand, supervisor)
        telemetry.forget([module for module in mains if module != errand["module"]])
        mains[errand["module"]]()
        ended_well.append(errand["module"])


def _leave(ended_well: Sequence[str]) -> None:
    """End without taking apart, piece by piece, all that the zygote imported: 0.1 s of CPU."""
    if ended_well:
        logging.shutdown()
        for stream in (sys.stdout, sys.stderr):
            stream.flush()
        os._exit(0)


def _imported(module: str) -> Main:
    """Import *module* as if it were run; return what runs it."""
    package = importlib.util.find_spec(f"{module}.__main__") if _is_package(module) else None
    main: Main = importlib.import_module(package.name if package else module).main
    return main


def _is_package(module: str) -> bool:
    spec = importlib.util.find_spec(module)
    return spec is not None and spec.submodule_search_locations is not None


def _serve(asked: socket.socket) -> dict[str, Any] | None:
    """Fork for each request; return it in the fork, and None here, once nobody can ask."""
    while True:
        message, passed = _receive(asked)
        if not message:
            return None
        reader, writer = os.pipe()
        if _fork(writer):
            os.close(reader)
            os.close(writer)
            return {**json.loads(message), "log": passed[0], "go": passed[1]}
        os.close(writer)
        pid = os.read(reader, 32)  # empty where there was no room for one more
        for descriptor in (reader, *passed):
            os.close(descriptor)
        asked.send(pid or b"0")


def _receive(asked: socket.socket) -> tuple[bytes, Sequence[int]]:
    descriptors = array.array("i")
    message, ancillary, _, _ = asked.recvmsg(
        _MOST, socket.CMSG_LEN(2 * descriptors.itemsize), socket.MSG_CMSG_CLOEXEC
    )
    for _, _, data in ancillary:
        descriptors.frombytes(data)
    return message, descriptors


def _fork(writer: int) -> bool:
    """Fork twice, so that the supervisor is the parent; True in the fork, whose pid is told."""
    between = os.fork()
    if between:
        os.waitpid(between, 0)  # from here on the fork is an orphan, and so the supervisor's
        return False
    try:
        pid = os.fork()
    except OSError:
        os._exit(1)
    if pid:
        os.write(writer, str(pid).encode())
        os._exit(0)
    return True


def _become(errand: dict[str, Any], supervisor: int) -> None:
    """Be as if executed: wait until the supervisor knows of us, then take on what it gave."""
    if os.read(errand["go"], len(GO)) != GO:
        os._exit(1)  # it wants us no longer, or is gone
    gc.enable()
    os.setsid()
    leash.tie(supervisor, signal.Signals(errand["asked"]))
    os.dup2(errand["log"], 1)
    os.dup2(errand["log"], 2)
    for descriptor in (errand["log"], errand["go"]):
        os.close(descriptor)
    os.environ.clear()
    os.environ.update(errand["environment"])
    module = errand["module"]
    sys.argv = [module]
    set_title(f"python -m {module}", errand["name"])


if __name__ == "__main__":
    main()
