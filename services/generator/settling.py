"""What became of an order whose answer was lost: the stage UNCLEAR."""

from services.generator.moves import (
    Absent,
    Commit,
    Committed,
    Doubted,
    Failed,
    Follow,
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
    cancel_there,
    leave,
    let_go,
    out_of_reach,
    out_of_sight,
)

APART = 10.0  # seconds between the clocks of a provider's servers, and what their dates leave out
_LOST = "the provider cannot be asked what became of it, so it may have been charged"


def resume_unclear(
    terms: Terms,
    *,
    wait: float,
    unlisted: float,
    canceling: bool,
    hinted: bool = False,
    since: float | None = None,
) -> Next:
    """
    Begin with one whose answer was lost.

    It is looked up in *wait* seconds, at once where a webhook has *hinted* at it; that a list
    does not show it is no proof for *unlisted* seconds. *since*: by the provider's clock, in
    seconds since 1970, others knew of it then, and looked for it in vain.
    """
    unlisted = max(0.0, wait, unlisted)
    purchase = Purchase(Stage.UNCLEAR, terms, canceling=canceling, unlisted=unlisted, since=since)
    return _settle(purchase, 0 if hinted else wait)


def _committed_unclear(purchase: Purchase, event: Committed) -> Next:
    match event.step:
        case Doubted():
            return _settle(purchase, 0)
        case Found() if event.ticket:
            running = purchase._replace(stage=Stage.RUNNING, ticket=event.ticket)
            return running, (Follow(event.ticket), *cancel_there(running))
        case Found():
            return _all_of_others(purchase, event.step)
    return purchase, ()


def _all_of_others(purchase: Purchase, found: Found) -> Next:
    """
    The ledger says that other purchases hold, or may have bought, all that was found.

    Who came for one while the list was read may have left us what he had bought himself, later
    than the list was. So it is read once more.
    """
    if not found.alike:  # it was ours by name
        return leave(purchase, Failed("another purchase holds what this one bought"))
    if purchase.unproven:
        return _undecided(purchase, purchase.unproven)
    if not purchase.others.issuperset(found.tickets):
        return purchase._replace(others=frozenset(found.tickets)), (LookUp(),)
    return leave(purchase, Absent(again=not purchase.canceling))


def _settle(purchase: Purchase, wait: float) -> Next:
    if not purchase.terms.askable:
        return leave(purchase, Unknowable())
    return leave(purchase, Parked(wait)) if wait > 0 else (purchase, (LookUp(),))


def _looked_up(purchase: Purchase, event: LookedUp) -> Next:
    """Take what is found once the ledger has said which; an equal order's is as good as ours."""
    unlisted = _unlisted(purchase, event)
    if unlisted > 0 and (event.alike or not event.tickets):
        return leave(purchase, Parked(unlisted, event.ended))
    if not event.tickets and not purchase.terms.conclusive:
        return leave(purchase, Unknowable(_LOST))
    if not event.tickets:
        return leave(purchase, Absent(again=not purchase.canceling))
    found = Found(event.tickets, event.alike, unproven=event.unproven is not None)
    return purchase._replace(unproven=event.unproven), (Commit(found),)


def _unlisted(purchase: Purchase, event: LookedUp) -> float:
    """
    Seconds until a list must show it, by whoever has known of it for long enough.

    That is we, by our own clock, or others, by the provider's when this list was begun.
    """
    if purchase.since is None or event.began is None:
        return purchase.unlisted
    return min(purchase.unlisted, purchase.since + purchase.terms.lag + APART - event.began)


def _undecided(purchase: Purchase, event: OutOfSight) -> Next:
    """Ask again until whatever was drawn would be gone from the provider."""
    if not out_of_reach(event):
        return out_of_sight(purchase, event)
    why = "nobody could tell in time whether it was bought, and it may have been charged"
    return leave(purchase, Unknowable(f"{why}: {event.why}"))


HANDLERS: Handlers = {
    (Stage.UNCLEAR, LookedUp): _looked_up,
    (Stage.UNCLEAR, OutOfSight): _undecided,
    (Stage.UNCLEAR, Committed): _committed_unclear,
    (Stage.UNCLEAR, StopAsked): let_go,
}
