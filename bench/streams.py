"""
Many watchers: what 2,000 open event streams cost, and how long an event takes to all of them.

The streams watch jobs that wait in the queue, so nothing but heartbeats is sent; then the
queue moves and every event goes to all who watch. With --generations each stream is a job
of its own instead, drawn over 10 to 60 seconds.
"""

import argparse
import asyncio
import gc
import json
import random
import time
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass, field

import uvloop

from bench.load import Grpc, Rest, Run
from bench.processes import Costs, Gauge, minus
from bench.report import Report, parser, percentile
from bench.sse import CutError, Wire, get
from tests.system.stack import Stack, running_stack

_JOBS = 8  # that are watched
_AT_ONCE = 50  # connections that are opening
_SETTLE = 5.0  # seconds
_PULL = 6.0  # seconds: a pull of the worker that is under way could still bring a second job
_PATIENCE = 150.0  # seconds from the start of the watched jobs to their end


@dataclass(slots=True)
class Watching:
    """One stream: when each durable event arrived."""

    job: str
    wire: Wire
    opened: float = 0.0  # by time.time
    arrivals: dict[int, float] = field(default_factory=dict)
    ended: bool = False
    task: "asyncio.Task[None] | None" = None

    async def run(self) -> None:
        def heard(kind: str, sequence: int, _data: bytes, now: float) -> None:
            if sequence:
                self.arrivals[sequence] = now
            self.ended = self.ended or kind == "completed"

        with suppress(CutError, OSError):
            await self.wire.ask("GET", f"/images/jobs/{self.job}/events", heard=heard)

    @property
    def is_whole(self) -> bool:
        return self.ended and list(self.arrivals) == list(range(1, len(self.arrivals) + 1))


async def watch(stack: Stack, options: argparse.Namespace) -> Report:
    """Measure idle streams, then one burst of events to all of them."""
    edge, gauge = stack.port("EDGE_PORT"), Gauge(stack)
    await Rest(edge, 64).run()  # whatever is loaded by the first job is loaded
    held = await _start_jobs(edge, options.hold)
    await asyncio.sleep(_SETTLE)
    without, began = gauge.memory(), time.monotonic()
    streams = await _open(edge, held, options.streams)
    opened = time.monotonic() - began
    await asyncio.sleep(_SETTLE)
    before, began = gauge.cpu(), time.monotonic()
    await asyncio.sleep(options.seconds)
    used, seconds = minus(gauge.cpu(), before), time.monotonic() - began
    with_all = gauge.memory()
    early = sum(stream.ended for stream in streams)
    await asyncio.wait([stream.task for stream in streams if stream.task], timeout=_PATIENCE)
    times = await _event_times(edge, held)
    report = Report(f"{options.streams:,} idle event streams through Envoy")
    added = minus(with_all, without)
    report.add("added memory, all processes", sum(added.values()) / 1e6, "MB", most=200, aim=120)
    report.add("memory in all", sum(with_all.values()) / 1e6, "MB")
    share = 100 * sum(used.values()) / seconds
    report.add("CPU while idle, heartbeats included", share, "% of a core")
    report.add("opened in", opened, "s")
    _add_delays(report, streams, times)
    broken = sum(not stream.is_whole for stream in streams)
    report.add("streams that were cut or had a gap", broken, "", most=0)
    rows = [
        (name, added[name] / 1e6, with_all[name] / 1e6, 100 * used.get(name, 0.0) / seconds)
        for name in sorted(with_all, key=lambda name: -added[name])
    ]
    report.table("By process", ("", "added MB", "PSS MB", "% of a core, idle"), rows)
    if early:
        report.notes.append(f"{early} streams ended before the idle window did: raise --hold.")
    for stream in streams:
        stream.wire.close()
    return report


async def _start_jobs(edge: int, hold: float) -> list[str]:
    """Start a slow job that has the only place, and some that wait behind it; return those."""
    wire, found = Wire(edge), []
    for number in range(_JOBS + 1):
        slow = {"parameters": {"sketch": {"seconds": hold}}} if number == 0 else {}
        body = {"prompt": "a quiet pond", "size": "64x64", "seed": number, **slow}
        answer = await wire.ask("POST", "/images/generate", body)
        if wire.status != 202:
            raise SystemExit(f"POST /images/generate: {wire.status} {answer[:300]!r}")
        found.append(json.loads(answer)["job_id"])
        if number == 0:
            await _has_the_place(edge, found[0])
    wire.close()
    return found[1:]


async def _has_the_place(edge: int, job: str) -> None:
    while (await get(edge, f"/images/jobs/{job}"))["state"] == "queued":  # noqa: ASYNC110
        await asyncio.sleep(0.05)
    await asyncio.sleep(_PULL)


