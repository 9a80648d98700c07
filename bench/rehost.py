"""
A picture from its source to the vault and the CDN, beside the flow that everybody writes first.

Ours: storage fetches it, hashed and fsynced on the way, then uploads it in pieces, proven by
hash. The naive one: the whole body in memory, base64 in a data URI, the vendor's blocking client
in threads, and no copy of one's own. The floor: bare aiohttp and one fsync, nothing proven. All
against the same lab, in turns. Then once more with a CDN as far away as a real one, beside the
naive flow as it is mostly written, whose client blocks the event loop.
"""

import argparse
import asyncio
import hashlib
import json
import os
import string
import subprocess
import sys
import time
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import cache, partial
from itertools import product
from pathlib import Path
from tempfile import TemporaryDirectory

import uvloop
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
_LETTERS = string.ascii_lowercase + "234567"  # a link begins with two of them
_WARM = 4  # pictures before the idle memory is read: whatever is loaded late is loaded


@dataclass(frozen=True, slots=True)
class Turn:
    """One flow, once; memory in bytes, CPU in seconds a picture."""

    rate: float  # pictures a second
    idle: float  # memory (PSS) before the first one
    added: float  # at the worst moment
    cpu: float
    lab: float  # the CDN's and the source's CPU, which are not the flow's
    busiest: float  # the share of its core that the busier of the two used

    @property
    def peak(self) -> float:
        return self.idle + self.added


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
        _make_shelves(Path(folder) / "vault")
        said = environment(
            Path(folder) / "vault", "127.0.0.1:1", MALLOC_ARENA_MAX="2", LAB_URL=url,
            CLOUDINARY_URL=_ACCOUNT, CLOUDINARY_BASE_URL=f"{lab.url}/cloudinary",
        )  # fmt: skip
        target = f"127.0.0.1:{said['STORAGE_PORT']}"
        with process(said) as storage:
            async with Flow.started("ours", url, target) as flow:
                return await _turn(flow, lab, count, (storage.pid, flow.pid))


def _make_shelves(vault: Path) -> None:
    """All its folders, as in a vault of some thousand pictures: only a new one makes them."""
    for letters in product(_LETTERS, repeat=2):
        (vault / "files" / "".join(letters)).mkdir(parents=True)


async def alone(name: str, url: str, lab: Lab, count: int) -> Turn:
    """A flow that is one process."""
    async with Flow.started(name, url, f"{lab.url}/cloudinary") as flow:
        return await _turn(flow, lab, count, (flow.pid,))


async def _turn(flow: Flow, lab: Lab, count: int, pids: tuple[int, ...]) -> Turn:
    idle = sum(sum(processes.memory(pid, {}).values()) for pid in pids)
    resident = sum(_memory(pid, "VmRSS") for pid in pids)
    for pid in pids:
        _forget_peak(pid)
    before, cdn, source = _cpu(*pids), _cpu(lab.pid), processes.own_cpu()
    seconds = await flow.run(_WARM, count)
    cpu, cdn, source = _cpu(*pids) - before, _cpu(lab.pid) - cdn, processes.own_cpu() - source
    # What it takes for a picture is its own: of what comes on top, PSS and RSS are one.
    added = sum(_memory(pid, "VmHWM") for pid in pids) - resident
    assert len(lab.assets()) == _WARM + count
    busiest = max(cdn, source) / seconds
    return Turn(count / seconds, idle, added, cpu / count, (cdn + source) / count, busiest)


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


FLOWS = {"ours": ours, "naive": partial(alone, "naive"), "floor": partial(alone, "floor")}
FAR = {"ours": ours, "naive": FLOWS["naive"], "blocking": partial(alone, "blocking")}
_FAR = 200  # milliseconds until a CDN that is not on this machine answers an upload

Turns = dict[str, list[Turn]]


async def compare(count: int, turns: int) -> tuple[Turns, Turns]:
    """Turn by turn, so that a neighbour hits all alike; beside the CDN, and far from it."""
    near: Turns = {name: [] for name in FLOWS}
    far: Turns = {name: [] for name in FAR}
    late = {"vendor": "cloudinary", "where": "upload", "kind": f"delay:{_FAR}"}
    with running_lab() as lab:
        async with source() as url:
            for _ in range(turns):
                for found, flows, faults in ((near, FLOWS, []), (far, FAR, [late])):
                    for name, flow in flows.items():
                        lab.reset()
                        lab.vendor("cloudinary", instant=True)
                        lab.faults(faults)
                        found[name].append(await flow(url, lab, count))
    return near, far


