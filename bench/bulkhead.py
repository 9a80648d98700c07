"""
What a sick vendor costs a healthy one: the built-in sketch beside Replicate, which is the lab.

In turns, in the same run: Replicate as it usually is, and Replicate of which three orders in ten
are answered 503 and the others twenty times as late. The same orders are placed with it either
way, so that what differs is its health; the figure is how long a sketch takes.

Both come at drawn moments, the same ones in either half of a pair. At even intervals all that a
well vendor answers, after the same time each, would fall into the same gap between two sketches,
and what a sick one answers would not: that would measure the intervals. Sketches are placed from
a turn's first moment on, and count once it has settled: after a sick turn, until all of it is
drawn, nothing is sketched for so long that the process that draws has ended.

A p99 of a turn's hundred is its second worst: a neighbour on the machine makes it several times
as long. So the ratio that counts is the median of the pairs', told with the lowest and the highest
of them, and so is how much of the cores somebody else took.
"""

import argparse
import asyncio
import gc
import json
import random
from collections.abc import Sequence
from dataclasses import dataclass, field
from statistics import median
from typing import Any

import uvloop

from bench.labstack import lab_of, lab_stack, prepare
from bench.load import PROMPT, Rest, at_moments, in_flight, refuse_failures
from bench.processes import Gauge, busy, minus, own_cpu
from bench.report import Report, parser, percentile
from bench.sse import Wire
from tests.lab.process import Lab
from tests.system.stack import Stack

_USUAL, _TIMES = (
    100,
    20,
)  # milliseconds until an order is answered, and what the sick one makes of it
_FAILING = 0.3
_ROOM = "64"  # purchases in work: few, so that what hangs would fill it
_OPEN = ("queued", "running")
_SIDE = 256  # pixels of a sketch


@dataclass(slots=True)
class Found:
    """Seconds that the sketches took, by turns, and orders that were placed with Replicate."""

    turns: list[list[float]] = field(default_factory=list)
    orders: int = 0
    sent: int = 0  # of them, as the lab counts
    busy: float = 0.0  # CPU seconds of all processes while both were placed
    others: float = 0.0  # and of what is neither the stack nor the load

    @property
    def sketches(self) -> list[float]:
        return [each for turn in self.turns for each in turn]


def _faults(*, sick: bool) -> list[dict[str, Any]]:
    late = _USUAL * (_TIMES if sick else 1)
    found = [{"vendor": "replicate", "where": "create", "kind": f"delay:{late}"}]
    if sick:
        failing = {"vendor": "replicate", "where": "create", "kind": "status:503"}
        found.append(failing | {"rate": _FAILING, "seed": 7})
    return found


