"""How a purchase stops being what it was: unclear, void, ended, quarantined, kept."""

from datetime import timedelta

from google.protobuf.duration_pb2 import Duration

from imagestudio.catalog.v1 import edge_pb2, ledger_pb2
from imagestudio.type.v1 import cost_pb2, job_event_pb2, purchase_pb2
from services.catalog import absence, guards, outcome, permits
from services.catalog.rows import ENDED_JOB, Batch, Permits, Purchase, cost_message
from services.catalog.words import CHARGED, ENDINGS, STATES

MAX_TRIES = 5
AGAIN, AGAIN_AT_MOST = timedelta(seconds=15), timedelta(minutes=10)  # until one more try
KEPT_AT = timedelta(days=1)  # how long what cannot be kept is tried, though it is safe as it is
SET_ASIDE = timedelta(minutes=15)  # what is safe, and whose publication raised
_NOT_REPEATED = (
    "The database came back from a copy, and the provider shows nothing of this order. What was "
    "bought in its place since the copy is not known here, so it is not repeated: ask again for "
    "what is missing."
)


def orphan(batch: Batch, purchase: Purchase, *, alone: bool) -> None:
    """Take *purchase* from a dead owner; dying *alone* with it counts as a try."""
    purchase.fence += 1
    purchase.owner = None
    purchase.tries += alone and purchase.is_open
    if purchase.state == "sending":
        died = outcome.said("PURCHASE_UNCLEAR", "The worker died while the order was under way.")
        become_unclear(batch, purchase, died)
        permits.heed(batch, purchase, edge_pb2.Heard())
    if purchase.is_open and is_worn_out(purchase):
        quarantine_or_wait(batch, purchase)


def is_worn_out(purchase: Purchase) -> bool:
    """Whether *purchase* was tried so often that its order is not made again."""
    return purchase.tries >= MAX_TRIES


def cancel_planned(batch: Batch, purchase: Purchase) -> None:
    """End a purchase that nobody has claimed, at the user's word."""
    purchase.fence += 1
    purchase.error = outcome.said("JOB_CANCELED", "Canceled before it was ordered.", code=1)
    end(batch, purchase, ending="canceled", charged="no", cost=0)


def become_unclear(
    batch: Batch,
    purchase: Purchase,
    error: outcome.Evidence,
    *,
    possible: bool | None = None,
    lag: float | None = None,
) -> None:
    limits = batch.permits.get(purchase.provider)
    permits.give_permit_back(batch, purchase)
    if possible is None:
        possible = limits.lookup_possible if limits else False
    if lag is None:
        lag = limits.lookup_lag if limits else absence.UNTOLD_LAG
    purchase.state, purchase.error = "unclear", error
    when = (purchase.sent_at or batch.now) + timedelta(seconds=lag)
    if purchase.webhooks:  # the provider has it, whatever its listing shows
        when = batch.now
    purchase.not_before = when if possible else None
    event = job_event_pb2.JobEvent.Unclear(
        purchase_id=purchase.purchase_id,
        model=purchase.model_key,
        lookup_possible=possible and not _is_looked_up_in_receipts(limits),
        held=cost_message(purchase),
    )
    if event.lookup_possible:
        event.lookup_time.FromDatetime(when)
    batch.alarms.append(("unclear", purchase.purchase_id))
    batch.tell(purchase, unclear=event)


def void(batch: Batch, purchase: Purchase, next_: ledger_pb2.PlannedPurchase | None) -> None:
    purchase.charged = "no"
    if batch.job_of(purchase).state == "canceling":
        purchase.error = outcome.said("JOB_CANCELED", "Canceled; nothing was ordered.", code=1)
        next_ = None
    elif purchase.restored:
        purchase.error = outcome.said("PURCHASE_UNCLEAR", _NOT_REPEATED)
    planned = _replace(batch, purchase, next_)
    if planned and planned.model_key == purchase.model_key:
        # The same order again: if it kills its worker, it has done so before.
        planned.tries = purchase.tries
    batch.settle(purchase, cost=0)
    batch.close(purchase, "void")
    _tell_ended(batch, purchase, planned)


