"""
The lab as a process of its own: `with running_lab() as lab`, for every test that needs a vendor.

What the lab keeps is in its memory; `reset` makes it as new.
"""

import json
import os
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.ports import free_port

ROOT = Path(__file__).resolve().parents[2]
_START = 120.0  # seconds
_OURS = ("HOST", "LAB_")  # settings that a neighbour's environment must not lend us


@dataclass(frozen=True, slots=True)
class Control:
    """A lab that runs at *url*; every method is one call of its control."""

    url: str

    def ledger(self) -> list[dict[str, Any]]:
        """Every charge."""
        return self.ask("GET", "/_lab/ledger")["charges"]

    def assets(self) -> list[dict[str, Any]]:
        """What the CDN holds."""
        return self.ask("GET", "/_lab/assets")

    def requests(self) -> dict[str, dict[str, int]]:
        """How often each vendor was called where."""
        return self.ask("GET", "/_lab/requests")

    def faults(self, definitions: list[dict[str, Any]] | None = None) -> list[dict[str, Any]]:
        """Put *definitions* in force; without them, only tell how often each struck."""
        if definitions is None:
            return self.ask("GET", "/_lab/faults")
        return self.ask("PUT", "/_lab/faults", definitions)

    def advance(self, seconds: float) -> None:
        """Let *seconds* pass at once."""
        self.ask("POST", "/_lab/clock", {"advance_seconds": seconds})

    def pace(self, seconds: float | None, **more: float | None) -> None:
        """How long drawings take; None: each model's usual time."""
        self.ask("PUT", "/_lab/pace", {"seconds": seconds, **more})

    def vendor(self, name: str, **settings: Any) -> dict[str, Any]:
        """Change *settings* of a vendor, and tell them all."""
        return self.ask("PUT", f"/_lab/vendors/{name}", settings)

    def reset(self) -> None:
        """Forget everything."""
        self.ask("POST", "/_lab/reset")

    def ask(self, method: str, path: str, body: Any = None) -> Any:
        """The answer of the control; its text in an AssertionError where it refuses."""
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(self.url + path, data, method=method)
        try:
            with urllib.request.urlopen(request, timeout=60) as answer:
                return json.load(answer)
        except urllib.error.HTTPError as error:
            with error:
                raise AssertionError(f"{error.code} {error.read().decode()}") from error


@dataclass(frozen=True, slots=True)
class Lab(Control):
    """One that a test has started by itself."""

    process: subprocess.Popen[str]

    @property
    def pid(self) -> int:
        return self.process.pid


@contextmanager
def running_lab(**settings: str) -> Iterator[Lab]:
    """Runs `python -m lab` on a free port with *settings* around it; drawings take no time."""
    port = free_port()
    plain = {name: value for name, value in os.environ.items() if not name.startswith(_OURS)}
    started = subprocess.Popen(
        [sys.executable, "-m", "lab"],
        env=plain | {"LAB_PORT": str(port), "LAB_PACE": "0"} | settings,
        cwd=ROOT,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        _await_ready(started)
        yield Lab(f"http://127.0.0.1:{port}", started)
    finally:
        started.terminate()
        started.wait()
        started.stdout.close()


def _await_ready(started: subprocess.Popen[str]) -> None:
    """It says a line once it listens."""
    give_up = time.monotonic() + _START
    while time.monotonic() < give_up and started.poll() is None:
        if started.stdout.readline():
            return
    raise AssertionError(f"the lab did not start: exit status {started.poll()}")
