"""
The inbox of webhooks: each is stored once, and makes somebody look.

Its signature is the provider's, but the purchase that it is for stands in the URL, which
nobody signs. So nothing here takes a state or a ticket from it: an unclear purchase becomes
due at once, and whoever claims it asks the provider whose the ticket is. Of any other purchase
a ticket that nobody holds is a stray: see strays.py.
"""

from collections.abc import Iterable
from typing import NamedTuple

import asyncpg

from chassis import errors, faults, logs
from imagestudio.catalog.v1 import edge_pb2
from imagestudio.catalog.v1 import ledger_service_pb2 as pb
from services.catalog import arguments, saving, strays
from services.catalog.database import Pool, as_ledger
from services.catalog.ledger import Change, read
from services.catalog.news import News
from services.catalog.permits import LIMITS
from services.catalog.queries import SQL
from services.catalog.rows import Batch, Purchase

log = logs.get()


class _Hint(NamedTuple):
    """A webhook as it is stored."""

    webhook_id: str
    provider: str
    purchase_id: str | None
    ticket: str


class Stored(NamedTuple):
    """Whether a webhook was *new*, and whether there is a *stray* to be judged now."""

    new: bool
    stray: bool


async def store(pool: Pool, news: News, request: pb.StoreWebhookRequest) -> Stored:
    """Store a webhook and wake whom it is for."""
    hint = _Hint(
        arguments.text(request.webhook_id, "webhook_id", 200, least=1),
        arguments.text(request.provider, "provider", 200, least=1),
        arguments.request_id(request.purchase_id, "purchase_id"),
        arguments.text(request.ticket, "ticket", 200, least=1),
    )
    faults.point("webhook.before_store")
    async with as_ledger(pool, holding=LIMITS) as connection:
        asked = [hint.purchase_id] if hint.purchase_id else []
        batch = await read(connection, [Change(each, "webhook", _nothing) for each in asked])
        before = {key: saving.state_of(row) for key, row in batch.purchases.items()}
        permitted = saving.permitted(batch)
        purchase = batch.purchases.get(hint.purchase_id or "")
        fence = purchase.fence if purchase else 0
        row = await connection.fetchrow(SQL.store_webhook, *hint, fence)
        heard = _heed(batch, purchase, hint, row) if row else _NOTHING
        told = await saving.save(connection, batch, before, permitted)
    faults.point("webhook.after_store")
    news.tell(told)
    if heard.due and purchase:
        news.announce([(purchase.purchase_id, purchase.provider, purchase.fence)], anew=True)
    return Stored(row is not None, heard.stray)


async def heed_late(
    pool: Pool, news: News, edges: Iterable[edge_pb2.Edge], results: Iterable[pb.EdgeResult]
) -> None:
    """Take a ticket as a hint, too, whose worker has lost its purchase to another meanwhile."""
    for edge, result in zip(edges, results, strict=True):
        if edge.WhichOneof("step") != "ticket" or not result.HasField("status"):
            continue
        fault = errors.from_status(result.status)
        if fault.reason != "FENCE_STALE":
            continue
        hint = pb.StoreWebhookRequest(
            webhook_id=f"late:{edge.purchase_id}:{edge.fence}",
            provider=fault.metadata["provider"],
            purchase_id=edge.purchase_id,
            ticket=edge.ticket.ticket,
        )
        try:
            await store(pool, news, hint)
        except errors.Fault:  # what the edges did is done, and is to be told
            lost = {"purchase_id": edge.purchase_id, "ticket": edge.ticket.ticket[:200]}
            log.exception("a late ticket was not kept", **lost)


class _Heard(NamedTuple):
    """Whether the purchase is *due* to be looked up, or the ticket a *stray*."""

    due: bool = False
    stray: bool = False


_NOTHING = _Heard()


def _heed(batch: Batch, purchase: Purchase | None, hint: _Hint, row: asyncpg.Record) -> _Heard:
    named = {"purchase_id": hint.purchase_id, "ticket": hint.ticket}
    if row["holder"] is not None:
        if row["holder"] != hint.purchase_id:
            log.warning("another's ticket", **named)
    elif purchase is None or purchase.provider != hint.provider:
        if not row["told"]:
            strays.alarm(batch.alarms, hint.ticket, hint.purchase_id)
    elif purchase.state == "unclear":
        purchase.not_before = batch.now
        return _Heard(due=True)
    elif purchase.state != "sending":
        log.warning("a ticket of nobody's", **named)
        return _Heard(stray=True)
    return _NOTHING


def _nothing(_batch: Batch) -> None:
    return
