"""
The vendors' bad days of a campaign: every few seconds other faults are in force, dealt from a
shuffled deck, so that each kind has its turn before one comes again.
"""

import asyncio
import random
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from cli.lab import Lab

LAG = 2.0  # seconds by which listings are late at the most: 30 at the real one, scaled
_AT_ONCE = 5  # kinds of faults in force together
_HOLDS = 3.0  # seconds until others are dealt

# vendor, place, kind, and the share of calls that it strikes
_DECK = (
    ("replicate", "create", "drop_after", 0.3),  # charged, and the answer is lost
    ("replicate", "create", "drop_before", 0.3),
    ("replicate", "create", "hang:{seconds}", 0.6),  # webhooks come before the answer
    ("replicate", "create", "delay:{milliseconds}", 0.4),
    ("replicate", "create", "status:500", 0.2),
    ("replicate", "create", "hang:{seconds}", 0.6),  # again: whoever dies now leaves an order
    ("replicate", "create", "status:503", 0.2),
    ("replicate", "create", "status:429", 0.3),
    ("replicate", "create", "status:422", 0.1),  # refused: a fallback model's turn
    ("replicate", "create", "html", 0.3),  # charged, and the answer is a page
    ("replicate", "create", "truncate", 0.3),  # charged, and half of the answer comes
    ("replicate", "get", "status:502", 0.3),
    ("replicate", "get", "drop_before", 0.3),
    ("replicate", "get", "html", 0.3),
    ("replicate", "list", "lag:{lag}", 1.0),
    ("replicate", "list", "status:500", 0.3),
    ("replicate", "cancel", "drop_after", 0.5),
    ("replicate", "cancel", "status:500", 0.5),
    ("replicate", "file", "truncate", 0.3),
    ("replicate", "file", "html", 0.3),
    ("replicate", "file", "status:503", 0.3),
    ("replicate", "file", "hang:{seconds}", 0.2),
    ("replicate", "webhook", "drop_before", 0.7),  # lost
    ("replicate", "webhook", "drop_after", 0.5),  # told again
    ("replicate", "webhook", "duplicate", 0.7),
    ("replicate", "webhook", "delay:{milliseconds}", 0.5),  # out of order
    ("recraft", "create", "drop_after", 0.3),  # it cannot be asked: charged, and unclear for good
    ("recraft", "create", "drop_before", 0.3),
    ("recraft", "create", "html", 0.2),
    ("recraft", "create", "truncate", 0.3),
    ("recraft", "create", "hang:{seconds}", 0.6),
    ("recraft", "create", "status:429", 0.3),
    ("replicate", "upload", "status:500", 0.4),  # an input image ahead of its order
    ("replicate", "upload", "drop_after", 0.4),
    *(
        (vendor, "create", *card)
        for vendor in ("google", "openai")  # as Recraft: nobody can be asked
        for card in (
            ("drop_after", 0.3),
            ("drop_before", 0.3),
            ("html", 0.2),
            ("truncate", 0.3),
            ("hang:{seconds}", 0.6),
            ("status:429", 0.3),
            ("status:500", 0.2),
            ("status:422", 0.1),
        )
    ),
    ("cloudinary", "upload", "status:500", 0.3),
    ("cloudinary", "upload", "status:420", 0.3),
    ("cloudinary", "upload", "hang:{seconds}", 0.3),
    ("cloudinary", "upload", "drop_after", 0.3),
    ("cloudinary", "upload", "html", 0.3),
)


def forecasts(seed: int) -> Iterator[list[dict[str, Any]]]:
    """For ever, the faults that are in force together; each kind comes once in a deck."""
    dice = random.Random(f"weather {seed}")
    while True:
        deck = dice.sample(_DECK, len(_DECK))
        for start in range(0, len(deck), _AT_ONCE):
            yield [_fault(dice, *card) for card in deck[start : start + _AT_ONCE]]


def _fault(dice: random.Random, vendor: str, where: str, kind: str, rate: float) -> dict[str, Any]:
    kind = kind.format(
        seconds=round(dice.uniform(0.5, 2.5), 2),
        milliseconds=dice.randint(100, 1500),
        lag=round(dice.uniform(0.2, LAG), 2),
    )
    dealt = {"vendor": vendor, "where": where, "kind": kind}
    return dealt | {"rate": rate, "seed": dice.getrandbits(31)}


@dataclass(slots=True)
class Weather:
    """Changes the faults until it is canceled; *struck* counts by vendor, place and kind."""

    lab: Lab
    seed: int
    struck: Counter[str] = field(default_factory=Counter)

    async def run(self) -> None:
        """Deal for ever; after it `clear` is due."""
        for wanted in forecasts(self.seed):
            await self._count()
            await asyncio.to_thread(self.lab.ask, "PUT", "/_lab/faults", wanted)
            await asyncio.sleep(_HOLDS)

    async def clear(self) -> None:
        """End all faults."""
        await self._count()
        await asyncio.to_thread(self.lab.ask, "DELETE", "/_lab/faults")

    async def _count(self) -> None:
        for fault in await asyncio.to_thread(self.lab.ask, "GET", "/_lab/faults"):
            kind, _, _amount = fault["kind"].partition(":")
            told = fault["kind"] if kind == "status" else kind
            self.struck[f"{fault['vendor']} {fault['where']} {told}"] += fault["struck"]
