"""
The database for commands that work on it while no stack runs, and the tasks that do the work:
`python -m services.…`, each a process with what it needs and no more.
"""

import asyncio
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from cli import processes
from cli.folder import Busy, CannotUse, Folder
from cli.settings import CHECKOUT, StackSettings

_START = 120.0  # seconds; making the database takes the longest
_END = 60.0
_POLL = 0.05


@dataclass(frozen=True, slots=True)
class Rebuilt:
    """What a rebuild said; *ended*: it got to its end, *well*: and without any problem."""

    said: list[str]
    ended: bool
    well: bool


@contextmanager
def alone(settings: StackSettings, folder: Folder) -> Iterator[str]:
    """Hold the folder, run its PostgreSQL by itself where it is the embedded one; yield its URL."""
    try:
        descriptor = folder.lock()
    except Busy as busy:
        why = f"a stack runs in {folder.path}, which this works on: `./studio down` ends it"
        raise CannotUse(why if busy.pid else str(busy)) from busy
    try:
        url = processes.database_url(settings, folder)
        if settings.database_url:
            yield url
            return
        with _running(settings, folder):
            yield url
    finally:
        folder.unlock(descriptor)


@contextmanager
def _running(settings: StackSettings, folder: Folder) -> Iterator[None]:
    process = processes.postgres(settings, folder)
    with (folder.logs / "postgres.log").open("ab") as log:
        server = subprocess.Popen(
            process.command, env=process.environment, cwd=CHECKOUT, stdin=subprocess.DEVNULL,
            stdout=log, stderr=log, start_new_session=True,
        )  # fmt: skip
    try:
        give_up = time.monotonic() + _START
        while not asyncio.run(_asked(process)):
            if server.poll() is not None or time.monotonic() > give_up:
                raise CannotUse(
                    f"PostgreSQL does not start; {folder.logs / 'postgres.log'} says why"
                )
            time.sleep(_POLL)
        yield
    finally:
        if server.poll() is None:
            server.send_signal(process.asked)
        server.wait(_END)


async def _asked(process: processes.Process) -> bool:
    return process.probe is not None and await process.probe()


def run(module: str, *arguments: str, given: bytes | None = None, **settings: str) -> str:
    """Run a task and return what it says; CannotUse with its last words where it fails."""
    done = subprocess.run(
        [*processes.python(module), *arguments], env=processes.inherited() | settings,
        cwd=CHECKOUT, input=given, capture_output=True, check=False,
    )  # fmt: skip
    if done.returncode:
        raise CannotUse(done.stderr.decode(errors="replace").strip() or f"{module} failed")
    return done.stdout.decode()


def rebuild(vault_url: str, url: str, *arguments: str) -> Rebuilt:
    """Give the vault's notes to the catalog; return what both say."""
    with subprocess.Popen(
        processes.python("services.storage.inventory"),
        env=processes.inherited() | {"VAULT_URL": vault_url}, cwd=CHECKOUT,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    ) as listing:  # fmt: skip
        return _rebuilt(url, arguments, listing)


def _rebuilt(url: str, arguments: tuple[str, ...], listing: "subprocess.Popen[bytes]") -> Rebuilt:
    done = subprocess.run(
        [*processes.python("services.catalog.rebuild"), *arguments],
        env=processes.inherited() | {"DATABASE_URL": url},
        cwd=CHECKOUT, stdin=listing.stdout, capture_output=True, check=False,
    )  # fmt: skip
    assert listing.stderr is not None
    complaints = listing.stderr.read()
    said = (complaints + done.stdout + done.stderr).decode(errors="replace").splitlines()
    well = not listing.wait() and not done.returncode and not complaints
    return Rebuilt(said, ended=bool(done.stdout), well=well)  # it reports at its end alone
