"""
What goes wrong in the simulation, by name. Each history has two faults, one after the other,
so that every kind is seen before and after every other; some have many more beside them.
"""

import random
from collections.abc import Callable, Iterable, Sequence
from typing import Any

LISTED, ALIKE, RECEIPT = "listed", "alike", "receipt"
ANSWERED, BLIND = "answered", "blind"
INVOICED = (LISTED, ANSWERED, BLIND)  # where a charge names its order, for who reads of it
KINDS = (LISTED, ALIKE, RECEIPT, ANSWERED, BLIND)  # of provider; see `modelled_provider`
ELSEWHERE = (LISTED, ALIKE, ANSWERED, BLIND)  # whose health is watched
ASKED = (LISTED, ALIKE)  # with an id at once and a list

RESTORED = "the database is an old copy"

# Each with the kinds of provider at which it can happen.
PROCESSES = {
    **dict.fromkeys(
        (
            *("a worker dies", "all die at once", "a worker is paused", "a worker ends"),
            *("beats are lost", "nobody sweeps", "a user cancels", "time leaps"),
            RESTORED,
        ),
        KINDS,
    ),
    "the clock is set": ASKED,
}
CALLS = {
    **dict.fromkeys(
        (
            *("the ledger is away", "the ledger's answer is lost", "an edge comes late"),
            *("a claim's answer is lost", "the news is lost", "the news is doubled"),
            *("the connection is refused", "the provider is busy", "the order is refused"),
            *("the content is refused", "the order is lost", "the answer is lost"),
            *("work breaks off", "buying raises", "an edge is refused"),
            *("the model is unknown", "a look fails", "a look raises", "a look-up raises"),
            *("storage is away", "storing raises", "the source expires"),
            *("the CDN is away", "the CDN's answer is lost", "publishing raises"),
        ),
        KINDS,
    ),
    **dict.fromkeys(
        (
            *("it hangs", "it fails there", "a cancel is lost", "a cancel raises"),
            *("the list is late", "the list is away"),
        ),
        ASKED,
    ),
    **dict.fromkeys(
        (
            *("a webhook is lost", "a webhook is doubled", "a webhook is early"),
            *("a webhook is forged", "a webhook is another's", "a webhook crosses a look-up"),
        ),
        (LISTED,),
    ),
    **dict.fromkeys(
        ("a told charge is not written", "the answer to a told charge is lost"), INVOICED
    ),
    "the list is blank": (ALIKE,),
    "it is doubled there": (LISTED,),
    "the receipt is not closed": (RECEIPT, ANSWERED, BLIND),
    **dict.fromkeys(
        (
            *("the account is empty", "it takes few more"),
            *("an input image is gone", "an input image is kept back", "an input image is slow"),
        ),
        ELSEWHERE,
    ),
    "an input image is not uploaded": ASKED,
}
_NOT_AT = {  # what no such provider has
    "a look-up raises": (BLIND,),
    "the source expires": (RECEIPT, ANSWERED, BLIND),
    **dict.fromkeys(("the order is lost", "the provider is busy"), (RECEIPT,)),
    "the content is refused": (RECEIPT,),
}
FAULTS = {
    name: tuple(kind for kind in kinds if kind not in _NOT_AT.get(name, ()))
    for name, kinds in (PROCESSES | CALLS).items()
}


_UNCLEAR = ("the answer is lost",)
PRELUDES = {  # what has to go wrong, so that the other can
    **dict.fromkeys(("a look-up raises", "the list is away", "the list is late"), _UNCLEAR),
    "the clock is set": (*_UNCLEAR, "the list is late"),
    **dict.fromkeys(("the list is blank", "a webhook crosses a look-up"), _UNCLEAR),
    **dict.fromkeys(("a cancel is lost", "a cancel raises"), ("it hangs", "a user cancels")),
    **dict.fromkeys(
        ("a told charge is not written", "the answer to a told charge is lost"),
        ("the answer is lost", "it fails there"),
    ),
}
TELLING = frozenset({"a told charge is not written", "the answer to a told charge is lost"})