async def _open(edge: int, jobs: list[str], count: int) -> list[Watching]:
    streams = [Watching(jobs[number % len(jobs)], Wire(edge)) for number in range(count)]
    turns = asyncio.Semaphore(_AT_ONCE)

    async def open_one(stream: Watching) -> None:
        async with turns:
            stream.task = asyncio.create_task(stream.run())
            begun = asyncio.create_task(stream.wire.begun.wait())
            await asyncio.wait([begun, stream.task], return_when=asyncio.FIRST_COMPLETED)
            stream.opened = time.time()
            begun.cancel()

    await asyncio.gather(*(open_one(stream) for stream in streams))
    return streams


async def _event_times(edge: int, jobs: list[str]) -> dict[str, dict[int, float]]:
    client = Grpc(edge, 64)
    try:
        return {job: await client.event_times(job) for job in jobs}
    finally:
        await client.close()


def _add_delays(
    report: Report, streams: list[Watching], times: dict[str, dict[int, float]]
) -> None:
    """Of the events that happened while the streams were open."""
    delays = [
        (at - times[stream.job][number]) * 1000
        for stream in streams
        for number, at in stream.arrivals.items()
        if times[stream.job][number] > stream.opened
    ]
    report.add("events sent to the watchers", len(delays), "")
    report.add("event from commit to watcher, p50", percentile(delays, 0.5), "ms")
    report.add("event from commit to watcher, p99", percentile(delays, 0.99), "ms")


async def generate(stack: Stack, options: argparse.Namespace) -> Report:
    """Have many paced generations in flight, each with its own stream."""
    gauge, dice = Gauge(stack), random.Random(1)
    rest = Rest(stack.port("EDGE_PORT"), 64)
    await rest.run()
    loop, tasks = asyncio.get_running_loop(), []
    before, began = gauge.cpu(), loop.time()
    peak: dict[str, float] = {}
    sampling = asyncio.create_task(_sample(gauge, peak))
    for number in range(options.generations):
        await asyncio.sleep(max(0.0, began + number / options.rate - loop.time()))
        seconds = round(dice.uniform(10, 60), 1)
        tasks.append(asyncio.create_task(rest.run(seconds=seconds)))
    most = sum(not task.done() for task in tasks)
    runs: list[Run] = await asyncio.gather(*tasks)
    took = loop.time() - began
    sampling.cancel()
    used = minus(gauge.cpu(), before)
    wrong = Counter(run.wrong[:120] for run in runs if run.wrong)
    report = Report(
        f"{options.generations:,} generations of 10 to 60 s, each watched through Envoy"
    )
    report.add("errors", wrong.total(), "", most=0)
    report.add("in flight at once", most, "")
    report.add("memory at most, all processes", sum(peak.values()) / 1e6, "MB", most=700, aim=400)
    report.add("CPU", 100 * sum(used.values()) / took, "% of a core")
    rows = [
        (name, peak[name] / 1e6, 100 * used.get(name, 0.0) / took)
        for name in sorted(peak, key=lambda n: -peak[n])
    ]
    report.table(
        "By process, at the moment of the most memory", ("", "PSS MB", "% of a core"), rows
    )
    report.notes += [f"{count} x {what}" for what, count in wrong.most_common(5)]
    return report


async def _sample(gauge: Gauge, peak: dict[str, float]) -> None:
    """Keep the sample with the most memory; it is read beside the loop, since that is slow."""
    while True:
        held: Costs = await asyncio.to_thread(gauge.memory)
        if sum(held.values()) > sum(peak.values()):
            peak.clear()
            peak.update(held)
        await asyncio.sleep(2)


def main() -> None:
    """Run either in about two minutes."""
    options = parser(__doc__)
    options.add_argument("--streams", type=int, default=2000, help="open at once")
    options.add_argument("--seconds", type=float, default=20.0, help="of idleness")
    options.add_argument(
        "--hold", type=float, default=55.0, help="seconds that the queue stands still"
    )
    options.add_argument(
        "--generations", type=int, default=0, metavar="N", help="2000 is the claim"
    )
    options.add_argument("--rate", type=float, default=100.0, help="generations begun a second")
    chosen = options.parse_args()
    gc.freeze()
    if chosen.generations:
        with running_stack(LOG_LEVEL="warning") as stack:
            report = uvloop.run(generate(stack, chosen))
    else:
        with running_stack(LOG_LEVEL="warning", MAX_PURCHASES="1") as stack:
            report = uvloop.run(watch(stack, chosen))
    report.show(chosen.json)


if __name__ == "__main__":
    main()
