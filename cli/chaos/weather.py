"""
The vendors' bad days of a campaign: of each place where a vendor is asked one fault is in force,
dealt from that place's shuffled deck. A card stays until it has struck, and the deck is dealt to
its end before it is shuffled again. The first time, so that a short campaign has seen all of it,
each card strikes the next call, and once; later it strikes a share of the calls for a while, and
the place has a good time after it.
"""

import asyncio
import random
from collections import Counter
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Any

from cli.lab import Lab

LIMIT = 5.0  # seconds that an order may be under way whose answer holds the pictures
_HOLDS = 2.0  # seconds between two deals
_FIRST = 0.5  # seconds, until every deck was dealt once: 300 jobs are through in half a minute
_MOST = 3  # calls that a card strikes until others are dealt
_PACES = (1, 1, 4)  # in one deal of three all is drawn slowly, so that kills and cancels meet it
_LEAST_LAG = 0.2  # seconds

# vendor, place, and cards: a kind, and the share of calls that it strikes
_LOST = (("drop_after", 0.3), ("html", 0.3), ("truncate", 0.3))  # charged, and nobody hears it
_HANGS = (("hang:{seconds}", 0.6), ("hang:{late}", 0.2))  # the second one is given up
_FAILS = (("status:500", 0.2), ("status:503", 0.2), ("status:429", 0.3), ("drop_before", 0.3))
_REFUSED = (("status:422", 0.1),)  # a fallback model's turn
_DECKS = {
    # Of a hang the webhooks come before the answer; again, since who dies now leaves an order.
    ("replicate", "create"): (
        *_LOST, *_FAILS, *_REFUSED, ("hang:{seconds}", 0.6), ("delay:{milliseconds}", 0.4),
        ("hang:{seconds}", 0.6),
    ),
    ("replicate", "get"): (("status:502", 0.3), ("drop_before", 0.3), ("html", 0.3)),
    ("replicate", "list"): (("status:500", 0.3), ("drop_before", 0.3), ("html", 0.3)),
    ("replicate", "cancel"): (("drop_after", 0.5), ("status:500", 0.5)),
    ("replicate", "file"): (
        ("truncate", 0.3), ("html", 0.3), ("status:503", 0.3), ("hang:{seconds}", 0.2),
    ),
    ("replicate", "webhook"): (
        ("drop_before", 0.7),  # lost
        ("drop_after", 0.5),  # told again
        ("duplicate", 0.7),
        ("delay:{milliseconds}", 0.5),  # out of order
    ),
    # An input image ahead of its order.
    ("replicate", "upload"): (("status:500", 0.4), ("drop_after", 0.4)),
    # Nobody of these can be asked: what is lost is unclear for good.
    ("recraft", "create"): (*_LOST, *_HANGS, *_FAILS),
    ("google", "create"): (*_LOST, *_HANGS, *_FAILS, *_REFUSED),
    ("openai", "create"): (*_LOST, *_HANGS, *_FAILS, *_REFUSED),
    ("cloudinary", "upload"): (
        ("status:500", 0.3), ("status:420", 0.3), ("status:429", 0.3), ("hang:{seconds}", 0.3),
        ("drop_before", 0.3), ("drop_after", 0.3), ("html", 0.3),
    ),
}  # fmt: skip
_NAMES = {"hang:{late}": "hang past the limit"}


@dataclass(frozen=True, slots=True)
class Card:
    """A fault of one place that is dealt now and then; *rate* is the share of calls it strikes."""

    vendor: str
    where: str
    kind: str
    rate: float

    @property
    def name(self) -> str:
        """What it is counted by; how long it takes is no part of it."""
        kind = _NAMES.get(self.kind) or self.kind.partition(":{")[0]
        return f"{self.vendor} {self.where} {kind}"


LATE = Card("replicate", "list", "lag:{lag}", 1.0)  # of every call, all the time
CARDS = {
    place: tuple(Card(*place, kind, rate) for kind, rate in cards)
    for place, cards in _DECKS.items()
}
KINDS = frozenset(card.name for cards in CARDS.values() for card in cards) | {LATE.name}