def end(
    batch: Batch,
    purchase: Purchase,
    *,
    ending: str,
    charged: str,
    cost: int,
    next_: ledger_pb2.PlannedPurchase | None = None,
) -> None:
    purchase.ending, purchase.charged = ending, charged
    if batch.job_of(purchase).state == "canceling" or purchase.is_twin:
        next_ = None
    planned = _replace(batch, purchase, next_)
    batch.settle(purchase, cost=cost)
    batch.close(purchase, "ended")
    _tell_ended(batch, purchase, planned)


def quarantine_or_wait(batch: Batch, purchase: Purchase) -> None:
    expiries = [o.expires_at for o in purchase.outputs if o.state == "drawn" and o.expires_at]
    if purchase.state == "running" and purchase.deadline:
        expiries.append(purchase.deadline)
    if purchase.state in ("running", "drawn") and any(e > batch.now for e in expiries):
        purchase.not_before = batch.now + AGAIN
        return
    if _can_be_asked_for(batch, purchase):
        purchase.not_before = purchase.deadline  # not before: each look may kill one more
        return
    if _is_in_its_receipt(batch, purchase) or _may_be_in_its_receipt(batch, purchase):
        doublings = min(purchase.tries - MAX_TRIES, 10)
        purchase.not_before = batch.now + min(AGAIN * 2**doublings, AGAIN_AT_MOST)
        return
    permits.give_permit_back(batch, purchase)
    purchase.charged = {"planned": "no", "drawn": "yes"}.get(purchase.state, "unknown")
    held = {"no": 0, "yes": purchase.cost, "unknown": purchase.reserved}[purchase.charged]
    batch.settle(purchase, cost=held)
    batch.close(purchase, "quarantined")
    batch.alarms.append(("quarantined", purchase.purchase_id))
    _tell_ended(batch, purchase, None)


def _can_be_asked_for(batch: Batch, purchase: Purchase) -> bool:
    """Whether its provider can still tell what became of an order whose answer was lost."""
    limits = batch.permits.get(purchase.provider)
    if purchase.state != "unclear" or not limits or not limits.lookup_possible:
        return False
    return purchase.deadline is not None and purchase.deadline > batch.now


def _is_in_its_receipt(batch: Batch, purchase: Purchase) -> bool:
    """
    Whether an answer that was paid for lies with us already, and may yet be kept.

    Whoever died with it may have waited for storage alone. Not where what is there is no picture.
    """
    sources = [output.source for output in purchase.outputs if output.state == "drawn"]
    if purchase.state == "running":
        sources.append(purchase.ticket or "")
    spoilt = purchase.error is not None and purchase.error["reason"] == "IMAGE_UNREADABLE"
    # What a copy of the database knew as planned has no other time than its deadline.
    ordered = purchase.sent_at or purchase.deadline or batch.now
    held = any(source.startswith(("receipt:", "data:")) for source in sources)
    return held and not spoilt and batch.now < ordered + KEPT_AT


def _may_be_in_its_receipt(batch: Batch, purchase: Purchase) -> bool:
    """
    Whether a lost answer may lie with us, and nobody could tell yet.

    Whoever died with it may have waited for storage alone, here, too.
    """
    if purchase.state != "unclear":
        return False
    ordered = purchase.sent_at or purchase.deadline or batch.now
    limits = batch.permits.get(purchase.provider)
    return _is_looked_up_in_receipts(limits) and batch.now < ordered + KEPT_AT


def _is_looked_up_in_receipts(limits: Permits | None) -> bool:
    return limits is not None and limits.lookup_in_receipts


def close_if_through(batch: Batch, purchase: Purchase) -> None:
    states = {output.state for output in purchase.outputs}
    if "drawn" in states:
        return
    batch.close(purchase, "lost" if "lost" in states else "kept")
    if "lost" not in states:
        purchase.error = outcome.in_the_end(purchase.error)
    else:
        _tell_ended(batch, purchase, None)


