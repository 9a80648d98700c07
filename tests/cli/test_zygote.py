"""Forks of the zygote are as what is executed, and neither end nor double with it."""

import asyncio
import json
import os
import select
import signal
import socket
import subprocess
import sys
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest

from cli import leash, processes
from cli.child import Child
from cli.folder import Folder
from cli.forks import READY, Forked, Forks
from cli.guardian import Guardian
from cli.settings import CHECKOUT, load
from cli.shape import Shape
from cli.sources import fingerprint
from cli.title import ROOM
from tests.cli.forked import descriptors
from tests.cli.test_supervisor import process

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="elsewhere all is executed")

FORKED, ENDING = "tests.cli.forked", "tests.cli.ending"
ENVIRONMENT = {"PATH": os.environ["PATH"], "A_SETTING": "of this one alone", "LC_ALL": "C.UTF-8"}


class Run:
    """Forks, and the logs of what they run."""

    def __init__(self, forks: Forks, folder: Path) -> None:
        self.forks, self.folder, self.begun = forks, folder, list[Forked]()

    async def fork(self, module: str = FORKED, **more: Any) -> Forked | None:
        log = self.folder / f"{len(self.begun)}.log"
        wanted = {"name": "one", "asked": signal.SIGUSR1, "wait": True} | more
        environment = wanted.pop("environment", ENVIRONMENT)
        with log.open("ab") as file:
            begun = await self.forks.fork(module, environment, log=file.fileno(), **wanted)
        if begun:
            self.begun.append(begun)
        return begun

    async def told(self, which: int = 0) -> dict[str, Any]:
        log = self.folder / f"{which}.log"
        await until(lambda: log.exists() and log.read_text().endswith("\n"))
        told: dict[str, Any] = json.loads(log.read_text().splitlines()[0])
        return told


async def until(condition: Callable[[], Any], patience: float = 120) -> None:
    async with asyncio.timeout(patience):
        while not condition():
            await asyncio.sleep(0.005)


@pytest.fixture
async def run(tmp_path: Path) -> AsyncIterator[Callable[..., Run]]:
    folder = Folder(tmp_path / "data")
    folder.prepare()
    lock = folder.lock()
    guardian, runs = Guardian(lock), list[Run]()

    def begin(*modules: str, **more: Any) -> Run:
        told = {"PATH": os.environ["PATH"]}
        forks = Forks(modules or [FORKED], told, tmp_path / "zygote.log", guardian, **more)
        forks.start()
        runs.append(Run(forks, tmp_path))
        return runs[-1]

    yield begin
    for each in runs:
        each.forks.dismiss()
        for forked in each.begun:
            forked.send_signal(signal.SIGKILL)
            await until(lambda forked=forked: forked.poll() is not None)
    guardian.dismiss()
    os.close(lock)


async def test_a_fork_is_as_what_is_executed(run: Callable[..., Run], tmp_path: Path) -> None:
    executed = tmp_path / "0.log"
    with executed.open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", FORKED], env=ENVIRONMENT, cwd=CHECKOUT,
            stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True,
            preexec_fn=leash.tied(signal.SIGUSR1),  # noqa: PLW1509
        )  # fmt: skip
    forks = run()
    wanted = await forks.told()
    process.kill()
    process.wait()
    executed.unlink()
    assert await forks.fork()
    assert await forks.told() == wanted
    assert wanted["parent"] == os.getpid()
    assert wanted["is asked to end by"] == signal.SIGUSR1


async def test_who_is_being_forked_is_not_taken_for_its_dead_forerunner(
    run: Callable[..., Run], tmp_path: Path
) -> None:
    child = Child(process("one", "pass", module=FORKED), Folder(tmp_path / "data"))
    forks = run()
    await child.start(None)
    await until(lambda: child.look() or child.exited.is_set())
    starting = asyncio.create_task(child.start(forks.forks))
    await asyncio.sleep(0)  # it waits for the imports
    child.look()  # as for the end of any child
    await starting
    child.look()
    assert not child.exited.is_set()
    child.kill()
    await until(lambda: child.look() or child.exited.is_set())


