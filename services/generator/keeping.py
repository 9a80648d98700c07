"""From known outputs to safe ones, and those to the CDN: the stages DRAWN and KEPT."""

from services.generator.moves import (
    Commit,
    Committed,
    Failed,
    Kept,
    Lost,
    Parked,
    Publish,
    Published,
    Rejected,
    StopAsked,
    Store,
    Stored,
    Unpublished,
    Unstored,
    Uploaded,
    Vanished,
)
from services.generator.publication import Publication
from services.generator.standing import (
    Handlers,
    Next,
    Purchase,
    Stage,
    Terms,
    leave,
    let_go,
)

NONE: frozenset[int] = frozenset()


def resume_drawn(
    terms: Terms, missing: frozenset[int], kept: frozenset[int] = NONE, *, canceling: bool
) -> Next:
    """Begin with known outputs: *missing* ones, neither kept nor lost, and *kept* to publish."""
    purchase = Purchase(Stage.DRAWN, terms, canceling=canceling, missing=missing)
    purchase = purchase._replace(publication=Publication(kept))
    return purchase, tuple(Store(index) for index in sorted(missing))


def resume_kept(terms: Terms, kept: frozenset[int]) -> Next:
    """Begin with one that is through for its job; no cancel touches it: it was paid for."""
    return _publish(Purchase(Stage.KEPT, terms, publication=Publication(kept)))


def _stored(purchase: Purchase, event: Stored) -> Next:
    """
    Keep it at once: its edge goes behind that of the outputs, and mostly in the same call.

    Where the ledger does not take that one it does not take this one either.
    """
    if event.publishable:
        purchase = purchase._replace(publication=purchase.publication.wanted(event.index))
    return purchase, (Commit(Kept(event.index, event.publishable)),)


def _unstored(purchase: Purchase, event: Unstored) -> Next:
    unstored = purchase.unstored | {event.index}
    purchase = purchase._replace(unstored=unstored, pause=max(purchase.pause, event.delay))
    if event.defect and (purchase.defect is None or not event.spoilt):
        reason = "IMAGE_UNREADABLE" if event.spoilt else "INTERNAL"
        purchase = purchase._replace(defect=Failed(event.why, reason))
    return _store_on(purchase)


def _rejected_drawn(purchase: Purchase, event: Rejected) -> Next:
    match event.step:
        case Kept(index) | Lost(index):
            return _unstored(purchase, Unstored(index, event.why, defect=True))
    return leave(purchase, Failed(event.why))


def _stop_drawn(purchase: Purchase, _event: StopAsked) -> Next:
    """
    Leave it to another worker, at once: storage may be away, however long.

    Who ended with it in hand would be taken for one that it killed.
    """
    return leave(purchase._replace(stopping=True), purchase.defect or Parked(purchase.pause))


def _vanished(purchase: Purchase, event: Vanished) -> Next:
    return purchase, (Commit(Lost(event.index, event.why)),)


def _committed_drawn(purchase: Purchase, event: Committed) -> Next:
    match event.step:
        case Kept(index) | Lost(index, _):
            return _store_on(purchase._replace(missing=purchase.missing - {index}))
    return purchase, ()


def _store_on(purchase: Purchase) -> Next:
    """Wait for all under way, so that one which fails at once keeps none from its turn."""
    if not purchase.missing:
        return _publish(purchase)
    if purchase.missing - purchase.unstored:
        return purchase, ()
    return leave(purchase, purchase.defect or Parked(purchase.pause))


def _publish(purchase: Purchase) -> Next:
    """Go on to the CDN with what it shall have."""
    if not purchase.publication.waiting:
        return purchase._replace(stage=Stage.GONE), ()
    publication = purchase.publication.begun()
    wanted = tuple(Publish(index) for index in sorted(publication.waiting))
    return purchase._replace(stage=Stage.KEPT, publication=publication), wanted


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
    """Wait here, too, for all under way."""
    purchase = purchase._replace(publication=publication)
    if publication.under_way:
        return purchase, ()
    if publication.waiting:
        return leave(purchase, Parked(publication.pause))
    return purchase._replace(stage=Stage.GONE), ()


HANDLERS: Handlers = {
    (Stage.DRAWN, Stored): _stored,
    (Stage.DRAWN, Vanished): _vanished,
    (Stage.DRAWN, Unstored): _unstored,
    (Stage.DRAWN, Rejected): _rejected_drawn,
    (Stage.DRAWN, StopAsked): _stop_drawn,
    (Stage.DRAWN, Committed): _committed_drawn,
    (Stage.KEPT, Uploaded): _uploaded,
    (Stage.KEPT, Unpublished): _unpublished,
    (Stage.KEPT, Committed): _committed_kept,
    (Stage.KEPT, StopAsked): let_go,
}
