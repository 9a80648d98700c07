"""
Chance and curves in whole numbers, so that every machine draws the same picture.

No hash(), no floating point: a sine that differs in its last bit would move a hill.
"""

import hashlib
import math
import random
from collections.abc import Sequence
from typing import TypeVar

TURN = 4096  # one full turn; sine() also reaches from -TURN to TURN

_T = TypeVar("_T")


def digest(*parts: object) -> int:
    """A 64-bit number that stands for *parts*; lone surrogates are welcome."""
    text = "\x1f".join(str(part) for part in parts)
    return int.from_bytes(hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest()[:8], "big")


class Dice:
    """Throws that depend on nothing but what the dice were made from."""

    def __init__(self, *parts: object) -> None:
        self._random = random.Random(digest(*parts))

    def between(self, low: int, high: int) -> int:
        """A number from *low* to *high*, both included."""
        return low + self._random.getrandbits(32) * (high - low + 1) // (1 << 32)

    def chance(self, percent: int) -> bool:
        return self.between(1, 100) <= percent

    def pick(self, choices: Sequence[_T]) -> _T:
        return choices[self.between(0, len(choices) - 1)]


# No entry comes near a tie in rounding, so the last bit of a machine's sine cannot show.
_QUARTER = [round(math.sin(math.tau * step / TURN) * TURN) for step in range(TURN // 4 + 1)]


def sine(angle: int) -> int:
    """The sine of *angle* (TURN is a full turn), from -TURN to TURN."""
    angle %= TURN
    quarter, rest = divmod(angle, TURN // 4)
    value = _QUARTER[TURN // 4 - rest if quarter % 2 else rest]
    return -value if quarter >= 2 else value


def cosine(angle: int) -> int:
    return sine(angle + TURN // 4)
