"""
One paid call as the worker that owns it sees it: (state, event) -> (state, effects).

Pure: no clock, no I/O, nothing shared. `buy.py` carries the effects out for real, the
simulation in the tests against models that crash. The states are those of
docs/state-machine.md; `step` is total: what comes too late changes nothing.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from enum import Enum, auto

from services.generator.moves import (
    LAST,
    Absent,
    Bought,
    Brought,
    Buy,
    CancelAsked,
    CancelThere,
    Closed,
    Commit,
    Committed,
    Declined,
    Doubted,
    Doubtful,
    Effects,
    Ended,
    Event,
    Failed,
    Finished,
    Follow,
    Found,
    Interrupt,
    Kept,
    LookedUp,
    LookUp,
    Lost,
    NeverSent,
    OutOfSight,
    Overdue,
    Parked,
    Publish,
    Published,
    Raised,
    Rejected,
    Released,
    Step,
    StopAsked,
    Store,
    Stored,
    Superseded,
    Ticketed,
    Unknowable,
    Unpublished,
    Uploaded,
    Vanished,
)
from services.generator.publication import Publication

NONE: frozenset[int] = frozenset()
NOTHING = Publication()

GRACE = 60.0  # seconds that an order has to end once it was canceled for its lateness
OUT_OF_REACH = 3600.0  # seconds after the deadline; what was drawn is gone from the provider, too


class Stage(Enum):
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
    """What may be done with a provider; *lag* and *patience* are in seconds."""

    askable: bool  # it can be asked what became of a call
    lag: float = 0.0  # after the sending, before it is asked
    interruptible: bool = False  # a call that is stopped halfway was never made
    cancelable: bool = False  # what it has taken can be canceled there


@dataclass(frozen=True, slots=True)
class Purchase:
    """A purchase in hand."""

    stage: Stage
    terms: Terms
    ticket: str = ""
    canceling: bool = False  # the user wants it no more
    overdue: float | None = None  # so late was it when it was canceled there for that
    unlisted: float = 0.0  # seconds until the provider's list must show it
    stopping: bool = False  # this worker ends
    settled: bool = False  # the outputs' edge is committed
    missing: frozenset[int] = frozenset()  # outputs that are neither kept nor lost
    stored: frozenset[int] = frozenset()  # outputs in the vault, without their edge yet
    publication: Publication = NOTHING


Next = tuple[Purchase, Effects]


# -- The beginnings: what a claim brought --------------------------------------------------


def send(terms: Terms, *, canceling: bool) -> Next:
    """Begin with one that was planned: buy it, unless nobody wants it any more."""
    purchase = Purchase(Stage.SENDING, terms, canceling=canceling)
    return _canceled(purchase) if canceling else (purchase, (Buy(),))


def resume_running(terms: Terms, ticket: str, *, canceling: bool) -> Next:
    """Begin with one that another worker bought."""
    purchase = Purchase(Stage.RUNNING, terms, ticket, canceling=canceling)
    return purchase, (Follow(ticket), *_cancel_there(purchase))


def resume_drawn(
    terms: Terms, missing: frozenset[int], kept: frozenset[int] = NONE, *, canceling: bool
) -> Next:
    """Begin with known outputs: *missing* ones, neither kept nor lost, and *kept* to publish."""
    purchase = Purchase(Stage.DRAWN, terms, canceling=canceling, settled=True, missing=missing)
    purchase = replace(purchase, publication=Publication(kept))
    return purchase, tuple(Store(index) for index in sorted(missing))


def resume_kept(terms: Terms, kept: frozenset[int]) -> Next:
    """Begin with one that is through for its job; no cancel touches it: it was paid for."""
    return _publish(Purchase(Stage.KEPT, terms, publication=Publication(kept)))


def resume_unclear(terms: Terms, *, wait: float, canceling: bool, hinted: bool = False) -> Next:
    """
    Begin with one whose answer was lost; the list must show it in *wait* seconds.

    It is looked up then, at once where a webhook has *hinted* at it.
    """
    purchase = Purchase(Stage.UNCLEAR, terms, canceling=canceling, unlisted=max(0.0, wait))
    return _settle(purchase, 0 if hinted else wait)


def orphaned(why: str, *, sending: bool, delay: float = 0.0) -> Step:
    """What to write for one that we own and do not work on.

    We are its only owner and never sent it, so that it may go back.
    """
    return Released(delay, why) if sending else Parked(delay)


# -- The machine ---------------------------------------------------------------------------


def step(purchase: Purchase, event: Event) -> Next:
    """Return what *event* makes of *purchase*, and what is to be done now."""
    if purchase.stage is Stage.GONE or isinstance(event, Superseded):
        return replace(purchase, stage=Stage.GONE), ()
    if purchase.stage is Stage.LEAVING:
        gone = isinstance(event, Committed | Rejected) and isinstance(event.step, LAST)
        return (replace(purchase, stage=Stage.GONE) if gone else purchase), ()
    handle = _HANDLERS.get((purchase.stage, type(event)))
    return handle(purchase, event) if handle else _anywhere(purchase, event)


def _anywhere(purchase: Purchase, event: Event) -> Next:
    match event:
        case Raised(why) | Rejected(_, why):
            return _leave(purchase, Failed(why))
        case CancelAsked():
            return replace(purchase, canceling=True), ()
        case StopAsked():
            return replace(purchase, stopping=True), ()
    return purchase, ()


def _leave(purchase: Purchase, last: Step, *before: Step) -> Next:
    commits = tuple(Commit(each) for each in (*before, last))
    return replace(purchase, stage=Stage.LEAVING), commits


def _canceled(purchase: Purchase) -> Next:
    return _leave(purchase, Ended("CANCELED", False, "JOB_CANCELED", "canceled before it began"))


def _cancel_there(purchase: Purchase) -> Effects:
    wanted = purchase.canceling and purchase.terms.cancelable
    return (CancelThere(purchase.ticket),) if wanted else ()


def _run(purchase: Purchase, ticket: str, proof: Step) -> Next:
    """Follow it; the proof's commit goes beside the first look, ahead of all later edges."""
    running = replace(purchase, stage=Stage.RUNNING, ticket=ticket)
    return running, (Commit(proof), Follow(ticket), *_cancel_there(running))