@dataclass(slots=True)
class Deal:
    """The cards of all places, drawn from *seed*; listings are late by *lag* seconds at most."""

    seed: int
    lag: float
    _dice: random.Random = field(init=False)
    _left: dict[tuple[str, str], list[Card]] = field(init=False)
    _seen: set[tuple[str, str]] = field(default_factory=set)  # places whose deck was dealt once

    def __post_init__(self) -> None:
        self._dice = random.Random(f"weather {self.seed}")
        self._left = {place: self._shuffled(place) for place in CARDS}

    def next(self, struck: Collection[str]) -> dict[Card, dict[str, Any]]:
        """The faults in force from now on; *struck* names the cards that have had their turn."""
        dealt = [LATE]
        for place, left in self._left.items():
            if left[-1].name not in struck:
                dealt.append(left[-1])
                continue
            left.pop()
            if not left:
                left.extend(self._shuffled(place))
                self._seen.add(place)
            if place not in self._seen:
                dealt.append(left[-1])
        return {card: self._fault(card) for card in dealt}

    def holds(self) -> float:
        """Seconds until the next deal."""
        return _HOLDS if self._seen == CARDS.keys() else _FIRST

    def slower(self) -> int:
        """By what the vendors draw slower from now on."""
        return self._dice.choice(_PACES)

    def _shuffled(self, place: tuple[str, str]) -> list[Card]:
        return self._dice.sample(CARDS[place], len(CARDS[place]))

    def _fault(self, card: Card) -> dict[str, Any]:
        kind = card.kind.format(
            seconds=round(self._dice.uniform(0.5, 2.5), 2),
            late=round(LIMIT + self._dice.uniform(1.0, 2.0), 2),
            milliseconds=self._dice.randint(100, 1500),
            lag=round(self._dice.uniform(_LEAST_LAG, self.lag), 2),
        )
        dealt: dict[str, Any] = {"vendor": card.vendor, "where": card.where, "kind": kind}
        dealt |= {"seed": self._dice.getrandbits(31)}
        if card == LATE:
            return dealt
        if (card.vendor, card.where) not in self._seen:
            return dealt | {"times": 1}
        return dealt | {"rate": card.rate, "times": _MOST}


@dataclass(slots=True)
class Weather:
    """Changes the faults until it is canceled; *struck* counts by vendor, place and kind."""

    lab: Lab
    seed: int
    lag: float
    pace: float  # seconds
    struck: Counter[str] = field(default_factory=Counter)
    _dealt: Mapping[Card, dict[str, Any]] = field(default_factory=dict)
    _putting: asyncio.Task[None] | None = None

    async def run(self) -> None:
        """Deal for ever; after it `clear` is due."""
        deal = Deal(self.seed, self.lag)
        while True:
            self._putting = asyncio.create_task(self._put(deal.next(await self._count())))
            await asyncio.shield(self._putting)
            await self._draw_in(self.pace * deal.slower())
            await asyncio.sleep(deal.holds())

    async def clear(self) -> None:
        """End all faults."""
        if self._putting:
            await asyncio.wait((self._putting,))  # else it comes after the end
        await self._count()
        await asyncio.to_thread(self.lab.ask, "DELETE", "/_lab/faults")
        await self._draw_in(self.pace)

    async def _put(self, dealt: Mapping[Card, dict[str, Any]]) -> None:
        await asyncio.to_thread(self.lab.ask, "PUT", "/_lab/faults", list(dealt.values()))
        self._dealt = dealt

    async def _draw_in(self, seconds: float) -> None:
        await asyncio.to_thread(self.lab.ask, "PUT", "/_lab/pace", {"seconds": seconds})

    async def _count(self) -> set[str]:
        """Count what those in force have done; return the names of those that have struck."""
        told = await asyncio.to_thread(self.lab.ask, "GET", "/_lab/faults")
        now = Counter(
            {card.name: fault["struck"] for card, fault in zip(self._dealt, told, strict=True)}
        )
        self.struck += now
        return {*+now}
