"""The supervisor with small processes of our own: order, readiness, restarts, ends."""

import asyncio
import dataclasses
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import pytest

from cli import leash
from cli.folder import Folder
from cli.guardian import Guardian
from cli.processes import Process
from cli.settings import load
from cli.shape import Shape
from cli.supervisor import StartFailed, Supervisor, pause_before

FOREVER = "import signal; signal.pause()"
DEAF = "import signal; signal.signal(15, signal.SIG_IGN); print('deaf', flush=True)\nwhile 1: signal.pause()"  # noqa: E501


async def always() -> bool:
    return True


def process(name: str, code: str, *words: str, **more: Any) -> Process:
    command = [sys.executable, "-S", "-c", code, *words]
    plain = Process(name=name, command=command, environment={}, port=1, level=0, probe=always)
    return dataclasses.replace(plain, **more)


class Running:
    """A supervisor in this loop, and what it told."""

    def __init__(self, supervisor: Supervisor, told: list[dict[str, Any]]) -> None:
        self.supervisor, self.told = supervisor, told

    def pid(self, name: str) -> int | None:
        return self.supervisor.children[name].pid

    async def until(self, condition: Callable[[], bool], patience: float = 60) -> None:
        async with asyncio.timeout(patience):
            while not condition():
                await asyncio.sleep(0.005)


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    found = Folder(tmp_path / "data")
    found.prepare()
    return found


@pytest.fixture
def guardian(folder: Folder) -> Iterator[Guardian]:
    lock = folder.lock()
    found = Guardian(lock)
    yield found
    found.dismiss()
    os.close(lock)


@pytest.fixture
def supervise(folder: Folder, guardian: Guardian) -> Callable[..., Any]:
    @asynccontextmanager
    async def run(*what: Process, **hurried: Any) -> AsyncIterator[Running]:
        told: list[dict[str, Any]] = []
        settings = load({}, Path("no.env"))
        supervisor = Supervisor(what, folder, guardian, told.append, settings, Shape(), **hurried)
        task = asyncio.create_task(supervisor.run())
        try:
            yield Running(supervisor, told)
        finally:
            supervisor.stopping.set()
            await task
            signal.pthread_sigmask(signal.SIG_UNBLOCK, [signal.SIGINT])  # its process would end now

    return run


async def test_a_process_waits_until_what_it_needs_is_ready(supervise: Any) -> None:
    gate = asyncio.Event()

    async def ready() -> bool:
        return gate.is_set()

    first, second = process("first", FOREVER, probe=ready), process("second", FOREVER)
    second = process("second", FOREVER, after=["first"])
    async with supervise(first, second) as running:
        await running.until(lambda: running.pid("first") is not None)
        assert running.pid("second") is None
        gate.set()
        await running.until(lambda: any("ready" in one for one in running.told))
        assert running.pid("second") is not None


async def test_one_that_runs_once_is_ready_when_it_ended_well(supervise: Any) -> None:
    once = process("once", "pass", probe=None)
    async with supervise(once, process("next", FOREVER, after=["once"])) as running:
        await running.until(lambda: running.pid("next") is not None)
        assert running.pid("once") is None


async def test_what_does_not_start_ends_the_start_with_its_last_words(
    supervise: Any,
) -> None:
    bad = process("bad", "raise SystemExit('a reason')", probe=None)
    good = process("good", FOREVER)
    with pytest.raises(StartFailed, match=r"bad did not start \(exit status 1\)(.|\n)*a reason"):
        async with supervise(good, bad) as running:
            await running.until(running.supervisor.stopping.is_set)
    assert running.pid("good") is None


async def test_who_was_asked_by_another_and_lingers_is_asked_as_we_do(
    supervise: Any, tmp_path: Path
) -> None:
    stuck = tmp_path / "stuck"
    lingers = process("server", FOREVER, asked=signal.SIGINT, lingers=stuck.exists)
    async with supervise(lingers, process("other", FOREVER)) as running:
        await running.until(lambda: any("ready" in one for one in running.told))
        first = {name: running.pid(name) for name in ("server", "other")}
        stuck.touch()
        await running.until(lambda: running.pid("server") not in (None, first["server"]))
        stuck.unlink()
        assert running.pid("other") == first["other"]


async def test_wrong_settings_of_a_process_are_not_tried_again(supervise: Any) -> None:
    async def never() -> bool:
        return False

    with pytest.raises(StartFailed) as failure:
        async with supervise(process("bad", "raise SystemExit(78)", probe=never)) as running:
            await running.until(running.supervisor.stopping.is_set)
    assert failure.value.status == 78
    assert not any("starting it again" in one.get("say", "") for one in running.told)


async def test_a_killed_process_comes_back_and_is_told_of(supervise: Any) -> None:
    async with supervise(process("one", FOREVER)) as running:
        await running.until(lambda: any("ready" in one for one in running.told))
        pid = running.pid("one")
        os.kill(pid, signal.SIGKILL)
        await running.until(lambda: running.pid("one") not in (None, pid))
        await running.until(lambda: any("is back" in one.get("say", "") for one in running.told))
    assert any("one ended (killed by SIGKILL)" in one.get("say", "") for one in running.told)


async def test_who_is_killed_again_and_again_is_not_kept_waiting_as_who_does_not_get_ready(
    supervise: Any,
) -> None:
    """The growing pauses are for what does not get ready."""
    async with supervise(process("one", FOREVER), pauses=(0.0, 3600.0)) as running:
        await running.until(lambda: any("ready" in one for one in running.told))
        for times in range(1, 4):
            os.kill(running.pid("one"), signal.SIGKILL)
            await running.until(
                lambda times=times: (
                    sum("is back" in one.get("say", "") for one in running.told) == times
                )
            )