def finish_if_published(batch: Batch, purchase: Purchase) -> None:
    """Have done with a purchase of which nothing awaits the CDN; one that lost stays lost."""
    if any(output.awaits_cdn for output in purchase.outputs):
        return
    purchase.publishing, purchase.owner = False, None
    batch.job_of(purchase).publishing -= 1
    if purchase.state == "kept":
        purchase.state = "published"


def _replace(
    batch: Batch, purchase: Purchase, next_: ledger_pb2.PlannedPurchase | None
) -> Purchase | None:
    if next_ is None or purchase.restored:  # what followed it then was bought by another name
        return None
    if next_.reserved_usd_micros > purchase.reserved:
        raise guards.conflict(purchase, "a new attempt may not cost more than was reserved")
    planned = attempt(batch, purchase, next_.purchase_id, next_.model_key)
    planned.provider, planned.fingerprint = next_.provider, next_.fingerprint
    batch.reserve(planned, next_.reserved_usd_micros)
    return planned


def attempt(batch: Batch, purchase: Purchase, purchase_id: str, model: str) -> Purchase:
    """Add one more purchase at the place of *purchase*, planned."""
    key = (purchase.job_id, purchase.ordinal)
    number = batch.attempts[key] = batch.attempts.get(key, purchase.attempt) + 1
    made = Purchase(
        purchase_id=purchase_id,
        job_id=purchase.job_id,
        user_id=purchase.user_id,
        provider=purchase.provider,
        model_key=model,
        ordinal=purchase.ordinal,
        attempt=number,
        tries=0,
        state="planned",
        ending=None,
        owner=None,
        fence=0,
        not_before=None,
        ticket=None,
        fingerprint=purchase.fingerprint,
        period=purchase.period,
        reserved=0,
        cost=0,
        charged=None,
        sent_at=None,
        deadline=None,
        error=None,
    )
    batch.planned.append(made)
    batch.job_of(purchase).open_purchases += 1
    return made


def tell_purchased(batch: Batch, purchase: Purchase, typical: Duration, *, found: bool) -> None:
    event = job_event_pb2.JobEvent.Purchased(
        purchase_id=purchase.purchase_id,
        model=purchase.model_key,
        provider=purchase.provider,
        ordinal=purchase.ordinal,
        attempt=purchase.attempt,
        found=found,
        typical_time=typical,
    )
    batch.tell(purchase, purchased=event)


def _tell_ended(batch: Batch, purchase: Purchase, planned: Purchase | None) -> None:
    event = job_event_pb2.JobEvent.PurchaseEnded(
        purchase_id=purchase.purchase_id,
        model=purchase.model_key,
        state=STATES[purchase.state],
        ending=ENDINGS[purchase.ending or ""],
        charged=CHARGED[purchase.charged or ""],
        cost=cost_message(purchase),
        error=outcome.status(purchase.error),
    )
    if planned:
        event.next.CopyFrom(brief(planned))
    batch.tell(purchase, purchase_ended=event)


def tell_settled(batch: Batch, purchase: Purchase, before: cost_pb2.Cost) -> None:
    """Tell what *purchase* cost instead of what counted *before*: in the feed, and an open log."""
    event = job_event_pb2.JobEvent.ChargeSettled(
        purchase_id=purchase.purchase_id,
        model=purchase.model_key,
        charged=CHARGED[purchase.charged or ""],
        cost=cost_message(purchase),
        counted=before,
    )
    if batch.job_of(purchase).state not in ENDED_JOB:
        batch.tell(purchase, charge_settled=event)
    told = job_event_pb2.JobEvent(job=f"jobs/{purchase.job_id}", charge_settled=event)
    batch.feed.append((purchase.user_id, told))


def brief(purchase: Purchase) -> purchase_pb2.Purchase:
    """Render a purchase that has only been planned."""
    return purchase_pb2.Purchase(
        purchase_id=purchase.purchase_id,
        provider=purchase.provider,
        model=purchase.model_key,
        ordinal=purchase.ordinal,
        attempt=purchase.attempt,
        state=STATES[purchase.state],
        reserved_usd_micros=purchase.reserved,
    )
