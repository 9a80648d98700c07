"""A ledger with the inbox of a provider's webhooks, and what becomes of tickets in it."""

import uuid

from google.protobuf.duration_pb2 import Duration

from imagestudio.catalog.v1 import edge_pb2, ledger_service_pb2
from imagestudio.type.v1 import job_event_pb2
from services.catalog import strays, webhooks
from services.catalog.database import as_ledger
from services.catalog.news import ALARMS
from tests.catalog.purchases import Edge, claim, drawn, keep, make_ledger, taken

PRICE = 500
Find = ledger_service_pb2.FindStraysRequest


class Desk:
    """A ledger and the inbox of the provider `sketch`."""

    def __init__(self, pool) -> None:
        self.pool = pool
        self.ledger, self.news = make_ledger(pool)

    async def store(self, purchase_id, ticket, webhook_id=""):
        request = ledger_service_pb2.StoreWebhookRequest(
            webhook_id=webhook_id or str(uuid.uuid4()), provider="sketch",
            purchase_id=purchase_id, ticket=ticket,
        )  # fmt: skip
        return await webhooks.store(self.pool, self.news, request)

    async def find(self, *listed, disowned=(), read=None):
        request = Find(provider="sketch", listed=listed, disowned=disowned)
        if read:
            request.read_time.CopyFrom(read)
        told = await strays.find(self.pool, self.news, request)
        return {(each.ticket, each.purchase.purchase.purchase_id) for each in told}

    async def turn(self, interval=300):
        request = ledger_service_pb2.BeginListingRequest(
            provider="sketch", interval=Duration(seconds=interval)
        )
        return await strays.begin_listing(self.pool, request)

    async def row(self, query, *arguments):
        async with as_ledger(self.pool) as connection:
            return await connection.fetchrow(query, *arguments)

    async def fetch(self, query, *arguments):
        async with as_ledger(self.pool) as connection:
            return await connection.fetch(query, *arguments)

    async def money(self):
        """What the user has spent and reserved, and what the jobs cost: in every sum alike."""
        spent, reserved = await self.row("SELECT sum(spent), sum(reserved) FROM spending")
        rows = await self.row("SELECT sum(cost), sum(reserved) FROM purchases")
        assert (spent, reserved) == tuple(rows)
        [cost] = await self.row("SELECT sum(cost) FROM image_jobs")
        assert cost == spent
        return spent, reserved

    async def kinds(self):
        rows = await self.fetch("SELECT kind FROM job_events ORDER BY job_id, sequence")
        return [row["kind"] for row in rows]

    async def feed(self):
        rows = await self.fetch("SELECT payload FROM user_feed ORDER BY sequence")
        return [job_event_pb2.JobEvent.FromString(row["payload"]) for row in rows]

    async def twin(self, reference="t2"):
        row = await self.row("SELECT purchase_id FROM purchases WHERE ticket = $1", reference)
        return row and row["purchase_id"]


def alarms(kind="doubled"):
    return ALARMS.labels(kind)._value.get()


def adopt(purchase_id, reference="t2", reserve=PRICE):
    step = edge_pb2.AdoptEdge(ticket=reference, reserved_usd_micros=reserve)
    return Edge(purchase_id=purchase_id, adopt=step)


async def bring(desk, purchase_id, fence, cost=PRICE):
    await taken(desk.ledger, drawn(purchase_id, fence, cost=cost), keep(purchase_id, fence))


async def follow(desk, purchase_id, cost=PRICE):
    """What a worker does with a twin."""
    [owned] = await taken(desk.ledger, claim(purchase_id, "w2"))
    assert owned.purchase.reserved_usd_micros == PRICE
    await bring(desk, purchase_id, owned.fence, cost)
