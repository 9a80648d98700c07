"""
A stack of the campaign's own: a data folder that is new, free ports, the lab, and lags as short
as the plan's. It ends with us, however we end.
"""

import asyncio
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from cli import lab, leash, ports
from cli.chaos.weather import LIMIT
from cli.folder import CannotUse, Folder
from cli.settings import CHECKOUT, NAMES, StackSettings, load, read_env_file

GENERATORS = 2
KILLABLE = 6 + GENERATORS  # processes: all but the supervisor and the lab
_ELSEWHERE = ("DATABASE_URL", "NATS_URL")  # of whose stack things would be killed and bought
_LAGS = {
    "ORDER_SECONDS": f"{LIMIT:g}",
    "ANSWER_SECONDS": f"{2 * LIMIT:g}",  # who sent an order is killed there, never only unheard
    "PUBLISH_WAIT": "2",
    "WORKER_PATIENCE": "1.5",
    "REPLICATE_MAX_IN_FLIGHT": "48",
    "REPLICATE_MAX_PER_MINUTE": "100000",
    "LOG_LEVEL": "info",
    "AUTH": "keys",
}
_PORTS = ("EDGE", "GATEWAY", "CATALOG", "STORAGE", "POSTGRES", "NATS", "LAB", "GENERATOR")
_END = 60.0  # seconds
_CONNECT = 1.0


@dataclass(frozen=True, slots=True)
class Running:
    """A process as `studio ps --json` tells of it."""

    name: str
    pid: int
    port: int

    async def answers(self) -> bool:
        """Whether somebody listens on its port."""
        try:
            async with asyncio.timeout(_CONNECT):
                _, writer = await asyncio.open_connection("127.0.0.1", self.port)
        except (OSError, TimeoutError):
            return False
        writer.close()
        return True


@dataclass(frozen=True, slots=True)
class Ground:
    """The running stack."""

    folder: Folder
    settings: StackSettings
    kept: threading.Event = field(default_factory=threading.Event)

    @property
    def lab(self) -> lab.Lab:
        return lab.of(self.folder)

    def keep(self) -> None:
        """Leave the folder where it is, for somebody to look into."""
        self.kept.set()

    def running(self) -> list[Running]:
        """Each process that runs, ready or not, the lab left out."""
        state = self.folder.read_state() or {"processes": []}
        found = [Running(**one) for one in state["processes"] if one["name"] != "lab"]
        return sorted(found, key=lambda one: one.name)

    def audit(self) -> dict[str, list[dict[str, Any]]]:
        """The whole ledger, of one moment."""
        url = (self.folder.secrets / "database_url").read_text().strip()
        asked = subprocess.run(
            [sys.executable, "-P", "-m", "services.catalog.audit"],
            env=os.environ | {"DATABASE_URL": url},
            cwd=CHECKOUT, check=False, capture_output=True, text=True,
        )  # fmt: skip
        if asked.returncode:
            raise CannotUse(f"the ledger cannot be read: {asked.stderr.strip()[-500:]}")
        found: dict[str, list[dict[str, Any]]] = json.loads(asked.stdout)
        return found


def times(lag: float) -> dict[str, str]:
    """Return the settings of a stack whose vendors' listings are late by *lag* seconds at most."""
    return {"LOOKUP_LAG": f"{2 * lag:g}"}  # they are as good as 30 s late, and waited for for 120


@contextmanager
def ground(**settings: str) -> Iterator[Ground]:
    """Run a stack of its own with *settings*, and end it; its folder goes with it."""
    _refuse_others()
    data = Path(tempfile.mkdtemp(prefix="studio-chaos-"))
    data.chmod(0o755)  # PostgreSQL's own user enters it, where we are root
    environment = _environment(data) | settings
    log = data / "supervisor.log"
    own, process = Ground(Folder(data), load(environment)), _start(environment, log)
    try:
        yield own
    finally:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(_END)
        finally:
            process.kill()
            if not own.kept.is_set():
                shutil.rmtree(data, ignore_errors=True)


def _start(environment: Mapping[str, str], log: Path) -> subprocess.Popen[str]:
    with log.open("w") as errors:
        process = subprocess.Popen(
            [
                sys.executable, "-P", "-m", "cli.supervisor",
                "--generators", str(GENERATORS), "--lab",
            ],
            env=environment, cwd=CHECKOUT, text=True, start_new_session=True,
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=errors,
            preexec_fn=leash.tied(signal.SIGTERM),  # one thread yet  # noqa: PLW1509
        )  # fmt: skip
    assert process.stdout is not None
    with process.stdout as output:
        address = output.readline()  # told once it is ready
    if not address.startswith("http"):
        process.wait(_END)
        raise CannotUse(f"the campaign's stack does not start:\n{log.read_text()[-2000:]}")
    return process


def _environment(data: Path) -> dict[str, str]:
    inherited = {name: text for name, text in os.environ.items() if name not in NAMES}
    *others, generator = ports.free(len(_PORTS), apart=10)
    chosen = dict(zip((f"{name}_PORT" for name in _PORTS), [*others, generator], strict=True))
    named = {name: str(port) for name, port in chosen.items()}
    places = {"STUDIO_DATA": str(data), "VAULT_URL": (data / "vault").as_uri()}
    public = {"PUBLIC_URL": f"http://127.0.0.1:{named['EDGE_PORT']}"}
    return inherited | _LAGS | named | places | public


def _refuse_others() -> None:
    written, _ = read_env_file(CHECKOUT / ".env")
    if there := [name for name in _ELSEWHERE if written.get(name)]:
        raise CannotUse(
            f"a campaign kills and counts in a stack of its own, and {' and '.join(there)} in "
            ".env would lead it to another: take it out of .env meanwhile"
        )
