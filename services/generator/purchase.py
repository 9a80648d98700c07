"""
One paid call as the worker that owns it sees it: (state, event) -> (state, effects).

Pure: no clock, no I/O, nothing shared. `buy.py` carries the effects out for real, the
simulation in the tests against models that crash. The states are those of
docs/state-machine.md; `step` is total: what comes too late changes nothing. What is sent
and drawn is told here, a lost answer in `settling.py`, known outputs in `keeping.py`.
"""

from services.generator import keeping, settling
from services.generator.moves import (
    LAST,
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
    Drawing,
    Ended,
    Event,
    Failed,
    Finished,
    Follow,
    Interrupt,
    NeverSent,
    OutOfSight,
    Parked,
    Raised,
    Rejected,
    Released,
    Step,
    StopAsked,
    Store,
    Superseded,
    Ticketed,
    Unknowable,
)
from services.generator.standing import (
    Handlers,
    Next,
    Purchase,
    SentBack,
    Stage,
    Terms,
    cancel_there,
    leave,
    let_go,
    out_of_reach,
    out_of_sight,
)

AGAIN = 5.0  # seconds until a cancel that has brought nothing yet is said again
SHORTEST, LONGEST = 1.0, 60.0  # seconds until an order that came back is sent again
FEW = 5  # times that it comes back at the least before it is given up
NEVER = SentBack()
GRACE = 60.0  # seconds that an order has to end once it was canceled for its lateness


def send(terms: Terms, *, canceling: bool, sent_back: SentBack = NEVER) -> Next:
    """Begin with one that was planned: buy it, unless nobody wants it any more."""
    purchase = Purchase(Stage.SENDING, terms, canceling=canceling, sent_back=sent_back)
    return _canceled(purchase) if canceling else (purchase, (Buy(),))


def refuse(terms: Terms, why: str, reason: str, *, canceling: bool) -> Next:
    """Begin with one that may not be sent: its provider takes no order of ours."""
    purchase = Purchase(Stage.SENDING, terms, canceling=canceling)
    return _declined(purchase, Declined(why, reason=reason))


def resume_running(terms: Terms, ticket: str, *, canceling: bool) -> Next:
    """Begin with one that another worker bought."""
    purchase = Purchase(Stage.RUNNING, terms, ticket, canceling=canceling)
    return purchase, (Follow(ticket), *cancel_there(purchase))


def orphaned(why: str, *, sending: bool, delay: float = 0.0) -> Step:
    """What to write for one that we own and do not work on.

    We are its only owner and never sent it, so that it may go back.
    """
    return Released(delay, why) if sending else Parked(delay)


# -- The machine ---------------------------------------------------------------------------


def step(purchase: Purchase, event: Event) -> Next:
    """Return what *event* makes of *purchase*, and what is to be done now."""
    if purchase.stage is Stage.GONE or isinstance(event, Superseded):
        return purchase._replace(stage=Stage.GONE), ()
    if purchase.stage is Stage.LEAVING:
        return _leaving(purchase, event)
    handle = _HANDLERS.get((purchase.stage, type(event)))
    return handle(purchase, event) if handle else _anywhere(purchase, event)


def _leaving(purchase: Purchase, event: Event) -> Next:
    """Wait for the last edge; one that the ledger does not take must not keep it ours for ever."""
    match event:
        case Rejected(last, why) if isinstance(last, LAST) and not isinstance(last, Failed):
            return leave(purchase, Failed(why))
        case Committed(last) | Rejected(last) if isinstance(last, LAST):
            return purchase._replace(stage=Stage.GONE), ()
    return purchase, ()


def _anywhere(purchase: Purchase, event: Event) -> Next:
    match event:
        case Raised(why) | Rejected(_, why):
            return leave(purchase, Failed(why))
        case CancelAsked():
            return purchase._replace(canceling=True), ()
        case StopAsked():
            return purchase._replace(stopping=True), ()
    return purchase, ()


def _canceled(purchase: Purchase) -> Next:
    return leave(purchase, Ended("CANCELED", False, "JOB_CANCELED", "canceled before it began"))


def _bought(purchase: Purchase, event: Bought) -> Next:
    if purchase.stopping:
        return leave(purchase, Parked(0), Ticketed(event.ticket))
    running = purchase._replace(stage=Stage.RUNNING, ticket=event.ticket, unwritten=True)
    # The ticket's edge goes beside the first look, ahead of all later edges.
    return running, (
        *(Commit(Ticketed(event.ticket)), Follow(event.ticket)),
        *cancel_there(running),
    )


def _never_sent(purchase: Purchase, event: NeverSent) -> Next:
    if purchase.canceling:
        return _canceled(purchase)
    if not event.back:
        return leave(purchase, Released(event.delay, event.why, event.reason))
    before = purchase.sent_back if purchase.sent_back.reason == event.reason else NEVER
    if before.times >= FEW and before.seconds >= event.patience:
        return leave(purchase, Ended("REFUSED", False, event.reason, event.why, retry=True))
    pause = max(event.delay, min(SHORTEST * 2 ** min(before.times, 10), LONGEST))
    return leave(purchase, Released(pause, event.why, event.reason, back=True))


