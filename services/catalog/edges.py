"""
The edges of a purchase's life as pure functions over a locked batch of rows: no I/O.

Each first looks, and raises a Fault where its guard fails, before it changes anything.
An edge that was taken before is OK and changes nothing.
"""

from collections.abc import Callable
from datetime import timedelta
from typing import Any, TypeAlias

from chassis.errors import Invalid
from imagestudio.catalog.v1 import edge_pb2, ledger_pb2, ledger_service_pb2
from imagestudio.type.v1 import cost_pb2, job_event_pb2
from services.catalog import absence, adoption, endings, guards, outcome, permits
from services.catalog.breaker import Verdict
from services.catalog.rows import DRAWN, PERMITTED, Batch, Kept, Output, Published, Purchase
from services.catalog.words import CHARGED, ENDINGS, word

CLAIMED = ledger_service_pb2.CLAIM_OUTCOME_CLAIMED
TAKEN = ledger_service_pb2.CLAIM_OUTCOME_TAKEN
NO_PERMIT = ledger_service_pb2.CLAIM_OUTCOME_NO_PERMIT
NOT_DUE = ledger_service_pb2.CLAIM_OUTCOME_NOT_DUE

NONE = ledger_service_pb2.CLAIM_OUTCOME_UNSPECIFIED

_NOTHING_THERE = "It was ordered, and the provider has nothing of it. The last answer was: "

_SETTLED = {"absent": "void", "not_askable": "ended"}  # states, by what a look-up brought
_TOLD_AT = 3  # times that an order was sent back
_OF_THE_VAULT = ("VAULT_UNAVAILABLE", "DISK_FULL")
_LONG = timedelta(seconds=10)  # that it waits, which is told at once

Outcome: TypeAlias = ledger_service_pb2.ClaimOutcome.ValueType


def take(batch: Batch, edge: edge_pb2.Edge) -> Outcome:
    """Take one edge; return what became of a claim, or CLAIM_OUTCOME_UNSPECIFIED."""
    kind = edge.WhichOneof("step")
    purchase = batch.purchases.get(edge.purchase_id)
    if purchase is None or kind is None:
        raise Invalid("REQUEST_INVALID", f"No purchase {edge.purchase_id!r}, or no step.")
    if kind == "claim":
        return _claim(batch, purchase, edge.claim)
    if kind == "adopt":
        adoption.adopt_stray(batch, purchase, edge.adopt)
        return NONE
    if edge.fence != purchase.fence:
        raise guards.stale(purchase)
    was_sending = purchase.state == "sending"
    _STEPS[kind](batch, purchase, getattr(edge, kind))
    if was_sending and purchase.state != "sending":
        if kind == "release" and not edge.release.sent_back and not edge.HasField("heard"):
            permits.give_rate_back(batch, purchase)
        permits.heed(batch, purchase, edge.heard)
    return NONE


def _claim(batch: Batch, purchase: Purchase, step: edge_pb2.ClaimEdge) -> Outcome:
    job = batch.job_of(purchase)
    if not purchase.has_work or purchase.owner is not None:
        return TAKEN
    if purchase.not_before and purchase.not_before > batch.now:
        return NOT_DUE
    if purchase.state == "planned":
        if permits.take_permit(batch, purchase) is Verdict.WAIT:
            return NO_PERMIT
        purchase.state, purchase.not_before = "sending", None
        purchase.sent_at, purchase.account = batch.now, step.account
        absence.forget(purchase)
        purchase.deadline = batch.now + step.time_limit.ToTimedelta()
        if job.state == "queued":
            job.state = "running"
    elif purchase.restored and not purchase.account and purchase.sent_at is None:
        purchase.account = step.account  # a guess, for what the copy knew as planned
    purchase.owner = step.worker_id
    purchase.fence += 1
    return CLAIMED


def _release(batch: Batch, purchase: Purchase, step: edge_pb2.ReleaseEdge) -> None:
    if purchase.state == "planned":
        return
    guards.require(purchase, "sending")
    permits.give_permit_back(batch, purchase)
    error = outcome.evidence(step.error)
    if batch.job_of(purchase).state == "canceling":
        purchase.error = error
        endings.end(batch, purchase, ending="canceled", charged="no", cost=0)
        return
    if step.sent_back and error:
        _count_back(batch, purchase, error, step.delay.ToTimedelta())
    elif error and error["reason"] in _OF_THE_VAULT:
        _tell_waiting(batch, purchase, error, outcome.UNSENT, "An order waits to be sent: ")
    elif not purchase.sent_back:
        purchase.error = error and outcome.still(purchase.error, error)
    purchase.state, purchase.sent_at = "planned", None
    batch.let_go_of(purchase, batch.now + step.delay.ToTimedelta())


