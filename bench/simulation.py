"""
Histories a second of the deterministic simulation: on one core and on all of them.

No stack is started: the simulation has a clock of its own and does no I/O.
"""

import os
import sys
import time

from bench.report import Report, parser
from tests.generator import compiled
from tests.generator.campaign import play, play_beside

ALONE = 4_000  # histories on one core, at the most


def main() -> None:
    asked = parser(__doc__)
    asked.add_argument("--histories", type=int, default=100_000)
    wanted = asked.parse_args()
    compiled.run("bench.simulation", sys.argv[1:])
    report = Report(f"The simulation, {'' if compiled.is_compiled() else 'not '}compiled")
    began = time.perf_counter()
    alone = play(range(min(ALONE, wanted.histories))).histories
    report.add("histories a second, one core", alone / (time.perf_counter() - began), "")
    began = time.perf_counter()
    found = play_beside(0, wanted.histories, len(os.sched_getaffinity(0)))
    seconds = time.perf_counter() - began
    report.add(f"{found.histories:,} histories, all cores", seconds, "s", most=60)
    report.add("histories a second, all cores", found.histories / seconds, "", aim=2000)
    report.add("pairs of faults that came to pass", len(found.pairs), "")
    report.show(wanted.json)


if __name__ == "__main__":
    main()
