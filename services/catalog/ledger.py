"""
The ledger: batches of edges, each batch one transaction.

Lock the jobs, read their purchases, let `edges` change the rows in memory, write all of
it set by set, commit, and only then tell the world. A batch in which a constraint is
raised is done again edge by edge, so that one bad edge hinders no other.
"""

import itertools
import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, fields
from datetime import UTC, datetime, timedelta

import asyncpg

from chassis import faults, telemetry
from chassis.errors import Fault, Precondition, Unavailable
from chassis.gathering import Gathering
from imagestudio.catalog.v1 import edge_pb2, ledger_service_pb2
from services.catalog import completion, edges, permits, present_ledger, saving
from services.catalog.breaker import Breaker
from services.catalog.database import Connection, Pool, as_ledger
from services.catalog.edges import Outcome
from services.catalog.news import News
from services.catalog.queries import SQL
from services.catalog.rows import (
    Allowance,
    Batch,
    Job,
    Output,
    Permits,
    Purchase,
    Settlement,
    Webhook,
)

# What one edge may bring on: a constraint, or a value that no column takes.
_REFUSALS = (asyncpg.IntegrityConstraintViolationError, asyncpg.DataError)
_GIVEN_UP = (asyncpg.DeadlockDetectedError, asyncpg.SerializationError)
_RIVALS = 3  # times that a batch gives way
MOST = 500  # edges in one call; a transaction takes those of many calls
_NEEDS_PERMITS = frozenset(
    {"claim", "release", "ticket", "drawn", "end", "unclear", "fail", "settle", "adopt"}
)
_NO_COLUMNS = ("outputs", "webhooks", "refusal")
_PURCHASE = [each.name for each in fields(Purchase) if each.name not in _NO_COLUMNS]
_BREAKER = [each.name for each in fields(Breaker)]
_TICKETS = "purchases_provider_ticket_key"
_NEEDS_ATTEMPTS = frozenset({"end", "settle", "adopt"})


@dataclass(frozen=True, slots=True)
class Change:
    """One edge, or anything else that is done to one purchase under its job's lock."""

    purchase_id: str
    kind: str
    apply: Callable[[Batch], Outcome | None]
    worker_id: str = ""
    tickets: Sequence[str] = ()  # that were found at the provider


Result = ledger_service_pb2.EdgeResult


class Ledger:
    """
    Takes edges; *news* is told after each commit.

    A job is completed *publish_wait* seconds after its last purchase at the latest.
    """

    def __init__(self, pool: Pool, news: News, publish_wait: float = 0.0) -> None:
        self._pool, self._news = pool, news
        self._publish_wait = timedelta(seconds=publish_wait)
        self._gathering = Gathering[Sequence[Change], list[Result]](self._together, most=64)

    async def apply(self, asked: Iterable[edge_pb2.Edge]) -> list[Result]:
        """Take edges in the order of a life; each has its own result."""
        changes = [_change(edge) for edge in asked]
        if len(changes) > MOST:
            raise Precondition("REQUEST_INVALID", f"At most {MOST} edges in one call.")
        return await self._gathering.do(changes) if changes else []

    async def change(self, changes: Sequence[Change]) -> list[Result]:
        """Do what is no edge of the contract: an owner's death, a charge that is settled."""
        return await self._gathering.do(changes) if changes else []

    async def look_at_the_clock(self) -> datetime:
        """The database's time, told when and where a heartbeat would be written: after a wait."""
        async with as_ledger(self._pool) as connection:
            found: datetime = await connection.fetchval(SQL.look_at_the_clock)
        return found

    async def _together(
        self, asked: Sequence[Sequence[Change]]
    ) -> Sequence[list[Result] | Exception]:
        changes = list(itertools.chain.from_iterable(asked))
        with telemetry.span("ledger.apply", edges=len(changes)):
            try:
                results = await self._again(changes)
            except _REFUSALS:
                results = [await self._alone(change) for change in changes]
        split = iter(results)
        return [list(itertools.islice(split, len(part))) for part in asked]

    async def _again(self, changes: Sequence[Change]) -> list[Result]:
        """Do it once more where PostgreSQL gave it up for a rival's: nothing was done."""
        for _ in range(_RIVALS):
            try:
                return await self._transaction(changes)
            except Unavailable as error:
                if not isinstance(error.__cause__, _GIVEN_UP):
                    raise
        return await self._transaction(changes)

    async def _alone(self, change: Change) -> Result:
        """Take it by itself, and again for each ticket found that others take meanwhile."""
        left = len(change.tickets)
        while True:
            try:
                return (await self._again([change]))[0]
            except _REFUSALS as error:
                constraint = getattr(error, "constraint_name", None) or "a value in it"
                if not left or constraint != _TICKETS:
                    return present_ledger.refused(_forbidden(change, constraint))
            left -= 1

    async def _transaction(self, changes: Sequence[Change]) -> list[Result]:
        faults.point("ledger.before_commit")
        async with as_ledger(self._pool, holding=permits.LIMITS) as connection:
            batch = await read(connection, changes)
            batch.publish_wait = self._publish_wait
            before = {key: saving.state_of(row) for key, row in batch.purchases.items()}
            permitted = saving.permitted(batch)
            results = [_result(batch, change) for change in changes]
            told = await saving.save(connection, batch, before, permitted)
            for result in results:
                if result.purchase.outputs:
                    purchase_id = result.purchase.purchase.purchase_id
                    present_ledger.name_variants(result.purchase, batch.purchases[purchase_id])
        faults.point("ledger.after_commit")
        self._news.tell(told)
        return results


