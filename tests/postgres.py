"""
A real PostgreSQL for tests: `pytest_plugins = ["tests.postgres"]`, then ask for `postgres_url`.

It runs as `nobody` where we are root, ends with us, and forgets everything at the end.
"""

import atexit
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import pytest

from tests.ports import free_port

_READY = "database system is ready to accept connections"
_START = 120.0  # seconds; about one is usual


@dataclass(frozen=True, slots=True)
class Postgres:
    """A running server; *url* is its owner's, a superuser."""

    url: str
    pid: int
    data: Path


@contextmanager
def running_postgres(data: Path, port: int) -> Iterator[Postgres]:
    """Runs the stack's own PostgreSQL on *data*, which may hold a database already."""
    environment = os.environ | {
        "STUDIO_DATA": str(data),
        "POSTGRES_PORT": str(port),
        "STUDIO_SUPERVISOR": str(os.getpid()),
    }
    process = subprocess.Popen(
        [sys.executable, "-m", "services.catalog.embedded"],
        env=environment,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    try:
        _await_ready(process)
        url = (data / "secrets" / "database_url").read_text().strip()
        yield Postgres(url, process.pid, data)
    finally:
        process.send_signal(signal.SIGINT)
        process.wait()


def _await_ready(process: subprocess.Popen[str]) -> None:
    said: list[str] = []
    ready = threading.Event()

    def listen() -> None:  # to the end, so that the server never waits for a reader
        assert process.stderr is not None
        with process.stderr:
            for line in process.stderr:
                said.append(line)
                if _READY in line:
                    ready.set()
        ready.set()

    threading.Thread(target=listen, daemon=True).start()
    if not ready.wait(_START) or not any(_READY in line for line in said):
        raise AssertionError(f"PostgreSQL did not start: {''.join(said)}")


@contextmanager
def temporary_data() -> Iterator[Path]:
    """A data folder that any user may enter, as PostgreSQL's does where we are root."""
    folder = Path(tempfile.mkdtemp(prefix="studio-test-"))
    folder.chmod(0o755)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def give_database(data: Path) -> None:
    """Put a stack's own database into the new folder *data*: empty, migrated, and stopped."""
    made = _migrated()
    shutil.copytree(made / "postgres", data / "postgres")
    (data / "secrets").mkdir(mode=0o700)
    shutil.copy(made / "secrets" / "postgres_password", data / "secrets")


@cache
def _migrated() -> Path:
    """Make it once for all stacks of ours: `initdb` is a second of a core, a copy a tenth."""
    kept = ExitStack()
    atexit.register(kept.close)
    data = kept.enter_context(temporary_data())
    with running_postgres(data, free_port()) as server:
        command = [sys.executable, "-m", "services.catalog.migrate"]
        environment = os.environ | {"DATABASE_URL": server.url}
        done = subprocess.run(
            command, env=environment, check=False, stderr=subprocess.PIPE, text=True, timeout=_START
        )
        assert done.returncode == 0, f"the database was not migrated: {done.stderr}"
    return data


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    with temporary_data() as data, running_postgres(data, free_port()) as server:
        yield server


@pytest.fixture(scope="session")
def postgres_url(postgres: Postgres) -> str:
    """The owner's URL of an empty database `studio`; make your own databases beside it."""
    return postgres.url
