"""Rows of the ledger as the contract's messages, for workers."""

from datetime import datetime

import asyncpg

from chassis import errors
from imagestudio.catalog.v1 import ledger_pb2, ledger_service_pb2
from imagestudio.type.v1 import job_pb2, purchase_pb2
from services.catalog import absence, outcome
from services.catalog.completion import spec_of
from services.catalog.log import stamp
from services.catalog.rows import Batch, Job, Output, Purchase, cost_message
from services.catalog.words import CHARGED, ENDINGS, OUTPUT_STATES, STATES


def refused(fault: errors.Fault) -> ledger_service_pb2.EdgeResult:
    """Say why an edge changed nothing."""
    return ledger_service_pb2.EdgeResult(status=errors.to_status(fault))


def after(purchase: Purchase) -> ledger_pb2.LedgerPurchase:
    """Render what a worker needs to know after an edge of its own."""
    return ledger_pb2.LedgerPurchase(
        purchase=purchase_pb2.Purchase(
            purchase_id=purchase.purchase_id,
            job=f"jobs/{purchase.job_id}",
            state=STATES[purchase.state],
            tries=purchase.tries,
        ),
        owner=purchase.owner or "",
        fence=purchase.fence,
        ticket=purchase.ticket or "",
        outputs=[_output(each, purchase) for each in purchase.outputs if each.state == "kept"],
    )


def name_variants(found: ledger_pb2.LedgerPurchase, purchase: Purchase) -> None:
    """Tell of what was kept in a batch also which variants it became, once that is written."""
    for output in found.outputs:
        if variant_id := purchase.outputs[output.index].variant_id:
            output.variant = f"jobs/{purchase.job_id}/variants/{variant_id}"


def whole(batch: Batch, purchase: Purchase) -> ledger_pb2.LedgerPurchase:
    """Render all that a worker needs to go on with a purchase that it has just claimed."""
    job = batch.job_of(purchase)
    key = (purchase.job_id, purchase.ordinal)
    found = ledger_pb2.LedgerPurchase(
        purchase=_purchase(purchase),
        user=f"users/{purchase.user_id}",
        owner=purchase.owner or "",
        fence=purchase.fence,
        ticket=purchase.ticket or "",
        fingerprint=purchase.fingerprint,
        outputs=[_output(output, purchase) for output in purchase.outputs],
        spec=spec_of(job.job_id, job.request_id, job.spec),
        cancel_requested=job.state == "canceling",
        models_tried=batch.models.get(key, [purchase.model_key]),
        webhook_tickets=dict.fromkeys(found.ticket for found in purchase.webhooks),
        repeats=purchase.repeats or "",
        refusal=outcome.status(purchase.refusal),
        job=_job(job),
        subject=job.subject,
        sent_back=purchase.sent_back,
        restored=purchase.restored,
        account=purchase.account,
    )
    if purchase.sent_back_since:
        found.sent_back_time.FromDatetime(purchase.sent_back_since)
    if since := absence.told(batch, purchase):
        found.unlisted_time.FromDatetime(since)
    return found


def unclear(row: asyncpg.Record, job_id: int) -> ledger_pb2.LedgerPurchase:
    """Render a row of unclear_of_job, for an order of the same again."""
    found = purchase_pb2.Purchase(
        purchase_id=row["purchase_id"],
        job=f"jobs/{job_id}",
        provider=row["provider"],
        model=row["model_key"],
        ordinal=row["ordinal"],
        attempt=row["attempt"],
        state=STATES[row["state"]],
        ending=ENDINGS[row["ending"] or ""],
        charged=CHARGED[row["charged"] or ""],
    )
    for field, column in (("deadline", "deadline"), ("not_before", "not_before")):
        if row[column]:
            getattr(found, field).FromDatetime(row[column])
    return ledger_pb2.LedgerPurchase(
        purchase=found, fingerprint=row["fingerprint"], repeats=row["repeats"]
    )


def _job(job: Job) -> job_pb2.Job:
    """Render a job's row for the notes beside its pictures, with its prompt where that differs."""
    found = job_pb2.Job(
        title=job.title,
        project=job.project,
        use_case=job.use_case,
        preset_used=job.preset_used,
        request_id=job.request_id,
        fingerprint=job.fingerprint,
        enhanced_prompt=job.enhanced_prompt,
        enhanced_by=job.enhanced_by,
    )
    if job.original_prompt != spec_of(job.job_id, job.request_id, job.spec).prompt:
        found.original_prompt = job.original_prompt
    found.create_time.CopyFrom(stamp(job.created_at))
    return found


def _purchase(purchase: Purchase) -> purchase_pb2.Purchase:
    found = purchase_pb2.Purchase(
        purchase_id=purchase.purchase_id,
        job=f"jobs/{purchase.job_id}",
        provider=purchase.provider,
        model=purchase.model_key,
        ordinal=purchase.ordinal,
        attempt=purchase.attempt,
        tries=purchase.tries,
        state=STATES[purchase.state],
        ending=ENDINGS[purchase.ending or ""],
        charged=CHARGED[purchase.charged or ""],
        reserved_usd_micros=purchase.reserved,
        cost=cost_message(purchase),
        error=outcome.status(purchase.error),
    )
    for field, moment in (
        ("send_time", purchase.sent_at),
        ("deadline", purchase.deadline),
        ("not_before", purchase.not_before),
    ):
        if isinstance(moment, datetime):
            getattr(found, field).FromDatetime(moment)
    return found


def _output(output: Output, purchase: Purchase) -> ledger_pb2.PurchaseOutput:
    found = ledger_pb2.PurchaseOutput(
        index=output.index,
        source=output.source,
        state=OUTPUT_STATES[output.state],
        image_hash=output.image_hash or "",
        version_number=output.version_number or 0,
        to_publish=output.to_publish,
    )
    if output.variant_id:
        found.variant = f"jobs/{purchase.job_id}/variants/{output.variant_id}"
    if output.expires_at:
        found.source_expire_time.FromDatetime(output.expires_at)
    return found
