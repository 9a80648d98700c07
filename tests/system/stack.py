"""
A real stack for tests: `python -m cli up` on free ports with a data folder of its own.

The session fixture `stack` (conftest.py) is shared: leave it running and whole. Make your own
`Stack` for what ends it.
"""

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

import httpx

from cli.settings import NAMES
from tests.leash import leashed
from tests.ports import free_ports
from tests.postgres import give_database, temporary_data

CHECKOUT = Path(__file__).parent.parent.parent
_STUDIO = [sys.executable, "-P", "-m", "cli"]
_PORTS = (
    "EDGE_PORT", "GATEWAY_PORT", "CATALOG_PORT", "STORAGE_PORT", "POSTGRES_PORT", "NATS_PORT",
    "LAB_PORT",
)  # fmt: skip
PATIENCE = 120.0  # seconds: a machine that others use, too, may take its time


class Stack:
    """One stack on *data*; more settings, and generators, may be given to each start."""

    up: Sequence[str] = (*_STUDIO, "up")

    def __init__(self, data: Path, settings: Mapping[str, str] | None = None) -> None:
        self.data = data
        ports = _ports_with_room()
        inherited = {name: text for name, text in os.environ.items() if name not in NAMES}
        self.environment = inherited | {"STUDIO_DATA": str(data)} | ports | dict(settings or {})
        self.url = f"http://127.0.0.1:{ports['EDGE_PORT']}"
        self.said: list[str] = []  # what the supervisor wrote on standard error
        self.process: subprocess.Popen[str] | None = None
        self._listener: threading.Thread | None = None

    def port(self, name: str) -> int:
        """Of EDGE_PORT, CATALOG_PORT …"""
        return int(self.environment[name])

    def start(self, *arguments: str, **settings: str) -> "Stack":
        """Start and return when it is ready; AssertionError with its words where it does not."""
        self.process = subprocess.Popen(
            leashed([*self.up, *arguments]),
            env=self.environment | settings,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        self._listener = threading.Thread(target=self._listen, args=[self.process], daemon=True)
        self._listener.start()
        assert self.process.stdout is not None
        with self.process.stdout as output:
            address = output.readline()  # its address, once it is ready
        if not address.startswith("http"):
            self.process.wait(PATIENCE)
            self._listener.join()
            raise AssertionError("the stack did not start:\n" + "".join(self.said))
        return self

    def _listen(self, process: subprocess.Popen[str]) -> None:
        assert process.stderr is not None
        with process.stderr as lines:
            for line in lines:
                self.said.append(line)

    def stop(self, how: signal.Signals = signal.SIGTERM) -> int:
        """End it as `how` does and return the exit status; its data stays."""
        if self.process is None:
            return 0
        self.process.send_signal(how)
        status = self.process.wait(PATIENCE)
        if self._listener:
            self._listener.join()
        self.process = None
        return status

    def studio(
        self, *arguments: str, patience: float = 180, **more: str
    ) -> subprocess.CompletedProcess[str]:
        """Run a command of the CLI against this stack, for so many seconds at most."""
        return subprocess.run(
            [*_STUDIO, *arguments],
            env=self.environment | more,
            check=False,
            capture_output=True,
            text=True,
            timeout=patience,
        )

    def ps(self) -> dict[str, int]:
        """Return the pid of each process by its name."""
        try:
            state = json.loads((self.data / "stack.json").read_text())
        except FileNotFoundError:
            return {}
        return {one["name"]: one["pid"] for one in state["processes"]}

    def kill(self, name: str, how: signal.Signals = signal.SIGKILL) -> int:
        """Kill a process; return the pid that it had."""
        pid = self.ps()[name]
        os.kill(pid, how)
        return pid

    def kill_and_await(self, name: str, *, patience: float = PATIENCE) -> None:
        """Kill a process and return when the supervisor has it back and ready."""
        heard = len(self.said)
        self.kill(name)
        self.await_(lambda: any(f"{name} is back" in line for line in self.said[heard:]), patience)

    def await_(self, condition: Callable[[], bool], patience: float = PATIENCE) -> float:
        """Return the seconds that *condition* took to become true; unanswered, it is not yet."""
        began = time.monotonic()
        while not _holds(condition):
            if time.monotonic() - began > patience:
                raise AssertionError(f"still not after {patience} s\n{''.join(self.said)}")
            time.sleep(0.03)  # and not less: what is asked takes its time from what is waited for
        return time.monotonic() - began

    def logs(self, name: str) -> str:
        """What a process has written."""
        return (self.data / "logs" / f"{name}.log").read_text(errors="replace")

    def all_pids(self) -> set[int]:
        """Everything below the supervisor, and what PostgreSQL and others made of themselves."""
        assert self.process is not None
        return {self.process.pid, *descendants(self.process.pid)}


def _holds(condition: Callable[[], bool]) -> bool:
    try:
        return condition()
    except httpx.HTTPError:
        return False


def descendants(pid: int) -> set[int]:
    """Every process below *pid* now (Linux)."""
    children: dict[int, set[int]] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdecimal():
            try:
                parent = int((entry / "stat").read_text().rpartition(")")[2].split()[1])
            except (OSError, IndexError):
                continue
            children.setdefault(parent, set()).add(int(entry.name))
    found, waiting = set(), [pid]
    while waiting:
        below = children.get(waiting.pop(), set())
        found |= below
        waiting += below
    return found


def alive(pids: set[int]) -> dict[int, str]:
    """Those of *pids* that live, zombies left out, with what they run."""
    found = {}
    for pid in pids:
        try:
            words = Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode()
        except OSError:
            continue
        if words:
            found[pid] = words
    return found


def _ports_with_room() -> dict[str, str]:
    """Free ports; the generators' is ten apart from any other, so that there may be several."""
    *others, generator = free_ports(len(_PORTS) + 1, apart=10)
    ports = dict(zip(_PORTS, map(str, others), strict=True))
    return ports | {"GENERATOR_PORT": str(generator)}


@contextmanager
def running_stack(*arguments: str, **settings: str) -> Iterator[Stack]:
    """Run a stack of your own on fresh data, and end it; its database is a copy of a new one."""
    with temporary_data() as data:
        give_database(data)
        stack = Stack(data, settings).start(*arguments)
        try:
            yield stack
        finally:
            stack.stop()
