"""Many histories of the simulation, on all cores, and what they have come across."""

import argparse
import gc
import hashlib
import logging
import multiprocessing
import os
import sys
import time
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import structlog

from tests.generator import compiled
from tests.generator.modelled_trouble import FAULTS, PAIRS
from tests.generator.simulation import World

CHUNK = 500  # histories that one process plays at a time
COMMAND = ".venv/bin/python -m tests.generator.simulation --seed"


class Broken(AssertionError):
    """A history broke a promise; it says how to play it again."""


@dataclass(slots=True)
class Coverage:
    """What some histories have come across."""

    histories: int = 0
    acts: int = 0
    pairs: Counter[tuple[str, str]] = field(default_factory=Counter)  # of faults that happened
    edges: Counter[tuple[str, str, str]] = field(default_factory=Counter)  # from, kind, to
    handled: Counter[tuple[Any, type]] = field(default_factory=Counter)  # stages and events
    states: Counter[str] = field(default_factory=Counter)  # how purchases ended
    jobs: Counter[str] = field(default_factory=Counter)
    alarms: Counter[str] = field(default_factory=Counter)

    def add(self, world: World) -> None:
        """Count what *world* has come across."""
        self.histories += 1
        self.acts += world.acts
        if len(world.trouble.happened) == 2:
            self.pairs[world.trouble.pair] += 1
        self.edges.update(world.ledger.seen)
        self.handled.update(world.handled)
        for row in world.ledger.purchases.values():
            self.states[" ".join(filter(None, (row.state, row.ending, row.charged)))] += 1
        self.jobs.update(job.state for job in world.ledger.jobs.values())
        self.alarms.update(kind for kind, _purchase in world.ledger.alarms)

    def join(self, other: "Coverage") -> None:
        """Add what others have come across."""
        self.histories += other.histories
        self.acts += other.acts
        for name in ("pairs", "edges", "handled", "states", "jobs", "alarms"):
            getattr(self, name).update(getattr(other, name))


@contextmanager
def silence() -> Iterator[None]:
    """Keep what the services log of each history to themselves."""
    before = structlog.get_config()
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    try:
        yield
    finally:
        structlog.configure(**before)


@contextmanager
def unswept() -> Iterator[None]:
    """Have the garbage collector stay away: a history that is forgotten leaves nothing to it."""
    before = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if before:
            gc.enable()


def play(seeds: Iterable[int]) -> Coverage:
    """Play histories one after the other; Broken names the first that breaks a promise."""
    found = Coverage()
    with silence(), unswept():
        for seed in seeds:
            try:
                world = World(seed).run()
                found.add(world)
                world.forget()
            except Exception as error:
                said = f"{type(error).__name__}: {error}\nplay it again: {COMMAND} {seed}"
                raise Broken(said) from error
    return found


def play_beside(first: int, histories: int, processes: int) -> Coverage:
    """Play that many in *processes*; Broken is the first that breaks a promise."""
    chunks = [
        range(at, min(at + CHUNK, first + histories))
        for at in range(first, first + histories, CHUNK)
    ]
    found = Coverage()
    if processes == 1:
        for chunk in chunks:
            found.join(play(chunk))
        return found
    # Frozen: whatever was imported is not looked through again after each chunk.
    with multiprocessing.get_context("spawn").Pool(processes, gc.freeze) as pool:
        for part in pool.imap_unordered(play, chunks):
            found.join(part)
    return found


def told(found: Coverage, seconds: float) -> str:
    """*found* in words."""
    how = "compiled" if compiled.is_compiled() else "interpreted"
    left = [pair for pair in PAIRS if pair not in found.pairs]
    never = Counter(first for first, _ in left) + Counter(second for _, second in left)
    lines = [
        f"{found.histories:,} histories, {found.histories / seconds:,.0f} a second, {how}",
        f"{found.acts / found.histories:.0f} acts each; no promise was broken",
        f"pairs of faults: {len(found.pairs):,} of {len(PAIRS):,} ({len(FAULTS)} kinds)",
        *(f"  with {name} {count} did not come to pass" for name, count in never.most_common(12)),
    ]
    for name in ("edges", "handled", "states", "jobs", "alarms"):
        counted = sorted(getattr(found, name).items(), key=lambda each: -each[1])
        lines.append(f"{name}: {len(counted)}")
        lines += [f"  {count:>9,}  {_shown(key)}" for key, count in counted]
    return "\n".join(lines)


def _shown(key: object) -> str:
    if isinstance(key, tuple):
        return " ".join(getattr(each, "__name__", getattr(each, "name", each)) for each in key)
    return str(key)


def replay(seed: int) -> None:
    """Play one history again and print all that happened in it."""
    world = World(seed)
    try:
        with silence():
            world.run()
    finally:
        print(f"{world.vendor.kind}: {' and then '.join(world.trouble.pair)}")
        print(*world.trace, sep="\n")
    print(world.digest)


def main() -> None:
    """Play one history, or a campaign."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    asked = argparse.ArgumentParser(prog="tests.generator.simulation", description=main.__doc__)
    asked.add_argument("--seed", type=int, help="play this one history and print its trace")
    asked.add_argument("--histories", type=int, default=100_000)
    asked.add_argument("--first", type=int, default=0, help="the first seed")
    asked.add_argument("--processes", type=int, default=cores)
    asked.add_argument("--interpreted", action="store_true", help="do not compile it before")
    wanted = asked.parse_args()
    if wanted.seed is not None:
        replay(wanted.seed)
        return
    if not wanted.interpreted:
        compiled.run("tests.generator.campaign", sys.argv[1:])
    began = time.monotonic()
    try:
        found = play_beside(wanted.first, wanted.histories, wanted.processes)
    except Broken as broken:
        sys.exit(str(broken))
    print(told(found, time.monotonic() - began))


def digests(seeds: Iterable[int]) -> str:
    """The hash of some histories, in order."""
    with silence():
        found = [World(seed).run().digest for seed in seeds]
    return hashlib.sha256("".join(found).encode()).hexdigest()


if __name__ == "__main__":
    main()
