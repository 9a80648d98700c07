"""Rows of the simulation's ledger as they begin, and what it answers of one."""

from datetime import date
from typing import Any

from services.catalog import absence
from services.catalog.rows import Batch, Job, Purchase
from services.generator.standing import SentBack
from tests.generator.modelled_promises import EPOCH

MONTH = date(2026, 1, 1)
PROVIDER = "replicate"


class Answer:
    """What the ledger says after an edge, as it was at that moment."""

    __slots__ = (
        "canceling", "claimed", "deadline", "fence", "hinted", "missing", "owner", "refusal",
        "restored", "sent_at", "sent_back", "state", "ticket", "unlisted", "unpublished",
    )  # fmt: skip

    def __init__(self, batch: Batch, purchase: Purchase, *, claimed: bool) -> None:
        self.claimed = claimed
        self.canceling = batch.jobs[purchase.job_id].state == "canceling"
        self.state, self.owner, self.fence = purchase.state, purchase.owner, purchase.fence
        self.ticket = purchase.ticket or ""
        if not claimed:  # the rest is for who begins with it
            return
        self.refusal, self.restored = purchase.refusal, purchase.restored
        since = purchase.sent_back_since
        reason = purchase.error["reason"] if purchase.error else ""
        seconds = (purchase.sent_at - since).total_seconds() if since and purchase.sent_at else 0.0
        self.sent_back = SentBack(purchase.sent_back, seconds, reason)
        self.sent_at, self.deadline = purchase.sent_at, purchase.deadline
        outputs = purchase.outputs
        self.missing = frozenset(each.index for each in outputs if each.state == "drawn")
        self.unpublished = frozenset(each.index for each in outputs if each.awaits_cdn)
        since = absence.told(batch, purchase)
        self.unlisted = since.timestamp() if since else None
        self.hinted = [found.ticket for found in purchase.webhooks]


_JOB: dict[str, Any] = {
    **dict.fromkeys(("title", "project", "use_case", "preset_used", "spec"), ""),
    **dict.fromkeys(("original_prompt", "enhanced_prompt", "enhanced_by"), ""),
    **dict.fromkeys(("request_id", "fingerprint", "subject"), ""),
    **dict.fromkeys(("complete_by", "retry_of", "ended_at")),
    **dict.fromkeys(("last_version", "publishing", "cost"), 0),
    **dict.fromkeys(("created_at", "updated_at"), EPOCH),
    "user_id": 1,
    "state": "queued",
    "last_sequence": 1,
}
_PURCHASE: dict[str, Any] = {
    "user_id": 1,
    "provider": PROVIDER,
    "model_key": "flux",
    "attempt": 1,
    "state": "planned",
    "fingerprint": "f",
    "period": MONTH,
    **dict.fromkeys(("tries", "fence", "cost"), 0),
    **dict.fromkeys(("ending", "owner", "not_before", "ticket", "charged")),
    **dict.fromkeys(("sent_at", "deadline", "error")),
}


def queued(job_id: int, count: int) -> Job:
    """A job with *count* purchases, as its admission leaves it."""
    return Job(job_id=job_id, open_purchases=count, **_JOB)


def planned(key: str, job_id: int, ordinal: int, reserved: int) -> Purchase:
    """The first purchase at a place, with *reserved* micro-USD."""
    return Purchase(purchase_id=key, job_id=job_id, ordinal=ordinal, reserved=reserved, **_PURCHASE)