def _count_back(batch: Batch, purchase: Purchase, error: outcome.Evidence, wait: timedelta) -> None:
    """Count that it came back; who waits for it is told once, when it is no passing matter."""
    before = purchase.error
    if before is None or before["reason"] != error["reason"] or not purchase.sent_back:
        before, purchase.sent_back, purchase.sent_back_since = None, 0, batch.now
    purchase.sent_back += 1
    told = outcome.was_told(before)
    lasts = purchase.sent_back >= _TOLD_AT or wait >= _LONG
    found = outcome.as_told(error) if told or lasts else error
    purchase.error = outcome.still(purchase.error, found)
    if lasts and not told:
        said = (
            f"{purchase.model_key} does not take the order yet. Nothing is charged; it is tried "
            f"again in {max(1, round(wait.total_seconds()))} s, then now and then, and its job can "
            "be canceled meanwhile: "
        )
        warning = job_event_pb2.JobEvent.Warning(
            reason=error["reason"],
            message=said + error["message"],
            model=purchase.model_key,
            purchase_id=purchase.purchase_id,
        )
        batch.tell(purchase, warning=warning)


def _ticket(batch: Batch, purchase: Purchase, step: edge_pb2.TicketEdge) -> None:
    if purchase.ticket == step.ticket:
        return
    guards.require(purchase, "sending")
    if not step.ticket:
        raise Invalid("REQUEST_INVALID", "A ticket must not be empty.")
    purchase.state, purchase.ticket = "running", step.ticket
    endings.tell_purchased(batch, purchase, step.typical_time, found=False)


def _drawn(batch: Batch, purchase: Purchase, step: edge_pb2.DrawnEdge) -> None:
    if purchase.outputs and purchase.state in DRAWN:
        return
    guards.require(purchase, "running")
    if [found.index for found in step.outputs] != list(range(len(step.outputs) or 1)):
        raise Invalid("REQUEST_INVALID", "Outputs are numbered from 0, at least one.")
    permits.give_permit_back(batch, purchase)
    purchase.state, purchase.charged = "drawn", "yes"
    purchase.outputs = [_output(found) for found in step.outputs]
    known = step.HasField("cost")
    purchase.metered = step.cost.basis == cost_pb2.COST_BASIS_METERED
    batch.settle(purchase, cost=step.cost.usd_micros if known else purchase.reserved)
    if step.HasField("estimate") and known:
        _compare(batch, purchase, step.cost.usd_micros, step.estimate.usd_micros)
    if len(step.outputs) < step.ordered_count:
        _miss(batch, purchase, step.ordered_count)


def _miss(batch: Batch, purchase: Purchase, ordered: int) -> None:
    """Tell that fewer images came than were *ordered*, now and at the job's end."""
    missing = outcome.short(len(purchase.outputs), ordered, purchase.cost)
    purchase.error = outcome.still(purchase.error, missing)
    warning = job_event_pb2.JobEvent.Warning(
        reason=outcome.SHORT,
        message=missing["message"],
        model=purchase.model_key,
        purchase_id=purchase.purchase_id,
    )
    batch.tell(purchase, warning=warning)


def _compare(batch: Batch, purchase: Purchase, cost: int, estimate: int) -> None:
    """Tell where *cost* is more than a tenth off the *estimate*."""
    if abs(cost - estimate) * 10 <= estimate:
        return
    warning = job_event_pb2.JobEvent.Warning(
        reason="COST_DIFFERS",
        message=f"It cost {cost / 1e6:.6f} USD, and {estimate / 1e6:.6f} was the estimate.",
        model=purchase.model_key,
        purchase_id=purchase.purchase_id,
    )
    batch.tell(purchase, warning=warning)


def _output(found: ledger_pb2.PurchaseOutput) -> Output:
    expires = None
    if found.HasField("source_expire_time"):
        expires = guards.moment(found.source_expire_time)
    return Output(found.index, found.source, expires, "drawn")