def test_who_has_run_for_a_while_is_not_kept_waiting_however_often_it_was_killed() -> None:
    assert pause_before(9, 0.6, was_up=True) == 0
    assert pause_before(9, 0.1, was_up=True) == pytest.approx(0.4)


def test_what_does_not_get_ready_is_started_ever_less_often() -> None:
    pauses = [pause_before(failures, 0.5, was_up=False) for failures in range(8)]
    assert pauses == [0, 0, 0, 0, 0.5, 1.5, 4.5, 4.5]


async def test_the_children_of_a_killed_process_end_with_it(supervise: Any) -> None:
    code = (
        "import subprocess, sys; p = subprocess.Popen(['sleep', '600']);"
        f"print(p.pid, flush=True); {FOREVER}"
    )
    async with supervise(process("parent", code)) as running:
        log = running.supervisor.children["parent"].log
        await running.until(lambda: log.exists() and log.read_text().endswith("\n"))
        grandchild = int(log.read_text())
        os.kill(running.pid("parent"), signal.SIGKILL)
        await running.until(lambda: not is_running(grandchild))


async def test_what_ignores_being_asked_is_killed(supervise: Any) -> None:
    async with supervise(process("deaf", DEAF), drain=0.2) as running:
        log = running.supervisor.children["deaf"].log
        await running.until(lambda: log.exists() and "deaf" in log.read_text())
        pid = running.pid("deaf")
    assert not is_running(pid)
    assert any("did not end within its time" in one.get("say", "") for one in running.told)


async def test_the_outermost_end_first(supervise: Any, tmp_path: Path) -> None:
    ends = tmp_path / "ends"
    code = (
        f"import signal, sys; end = lambda *_: (open({str(ends)!r}, 'a').write(sys.argv[1]), sys.exit(0));"  # noqa: E501
        "signal.signal(15, end); print('up', flush=True); signal.pause()"
    )
    what = [process(name, code, name, level=level) for level, name in enumerate("abc")]
    async with supervise(*what) as running:
        logs = [child.log for child in running.supervisor.children.values()]
        await running.until(lambda: all(log.exists() and log.read_text() for log in logs))
    assert ends.read_text() == "cba"


async def test_a_dead_guardian_is_replaced_and_knows_everything(supervise: Any) -> None:
    async with supervise(process("one", FOREVER)) as running:
        await running.until(lambda: any("ready" in one for one in running.told))
        guardian = running.supervisor.guardian
        first = guardian.pid
        os.kill(first, signal.SIGKILL)
        await running.until(lambda: guardian.pid != first)
        assert guardian.watched == {running.pid("one"): signal.SIGTERM}


def test_the_guardian_alone_ends_all_even_the_deaf(tmp_path: Path) -> None:
    """What macOS relies on, where the kernel tells nobody of a parent's death."""
    deaf = subprocess.Popen(
        [sys.executable, "-S", "-c", DEAF], stdout=subprocess.PIPE, start_new_session=True
    )
    polite = subprocess.Popen([sys.executable, "-S", "-c", FOREVER], start_new_session=True)
    assert deaf.stdout is not None
    with deaf.stdout as output:
        output.readline()
    command = [sys.executable, "-I", "-S", leash.__file__, "0.2"]
    watched = "".join(f"+{one.pid} {int(signal.SIGTERM)}\n" for one in (deaf, polite))
    subprocess.run(command, input=watched, text=True, check=True, timeout=60)
    assert polite.wait(60) == -signal.SIGTERM
    assert deaf.wait(60) == -signal.SIGKILL


def test_the_guardian_spares_what_it_was_told_to_forget() -> None:
    spared = subprocess.Popen([sys.executable, "-S", "-c", FOREVER], start_new_session=True)
    command = [sys.executable, "-I", "-S", leash.__file__, "0.2"]
    told = f"+{spared.pid} 15\n-{spared.pid}\n"
    subprocess.run(command, input=told, text=True, check=True, timeout=60)
    assert spared.poll() is None
    spared.kill()
    spared.wait()


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells a child of this")
def test_a_tied_process_ends_with_its_parent(tmp_path: Path) -> None:
    said = tmp_path / "pid"
    code = (
        "import os, signal, subprocess; from cli.leash import tied;"
        "p = subprocess.Popen(['sleep', '600'], preexec_fn=tied(signal.SIGTERM), stdout=-3);"
        f"open({str(said)!r}, 'w').write(str(p.pid)); os.close(1); signal.pause()"
    )
    parent = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE)
    assert parent.stdout is not None
    with parent.stdout as output:
        output.read()
    child = os.pidfd_open(int(said.read_text()))
    parent.kill()
    parent.wait()
    os.set_blocking(child, False)
    assert ended(child)
    os.close(child)


def ended(pidfd: int) -> bool:
    import select

    return bool(select.select([pidfd], [], [], 10)[0])


def is_running(pid: int | None) -> bool:
    with suppress(OSError):
        return bool(Path(f"/proc/{pid}/cmdline").read_bytes())
    return False


async def test_a_running_stack_outlives_a_program_that_is_gone_for_a_while(
    supervise: Any, tmp_path: Path
) -> None:
    program = tmp_path / "program"
    program.symlink_to(sys.executable)
    one = dataclasses.replace(process("one", FOREVER), command=[str(program), "-S", "-c", FOREVER])
    async with supervise(one, process("other", FOREVER)) as running:
        await running.until(lambda: any("ready" in told for told in running.told))
        program.unlink()
        killed = running.pid("one")
        os.kill(killed, signal.SIGKILL)
        said = "one cannot be started"
        await running.until(lambda: any(said in told.get("say", "") for told in running.told))
        program.symlink_to(sys.executable)
        await running.until(lambda: running.pid("one") not in (None, killed))
