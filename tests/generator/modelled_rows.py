"""Rows of the simulation's ledger as they begin, and what it answers of one."""

from datetime import date

from services.catalog import absence
from services.catalog.breaker import Breaker
from services.catalog.rows import Allowance, Batch, Job, Permits, Purchase
from services.generator.standing import SentBack
from tests.generator.modelled_promises import EPOCH

MONTH = date(2026, 1, 1)
PROVIDER = "replicate"
Standing = tuple[int, int, Breaker, Allowance | None]  # of permits: in use, sending, and health


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


def as_it_was(limits: Permits, standing: Standing) -> Permits:
    """*limits* as they were at the beginning of a batch, when they stood so."""
    in_use, sending, breaker, allowance = standing
    return Permits(
        provider=PROVIDER,
        max_in_flight=limits.max_in_flight,
        max_per_minute=limits.max_per_minute,
        lookup_possible=limits.lookup_possible,
        lookup_lag=limits.lookup_lag,
        watched=limits.watched,
        in_use=in_use,
        sending=sending,
        breaker=breaker,
        allowance=allowance,
    )


def queued(job_id: int, count: int) -> Job:
    """A job with *count* purchases, as its admission leaves it."""
    return Job(
        job_id=job_id,
        user_id=1,
        title="",
        project="",
        use_case="",
        preset_used="",
        state="queued",
        original_prompt="",
        enhanced_prompt="",
        enhanced_by="",
        spec="",
        request_id="",
        fingerprint="",
        last_sequence=1,
        last_version=0,
        open_purchases=count,
        publishing=0,
        complete_by=None,
        cost=0,
        retry_of=None,
        created_at=EPOCH,
        updated_at=EPOCH,
        ended_at=None,
        subject="",
    )


def planned(key: str, job_id: int, ordinal: int, reserved: int) -> Purchase:
    """The first purchase at a place, with *reserved* micro-USD."""
    return Purchase(
        purchase_id=key,
        job_id=job_id,
        user_id=1,
        provider=PROVIDER,
        model_key="flux",
        ordinal=ordinal,
        attempt=1,
        tries=0,
        state="planned",
        ending=None,
        owner=None,
        fence=0,
        not_before=None,
        ticket=None,
        fingerprint="f",
        period=MONTH,
        reserved=reserved,
        cost=0,
        charged=None,
        sent_at=None,
        deadline=None,
        error=None,
    )