def _keep(batch: Batch, purchase: Purchase, step: edge_pb2.KeepEdge) -> None:
    output = guards.output_of(purchase, step.output_index)
    if output.state in ("kept", "published"):
        if output.image_hash != step.image.image_hash:
            raise guards.conflict(purchase, "that output was kept with other bytes")
        return
    guards.require(purchase, "drawn")
    if output.state == "lost":
        raise guards.conflict(purchase, "that output was lost")
    if not step.file.link or step.file.image_hash != step.image.image_hash:
        raise Invalid("REQUEST_INVALID", "A kept image comes with its file, of the same hash.")
    job = batch.job_of(purchase)
    job.last_version += 1
    output.state, output.image_hash = "kept", step.image.image_hash
    output.version_number, output.to_publish = job.last_version, step.to_publish
    cost = guards.share(purchase.cost, len(purchase.outputs), output.index)
    kept = Kept(
        *(purchase, output, job.last_version, cost, step.image, step.file),
        *(job.original_prompt, job.enhanced_prompt, job.enhanced_by),
    )
    batch.events.append((purchase.job_id, kept))
    endings.close_if_through(batch, purchase)


def _lose(batch: Batch, purchase: Purchase, step: edge_pb2.LoseEdge) -> None:
    output = guards.output_of(purchase, step.output_index)
    if output.state == "lost":
        return
    guards.require(purchase, "drawn")
    if output.state != "drawn":
        raise guards.conflict(purchase, "that output is safe already")
    output.state = "lost"
    purchase.error = outcome.evidence(step.error)
    batch.alarms.append(("lost", purchase.purchase_id))
    warning = job_event_pb2.JobEvent.Warning(
        reason="OUTPUT_LOST",
        message="An image was paid for and was gone before it was safe.",
        model=purchase.model_key,
        purchase_id=purchase.purchase_id,
    )
    batch.tell(purchase, warning=warning)
    endings.close_if_through(batch, purchase)


def _publish(batch: Batch, purchase: Purchase, step: edge_pb2.PublishEdge) -> None:
    output = guards.output_of(purchase, step.output_index)
    if output.state == "published":
        return
    if not purchase.publishing or not output.awaits_cdn:
        raise guards.conflict(purchase, "that output is not to be published")
    image = batch.images[purchase.purchase_id, output.index]
    link = image.url.removeprefix("/i/")
    for name in ("cdn_url", "thumbnail_url"):
        guards.require_link_in(getattr(step, name), link, name)
    output.state = "published"
    image.url, image.thumbnail_url = step.cdn_url, step.thumbnail_url
    image.publish_time.FromDatetime(batch.now)
    batch.published.append(Published(purchase, output, image))
    batch.tell(purchase, image_published=image)
    endings.finish_if_published(batch, purchase)


def _end_edge(batch: Batch, purchase: Purchase, step: edge_pb2.EndEdge) -> None:
    ending, charged = word(ENDINGS, step.ending), word(CHARGED, step.charged)
    if purchase.state == "ended" and purchase.ending == ending:
        return
    if purchase.state not in PERMITTED or not ending or not charged:
        raise guards.conflict(
            purchase, "only an order under way can end, with an ending and a charge"
        )
    if purchase.state == "sending" and charged != "no":
        raise guards.conflict(purchase, "an order without a ticket ends uncharged or is unclear")
    if step.HasField("next") and charged != "no":
        raise guards.conflict(purchase, "a new attempt follows only what was certainly not charged")
    permits.give_permit_back(batch, purchase)
    purchase.error = outcome.evidence(step.error)
    cost = step.cost.usd_micros if step.HasField("cost") else purchase.reserved
    purchase.metered = step.cost.basis == cost_pb2.COST_BASIS_METERED
    next_ = step.next if step.HasField("next") else None
    endings.end(
        batch,
        purchase,
        ending=ending,
        charged=charged,
        cost=0 if charged == "no" else cost,
        next_=next_,
    )


def _unclear(batch: Batch, purchase: Purchase, step: edge_pb2.UnclearEdge) -> None:
    if purchase.state == "unclear":
        return
    guards.require(purchase, "sending")
    error = outcome.evidence(step.error) or outcome.said("PURCHASE_UNCLEAR", "No answer came.")
    endings.become_unclear(
        batch,
        purchase,
        error,
        possible=step.lookup_possible,
        lag=step.lookup_lag.ToTimedelta().total_seconds(),
    )