def _bought(purchase: Purchase, event: Bought) -> Next:
    if purchase.stopping:
        return _leave(purchase, Parked(0), Ticketed(event.ticket))
    return _run(purchase, event.ticket, Ticketed(event.ticket))


def _never_sent(purchase: Purchase, event: NeverSent) -> Next:
    if purchase.canceling:
        return _canceled(purchase)
    return _leave(purchase, Released(event.delay, event.why))


def _declined(purchase: Purchase, event: Declined) -> Next:
    if purchase.canceling:
        return _canceled(purchase)
    if purchase.stopping:
        return _leave(purchase, Released(0, event.why))
    reason = "CONTENT_REFUSED" if event.content else "PROVIDER_FAILED"
    return _leave(purchase, Ended("REFUSED", False, reason, event.why, retry=not event.content))


def _doubtful(purchase: Purchase, event: Doubtful | Raised) -> Next:
    """Whatever raised while the order was out proves nothing: it is unclear, never failed."""
    doubt, terms = Doubted(event.why), purchase.terms
    if purchase.stopping:
        return _leave(purchase, Parked(0), doubt)
    if not terms.askable:
        return _leave(purchase, Unknowable(), doubt)
    if terms.lag > 0:
        return _leave(purchase, Parked(terms.lag), doubt)
    return replace(purchase, stage=Stage.UNCLEAR), (Commit(doubt),)


def _interrupt(purchase: Purchase, event: CancelAsked | StopAsked) -> Next:
    if isinstance(event, CancelAsked):
        purchase = replace(purchase, canceling=True)
    else:
        purchase = replace(purchase, stopping=True)
    return purchase, ((Interrupt(),) if purchase.terms.interruptible else ())


def _finished(purchase: Purchase, event: Finished) -> Next:
    drawn = replace(purchase, stage=Stage.DRAWN, missing=frozenset(range(event.outputs)))
    return drawn, (Commit(Brought()), *(Store(index) for index in range(event.outputs)))


def _closed(purchase: Purchase, event: Closed) -> Next:
    ending, reason = "EXPIRED" if event.stopped else "FAILED", "PROVIDER_FAILED"
    if purchase.canceling:
        ending, reason = "CANCELED", "JOB_CANCELED"
    elif event.content:
        ending, reason = "FAILED", "CONTENT_REFUSED"
    retry = event.charged is False and reason == "PROVIDER_FAILED"
    return _leave(purchase, Ended(ending, event.charged, reason, event.why, retry=retry))


def _late(purchase: Purchase, event: Overdue) -> Next:
    """Cancel it there, and give it up where that cannot be done or has brought nothing."""
    if not purchase.terms.cancelable:
        return _expired(purchase, "it took longer than it may, and cannot be canceled")
    if purchase.overdue is None:
        return replace(purchase, overdue=event.late), (CancelThere(purchase.ticket),)
    if event.late - purchase.overdue < GRACE:
        return purchase, ()
    return _expired(purchase, "it took longer than it may, and went on when it was canceled")


def _expired(purchase: Purchase, why: str) -> Next:
    """Give up what may still be drawn: nobody can tell what it costs."""
    return _leave(purchase, Ended("EXPIRED", None, "PROVIDER_FAILED", why))


def _unseen(purchase: Purchase, event: OutOfSight) -> Next:
    if event.late >= OUT_OF_REACH:
        return _expired(purchase, f"nobody could tell in time what became of it: {event.why}")
    return _out_of_sight(purchase, event)


def _out_of_sight(purchase: Purchase, event: OutOfSight) -> Next:
    return _leave(purchase, Parked(event.delay))


def _let_go(purchase: Purchase, _event: StopAsked) -> Next:
    return _leave(replace(purchase, stopping=True), Parked(0))


