"""Where a purchase stands in its worker's hands, and what any of its stages may do with it."""

from collections.abc import Callable
from dataclasses import dataclass
from enum import IntEnum, auto
from typing import NamedTuple

from services.generator.moves import (
    CancelThere,
    Closed,
    Commit,
    Effects,
    Failed,
    OutOfSight,
    Parked,
    Step,
    StopAsked,
)
from services.generator.publication import Publication

NOTHING = Publication()
OUT_OF_REACH = 3600.0  # seconds after the deadline; what was drawn is gone from the provider, too


class Stage(IntEnum):  # it is looked up by at every event, and an int's hash costs nothing
    """Where a purchase stands in its worker's hands."""

    SENDING = auto()
    RUNNING = auto()
    DRAWN = auto()
    KEPT = auto()  # the job has what it waits for; the CDN has it not
    UNCLEAR = auto()
    LEAVING = auto()  # the last edge that we shall write for it is on its way
    GONE = auto()  # not ours any more: do nothing


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """What may be done with a provider; *lag* is in seconds."""

    askable: bool  # it can be asked what became of a call
    conclusive: bool = True  # that it knows of none is proof that nothing was bought
    lag: float = 0.0  # after the sending, before it is asked
    interruptible: bool = False  # a call that is stopped halfway was never made
    cancelable: bool = False  # what it has taken can be canceled there


class SentBack(NamedTuple):
    """How often an order came back unbought for one *reason*, and since how many *seconds*."""

    times: int = 0
    seconds: float = 0.0
    reason: str = ""


class Purchase(NamedTuple):
    """A purchase in hand: a tuple, as each event makes another one of it."""

    stage: Stage
    terms: Terms
    ticket: str = ""
    sent_back: SentBack = SentBack()
    unwritten: bool = False  # the ticket's edge is on its way
    closed: Closed | None = None  # how it ended there, until the ticket is written
    canceling: bool = False  # the user wants it no more
    overdue: float | None = None  # so late was it when it was canceled there for that
    asked_at: float | None = None  # how late it was at the last cancel there
    unlisted: float = 0.0  # seconds until the provider's list must show it, as we know of it
    since: float | None = None  # when others knew of it, by the provider's clock
    others: frozenset[str] = frozenset()  # tickets that were others' before the list was read
    unproven: OutOfSight | None = None  # why the list that was read is no proof of an absence
    stopping: bool = False  # this worker ends
    missing: frozenset[int] = frozenset()  # outputs that are neither kept nor lost
    unstored: frozenset[int] = frozenset()  # missing ones whose turn is over
    pause: float = 0.0  # seconds until they are tried again
    defect: Failed | None = None  # what raised when one was to be stored
    publication: Publication = NOTHING


Next = tuple[Purchase, Effects]
Handlers = dict[tuple[Stage, type[object]], Callable[..., Next]]  # by stage and event


def leave(purchase: Purchase, last: Step, *before: Step) -> Next:
    """Write *last*, after all that goes *before* it, and have done with it."""
    commits = tuple(Commit(each) for each in (*before, last))
    return purchase._replace(stage=Stage.LEAVING), commits


def cancel_there(purchase: Purchase) -> Effects:
    """Have the provider end what nobody wants any more, where it can."""
    wanted = purchase.canceling and purchase.terms.cancelable
    return (CancelThere(purchase.ticket),) if wanted else ()


def out_of_reach(event: OutOfSight) -> bool:
    """Whether what was drawn is gone by now; what lies in our vault is not, while it is away."""
    return event.late >= OUT_OF_REACH and not event.ours


def out_of_sight(purchase: Purchase, event: OutOfSight) -> Next:
    """Leave it to whoever comes next, a while later."""
    return leave(purchase, Parked(event.delay))


def let_go(purchase: Purchase, _event: StopAsked) -> Next:
    """Leave it to another worker, at once."""
    return leave(purchase._replace(stopping=True), Parked(0))