def _settle(batch: Batch, purchase: Purchase, step: edge_pb2.SettleEdge) -> None:
    kind = step.WhichOneof("outcome")
    if kind == "found" and purchase.ticket and purchase.ticket in step.found.tickets:
        return
    if kind and purchase.state == _SETTLED.get(kind):
        return
    guards.require(purchase, "unclear")
    if kind == "found" and step.found.tickets:
        adoption.adopt(batch, purchase, step.found)
    elif kind == "absent" and purchase.unheard:
        batch.let_go_of(purchase, batch.now)  # who looked did not know of it: look again
    elif kind == "absent":
        next_ = step.absent.next if step.absent.HasField("next") else None
        if next_ and next_.model_key == purchase.model_key and endings.is_worn_out(purchase):
            next_ = None
        if next_ is None:
            last = purchase.error["message"] if purchase.error else "none"
            purchase.error = outcome.said("PROVIDER_FAILED", _NOTHING_THERE + last)
        endings.void(batch, purchase, next_)
    elif kind == "not_askable":
        said = outcome.evidence(step.not_askable.error)
        purchase.error = outcome.after(purchase.error, said)
        endings.end(batch, purchase, ending="unclear", charged="unknown", cost=purchase.reserved)
    else:
        raise Invalid("REQUEST_INVALID", "A look-up found something, nothing, or cannot be made.")


def _fail(batch: Batch, purchase: Purchase, step: edge_pb2.FailEdge) -> None:
    if purchase.owner is None:
        return
    guards.require_work(purchase)
    if purchase.publishing:
        batch.let_go_of(purchase, batch.now + endings.SET_ASIDE)
        return
    purchase.tries += 1
    error = outcome.evidence(step.error) or outcome.said("INTERNAL", "Work on it failed.")
    purchase.error = error = outcome.still(purchase.error, error)
    purchase.not_before = batch.now + step.delay.ToTimedelta()
    if purchase.state == "sending":
        endings.become_unclear(batch, purchase, error)
    purchase.owner = None
    if endings.is_worn_out(purchase):
        endings.quarantine_or_wait(batch, purchase)


def _park(batch: Batch, purchase: Purchase, step: edge_pb2.ParkEdge) -> None:
    if purchase.owner is None:
        return
    guards.require_work(purchase)
    if purchase.state == "sending":
        raise guards.conflict(purchase, "an order under way is released, unclear or has a ticket")
    not_before = batch.now + step.delay.ToTimedelta()
    if step.HasField("until"):
        not_before = max(not_before, guards.moment(step.until))
    absence.note(batch, purchase, step)
    unheard = purchase.state == "unclear" and purchase.unheard
    batch.let_go_of(purchase, batch.now if unheard else not_before)


def _warn(batch: Batch, purchase: Purchase, step: edge_pb2.WarnEdge) -> None:
    """Tell what keeps it from being kept."""
    if purchase.state not in ("sending", "drawn"):
        raise guards.conflict(purchase, "nothing that was paid for waits to be kept")
    if error := outcome.evidence(step.error):
        _tell_waiting(batch, purchase, error, outcome.WAITS, "An image waits to be kept: ")


def _tell_waiting(
    batch: Batch, purchase: Purchase, error: outcome.Evidence, what: str, said: str
) -> None:
    """Tell what keeps it waiting, once: who works on it next meets the same."""
    if outcome.waits_for(purchase.error, what) == error["reason"]:
        return
    purchase.error = outcome.waiting(purchase.error, error, what)
    warning = job_event_pb2.JobEvent.Warning(
        reason=error["reason"],
        message=said + error["message"],
        model=purchase.model_key,
        purchase_id=purchase.purchase_id,
    )
    batch.tell(purchase, warning=warning)


_STEPS: dict[str, Callable[[Batch, Purchase, Any], None]] = {
    "release": _release,
    "ticket": _ticket,
    "drawn": _drawn,
    "keep": _keep,
    "publish": _publish,
    "lose": _lose,
    "end": _end_edge,
    "unclear": _unclear,
    "settle": _settle,
    "fail": _fail,
    "park": _park,
    "warn": _warn,
}
