"""
A picture from its source to the vault and the CDN, beside the flow that everybody writes first.

Ours: storage fetches it, hashed and fsynced on the way, then uploads it in pieces, proven by
hash. The naive one: the whole body in memory, base64 in a data URI, the vendor's blocking client
in threads, and no copy of one's own. Both against the same lab, in turns.
"""

import argparse
import asyncio
import json
import os
import subprocess
import sys
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from aiohttp import web

from bench import processes
from bench.noise import beginning, numbered
from bench.report import Report, parser, percentile
from tests.lab.process import Lab, running_lab
from tests.ports import free_port
from tests.storage.conftest import environment
from tests.storage.process import process

IN_FLIGHT = 64
_ACCOUNT = "cloudinary://lab:lab-secret@lab"
_MB = 1024 * 1024
_WARM = 4  # pictures before the idle memory is read: whatever is loaded late is loaded


@dataclass(frozen=True, slots=True)
class Turn:
    """One flow, once; memory in bytes, CPU in seconds a picture."""

    rate: float  # pictures a second
    idle: float  # memory before the first one
    peak: float
    cpu: float
    lab: float  # the lab's and the source's CPU, which are not the flow's


class Flow:
    """A flow in a process of its own (rehosting.py), warmed up, that waits for its word."""

    def __init__(self, child: asyncio.subprocess.Process) -> None:
        self._child = child
        self.pid = child.pid

    @classmethod
    @asynccontextmanager
    async def started(cls, name: str, url: str, where: str):
        command = [sys.executable, "-m", "bench.rehosting", name, url, where]
        pipe = subprocess.PIPE
        child = await asyncio.create_subprocess_exec(*command, stdin=pipe, stdout=pipe)
        try:
            flow = cls(child)
            await flow.run(0, _WARM)
            yield flow
        finally:
            child.stdin.close()
            await child.wait()

    async def run(self, first: int, count: int) -> float:
        """Rehost the pictures from number *first* on; return the seconds that it took."""
        self._child.stdin.write(f"{first} {count}\n".encode())
        said = await self._child.stdout.readline()
        if not said:
            raise SystemExit(f"the flow ended with {await self._child.wait()}")
        return float(json.loads(said))


async def ours(url: str, lab: Lab, count: int) -> Turn:
    """Storage as the supervisor starts it, and who asks it to fetch and to publish."""
    with TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        said = environment(
            Path(folder) / "vault", "127.0.0.1:1", MALLOC_ARENA_MAX="2", LAB_URL=url,
            CLOUDINARY_URL=_ACCOUNT, CLOUDINARY_BASE_URL=f"{lab.url}/cloudinary",
        )  # fmt: skip
        target = f"127.0.0.1:{said['STORAGE_PORT']}"
        with process(said) as storage:
            async with Flow.started("ours", url, target) as flow:
                return await _turn(flow, lab, count, (storage.pid, flow.pid))


async def naive(url: str, lab: Lab, count: int) -> Turn:
    async with Flow.started("naive", url, f"{lab.url}/cloudinary") as flow:
        return await _turn(flow, lab, count, (flow.pid,))


async def _turn(flow: Flow, lab: Lab, count: int, pids: tuple[int, ...]) -> Turn:
    before, others = _cpu(*pids), _cpu(lab.pid) + processes.own_cpu()
    idle = sum(_memory(pid, "VmRSS") for pid in pids)
    for pid in pids:
        _forget_peak(pid)
    seconds = await flow.run(_WARM, count)
    assert len(lab.assets()) == _WARM + count
    spent = _cpu(lab.pid) + processes.own_cpu() - others
    cpu = _cpu(*pids) - before
    peak = sum(_memory(pid, "VmHWM") for pid in pids)
    return Turn(count / seconds, idle, peak, cpu / count, spent / count)


def _cpu(*pids: int) -> float:
    return sum(sum(processes.cpu(pid, {}).values()) for pid in pids)


def _memory(pid: int, what: str) -> int:
    """VmRSS, what a process has in memory, or VmHWM, the most it had; in bytes (Linux)."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith(what))


def _forget_peak(pid: int) -> None:
    Path(f"/proc/{pid}/clear_refs").write_text("5")


@asynccontextmanager
async def source():
    """Serve pictures, as a provider's links do; yields the URL that numbers are added to."""
    made = beginning()

    async def answer(request: web.Request) -> web.Response:
        number = int(request.match_info["number"])
        return web.Response(body=numbered(made, number), content_type="image/png")

    app, port = web.Application(), free_port()
    app.router.add_get("/{number}", answer)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", port).start()
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        await runner.cleanup()


async def compare(count: int, turns: int) -> tuple[list[Turn], list[Turn]]:
    """Turn by turn, so that a neighbour hits both alike."""
    found: tuple[list[Turn], list[Turn]] = ([], [])
    with running_lab() as lab:
        async with source() as url:
            for _ in range(turns):
                for flow, kept in zip((ours, naive), found, strict=True):
                    lab.reset()
                    lab.vendor("cloudinary", instant=True)
                    kept.append(await flow(url, lab, count))
    return found


def report(mine: list[Turn], other: list[Turn], count: int) -> Report:
    """The medians, and each turn."""
    made = Report(f"{count} pictures of 1 MiB, {IN_FLIGHT} in flight, medians of {len(mine)} turns")

    def of(turns: list[Turn], name: str) -> float:
        return percentile([getattr(turn, name) for turn in turns], 0.5)

    def over(turns: list[Turn]) -> float:
        return percentile([turn.peak - turn.idle for turn in turns], 0.5)

    names = {"ours": mine, "naive": other}
    for name, turns in names.items():
        made.add(f"images a second, {name}", of(turns, "rate"), "/s")
    made.add("ours over naive", of(mine, "rate") / of(other, "rate"), "x", least=3)
    for name, turns in names.items():
        made.add(f"peak memory over its own idle, {name}", over(turns) / _MB, "MB")
    made.add("naive over ours", over(other) / over(mine), "x", least=5)
    for name, turns in names.items():
        made.add(f"peak memory in all, {name}", of(turns, "peak") / _MB, "MB")
    for name, turns in names.items():
        made.add(f"CPU an image, {name}", 1000 * of(turns, "cpu"), "ms")
    for name, turns in names.items():
        made.add(
            f"CPU an image of lab and source, {name}, not counted", 1000 * of(turns, "lab"), "ms"
        )
    made.table(
        "Each turn: images a second, MB over idle, ms of CPU",
        ("turn", "ours", "naive", "MB", "MB", "ms", "ms"),
        [
            (
                f"{number}", *(turn.rate for turn in pair),
                *((turn.peak - turn.idle) / _MB for turn in pair),
                *(1000 * turn.cpu for turn in pair),
            )
            for number, pair in enumerate(zip(mine, other, strict=True), 1)
        ],
    )  # fmt: skip
    made.notes.append(
        "Ours is storage and who asks it, two processes, with a durable copy in the vault; the "
        "lab's CDN reads heads alone and makes no previews."
    )
    return made


def main(arguments: argparse.Namespace) -> None:
    """Run it in about a minute."""
    mine, other = asyncio.run(compare(arguments.pictures, arguments.turns))
    report(mine, other, arguments.pictures).show(arguments.json)


if __name__ == "__main__":
    os.environ.setdefault("MALLOC_ARENA_MAX", "2")  # for the naive one, too
    known = parser(__doc__)
    known.add_argument("--pictures", type=int, default=256)
    known.add_argument("--turns", type=int, default=3)
    main(known.parse_args())
