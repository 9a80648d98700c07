"""
A real NATS with JetStream for tests: `from tests.nats import nats_url` is a session fixture.

`running_nats` may be killed by its pid and started again on the same folder and port.
"""

import json
import os
import re
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.leash import leashed
from tests.ports import free_port
from tests.postgres import temporary_data

_CONFIGURATION = Path(__file__).parent.parent / "deploy" / "nats.conf"
_PASSWORD = "password-for-tests"
_START = 120.0  # seconds


@dataclass(frozen=True, slots=True)
class Nats:
    """A running server and where it stores its streams."""

    url: str
    pid: int
    store: Path


@contextmanager
def running_nats(data: Path, port: int, *, queues: bool = True) -> Iterator[Nats]:
    """Runs the stack's own NATS with its store in *data*/nats; without *queues*, news alone."""
    store = data / "nats"
    configuration = _CONFIGURATION
    if not queues:
        configuration = data / "news.conf"
        kept = re.sub(
            r"^jetstream \{.*?^\}", "", _CONFIGURATION.read_text(), flags=re.MULTILINE | re.DOTALL
        )
        configuration.write_text(kept)
    command = [
        str(Path(sys.executable).parent / "nats-server"), "-c", str(configuration),
        "-a", "127.0.0.1", "-p", str(port), "-sd", str(store),
    ]  # fmt: skip
    with (data / "nats.log").open("ab") as log:
        process = subprocess.Popen(
            leashed(command), env=os.environ | {"NATS_PASSWORD": _PASSWORD}, stderr=log
        )
    try:
        _await_ready(process, port, queues=queues)
        yield Nats(f"nats://studio:{_PASSWORD}@127.0.0.1:{port}", process.pid, store)
    finally:
        process.terminate()
        process.wait()


def _await_ready(process: subprocess.Popen[bytes], port: int, *, queues: bool) -> None:
    give_up = time.monotonic() + _START
    while time.monotonic() < give_up and process.poll() is None:
        with suppress(OSError), socket.create_connection(("127.0.0.1", port), 1) as connection:
            greeting = connection.recv(65536)  # comes once JetStream has recovered
            if json.loads(greeting.removeprefix(b"INFO ")).get("jetstream", False) is queues:
                return
        time.sleep(0.02)
    raise AssertionError(f"NATS did not start: exit status {process.poll()}")


@pytest.fixture(scope="session")
def nats() -> Iterator[Nats]:
    with temporary_data() as data, running_nats(data, free_port()) as server:
        yield server


@pytest.fixture(scope="session")
def nats_url(nats: Nats) -> str:
    return nats.url