async def test_what_is_too_large_to_be_asked_for_is_executed_and_ends_no_zygote(
    run: Callable[..., Run],
) -> None:
    forks = run()
    assert await forks.fork()
    zygote = forks.forks.pid
    assert await forks.fork(environment={"LARGE": "x" * 2**23}) is None
    assert await forks.fork()
    assert forks.forks.pid == zygote


async def test_its_name_tells_which_it_is(run: Callable[..., Run]) -> None:
    forks = run()
    forked = await forks.fork(name="generator-12")
    assert forked
    await forks.told()
    assert Path(f"/proc/{forked.pid}/cmdline").read_bytes() == f"python -m {FORKED}\0".encode()
    assert Path(f"/proc/{forked.pid}/comm").read_text() == "generator-12\n"


async def test_its_end_is_told_as_of_any_child(run: Callable[..., Run]) -> None:
    forks = run()
    forked = await forks.fork()
    assert forked
    assert forked.poll() is None
    await forks.told()
    forked.send_signal(signal.SIGTERM)
    await until(lambda: forked.poll() is not None)
    assert forked.returncode == -signal.SIGTERM


@pytest.mark.parametrize("how", ["well", "78", "a reason", "fails"])
async def test_it_ends_as_what_is_executed_with_its_last_words(
    run: Callable[..., Run], tmp_path: Path, how: str
) -> None:
    environment = ENVIRONMENT | {"HOW": how}
    executed = subprocess.run(
        [sys.executable, "-m", ENDING], env=environment, cwd=CHECKOUT, check=False,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, start_new_session=True,
    )  # fmt: skip
    forks = run(ENDING)
    forked = await forks.fork(ENDING, environment=environment)
    assert forked
    await until(lambda: forked.poll() is not None)
    said = (tmp_path / "0.log").read_text()
    assert (forked.returncode, words(said)) == (executed.returncode, words(executed.stdout))
    assert {"begun", "a thread's", "an exit hook's"} <= set(words(said))


def words(said: str) -> list[str]:
    """Its lines but for a traceback's, which names who called."""
    return [line for line in said.splitlines() if not line.startswith(("  ", "Traceback"))]


async def test_a_killed_zygote_takes_nobody_along_and_is_made_anew(run: Callable[..., Run]) -> None:
    forks = run()
    first = await forks.fork()
    zygote = forks.forks.pid
    assert first and zygote  # noqa: PT018
    await forks.told()
    os.kill(zygote, signal.SIGKILL)
    await until(lambda: forks.forks.look() or forks.forks.pid != zygote)
    assert await forks.fork()
    await forks.told(1)
    assert first.poll() is None


async def test_one_that_is_killed_while_it_imports_is_made_anew(run: Callable[..., Run]) -> None:
    forks = run()
    assert forks.forks.pid
    os.kill(forks.forks.pid, signal.SIGKILL)
    await until(lambda: zombie(forks.forks.pid))
    assert await forks.fork()


def zombie(pid: int | None) -> bool:
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"


async def test_who_cannot_wait_for_the_imports_is_executed(run: Callable[..., Run]) -> None:
    forks = run()
    assert await forks.fork(wait=False) is None
    assert await forks.fork()
    assert await forks.fork(wait=False)


async def test_what_cannot_be_imported_is_not_tried_until_it_is_another(
    run: Callable[..., Run],
) -> None:
    signs = {("a file", 1, 1)}
    forks = run("tests.cli.nowhere", sources=lambda: frozenset(signs))
    assert await forks.fork("tests.cli.nowhere") is None
    zygote = forks.forks.pid
    await until(lambda: zombie(zygote))
    assert await forks.fork("tests.cli.nowhere") is None
    forks.forks.look()
    assert forks.forks.pid == zygote
    signs.add(("another", 1, 1))
    assert await forks.fork("tests.cli.nowhere") is None
    assert forks.forks.pid != zygote