def _change(edge: edge_pb2.Edge) -> Change:
    kind = edge.WhichOneof("step") or ""
    worker = edge.claim.worker_id if kind == "claim" else ""
    tickets: Sequence[str] = edge.settle.found.tickets if kind == "settle" else ()
    tickets = [edge.adopt.ticket] if kind == "adopt" else tickets
    return Change(edge.purchase_id, kind, lambda batch: edges.take(batch, edge), worker, tickets)


def _forbidden(change: Change, constraint: str) -> Precondition:
    return Precondition(
        "STATE_CONFLICT",
        f"Purchase {change.purchase_id}: {constraint} forbids this edge.",
        metadata={"purchase_id": change.purchase_id, "constraint": constraint},
    )


def _result(batch: Batch, change: Change) -> Result:
    try:
        outcome = change.apply(batch)
    except Fault as fault:
        return present_ledger.refused(fault)
    purchase = batch.purchases[change.purchase_id]
    if outcome == edges.CLAIMED:
        found = present_ledger.whole(batch, purchase)
    else:
        found = present_ledger.after(purchase)
    return Result(outcome=outcome or edges.NONE, purchase=found)


async def read(connection: Connection, changes: Sequence[Change]) -> Batch:
    """Lock the jobs of *changes* and read what their edges need."""
    ids = sorted({change.purchase_id for change in changes})
    kinds = {change.kind for change in changes}
    jobs = await connection.fetch(SQL.lock_jobs_of_purchases, ids)
    rows = await connection.fetch(SQL.purchases_by_id, ids)
    batch = Batch(
        now=rows[0]["now"] if rows else datetime.now(UTC),
        jobs={row["job_id"]: Job(**row) for row in jobs},
        purchases={row["purchase_id"]: purchase_from(row) for row in rows},
        permits={row["provider"]: limits for row in rows if (limits := _limits_from(row))},
        failed={row["job_id"] for row in rows if row["others_failed"]},
    )
    if kinds & _NEEDS_ATTEMPTS or any(found.attempt > 1 for found in batch.purchases.values()):
        for row in await connection.fetch(SQL.attempts_of_ordinals, list(batch.jobs)):
            batch.attempts[row["job_id"], row["ordinal"]] = row["attempt"]
            batch.models.setdefault((row["job_id"], row["ordinal"]), []).append(row["model_key"])
    if found_by := [change for change in changes if change.tickets]:
        await _read_orders_alike(connection, batch, found_by)
    if "publish" in kinds:
        for row in await connection.fetch(SQL.images_of_purchases, ids):
            batch.images[row["purchase_id"], row["output_index"]] = completion.image_message(row)
    if "charge" in kinds:
        for row in await connection.fetch(SQL.settlements_of_purchases, ids):
            batch.settlements[row["purchase_id"]] = Settlement(**row)
    counted = sorted(provider for provider, found in batch.permits.items() if found.counted)
    if counted and kinds & _NEEDS_PERMITS:
        for row in await connection.fetch(SQL.lock_permits, counted):
            _learn(batch.permits[row["provider"]], row)
    return batch


async def _read_orders_alike(
    connection: Connection, batch: Batch, changes: Sequence[Change]
) -> None:
    ids = [change.purchase_id for change in changes]
    tickets = list(itertools.chain.from_iterable(change.tickets for change in changes))
    for row in await connection.fetch(SQL.orders_alike, ids, tickets):
        batch.held[row["purchase_id"]] = set(row["held"])
        batch.rivals[row["purchase_id"]] = row["rivals"]
        batch.wanted[row["purchase_id"]] = row["wanted"]


def purchase_from(row: asyncpg.Record) -> Purchase:
    """Make a `Purchase` of a row of purchases_by_id."""
    found = {name: row[name] for name in _PURCHASE}
    found["error"] = json.loads(found["error"]) if found["error"] else None
    outputs = [Output(*one) for one in row["outputs"] or ()]
    webhooks = [Webhook(*one) for one in row["webhooks"] or ()]
    return Purchase(**found, outputs=outputs, webhooks=webhooks)


def _limits_from(row: asyncpg.Record) -> Permits | None:
    if row["max_in_flight"] is None:  # no worker has said yet what this provider allows
        return None
    return Permits(
        row["provider"],
        row["max_in_flight"],
        row["max_per_minute"],
        row["lookup_possible"],
        row["lookup_lag"].total_seconds(),
        row["watched"],
        row["lookup_in_receipts"],
    )


def _learn(permits: Permits, row: asyncpg.Record) -> None:
    permits.in_use, permits.sending, permits.tokens = row["in_use"], row["sending"], row["tokens"]
    permits.breaker = Breaker(**{name: row[name] for name in _BREAKER})
    if row["renewed_at"]:
        permits.allowance = Allowance(row["orders_left"], row["renewed_at"])
