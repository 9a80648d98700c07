"""
Money for language calls: reserved under the month's cap before one is made, settled once.

A call that nobody settles may have been charged: the sweeper counts all that was reserved, until
somebody tells what it was.
"""

import asyncpg

from chassis import faults
from chassis.errors import Missing, Unavailable
from imagestudio.catalog.v1 import ledger_service_pb2 as pb
from services.catalog import admit, arguments
from services.catalog.database import Pool, as_ledger, by_statement
from services.catalog.queries import SQL
from services.catalog.words import CHARGED, word

MOST = 1_000_000_000  # micro-USD that one call may reserve
_LONGEST = 32_000  # characters kept of an answer
_TRIES = 3  # between two of them the month turns, or something is given back


async def reserve(
    pool: Pool, request: pb.ReserveSpendingRequest, user_id: int, server_cap: int | None
) -> pb.ReserveSpendingResponse:
    """
    Hold what *request* may cost *user_id*, or tell of the call that has its id, or of the job
    that the request it is for has admitted.

    Exhausted where that would pass the user's cap or *server_cap*, in micro-USD, by itself or
    with what the job is to reserve; Precondition where what that needs is not sold now.
    """
    if not 0 <= request.usd_micros <= MOST:
        raise arguments.invalid("usd_micros", f"must be from 0 to {MOST}")
    if request.beside_usd_micros < 0:
        raise arguments.invalid("beside_usd_micros", "must not be below 0")
    reservation, holder = _ids(request)
    if request.request_id:
        async with as_ledger(pool) as connection:
            asked = request.request_id, request.fingerprint
            if found := await admit.replayed(connection, user_id, *asked):
                return pb.ReserveSpendingResponse(admitted=found)
    for _ in range(_TRIES):
        faults.point("spending.before_reserve")
        if await _reserved(pool, request, user_id, server_cap):
            faults.point("spending.after_reserve")
            return pb.ReserveSpendingResponse()
        async with as_ledger(pool) as connection:
            row = await connection.fetchrow(SQL.language_call, user_id, reservation)
            if row is not None:
                return _told(row, holder)
            await admit.refuse_where_nothing_is_sold(connection, request.providers_needed)
            needed = request.usd_micros + request.beside_usd_micros
            await admit.refuse_over_cap(connection, needed, user_id, server_cap)
    why = "What is left of the month's cap is changing too fast; ask again."
    raise Unavailable("SERVICE_UNAVAILABLE", why, retry_after=1.0)


async def _reserved(
    pool: Pool, request: pb.ReserveSpendingRequest, user_id: int, server_cap: int | None
) -> bool:
    reservation, holder = _ids(request)
    try:
        async with by_statement(pool) as connection:
            await connection.execute(SQL.ensure_spending, user_id)
            made = await connection.fetchval(
                SQL.reserve_language_call_within_cap,
                *(user_id, reservation, request.usd_micros, server_cap),
                *(request.purpose, request.model),
                *(request.beside_usd_micros, list(request.providers_needed), holder),
            )
    except asyncpg.UniqueViolationError:  # the same id at the same moment: that one is told
        return False
    return made is not None


async def settle(
    pool: Pool, request: pb.SettleSpendingRequest, user_id: int
) -> pb.SettleSpendingResponse:
    """
    Settle a call of *user_id*; of one that is settled, tell what it was settled on.

    Free before it is reserved, it cannot be reserved any more.
    """
    if not 0 <= request.cost_usd_micros <= MOST:
        raise arguments.invalid("cost_usd_micros", f"must be from 0 to {MOST}")
    charged = word(CHARGED, request.charged)
    if not charged:
        raise arguments.invalid("charged", "must be YES, NO or UNKNOWN")
    reservation, holder = _ids(request)
    told = charged, request.cost_usd_micros, request.answer[:_LONGEST], holder
    faults.point("spending.before_settle")
    async with by_statement(pool) as connection:
        if holder and charged == "no":
            await connection.execute(SQL.bar_language_call, user_id, reservation, holder)
        await connection.execute(SQL.settle_language_call_if_open, user_id, reservation, *told)
        row = await connection.fetchrow(SQL.language_call, user_id, reservation)
    faults.point("spending.after_settle")
    if row is None:
        raise Missing("RESOURCE_UNKNOWN", f"Nothing was reserved as {reservation}.")
    return pb.SettleSpendingResponse(cost_usd_micros=row["cost"] or 0)


def _ids(request: pb.ReserveSpendingRequest | pb.SettleSpendingRequest) -> tuple[str, str | None]:
    """The reservation's id, and its holder's where it names one."""
    found = arguments.request_id(request.reservation_id, "reservation_id")
    if found is None:
        raise arguments.invalid("reservation_id", "must be a UUID")
    return found, arguments.request_id(request.holder, "holder")


def _told(row: asyncpg.Record, holder: str | None) -> pb.ReserveSpendingResponse:
    found = pb.ReserveSpendingResponse(
        replayed=holder is None or str(row["holder"]) != holder,
        charged=CHARGED[row["charged"] or ""],
        cost_usd_micros=row["cost"] or 0,
        answer=row["answer"],
        model=row["model"],
    )
    found.age.FromMilliseconds(int(row["age"] * 1000))
    return found
