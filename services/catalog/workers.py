"""Workers: who lives, what its providers allow, and what it should let go of."""

import asyncio
from collections.abc import Iterable
from contextlib import suppress
from datetime import timedelta

import asyncpg

from chassis.errors import Fault
from imagestudio.catalog.v1 import ledger_pb2, ledger_service_pb2
from services.catalog import breaker, outcome
from services.catalog.database import Connection, Pool, as_ledger
from services.catalog.ledger import Ledger
from services.catalog.permits import LIMITS, UNTOLD
from services.catalog.queries import SQL
from services.catalog.sweeper import LEFT_ALONE, MOST, MOST_PUBLISHED, TOGETHER, orphaned

_HANDING_OVER = 0.5  # seconds, while the worker waits to end
_STATES = {
    breaker.CLOSED: ledger_pb2.BREAKER_STATE_CLOSED,
    breaker.HALF_OPEN: ledger_pb2.BREAKER_STATE_HALF_OPEN,
    breaker.OPEN: ledger_pb2.BREAKER_STATE_OPEN,
}


async def beat(
    pool: Pool, request: ledger_service_pb2.HeartbeatRequest, patience: float
) -> ledger_service_pb2.HeartbeatResponse:
    """Write a worker's heartbeat; *patience* in seconds is how long a silence may last."""
    async with as_ledger(pool) as connection:
        alive = await _live(connection, request)
        canceling = await connection.fetch(SQL.canceling_purchases, request.worker_id)
        now = await connection.fetchval(SQL.clock)
        health = await connection.fetch(SQL.health_of_providers)
        due = await _due(connection, request) if alive and request.room > 0 else []
        owned = await _owned(connection, request) if alive and request.tell_owned else []
    response = ledger_service_pb2.HeartbeatResponse(
        alive=alive,
        canceling_purchase_ids=[row["purchase_id"] for row in canceling],
        due_purchases=due,
        providers=[_health(row) for row in health],
        owned=owned,
    )
    response.now.FromDatetime(now)
    response.patience.FromMilliseconds(round(patience * 1000))
    return response


async def leave_behind(pool: Pool, ledger: Ledger, worker_id: str) -> None:
    """
    Take from a worker that ends well what it still owns: it was killed by none of it.

    It waits for an answer: what is not done in time the sweeper takes, as from the dead.
    """
    with suppress(TimeoutError, Fault):
        async with asyncio.timeout(_HANDING_OVER):
            async with as_ledger(pool) as connection:
                rows = await connection.fetch(SQL.purchases_of_worker, worker_id)
            left = [orphaned(row["purchase_id"], row["fence"], alone=False) for row in rows]
            for start in range(0, len(left), TOGETHER):
                await ledger.change(left[start : start + TOGETHER])


async def _due(
    connection: Connection, request: ledger_service_pb2.HeartbeatRequest
) -> list[ledger_service_pb2.DuePurchase]:
    """What waits for a worker that hears of no work, as much as it takes."""
    most = min(request.room, MOST)
    rows = await connection.fetch(SQL.due_purchases, LEFT_ALONE, most, UNTOLD)
    rows += await connection.fetch(SQL.due_publications, min(request.room, MOST_PUBLISHED))
    found = [row for row in rows if row["provider"] in request.providers]
    return [
        ledger_service_pb2.DuePurchase(purchase_id=row["purchase_id"], provider=row["provider"])
        for row in found[: request.room]
    ]


async def _owned(
    connection: Connection, request: ledger_service_pb2.HeartbeatRequest
) -> list[ledger_service_pb2.OwnedPurchase]:
    """All that is the worker's: it may have been made so without an answer that it heard."""
    rows = await connection.fetch(SQL.purchases_of_worker, request.worker_id)
    owned = ledger_service_pb2.OwnedPurchase
    return [owned(purchase_id=row["purchase_id"], fence=row["fence"]) for row in rows]


async def _live(connection: Connection, request: ledger_service_pb2.HeartbeatRequest) -> bool:
    if request.leaving:
        await connection.execute(SQL.end_worker, request.worker_id)
        return False
    if request.limits:
        await connection.execute(SQL.hold_limits, LIMITS)
        await connection.execute(SQL.set_limits, *_columns(request.limits))
        await connection.execute(SQL.begin_worker, request.worker_id)
    return await connection.fetchval(SQL.beat, request.worker_id) is not None


def _columns(limits: Iterable[ledger_pb2.ProviderLimit]) -> tuple[list[object], ...]:
    found = sorted(limits, key=lambda limit: limit.provider)
    return (
        [limit.provider for limit in found],
        [limit.max_in_flight for limit in found],
        [limit.max_per_minute for limit in found],
        [limit.lookup_possible for limit in found],
        [timedelta(milliseconds=limit.lookup_lag.ToMilliseconds()) for limit in found],
        [limit.watched for limit in found],
        [limit.lookup_in_receipts for limit in found],
    )


def _health(row: asyncpg.Record) -> ledger_pb2.ProviderHealth:
    return ledger_pb2.ProviderHealth(
        provider=row["provider"],
        state=_STATES[row["breaker"]],
        refusal=outcome.status(row["refusal"]),
    )