async def test_a_zygote_that_is_older_than_the_sources_forks_nobody(
    run: Callable[..., Run],
) -> None:
    signs = {("a file", 1, 1)}
    forks = run(sources=lambda: frozenset(signs))
    assert await forks.fork()
    zygote = forks.forks.pid
    assert await forks.fork()
    assert forks.forks.pid == zygote
    signs.add(("another", 1, 1))
    assert await forks.fork()
    assert forks.forks.pid != zygote
    assert all(each.poll() is None for each in forks.begun)


def test_sources_are_others_when_one_is_written_comes_or_goes(tmp_path: Path) -> None:
    for name in ("chassis", "services", "gateway", "lab", "gen", "cli"):
        (tmp_path / name / "deeper").mkdir(parents=True)
    file = tmp_path / "services" / "deeper" / "query.sql"
    seen = [fingerprint(tmp_path)]
    file.write_text("SELECT 1")
    seen.append(fingerprint(tmp_path))
    file.write_text("SELECT 10")
    seen.append(fingerprint(tmp_path))
    file.unlink()
    assert fingerprint(tmp_path) == seen[0]
    assert len(set(seen)) == 3
    (tmp_path / "cli" / ".#an editor's lock.py").symlink_to("nobody@nowhere")
    assert len(fingerprint(tmp_path)) > len(seen[0])
    (tmp_path / "cli" / ".#an editor's lock.py").unlink()
    (tmp_path / "cli" / "__pycache__").mkdir()
    (tmp_path / "cli" / "__pycache__" / "made.pyc").write_text("by every start")
    assert fingerprint(tmp_path) == seen[0]


async def test_a_fork_that_is_not_wanted_any_more_never_runs(tmp_path: Path) -> None:
    """Nor one whose supervisor died before it knew of it."""
    ours, its = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with ours, its, (tmp_path / "log").open("wb") as log:
        zygote = subprocess.Popen(
            [sys.executable, "-m", "cli.zygote", str(its.fileno()), FORKED, ROOM],
            cwd=CHECKOUT, pass_fds=[its.fileno()],
        )  # fmt: skip
        assert ours.recv(64) == READY
        reader, go = os.pipe()
        errand = {"module": FORKED, "environment": {}, "name": "one", "asked": 15}
        socket.send_fds(ours, [json.dumps(errand).encode()], [log.fileno(), reader])
        forked = os.pidfd_open(int(ours.recv(64)))
        for descriptor in (reader, go):
            os.close(descriptor)
        assert select.select([forked], [], [], 60)[0]
        os.close(forked)
        ours.close()
        its.close()
        assert zygote.wait(60) == 0  # it ends with who asked
    assert (tmp_path / "log").read_bytes() == b""


async def test_the_zygote_of_a_stack_holds_nothing_that_forks_must_not_share(
    run: Callable[..., Run], tmp_path: Path
) -> None:
    """No thread, so no loop at work and no gRPC that was begun; no connection; no dice."""
    settings, folder = load({}, Path("no.env")), Folder(tmp_path / "data")
    what = processes.stack(settings, folder, Shape(lab=True))
    modules = list(dict.fromkeys(each.module for each in what if each.module))
    assert {"services.catalog", "services.storage", "services.generator", "gateway"} < set(modules)
    forks = run(*modules, FORKED, "tests.cli.diced")
    assert await forks.fork("tests.cli.diced")
    assert await forks.told() == []
    pid = forks.forks.pid
    assert pid
    assert len(list(Path(f"/proc/{pid}/task").iterdir())) == 1
    held = descriptors(pid)
    assert held.pop("0") == "/dev/null"
    assert held.pop("1") == held.pop("2") == str(tmp_path / "zygote.log")
    assert [each.partition(":")[0] for each in held.values()] == ["socket"]  # by which it is asked
