"""What became of an order whose answer was lost: the stage UNCLEAR."""

from services.generator.moves import (
    Absent,
    Committed,
    Doubted,
    Found,
    LookedUp,
    LookUp,
    OutOfSight,
    Parked,
    StopAsked,
    Unknowable,
)
from services.generator.standing import (
    Handlers,
    Next,
    Purchase,
    Stage,
    Terms,
    leave,
    let_go,
    out_of_sight,
    run,
)


def resume_unclear(terms: Terms, *, wait: float, canceling: bool, hinted: bool = False) -> Next:
    """
    Begin with one whose answer was lost; the list must show it in *wait* seconds.

    It is looked up then, at once where a webhook has *hinted* at it.
    """
    purchase = Purchase(Stage.UNCLEAR, terms, canceling=canceling, unlisted=max(0.0, wait))
    return _settle(purchase, 0 if hinted else wait)


def _committed_unclear(purchase: Purchase, event: Committed) -> Next:
    return _settle(purchase, 0) if isinstance(event.step, Doubted) else (purchase, ())


def _settle(purchase: Purchase, wait: float) -> Next:
    if not purchase.terms.askable:
        return leave(purchase, Unknowable())
    return leave(purchase, Parked(wait)) if wait > 0 else (purchase, (LookUp(),))


def _looked_up(purchase: Purchase, event: LookedUp) -> Next:
    if not event.tickets and purchase.unlisted > 0:
        return leave(purchase, Parked(purchase.unlisted))
    if not event.tickets:
        return leave(purchase, Absent(again=not purchase.canceling))
    if purchase.stopping:
        return leave(purchase, Parked(0), Found(event.tickets))
    return run(purchase, event.tickets[0], Found(event.tickets))


HANDLERS: Handlers = {
    (Stage.UNCLEAR, LookedUp): _looked_up,
    (Stage.UNCLEAR, OutOfSight): out_of_sight,
    (Stage.UNCLEAR, Committed): _committed_unclear,
    (Stage.UNCLEAR, StopAsked): let_go,
}
