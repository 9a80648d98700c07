"""
Settles what no provider could tell: whether a purchase with charged UNKNOWN was charged.

Somebody says so, once, from an invoice perhaps. What counted as spent until then becomes
what it cost, in the month that it was counted in; what was told is kept beside it.
"""

from dataclasses import dataclass

import asyncpg

from chassis import errors
from chassis.errors import Fault, Missing, Precondition
from imagestudio.catalog.v1 import catalog_service_pb2 as pb
from services.catalog import arguments, endings
from services.catalog.database import Pool, as_user
from services.catalog.ledger import Change, Ledger
from services.catalog.queries import SQL
from services.catalog.rows import Batch, Purchase, Settlement, cost_message
from services.catalog.words import CHARGED, word

_MOST = 1_000_000 * 1_000_000  # micro-USD: no picture costs a million


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """Who says of which purchase that it was charged ("yes" or "no"), and what it cost."""

    user_id: int
    job_id: int
    purchase_id: str
    charged: str
    cost: int | None  # micro-USD; None: what counts as spent

    def agrees(self, earlier: Settlement) -> bool:
        """Whether it tells the same as *earlier*, as far as it tells something."""
        return self.charged == earlier.charged and self.cost in (None, earlier.cost)


@dataclass(frozen=True, slots=True)
class Settlements:
    """Writes through the ledger, reads as the user."""

    ledger: Ledger
    pool: Pool

    async def settle(self, user_id: int, request: pb.SettleChargeRequest) -> asyncpg.Record:
        """Settle a purchase of *user_id*; return what is settled from now on."""
        verdict = _verdict(user_id, request)
        change = Change(verdict.purchase_id, "charge", lambda batch: settle(batch, verdict))
        [result] = await self.ledger.change([change])
        if result.status.code:
            raise errors.from_status(result.status)
        async with as_user(self.pool, user_id) as connection:
            [row] = await connection.fetch(SQL.settlement_of_purchase, user_id, verdict.purchase_id)
        return row


def settle(batch: Batch, verdict: Verdict) -> None:
    """Take *verdict*; once more the same changes nothing."""
    purchase = batch.purchases.get(verdict.purchase_id)
    if purchase is None or (purchase.user_id, purchase.job_id) != (verdict.user_id, verdict.job_id):
        raise _unknown(verdict)
    if earlier := batch.settlements.get(purchase.purchase_id):
        if not verdict.agrees(earlier):
            raise _contradicted(earlier)
        return
    if purchase.charged != "unknown":
        raise _not_open(purchase)
    counted, before = purchase.cost, cost_message(purchase)
    purchase.charged = verdict.charged
    cost = counted if verdict.cost is None else verdict.cost
    batch.settle(purchase, cost=0 if verdict.charged == "no" else cost)
    settlement = Settlement(
        purchase_id=purchase.purchase_id,
        user_id=purchase.user_id,
        charged=verdict.charged,
        cost=purchase.cost,
        counted=counted,
        settled_by=verdict.user_id,
        settled_at=batch.now,
    )
    batch.settled.append(settlement)
    batch.settlements[purchase.purchase_id] = settlement
    endings.tell_settled(batch, purchase, before)


def _verdict(user_id: int, request: pb.SettleChargeRequest) -> Verdict:
    charged = word(CHARGED, request.charged)
    if charged not in ("yes", "no"):
        raise arguments.invalid("charged", "must be YES or NO")
    purchase_id = arguments.request_id(request.purchase_id, "purchase_id")
    if purchase_id is None:
        raise arguments.invalid("purchase_id", "must name one of the job's purchases")
    cost = request.cost_usd_micros if request.HasField("cost_usd_micros") else None
    if cost is not None and charged == "no":
        raise arguments.invalid("cost_usd_micros", "goes with YES alone")
    if cost is not None and not 0 <= cost <= _MOST:
        raise arguments.invalid("cost_usd_micros", f"must be 0 to {_MOST}")
    job_id = arguments.job_id(request.name)
    return Verdict(
        user_id=user_id, job_id=job_id, purchase_id=purchase_id, charged=charged, cost=cost
    )


def _unknown(verdict: Verdict) -> Fault:
    name = f"jobs/{verdict.job_id}"
    return Missing(
        "RESOURCE_UNKNOWN",
        f"There is no purchase {verdict.purchase_id} in a job {verdict.job_id} of yours.",
        metadata={"name": name, "purchase_id": verdict.purchase_id},
    )


def _contradicted(earlier: Settlement) -> Fault:
    cost = f" at ${earlier.cost / 1e6:.6f}" if earlier.charged == "yes" else ""
    return Precondition(
        "STATE_CONFLICT",
        f"On {earlier.settled_at:%Y-%m-%d at %H:%M:%S} UTC it was settled that purchase "
        f"{earlier.purchase_id} was {_CHARGED[earlier.charged]}{cost}; that stays.",
        metadata={
            "purchase_id": earlier.purchase_id,
            "charged": earlier.charged,
            "cost_usd_micros": str(earlier.cost),
            "settled_by": f"users/{earlier.settled_by}",
            "settle_time": earlier.settled_at.isoformat(),
        },
    )


def _not_open(purchase: Purchase) -> Fault:
    if purchase.charged:
        why = f"it is known that it was {_CHARGED[purchase.charged]}; there is nothing to settle"
    elif purchase.state == "unclear":
        why = f"it is still being looked up{_next_look(purchase)}; settle what is left open then"
    else:
        why = f"it is {purchase.state} and has not ended; wait for its end"
    return Precondition(
        "STATE_CONFLICT",
        f"Purchase {purchase.purchase_id} cannot be settled: {why}.",
        metadata={"purchase_id": purchase.purchase_id, "state": purchase.state},
    )


def _next_look(purchase: Purchase) -> str:
    when = purchase.not_before
    return f", next at {when:%Y-%m-%d %H:%M:%S} UTC" if when else ""


_CHARGED = {"yes": "charged", "no": "not charged"}
