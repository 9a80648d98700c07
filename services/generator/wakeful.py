"""
A clock that goes on where others stand still: who was held up for long sends no order any more.

The monotonic clock stops while a machine is suspended, CLOCK_BOOTTIME while a virtual one is
paused; the wall's clock is put right once that is over. Somebody else may have the order then.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial

Clock = Callable[[], float]
# On macOS, which has no CLOCK_BOOTTIME, CLOCK_MONOTONIC goes on and `time.monotonic` does not.
_NAMES = ("CLOCK_BOOTTIME", "CLOCK_MONOTONIC")
_GOING_ON = [partial(time.clock_gettime, getattr(time, n)) for n in _NAMES if hasattr(time, n)]
_NOTICED = 0.5  # seconds; readings of several clocks are some milliseconds apart


@dataclass(slots=True)
class Wakeful:
    """
    Tells the seconds of *base*, and those beside that a *witness* has gone ahead since last told.

    A wall's clock that is set forward counts as a sleep, which at worst sends an order later.
    """

    base: Clock = time.monotonic
    witnesses: tuple[Clock, ...] = (time.time, *_GOING_ON)
    _slept: float = 0.0
    _ahead: list[float] = field(default_factory=list)

    def __post_init__(self) -> None:
        self()

    def __call__(self) -> float:
        now = self.base()
        ahead = [witness() - now for witness in self.witnesses]
        gained = max((new - old for new, old in zip(ahead, self._ahead, strict=False)), default=0.0)
        self._ahead = ahead
        self._slept += gained if gained > _NOTICED else 0.0
        return now + self._slept