async def measure(stack: Stack, options: argparse.Namespace) -> dict[bool, Found]:
    """By whether Replicate is sick."""
    lab, found = lab_of(stack), {False: Found(), True: Found()}
    prepare(lab, seconds=0.2, size=64 * 1024)
    rest, vendor = Rest(stack.port("EDGE_PORT"), _SIDE), _Orders(stack.port("EDGE_PORT"))
    refuse_failures(await in_flight(rest.run, at_once=4, count=40), "warm-up")
    for turn in range(2 * options.turns):
        sick = turn % 4 in (1, 2)  # the order within a pair changes
        plan = _Plan(turn // 2, options)
        await _turn(stack, rest, vendor, found[sick], plan, sick=sick)
    await rest.close()
    return found


@dataclass(frozen=True, slots=True)
class _Plan:
    """The moments of a turn's orders and of its sketches, in seconds."""

    number: int
    options: argparse.Namespace

    def moments(self, what: str) -> Sequence[float]:
        dice, rate = random.Random(f"{what} {self.number}"), self.options.rate
        whole = self.options.settle + self.options.seconds
        return [(each + dice.random()) / rate for each in range(int(rate * whole))]

    @property
    def unsettled(self) -> int:
        """How many of the first sketches do not count."""
        return int(self.options.rate * self.options.settle)


async def _turn(
    stack: Stack, rest: Rest, vendor: "_Orders", found: Found, plan: _Plan, *, sick: bool
) -> None:
    lab, gauge = lab_of(stack), Gauge(stack)
    before, spent, all_spent = _sent(lab), gauge.cpu(), busy() - own_cpu()
    lab.faults(_faults(sick=sick))
    runs, placed = await asyncio.gather(
        at_moments(rest.run, plan.moments("sketches")), vendor.place(plan.moments("orders"))
    )
    ours = sum(minus(gauge.cpu(), spent).values())
    found.busy += ours
    found.others += max(0.0, busy() - own_cpu() - all_spent - ours)
    settled = refuse_failures(runs, "sketches")[plan.unsettled :]
    found.turns.append([run.latency for run in settled])
    found.orders += len(placed)
    lab.faults([])
    await vendor.until_drawn(placed)
    found.sent += _sent(lab) - before


def _sent(lab: Lab) -> int:
    return lab.requests().get("replicate", {}).get("create", 0)


class _Orders:
    """Jobs at Replicate that nobody watches."""

    def __init__(self, port: int) -> None:
        self._port = port

    async def place(self, moments: Sequence[float]) -> list[str]:
        """Place an order at each of *moments*; return the jobs' paths."""
        wires = list[Wire]()

        async def one() -> str:
            wire = wires.pop() if wires else Wire(self._port)
            body = {"prompt": PROMPT, "models": ["flux-schnell"]}
            answer = await wire.ask("POST", "/images/generate", body)
            if wire.status != 202:
                raise SystemExit(f"an order was answered {wire.status} {answer[:300]!r}")
            wires.append(wire)
            return f"/images/jobs/{_job(answer)}"

        placed = await at_moments(one, moments)
        for wire in wires:
            wire.close()
        return placed

    async def until_drawn(self, jobs: list[str]) -> None:
        """Wait for the end of each; what is sick fails none of them."""
        wire = Wire(self._port)
        for job in jobs:
            while True:
                state = _state(await wire.ask("GET", job))
                if state not in _OPEN:
                    break
                await asyncio.sleep(0.2)
            if state != "succeeded":
                raise SystemExit(f"{job} ended as {state}")
        wire.close()


def _job(answer: bytes) -> str:
    return str(json.loads(answer)["job_id"])


def _state(answer: bytes) -> str:
    return str(json.loads(answer)["state"])


def report(found: dict[bool, Found], options: argparse.Namespace) -> Report:
    """The healthy vendor's times with either neighbour, and their ratio."""
    well, sick = found[False], found[True]
    made = Report(
        "A sketch beside a Replicate that is well and one that is sick, REST through Envoy"
    )
    spread = dict[str, str]()
    for share in (0.5, 0.99):
        name = f"p{100 * share:.0f}"
        one, other = percentile(well.sketches, share), percentile(sick.sketches, share)
        made.add(f"a sketch beside a well one, {name}", 1000 * one, "ms")
        made.add(f"a sketch beside a sick one, {name}", 1000 * other, "ms")
        demand = {"most": 1.1} if share == 0.99 else {}
        pairs = sorted(
            percentile(ill, share) / percentile(fine, share)
            for fine, ill in zip(well.turns, sick.turns, strict=True)
        )
        made.add(f"the ratio of the median pair of turns, {name}", median(pairs), "", **demand)
        spread[name] = f"{name} {pairs[0]:.2f} to {pairs[-1]:.2f}"
    made.table(
        "Placed with Replicate",
        ("", "sketches", "jobs", "orders sent", "CPU s meanwhile", "others' CPU s"),
        [
            (name, len(each.sketches), each.orders, each.sent, each.busy, each.others)
            for name, each in (("well", well), ("sick", sick))
        ],
    )
    made.notes.append(
        f"{options.turns} turns each of {options.seconds:.0f} s, {options.rate:g} jobs a second "
        f"with either vendor, room for {_ROOM} purchases. Sick: {100 * _FAILING:.0f} % of orders "
        f"are answered 503, all after {_USUAL * _TIMES} ms in place of {_USUAL}. "
        "All jobs were drawn in the end. "
        f"Ratios are the median pair's; of all pairs: {', '.join(spread.values())}."
    )
    return made


def main() -> None:
    """Run all turns in about five minutes."""
    options = parser(__doc__)
    options.add_argument("--rate", type=float, default=8.0, help="jobs a second with each vendor")
    options.add_argument("--seconds", type=float, default=15.0, help="of each turn")
    options.add_argument("--settle", type=float, default=4.0, help="seconds before it is measured")
    options.add_argument(
        "--turns", type=int, default=6, help="with a well one, and with a sick one"
    )
    chosen = options.parse_args()
    gc.freeze()
    with lab_stack(cdn=False, MAX_PURCHASES=_ROOM, LOOKUP_LAG="0") as stack:
        found = uvloop.run(measure(stack, chosen))
    report(found, chosen).show(chosen.json)


if __name__ == "__main__":
    main()
