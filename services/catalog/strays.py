"""
Tickets at a provider that no purchase holds: noted once, judged by the provider's own word.

Webhooks, the provider's list and workers that came too late bring them into the inbox. One
that names a purchase is told to a generator, which asks the provider whose it is: adopted, it
is a purchase (adoption.py); disowned, or of no purchase of ours, it raises the alarm and is shown.
"""

from collections.abc import Iterable
from datetime import timedelta

import prometheus_client

from chassis import faults, logs
from imagestudio.catalog.v1 import ledger_service_pb2 as pb
from services.catalog import arguments, guards, ledger, present_ledger
from services.catalog.database import Connection, Pool, as_ledger
from services.catalog.news import News
from services.catalog.queries import SQL
from services.catalog.rows import Batch
from services.catalog.saving import Told

MOST = 1000  # tickets of a list in one call
_AT_ONCE = 50  # strays in one answer
_FIRST = timedelta(days=1)  # how far back a list is read that nobody has read before
_OVERLAP = timedelta(minutes=10)  # read again: a list's lag, and two clocks
UNKNOWN = prometheus_client.Gauge(
    "studio_unknown_tickets", "Orders at a provider that are of no purchase of ours.", ("provider",)
)
log = logs.get()


async def find(pool: Pool, news: News, request: pb.FindStraysRequest) -> list[pb.Stray]:
    """Note what a caller has learnt at a provider, and return what is to be judged there."""
    provider = arguments.text(request.provider, "provider", 200, least=1)
    listed, told = _columns(request.listed, "listed"), Told()
    disowned = _columns(request.disowned, "disowned")[:2]
    faults.point("strays.before_commit")
    async with as_ledger(pool) as connection:
        for row in await connection.fetch(SQL.note_listed_tickets, provider, *listed):
            if row["standing"] == "unknown" and not row["told"]:
                alarm(told.alarms, row["ticket"], row["purchase_id"])
        for row in await connection.fetch(SQL.disown_strays, provider, *disowned):
            alarm(told.alarms, row["ticket"], row["purchase_id"])
        await connection.execute(SQL.forget_held_strays, provider)
        if request.HasField("read_time"):
            read = guards.moment(request.read_time)
            await connection.execute(SQL.end_listing, provider, read, _OVERLAP)
        found = await _to_judge(connection, provider)
        count = await connection.fetchval(SQL.count_unknown_tickets, provider)
    faults.point("strays.after_commit")
    UNKNOWN.labels(provider).set(count)
    news.tell(told)
    return found


async def begin_listing(pool: Pool, request: pb.BeginListingRequest) -> pb.BeginListingResponse:
    """Give one caller at a time the turn to read a provider's list."""
    provider = arguments.text(request.provider, "provider", 200, least=1)
    answer, interval = pb.BeginListingResponse(), request.interval.ToTimedelta()
    async with as_ledger(pool) as connection:
        row = await connection.fetchrow(SQL.begin_listing, provider, interval, _FIRST)
    faults.point("listing.after_turn")
    if row:
        answer.since_time.FromDatetime(row["read_to"])
        answer.begin_time.FromDatetime(row["begun_at"])
    return answer


def alarm(alarms: list[tuple[str, str]], ticket: str, purchase_id: str | None) -> None:
    """Say that *ticket* is of no purchase of ours, whatever it names."""
    log.error("an order of no purchase of ours", ticket=ticket, named=purchase_id)
    alarms.append(("unknown", purchase_id or ""))


async def _to_judge(connection: Connection, provider: str) -> list[pb.Stray]:
    rows = await connection.fetch(SQL.strays, provider, _AT_ONCE)
    named = [ledger.Change(each, "", _nothing) for each in {row["purchase_id"] for row in rows}]
    batch = await ledger.read(connection, named)
    return [
        pb.Stray(
            ticket=row["ticket"],
            purchase=present_ledger.whole(batch, batch.purchases[row["purchase_id"]]),
            first_hand=row["first_hand"],
        )
        for row in rows
        if row["purchase_id"] in batch.purchases
    ]


def _columns(
    tickets: Iterable[pb.ListedTicket], name: str
) -> tuple[list[str], list[str | None], list[bool]]:
    found = [
        (
            arguments.text(each.ticket, name, 200, least=1),
            arguments.request_id(each.purchase_id, name),
            each.ours,
        )
        for each in tickets
    ]
    if len(found) > MOST:
        raise arguments.invalid(name, f"must be {MOST} at most")
    return [one[0] for one in found], [one[1] for one in found], [one[2] for one in found]


def _nothing(_batch: Batch) -> None:
    return
