"""
How soon all is owned again that a generator had in hand when it was killed with -9.

Three spans follow each other: the silence, until the ledger's patience with it is over; the
detection, until nothing is the dead one's any more; and the take-over, until all is another's.
"""

import asyncio
import signal
import time
from dataclasses import dataclass

import asyncpg

from bench.processes import Gauge, minus
from bench.report import Report, parser
from tests.system.ownership import OWNED, UNHURRIED, put_in_hand
from tests.system.stack import Stack, running_stack

_LOOK = 0.05  # seconds between two looks
_GIVE_UP = 120.0  # seconds
_PATIENCE = 3.0  # seconds, as the catalog has it by default


@dataclass(frozen=True, slots=True)
class Found:
    """Seconds from the kill on, and how many purchases the dead one had."""

    silent: float
    freed: float
    owned: float
    count: int


async def watch(stack: Stack, count: int, dead: str) -> Found:
    """Kill generator-1, whose worker is *dead*, and look until all *count* are owned again."""
    url = (stack.data / "secrets" / "database_url").read_text().strip()
    connection = await asyncpg.connect(url)
    try:
        had = (await connection.fetchrow(OWNED, dead))["left"]
        stack.kill("generator-1", signal.SIGKILL)
        began, heard, freed = time.time(), 0.0, 0.0
        while time.time() < began + _GIVE_UP:
            row = await connection.fetchrow(OWNED, dead)
            now = row["at"].timestamp() - began
            if row["heard_at"]:
                heard = row["heard_at"].timestamp() - began
            if not row["left"]:
                freed = freed or now
            if row["owned"] == count:
                return Found(heard + _PATIENCE, freed, now, had)
            await asyncio.sleep(_LOOK)
    finally:
        await connection.close()
    raise SystemExit(f"{row['owned']} of {count} are owned again after {_GIVE_UP:.0f} s")


def main() -> None:
    """Run it in about a minute."""
    options = parser(__doc__)
    options.add_argument("--jobs", type=int, default=1000, help="in flight at the death")
    chosen = options.parse_args()
    with running_stack("--lab", "--generators", "2", **UNHURRIED) as stack:
        dead = put_in_hand(stack, chosen.jobs)
        gauge = Gauge(stack)
        before = gauge.cpu()
        found = asyncio.run(watch(stack, chosen.jobs, dead))
        spent = minus(gauge.cpu(), before)
    report = Report(f"{found.count:,} purchases of a generator that is killed with -9")
    report.add("from the death until all is owned again", found.owned, "s", most=5)
    report.add("silence: until patience with it is over", found.silent, "s")
    report.add("detection: until nothing is its any more", found.freed - found.silent, "s")
    report.add("take-over: until all is another's", found.owned - found.freed, "s")
    report.add("taken over", found.count / (found.owned - found.freed), "purchases/s")
    rows = [
        (name, 1000 * spent[name])
        for name in sorted(spent, key=lambda name: -spent[name])
        if name not in ("supervisor", "generator-1")  # what the dead one had used goes to one
    ]
    report.table("CPU until then", ("", "ms"), rows)
    report.notes.append("The successor of the one that was killed starts meanwhile.")
    report.show(chosen.json)


if __name__ == "__main__":
    main()
