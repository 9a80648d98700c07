"""
What a durable job costs beside its drawing: added latency, jobs a second, CPU, event latency.

A fresh stack is started; jobs come in through Envoy, over REST with server-sent events and over
gRPC. The provider is instant (bench/instant.py), or with --draw the built-in sketch, whose
drawing is measured alone in the same run and subtracted. The floor is a bare gRPC call that
commits one row to the same PostgreSQL.
"""

import argparse
import asyncio
import gc
import time
from dataclasses import dataclass

import uvloop

from bench import drawing, floor
from bench.drawing import Drawing
from bench.floor import Floor
from bench.instant import instant_stack
from bench.load import Grpc, Rest, Run, at_rate, event_delays, in_flight, refuse_failures
from bench.processes import Costs, Gauge, minus, own_cpu
from bench.report import Report, parser, percentile
from tests.system.stack import Stack, running_stack

_RUN_UP = 2.0  # seconds


@dataclass(slots=True)
class Busy:
    """Many jobs in flight for a while; CPU in seconds by process."""

    runs: list[Run]
    seconds: float
    cpu: Costs
    load: float  # CPU seconds of this script

    @property
    def rate(self) -> float:
        return len(self.runs) / self.seconds


@dataclass(slots=True)
class Measured:
    """All that one stack showed."""

    drawing: Drawing | None
    floor: Floor
    rest: list[Run]
    grpc: list[Run]
    busy: Busy
    half: list[Run]
    delays: list[float]


async def measure(stack: Stack, options: argparse.Namespace) -> Measured:
    """Load *stack* in phases, each with nothing else going on."""
    gc.freeze()
    postgres = stack.ps()["postgres"]
    url = (stack.data / "secrets" / "database_url").read_text().strip()
    bare = await floor.measure(url, postgres)
    edge, side = stack.port("EDGE_PORT"), options.side
    rest, grpc = Rest(edge, side, format=options.format), Grpc(edge, side)
    alone = await drawing.measure(side, options.format) if options.draw else None
    refuse_failures(await in_flight(rest.run, at_once=4, count=40), "warm-up")
    one_rest = await in_flight(rest.run, at_once=1, count=options.count)
    refuse_failures(await in_flight(grpc.run, at_once=1, count=20), "warm-up over gRPC")
    one_grpc = await in_flight(grpc.run, at_once=1, count=options.count)
    busy = await _busy(rest, Gauge(stack), options)
    half = await at_rate(rest.run, rate=busy.rate / 2, seconds=options.seconds / 2)
    delays = await event_delays(grpc, busy.runs)
    for client in (rest, grpc):
        await client.close()
    for what, runs in (("REST", one_rest), ("gRPC", one_grpc), ("half load", half)):
        refuse_failures(runs, what)
    return Measured(alone, bare, one_rest, one_grpc, busy, half, delays)


async def _busy(rest: Rest, gauge: Gauge, options: argparse.Namespace) -> Busy:
    """
    Keep jobs in flight, and count those that end in the window, once the run-up is over.

    The window begins amid them: a crowd that begins in one instant is another question.
    """
    seconds = _RUN_UP + options.seconds
    running = asyncio.create_task(in_flight(rest.run, at_once=options.at_once, seconds=seconds))
    await asyncio.sleep(_RUN_UP)
    before, load, began = gauge.cpu(), own_cpu(), time.time()
    await asyncio.sleep(options.seconds)
    spent, load, ended = minus(gauge.cpu(), before), own_cpu() - load, time.time()
    runs = refuse_failures(await running, f"{options.at_once} in flight")
    inside = [run for run in runs if began <= run.ended <= ended]
    return Busy(inside, ended - began, spent, load)