def _declined(purchase: Purchase, event: Declined) -> Next:
    if purchase.canceling:
        return _canceled(purchase)
    if purchase.stopping:
        return leave(purchase, Released(0, event.why))
    reason = "CONTENT_REFUSED" if event.content else event.reason
    return leave(purchase, Ended("REFUSED", False, reason, event.why, retry=not event.content))


def _doubtful(purchase: Purchase, event: Doubtful | Raised) -> Next:
    """Whatever raised while the order was out proves nothing: it is unclear, never failed."""
    doubt, terms = Doubted(event.why), purchase.terms
    if purchase.stopping:
        return leave(purchase, Parked(0), doubt)
    if not terms.askable:
        return leave(purchase, Unknowable(), doubt)
    if terms.lag > 0:
        return leave(purchase, Parked(terms.lag), doubt)
    return purchase._replace(stage=Stage.UNCLEAR), (Commit(doubt),)


def _interrupt(purchase: Purchase, event: CancelAsked | StopAsked) -> Next:
    if isinstance(event, CancelAsked):
        purchase = purchase._replace(canceling=True)
    else:
        purchase = purchase._replace(stopping=True)
    return purchase, ((Interrupt(),) if purchase.terms.interruptible else ())


def _finished(purchase: Purchase, event: Finished) -> Next:
    drawn = purchase._replace(stage=Stage.DRAWN, missing=frozenset(range(event.outputs)))
    return drawn, (Commit(Brought()), *(Store(index) for index in range(event.outputs)))


def _committed_running(purchase: Purchase, event: Committed) -> Next:
    if not isinstance(event.step, Ticketed):
        return purchase, ()
    purchase = purchase._replace(unwritten=False)
    return _closed(purchase, purchase.closed) if purchase.closed else (purchase, ())


def _closed(purchase: Purchase, event: Closed) -> Next:
    """
    End it, once its ticket is written.

    What ended without one could be found by an equal order, which would take it for its own,
    leave what it had bought itself to nobody, and be bought again.
    """
    if purchase.unwritten:
        return purchase._replace(closed=event), ()
    ending, reason = "EXPIRED" if event.stopped else "FAILED", "PROVIDER_FAILED"
    if purchase.canceling:
        ending, reason = "CANCELED", "JOB_CANCELED"
    elif event.content:
        ending, reason = "FAILED", "CONTENT_REFUSED"
    retry = event.charged is False and reason == "PROVIDER_FAILED"
    ended = Ended(ending, event.charged, reason, event.why, retry=retry, cost=event.cost)
    return leave(purchase, ended)


def _drawing(purchase: Purchase, event: Drawing) -> Next:
    return _late(purchase, event) if event.late >= 0 else _cancel_again(purchase, event)


def _late(purchase: Purchase, event: Drawing) -> Next:
    """Cancel it there, and give it up where that cannot be done or has brought nothing."""
    if not purchase.terms.cancelable:
        return _expired(purchase, "it took longer than it may, and cannot be canceled")
    if purchase.overdue is None:
        purchase = purchase._replace(overdue=event.late, asked_at=event.late)
        return purchase, (CancelThere(purchase.ticket),)
    if event.late - purchase.overdue < GRACE:
        return _cancel_again(purchase, event)
    return _expired(purchase, "it took longer than it may, and went on when it was canceled")


def _cancel_again(purchase: Purchase, event: Drawing) -> Next:
    """Say it again where it is still at it: a cancel is lost without a word."""
    wanted = purchase.canceling or purchase.overdue is not None
    if not (wanted and purchase.terms.cancelable):
        return purchase, ()
    if purchase.asked_at is None:  # just now: the look that tells it is the next one
        return purchase._replace(asked_at=event.late), ()
    if event.late - purchase.asked_at >= AGAIN:
        return purchase._replace(asked_at=event.late), (CancelThere(purchase.ticket),)
    return purchase, ()


def _expired(purchase: Purchase, why: str) -> Next:
    """Give up what may still be drawn: nobody can tell what it costs."""
    return leave(purchase, Ended("EXPIRED", None, "PROVIDER_FAILED", why))


def _unseen(purchase: Purchase, event: OutOfSight) -> Next:
    if out_of_reach(event):
        return _expired(purchase, f"nobody could tell in time what became of it: {event.why}")
    return out_of_sight(purchase, event)


def _cancel_running(purchase: Purchase, _event: CancelAsked) -> Next:
    purchase = purchase._replace(canceling=True)
    return purchase, cancel_there(purchase)


_HANDLERS: Handlers = {
    (Stage.SENDING, Bought): _bought,
    (Stage.SENDING, NeverSent): _never_sent,
    (Stage.SENDING, Declined): _declined,
    (Stage.SENDING, Doubtful): _doubtful,
    (Stage.SENDING, Raised): _doubtful,
    (Stage.SENDING, CancelAsked): _interrupt,
    (Stage.SENDING, StopAsked): _interrupt,
    (Stage.RUNNING, Finished): _finished,
    (Stage.RUNNING, Closed): _closed,
    (Stage.RUNNING, Drawing): _drawing,
    (Stage.RUNNING, OutOfSight): _unseen,
    (Stage.RUNNING, Committed): _committed_running,
    (Stage.RUNNING, CancelAsked): _cancel_running,
    (Stage.RUNNING, StopAsked): let_go,
    **keeping.HANDLERS,
    **settling.HANDLERS,
}