def report(found: Turns, far: Turns, count: int) -> Report:
    """The medians, and each turn."""
    turns = len(found["ours"])
    made = Report(f"{count} pictures of 1 MiB, {IN_FLIGHT} in flight, medians of {turns} turns")

    def of(name: str, what: str, found: Turns = found) -> float:
        return percentile([getattr(turn, what) for turn in found[name]], 0.5)

    for name in FAR:
        rate = of(name, "rate", far)
        made.add(f"images a second, the CDN {_FAR} ms away, {name}", rate, "/s")
    made.add(
        "ours over the client that blocks the loop",
        of("ours", "rate", far) / of("blocking", "rate", far), "x", least=3,
    )  # fmt: skip
    for name in FLOWS:
        made.add(f"images a second, the CDN beside it, {name}", of(name, "rate"), "/s")
    made.add("ours over naive in threads", of("ours", "rate") / of("naive", "rate"), "x", least=3)
    made.add("the floor over naive", of("floor", "rate") / of("naive", "rate"), "x")
    for flow, own in _caps(of("floor", "cpu")).items():
        most = (of("naive", "cpu") + of("naive", "lab")) / (own + of("floor", "lab"))
        made.add(f"ceiling over naive, {flow}", most, "x")
    for name in FLOWS:
        made.add(f"CPU an image, {name}", 1000 * of(name, "cpu"), "ms")
    made.add("CPU of naive over ours", of("naive", "cpu") / of("ours", "cpu"), "x")
    made.add("CPU of naive over the floor's", of("naive", "cpu") / of("floor", "cpu"), "x")
    made.add("hashes in ours: SHA-256 twice, MD5 once", 1000 * _hashing(), "ms")
    made.add("CPU of ours, less its hashes, over the floor's", _over_floor(found), "x")
    for name in ("ours", "naive"):
        made.add(f"peak memory over its own idle, {name}", of(name, "added") / _MB, "MB")
    made.add("memory of naive over ours", of("naive", "added") / of("ours", "added"), "x", least=5)
    for name in ("ours", "naive"):
        made.add(f"peak memory in all (PSS), {name}", of(name, "peak") / _MB, "MB")
    for name in FLOWS:
        cpu, share = 1000 * of(name, "lab"), 100 * of(name, "busiest")
        made.add(f"CPU an image of CDN and source, {name}, not counted", cpu, "ms")
        made.add(f"the busier of those two, {name}", share, "% of a core")
    made.table(
        "Each turn",
        ("flow", "images/s", "CPU ms", "MB over idle"),
        [*_rows(found), *_rows(far, f", {_FAR} ms")],
    )
    made.notes.append(
        "Ours is storage and who asks it, two processes, with a durable copy in the vault; the "
        "lab's CDN reads heads alone and makes no previews."
    )
    return made


def _caps(floor: float) -> dict[str, float]:
    """CPU seconds a picture of flows that nobody beats; the lab's come on top."""
    return {"for no CPU at all": 0.0, "for the floor and our hashes": floor + _hashing()}


def _over_floor(found: Turns) -> float:
    """What is ours to make cheaper: no picture is kept unhashed, nor believed to be published."""
    mine, bare = (percentile([turn.cpu for turn in found[name]], 0.5) for name in ("ours", "floor"))
    return (mine - _hashing()) / bare


@cache
def _hashing() -> float:
    """CPU seconds for the hashes of a picture: to know it, to see that it is sound, to prove it."""
    picture, took = numbered(beginning(), 0), []
    for _ in range(20):
        began = time.thread_time()
        for kind in ("sha256", "sha256", "md5"):
            hashlib.new(kind, picture, usedforsecurity=False).digest()
        took.append(time.thread_time() - began)
    return percentile(took, 0.5)


def _rows(found: Turns, where: str = "") -> list[tuple[str, float, float, float]]:
    return [
        (f"{name} {number}{where}", turn.rate, 1000 * turn.cpu, turn.added / _MB)
        for number, turns in enumerate(zip(*found.values(), strict=True), 1)
        for name, turn in zip(found, turns, strict=True)
    ]


def main(arguments: argparse.Namespace) -> None:
    """Run it in about five minutes."""
    found = uvloop.run(compare(arguments.pictures, arguments.turns))
    report(*found, arguments.pictures).show(arguments.json)


if __name__ == "__main__":
    os.environ.setdefault("MALLOC_ARENA_MAX", "2")  # for the naive one, too
    known = parser(__doc__)
    known.add_argument("--pictures", type=int, default=256)
    known.add_argument("--turns", type=int, default=3)
    main(known.parse_args())
