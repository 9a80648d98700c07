"""
The whole path with a vendor on the wire: the lab as Replicate, its CDN beside it or none.

For pictures of 64 KiB and 1 MiB, from a vendor that draws at once and from one that takes 200 ms:
what a durable job adds to the vendor's own time, and how many a second there are. Beside it, in
the same run, the lab called directly: create, look until it is drawn, download, and no more.
"""

import argparse
import asyncio
import gc
import itertools
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

import aiohttp
import uvloop

from bench.labstack import lab_of, lab_stack, prepare
from bench.load import PROMPT, Rest, Run, in_flight, refuse_failures
from bench.processes import Costs, Gauge, minus, own_cpu
from bench.report import Report, parser, percentile
from tests.system.stack import Stack

_MODEL, _SLUG = "flux-schnell", "black-forest-labs/flux-schnell"
_SIZES = {"64 KiB": 64 * 1024, "1 MiB": 1024 * 1024}
_DRAWING = (0.0, 0.2)  # seconds
_LOOK = 0.05  # seconds between two looks of the direct caller
_LAB = "lab"


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """What is bought, and whether there is a CDN."""

    cdn: bool
    size: str
    seconds: float

    @property
    def name(self) -> str:
        return f"{self.size}, {1000 * self.seconds:.0f} ms{', CDN' if self.cdn else ''}"


@dataclass(slots=True)
class Load:
    """One way of buying; times in seconds over the vendor's own, CPU in seconds a job."""

    alone: list[float]
    rate: float
    cpu: Costs  # by process; the lab's and the load's are none of ours
    load: float

    @property
    def ours(self) -> float:
        return sum(spent for name, spent in self.cpu.items() if name != _LAB)


@dataclass(slots=True)
class Found:
    """Of one case; *kept* is the time to the permanent link."""

    case: Case
    product: Load
    kept: list[float]
    direct: Load


async def measure(stack: Stack, case: Case, options: argparse.Namespace) -> Found:
    """First the direct calls, then the product."""
    lab, gauge = lab_of(stack), Gauge(stack)
    prepare(lab, seconds=case.seconds, size=_SIZES[case.size])
    direct = await _direct(lab.url, case, gauge, options)
    prepare(lab, seconds=case.seconds, size=_SIZES[case.size])
    rest = Rest(stack.port("EDGE_PORT"), model=_MODEL)
    refuse_failures(await in_flight(rest.run, at_once=4, count=20), "warm-up")
    alone = await in_flight(rest.run, at_once=1, count=options.count)
    refuse_failures(alone, f"{case.name}, one in flight")
    kept = [_until(run, "image_kept") - case.seconds for run in alone]
    await in_flight(rest.run, at_once=options.at_once, seconds=2)
    before, load = gauge.cpu(), own_cpu()
    runs = await in_flight(rest.run, at_once=options.at_once, seconds=options.seconds)
    spent, load = minus(gauge.cpu(), before), own_cpu() - load
    await rest.close()
    refuse_failures(runs, f"{case.name}, {options.at_once} in flight")
    took = max(run.ended for run in runs) - min(run.sent for run in runs)
    cpu = {name: used / len(runs) for name, used in spent.items()}
    added = [run.latency - case.seconds for run in alone]
    product = Load(added, len(runs) / took, cpu, load / len(runs))
    return Found(case, product, kept, direct)


def _until(run: Run, kind: str) -> float:
    number = next(number for number, name in run.kinds.items() if name == kind)
    return run.arrivals[number] - run.sent


async def _direct(url: str, case: Case, gauge: Gauge, options: argparse.Namespace) -> Load:
    """By bare aiohttp, as a script would that keeps nothing."""
    headers = {"Authorization": "Bearer r8_lab"}
    connector = aiohttp.TCPConnector(limit=options.at_once)
    async with aiohttp.ClientSession(headers=headers, connector=connector) as session:

        async def one() -> float:
            began = time.perf_counter()
            path, body = f"{url}/replicate/v1/models/{_SLUG}/predictions", {"prompt": PROMPT}
            async with session.post(path, json={"input": body}) as answer:
                found = await answer.json()
            while found["status"] != "succeeded":
                if case.seconds:
                    await asyncio.sleep(_LOOK)
                async with session.get(f"{url}/replicate/v1/predictions/{found['id']}") as answer:
                    found = await answer.json()
            async with session.get(found["output"][0]) as answer:
                content = await answer.read()
            assert len(content) > 0.9 * _SIZES[case.size]
            return time.perf_counter() - began - case.seconds

        await _repeat(one, 4, count=20)
        alone = await _repeat(one, 1, count=options.count)
        before, load, began = gauge.cpu(), own_cpu(), time.monotonic()
        many = await _repeat(one, options.at_once, seconds=options.seconds / 2)
        took, load = time.monotonic() - began, own_cpu() - load
        lab = minus(gauge.cpu(), before)[_LAB] / len(many)
    # The script is the whole of it: its CPU is what this way costs.
    return Load(alone, len(many) / took, {"script": load / len(many), _LAB: lab}, 0.0)