def _cancel_running(purchase: Purchase, _event: CancelAsked) -> Next:
    purchase = replace(purchase, canceling=True)
    return purchase, _cancel_there(purchase)


def _stored(purchase: Purchase, event: Stored) -> Next:
    if event.publishable:
        purchase = replace(purchase, publication=purchase.publication.wanted(event.index))
    if purchase.settled:
        return purchase, (Commit(Kept(event.index, event.publishable)),)
    return replace(purchase, stored=purchase.stored | {event.index}), ()


def _vanished(purchase: Purchase, event: Vanished) -> Next:
    return purchase, (Commit(Lost(event.index, event.why)),)


def _committed_drawn(purchase: Purchase, event: Committed) -> Next:
    match event.step:
        case Brought():
            wanted = purchase.publication.waiting
            kept = tuple(Commit(Kept(index, index in wanted)) for index in sorted(purchase.stored))
            return replace(purchase, settled=True, stored=frozenset()), kept
        case Kept(index) | Lost(index, _):
            purchase = replace(purchase, missing=purchase.missing - {index})
            return (purchase, ()) if purchase.missing else _publish(purchase)
    return purchase, ()


def _publish(purchase: Purchase) -> Next:
    """Go on to the CDN with what it shall have."""
    if not purchase.publication.waiting:
        return replace(purchase, stage=Stage.GONE), ()
    if purchase.stopping:
        return _leave(purchase, Parked(0))
    publication = purchase.publication.begun()
    wanted = tuple(Publish(index) for index in sorted(publication.waiting))
    return replace(purchase, stage=Stage.KEPT, publication=publication), wanted


def _uploaded(purchase: Purchase, event: Uploaded) -> Next:
    return purchase, (Commit(Published(event.index)),)


def _unpublished(purchase: Purchase, event: Unpublished) -> Next:
    return _publish_on(purchase, purchase.publication.failed(event.index, event.delay))


def _committed_kept(purchase: Purchase, event: Committed) -> Next:
    match event.step:
        case Published(index):
            return _publish_on(purchase, purchase.publication.done(index))
    return purchase, ()


def _publish_on(purchase: Purchase, publication: Publication) -> Next:
    """Wait for all under way, so that one which fails at once keeps none from its turn."""
    purchase = replace(purchase, publication=publication)
    if publication.under_way:
        return purchase, ()
    if publication.waiting:
        return _leave(purchase, Parked(publication.pause))
    return replace(purchase, stage=Stage.GONE), ()


def _committed_unclear(purchase: Purchase, event: Committed) -> Next:
    return _settle(purchase, 0) if isinstance(event.step, Doubted) else (purchase, ())


def _settle(purchase: Purchase, wait: float) -> Next:
    if not purchase.terms.askable:
        return _leave(purchase, Unknowable())
    return _leave(purchase, Parked(wait)) if wait > 0 else (purchase, (LookUp(),))


def _looked_up(purchase: Purchase, event: LookedUp) -> Next:
    if not event.tickets and purchase.unlisted > 0:
        return _leave(purchase, Parked(purchase.unlisted))
    if not event.tickets:
        return _leave(purchase, Absent(again=not purchase.canceling))
    if purchase.stopping:
        return _leave(purchase, Parked(0), Found(event.tickets))
    return _run(purchase, event.tickets[0], Found(event.tickets))


_HANDLERS: dict[tuple[Stage, type[object]], Callable[..., Next]] = {
    (Stage.SENDING, Bought): _bought,
    (Stage.SENDING, NeverSent): _never_sent,
    (Stage.SENDING, Declined): _declined,
    (Stage.SENDING, Doubtful): _doubtful,
    (Stage.SENDING, Raised): _doubtful,
    (Stage.SENDING, CancelAsked): _interrupt,
    (Stage.SENDING, StopAsked): _interrupt,
    (Stage.RUNNING, Finished): _finished,
    (Stage.RUNNING, Closed): _closed,
    (Stage.RUNNING, Overdue): _late,
    (Stage.RUNNING, OutOfSight): _unseen,
    (Stage.RUNNING, CancelAsked): _cancel_running,
    (Stage.RUNNING, StopAsked): _let_go,
    (Stage.DRAWN, Stored): _stored,
    (Stage.DRAWN, Vanished): _vanished,
    (Stage.DRAWN, OutOfSight): _out_of_sight,
    (Stage.DRAWN, Committed): _committed_drawn,
    (Stage.KEPT, Uploaded): _uploaded,
    (Stage.KEPT, Unpublished): _unpublished,
    (Stage.KEPT, Committed): _committed_kept,
    (Stage.KEPT, StopAsked): _let_go,
    (Stage.UNCLEAR, LookedUp): _looked_up,
    (Stage.UNCLEAR, OutOfSight): _out_of_sight,
    (Stage.UNCLEAR, Committed): _committed_unclear,
    (Stage.UNCLEAR, StopAsked): _let_go,
}