def report(found: Measured, options: argparse.Namespace) -> Report:
    """Say it in the order of the architecture's table."""
    size = f"{options.side}x{options.side} sketch" if options.draw else "64 KiB ready-made picture"
    made = Report(f"Durable jobs, one {size} each, through Envoy")
    busy, drawn = f"{options.at_once} in flight", found.drawing.p50 if found.drawing else 0.0
    for way, runs in (("REST and SSE", found.rest), ("gRPC", found.grpc)):
        added = [run.latency - drawn for run in runs]
        _add_times(made, f"added latency, {way}, 1 in flight", added, p50=(35, 15), p99=(60, 30))
    made.add(f"durable jobs a second, {busy}", found.busy.rate, "/s", least=150, aim=350)
    per_job = 1000 * sum(_ours(found.busy.cpu).values()) / len(found.busy.runs)
    made.add(f"CPU a job, {busy}, less drawing", per_job, "ms", most=10, aim=5)
    first = [run.first - run.sent for run in found.half]
    _add_times(made, "first event after the request, half load", first, p99=(60, 20))
    _add_times(made, f"event from commit to client, {busy}", found.delays, p99=(100, 30))
    _add_floors(made, found)
    made.table("CPU a job by process", ("", "ms", "share"), _shares(found.busy))
    steps = "One job over REST, from the request to each event"
    made.table(steps, ("", "p50 ms", "p99 ms"), _steps(found.rest))
    made.notes.append(
        "The load shares the cores with the stack. An event's time is the moment of its writing, "
        "so commit to client has the commit in it."
    )
    return made


def _add_times(
    made: Report, name: str, seconds: list[float], **demands: tuple[float, float]
) -> None:
    """Add p50 and p99 in milliseconds; *demands* are (at most, aim) of either."""
    for rank, share in (("p50", 0.5), ("p99", 0.99)):
        found = dict(zip(("most", "aim"), demands.get(rank, ()), strict=False))
        made.add(f"{name}, {rank}", 1000 * percentile(seconds, share), "ms", **found)


def _add_floors(made: Report, found: Measured) -> None:
    drawn = found.drawing.p50 if found.drawing else 0.0
    if found.drawing:
        made.add("floor: drawing alone, p50", drawn * 1000, "ms")
    floor.add(made, found.floor)
    added = percentile([run.latency for run in found.rest], 0.5) - drawn
    made.add("added latency as a multiple of the bare call", added / found.floor.p50, "x")
    rate = found.floor.calls_per_second / found.busy.rate
    made.add("bare calls in the time of a job, at full load", rate, "x")


def _ours(cpu: Costs) -> Costs:
    """Without the children that draw: that is the provider's own work."""
    return {name: used for name, used in cpu.items() if not _is_drawing(name)}


def _is_drawing(name: str) -> bool:
    return name.startswith("generator") and name.endswith("'s children")


def _shares(busy: Busy) -> list[tuple[str, float, str]]:
    jobs, whole = len(busy.runs), sum(busy.cpu.values())
    rows = [
        (name, 1000 * used / jobs, f"{used / whole:.0%}")
        for name, used in sorted(busy.cpu.items(), key=lambda found: -found[1])
    ]
    return [*rows, ("(this script, not counted)", 1000 * busy.load / jobs, "")]


def _steps(runs: list[Run]) -> list[tuple[str, float, float]]:
    kinds = list(dict.fromkeys(runs[0].kinds.values()))
    found = []
    for kind in kinds:
        took = [
            (run.arrivals[number] - run.sent) * 1000
            for run in runs
            for number, name in run.kinds.items()
            if name == kind
        ]
        found.append((kind, percentile(took, 0.5), percentile(took, 0.99)))
    return found


def main() -> None:
    """Run it all in about a minute."""
    options = parser(__doc__)
    options.add_argument("--draw", action="store_true", help="really draw; otherwise instantly")
    options.add_argument("--side", type=int, default=64, help="pixels a side of what is drawn")
    options.add_argument("--format", default="png", choices=("png", "jpeg", "webp"))
    options.add_argument("--count", type=int, default=200, help="jobs one after the other")
    options.add_argument("--at-once", type=int, default=64, help="jobs in flight under load")
    options.add_argument("--seconds", type=float, default=15.0, help="of full load")
    chosen = options.parse_args()
    start = running_stack if chosen.draw else instant_stack
    with start(LOG_LEVEL="warning") as stack:
        found = uvloop.run(measure(stack, chosen))
    report(found, chosen).show(chosen.json)


if __name__ == "__main__":
    main()
