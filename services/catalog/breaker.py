"""
When to stop ordering from a provider that fails, and when to try again: no clock, no I/O.

Closed: orders leave. Open: none does, until its time is over. Half open: one has left, the probe,
and what comes of it closes or opens again; closed after that, it is on trial. There is one for all
replicas: in the provider's row of permits, read and written under its lock.
"""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import Enum, auto
from typing import Any

CLOSED, HALF_OPEN, OPEN = "closed", "half_open", "open"
LAST = 20  # answers that are remembered
MOST_FAILED = 4  # of them; one more opens it
MEMORY = timedelta(minutes=1)  # without an answer: then what was before counts no more
PAUSES = tuple(timedelta(seconds=each) for each in (5, 10, 20, 40, 60))  # by openings in a row
PROBE = timedelta(minutes=6)  # until a probe is given up: longer than any order is under way
_FRESH = MEMORY / 4  # a row that only says again how well it goes is not written more often


class Sign(Enum):
    """What the outcome of an order says of its provider."""

    NOTHING = auto()  # it did not come so far, or the provider was only busy
    WELL = auto()
    FAILS = auto()
    REFUSES_US = auto()  # whatever is ordered, until a person has mended that


class Verdict(Enum):
    """What becomes of a claim."""

    GO = auto()
    WAIT = auto()
    NEVER = auto()  # it may not be sent: it ends with the refusal


@dataclass(frozen=True, slots=True)
class Breaker:
    """
    How it stands.

    *recent* has a + or - for each of the last answers, the newest last. Open: no order before
    *retry_at*; half open: *probe* is given up then. *openings* since it was closed. *refusal* says
    why the provider takes nothing of ours, where it does not.
    """

    state: str = CLOSED
    recent: str = ""
    heard_at: datetime | None = None
    retry_at: datetime | None = None
    probe: str | None = None
    openings: int = 0
    refusal: dict[str, Any] | None = None

    @property
    def on_trial(self) -> bool:
        """Whether it was open, and has not taken twenty orders in a row since."""
        return self.state == CLOSED and self.openings > 0

    @property
    def well(self) -> int:
        """How many of the last answers were good."""
        return self.recent.count("+")


def ask(found: Breaker, purchase_id: str, now: datetime) -> tuple[Verdict, Breaker]:
    """Say whether the order *purchase_id* may leave now, and how it stands if it does."""
    if found.state == CLOSED:
        return Verdict.GO, found
    if found.retry_at is None or now >= found.retry_at:
        return Verdict.GO, replace(
            found, state=HALF_OPEN, probe=purchase_id, retry_at=now + PROBE, heard_at=now
        )
    refuses = found.state == OPEN and found.refusal is not None
    return (Verdict.NEVER if refuses else Verdict.WAIT), found


def hear(
    found: Breaker,
    purchase_id: str,
    sign: Sign,
    now: datetime,
    refusal: dict[str, Any] | None = None,
) -> Breaker:
    """Say how it stands after an order's outcome; unless it is closed, only the probe's counts."""
    if found.state != CLOSED and found.probe != purchase_id:
        return found
    if sign is Sign.NOTHING:  # a probe that told nothing: the next order is one
        return (
            found if found.state == CLOSED else replace(found, state=OPEN, probe=None, retry_at=now)
        )
    if sign is Sign.REFUSES_US:
        return _opened(found, now, refusal)
    if found.state != CLOSED:
        well = sign is Sign.WELL
        if well:
            return Breaker(recent="+", heard_at=now, openings=found.openings)
        return _opened(found, now, None)
    return _counted(found, sign, now)


def _counted(found: Breaker, sign: Sign, now: datetime) -> Breaker:
    silent = None if found.heard_at is None else now - found.heard_at
    before = "" if silent is None or silent > MEMORY else found.recent
    recent = (before + ("+" if sign is Sign.WELL else "-"))[-LAST:]
    if recent.count("-") > MOST_FAILED:
        return _opened(found, now, None)
    if recent == found.recent and silent is not None and silent < _FRESH:
        return found
    openings = 0 if recent == "+" * LAST else found.openings
    return replace(found, recent=recent, heard_at=now, openings=openings)


def _opened(found: Breaker, now: datetime, refusal: dict[str, Any] | None) -> Breaker:
    before = 0 if found.state == CLOSED else found.openings
    return Breaker(
        state=OPEN,
        heard_at=now,
        retry_at=now + PAUSES[min(before, len(PAUSES) - 1)],
        openings=before + 1,
        refusal=refusal,
    )