ORDERING = frozenset(  # what strikes an order alone: to be second, it needs another one
    (
        *("the connection is refused", "the provider is busy", "the order is refused"),
        *("the content is refused", "the order is lost", "the answer is lost", "it hangs"),
        *("it fails there", "it is doubled there", "the list is late", "the model is unknown"),
        *("the receipt is not closed", "a claim's answer is lost"),
        *("the account is empty", "it takes few more"),
        *("an input image is gone", "an input image is kept back", "an input image is slow"),
        *("an input image is not uploaded", "a webhook crosses a look-up"),
    )
)


def _pairs() -> Iterable[tuple[str, str]]:
    for first, at in FAULTS.items():
        for second, there in FAULTS.items():
            if set(at) & set(there):
                yield first, second


PAIRS = tuple(_pairs())


class Dice:
    """Chance, of one seed: quick at choices, which are not quite even for it."""

    __slots__ = ("random",)

    def __init__(self, seed: int) -> None:
        self.random: Callable[[], float] = random.Random(seed).random

    def randrange(self, start: int, stop: int | None = None, step: int = 1) -> int:
        """As of `range(start)`, or of `range(start, stop)`."""
        first, after = (0, start) if stop is None else (start, stop)
        return first + step * int(self.random() * ((after - first) // step))

    def choice(self, seq: Sequence[Any]) -> Any:
        return seq[int(self.random() * len(seq))]


class Trouble:
    """
    The faults of one history.

    `due` names the next one that is to happen to a process; `strikes` asks at a call whether
    it fails. Once `over`, all goes well.
    """

    __slots__ = ("armed", "beside", "dice", "happened", "left", "over", "pair",
                 "passes", "rate", "storm", "waits")  # fmt: skip

    def __init__(self, dice: Dice, pair: tuple[str, str]) -> None:
        self.dice, self.pair, self.left = dice, pair, list(pair)
        self.rate: float = dice.choice((0.0, 0.0, 0.0, 0.0, 0.0, 0.02, 0.1, 0.4))
        self.storm: int = dice.choice((20, 30, 60)) if self.rate else 0  # acts that it lasts
        self.waits = self.passes = 0  # acts, and calls, that go well before the next is due
        self.armed: dict[str, int] = {}  # calls of a kind that will fail
        self.beside: list[str] = []  # what happens to processes so that the pair can
        for name in pair:
            for before in PRELUDES.get(name, ()) if dice.random() < 0.8 else ():
                if before in PROCESSES:
                    self.beside.append(before)
                else:
                    self.armed[before] = 1
        self.happened: list[str] = []
        self.over = False
        self._place((1, 4, 16, 40))

    def due(self, acts: int) -> str | None:
        """Count an act of the history; return what happens now, if anything does."""
        left, armed = self.left, self.armed
        if left and left[0] not in armed:
            self.waits -= 1
            if self.waits < 0:
                name = left[0]
                if name in PROCESSES:
                    self._struck(name)
                    return name
                armed[name] = self.dice.choice((1, 1, 1, 2, 6))
        if acts >= self.storm and (acts > 90 or not (left or armed)):
            self.over = True
        if self.beside and acts > 12:
            return self.beside.pop()
        if self.over:
            armed.clear()
        elif self.rate and self.dice.random() < self.rate * 0.5:
            return self.dice.choice(_OFTEN)
        return None

    def strikes(self, name: str) -> bool:
        """Whether *name* happens at this call."""
        if name in self.armed:
            if self.passes and self.left and self.left[0] == name:
                self.passes -= 1
                return False
            self.armed[name] -= 1
            if not self.armed[name]:
                del self.armed[name]
            if self.left and self.left[0] == name:
                self._struck(name)
            return True
        return self.rate > 0 and not self.over and self.dice.random() < self.rate

    def _struck(self, name: str) -> None:
        self.happened.append(name)
        del self.left[0]
        self._place((1, 3, 10, 30))

    def _place(self, within: tuple[int, ...]) -> None:
        """Choose when the next happens: to a process after some acts, to a call after some."""
        if self.left and self.left[0] in PROCESSES:
            late = 6 if self.left[0] == "a user cancels" else 0  # or nothing would ever begin
            self.waits = self.dice.randrange(late, late + self.dice.choice(within))
        self.passes = self.dice.choice((0, 0, 0, 0, 1))


_OFTEN = (
    *("a worker dies",) * 4,
    *("a worker is paused",) * 3,
    *("a user cancels", "a worker ends", "time leaps", "all die at once"),
    *("beats are lost", "nobody sweeps"),
)