async def _repeat(
    one: Callable[[], Awaitable[float]], at_once: int, *, count: int = 0, seconds: float = 600.0
) -> list[float]:
    found: list[float] = []
    begun, end = itertools.count(), time.monotonic() + seconds

    async def work() -> None:
        while time.monotonic() < end and (not count or next(begun) < count):
            found.append(await one())

    await asyncio.gather(*(work() for _ in range(at_once)))
    return found


def report(found: list[Found], options: argparse.Namespace) -> Report:
    """Two tables by case, and the CPU by process."""
    made = Report(f"Durable jobs at a vendor on the wire, REST through Envoy; {_MODEL} in the lab")
    first = found[0]
    made.add(f"added latency, {first.case.name}, p50", *_ms(first.product.alone, 0.5))
    made.add(f"added latency, {first.case.name}, p99", *_ms(first.product.alone, 0.99))
    made.add(
        f"jobs a second, {first.case.name}, {options.at_once} in flight", first.product.rate, ""
    )
    made.add("CPU a job, the same", 1000 * first.product.ours, "ms")
    made.table(
        "One in flight, ms over the vendor's own time",
        ("", "p50", "p99", "to the link p50", "p99", "directly p50", "p99"),
        [
            (each.case.name, *_both(each.product.alone), *_both(each.kept),
             *_both(each.direct.alone))
            for each in found
        ],
    )  # fmt: skip
    made.table(
        f"{options.at_once} in flight; CPU in ms a job",
        ("", "jobs/s", "CPU", "(lab)", "(load)", "directly /s", "CPU", "(lab)"),
        [
            (
                each.case.name, each.product.rate, 1000 * each.product.ours,
                1000 * each.product.cpu[_LAB], 1000 * each.product.load,
                each.direct.rate, 1000 * each.direct.ours, 1000 * each.direct.cpu[_LAB],
            )
            for each in found
        ],
    )  # fmt: skip
    names = sorted(first.product.cpu, key=lambda name: -first.product.cpu[name])
    made.table(
        "CPU a job by process, ms",
        ("", *(str(number) for number in range(1, len(found) + 1))),
        [(name, *(1000 * each.product.cpu.get(name, 0.0) for each in found)) for name in names],
    )
    made.notes.append(
        "Columns of the last table are the cases in their order. Lab and load share the cores and "
        "are not counted. The direct caller keeps nothing; it looks "
        f"every {1000 * _LOOK:.0f} ms, at once where drawing takes no time."
    )
    return made


def _ms(seconds: list[float], share: float) -> tuple[float, str]:
    return 1000 * percentile(seconds, share), "ms"


def _both(seconds: list[float]) -> tuple[float, float]:
    return _ms(seconds, 0.5)[0], _ms(seconds, 0.99)[0]


def main() -> None:
    """Run all eight cases in about four minutes."""
    options = parser(__doc__)
    options.add_argument("--count", type=int, default=100, help="jobs one after the other")
    options.add_argument("--at-once", type=int, default=64, help="jobs in flight under load")
    options.add_argument("--seconds", type=float, default=10.0, help="of full load, each case")
    chosen = options.parse_args()
    gc.freeze()
    found = []
    for cdn in (False, True):
        with lab_stack(cdn=cdn) as stack:
            for size, seconds in itertools.product(_SIZES, _DRAWING):
                case = Case(cdn=cdn, size=size, seconds=seconds)
                found.append(uvloop.run(measure(stack, case, chosen)))
    report(found, chosen).show(chosen.json)


if __name__ == "__main__":
    main()
