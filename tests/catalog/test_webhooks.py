"""The webhook inbox on a real PostgreSQL: stored once, joined in either order, never believed."""

import asyncio
import random
import uuid

import pytest
from google.protobuf.duration_pb2 import Duration

from chassis import identity
from chassis.errors import Invalid, from_status
from imagestudio.catalog.v1 import ledger_pb2, ledger_service_pb2
from services.catalog import webhooks, workers
from services.catalog.database import as_ledger, connect
from services.catalog.news import ALARMS
from services.catalog.sweeper import Sweeper
from tests.catalog.purchases import (
    absent,
    admitted,
    claim,
    drawn,
    found,
    keep,
    make_ledger,
    next_attempt,
    park,
    taken,
    ticket,
    unclear,
)
from tests.catalog.served import handling

NOT_DUE = 4
LAG = Duration(seconds=120)


class Desk:
    """A ledger of a provider that lists what was bought two minutes late, and its inbox."""

    def __init__(self, pool) -> None:
        self.pool = pool
        self.ledger, self.news = make_ledger(pool)

    async def store(self, webhook_id, purchase_id, ticket="t1"):
        request = ledger_service_pb2.StoreWebhookRequest(
            webhook_id=webhook_id, provider="sketch", purchase_id=purchase_id, ticket=ticket
        )
        return (await webhooks.store(self.pool, self.news, request)).new

    async def lost(self, purchase_id):
        """Claim it and lose the answer."""
        await taken(self.ledger, claim(purchase_id))
        await self.doubt(purchase_id)

    async def doubt(self, purchase_id):
        edge = unclear(purchase_id, 1)
        edge.unclear.lookup_lag.CopyFrom(LAG)
        await taken(self.ledger, edge)

    async def told(self, edge):
        """Take an edge as a worker's call does; return why it is refused."""
        identity.current.set(identity.Caller(0, service="generator"))
        handler = handling(self.pool, self.ledger, self.news)
        answer = await handler.Apply(ledger_service_pb2.ApplyRequest(edges=[edge]), None)
        return from_status(answer.results[0].status).reason

    async def waits(self, purchase_id, fence=1):
        """Set it down until the provider's list must show it."""
        edge = park(purchase_id, fence)
        edge.park.delay.CopyFrom(LAG)
        await taken(self.ledger, edge)

    async def announced(self):
        await self.news.close()
        told, self.news.bus.announced[:] = list(self.news.bus.announced), []
        return [purchase_id for _subject, purchase_id in told]

    async def inbox(self):
        async with as_ledger(self.pool) as connection:
            return await connection.fetch("SELECT * FROM webhook_inbox ORDER BY webhook_id")


@pytest.fixture
async def desk(pools):
    limit = ledger_pb2.ProviderLimit(provider="sketch", lookup_possible=True, lookup_lag=LAG)
    request = ledger_service_pb2.HeartbeatRequest(worker_id="w1", limits=[limit])
    await workers.beat(pools.ledger, request, 3.0)
    return Desk(pools.ledger)


def alarms():
    return ALARMS.labels("doubled")._value.get()


async def test_a_webhook_is_stored_once_and_a_second_delivery_changes_nothing(desk, user):
    [purchase_id] = await admitted(desk.pool, user)
    await desk.lost(purchase_id)
    await desk.waits(purchase_id)
    assert await desk.store("m1", purchase_id)
    assert await desk.announced() == [purchase_id]
    [owned] = await taken(desk.ledger, claim(purchase_id))
    await desk.waits(purchase_id, owned.fence)

    assert not await desk.store("m1", purchase_id, "t9")

    assert await desk.announced() == []
    assert (await desk.ledger.apply([claim(purchase_id)]))[0].outcome == NOT_DUE
    assert [row["ticket"] for row in await desk.inbox()] == ["t1"]


async def test_an_unclear_purchase_is_due_at_once_and_its_claim_knows_the_ticket(desk, user):
    [purchase_id] = await admitted(desk.pool, user)
    await desk.lost(purchase_id)
    await desk.waits(purchase_id)
    assert (await desk.ledger.apply([claim(purchase_id)]))[0].outcome == NOT_DUE
    await desk.announced()

    for number in range(3):
        await desk.store(f"m{number}", purchase_id, f"t{number // 2}")

    assert set(await desk.announced()) == {purchase_id}
    [owned] = await taken(desk.ledger, claim(purchase_id, "w2"))
    assert list(owned.webhook_tickets) == ["t0", "t1"]
    before = alarms()
    await taken(desk.ledger, found(purchase_id, owned.fence, "t0", "t1"))
    assert alarms() == before + 1


async def test_a_webhook_that_comes_before_the_answer_is_lost_spares_the_wait(desk, user):
    [purchase_id] = await admitted(desk.pool, user)
    await taken(desk.ledger, claim(purchase_id))
    await desk.store("m1", purchase_id)
    await desk.doubt(purchase_id)
    await desk.waits(purchase_id)
    [owned] = await taken(desk.ledger, claim(purchase_id, "w2"))
    assert list(owned.webhook_tickets) == ["t1"]


async def test_the_purchase_of_a_dead_worker_is_joined_with_its_webhook(desk, user, database_url):
    [purchase_id] = await admitted(desk.pool, user)
    await taken(desk.ledger, claim(purchase_id))
    await desk.store("m1", purchase_id)
    connection = await connect(database_url, "studio_ledger")
    await connection.execute("DELETE FROM workers")
    await Sweeper(connect=None, ledger=desk.ledger, news=desk.news).sweep(connection)
    await connection.close()
    [owned] = await taken(desk.ledger, claim(purchase_id, "w2"))
    assert list(owned.webhook_tickets) == ["t1"]


async def test_what_a_webhook_told_of_meanwhile_is_not_given_up_as_absent(desk, user):
    """Who looked it up began before the webhook came: nothing may be bought anew."""
    [purchase_id] = await admitted(desk.pool, user)
    await desk.lost(purchase_id)
    await desk.store("m1", purchase_id)
    for _ in range(2):  # the second time its answer was lost
        await taken(desk.ledger, absent(purchase_id, 1, next_attempt()))
    [owned] = await taken(desk.ledger, claim(purchase_id, "w2"))
    assert list(owned.webhook_tickets) == ["t1"]
    await taken(desk.ledger, absent(purchase_id, owned.fence))  # he knew of it, and it is not his
    async with as_ledger(desk.pool) as connection:
        assert await connection.fetchval("SELECT array_agg(state) FROM purchases") == ["void"]


async def test_a_webhook_of_what_is_followed_already_changes_nothing(desk, user):
    [purchase_id] = await admitted(desk.pool, user)
    await taken(desk.ledger, claim(purchase_id), ticket(purchase_id, 1, "t1"))
    before = alarms()
    await desk.store("m1", purchase_id, "t1")
    await taken(desk.ledger, drawn(purchase_id, 1), keep(purchase_id, 1))
    await desk.store("m2", purchase_id, "t1")
    assert alarms() == before
    assert await desk.announced() == []


async def test_a_ticket_that_nobody_has_is_not_believed_and_waits_to_be_judged(desk, user):
    early, late, other = await admitted(desk.pool, user, 3)
    await taken(desk.ledger, claim(early), claim(late), claim(other))
    await taken(desk.ledger, ticket(other, 1, "t3"))
    before = alarms()
    await desk.store("m1", early, "t9")
    await taken(desk.ledger, ticket(early, 1, "t1"))
    await taken(desk.ledger, ticket(late, 1, "t2"))
    await desk.store("m2", late, "t8")
    await desk.store("m3", late, "t3")  # a genuine one, sent again under another's URL
    async with as_ledger(desk.pool) as connection:
        rows = await connection.fetch("SELECT ticket FROM purchases ORDER BY ordinal")
    assert [row["ticket"] for row in rows] == ["t1", "t2", "t3"]
    assert {row["ticket"] for row in await desk.inbox() if row["standing"] == "stray"} == {
        "t8", "t9"
    }  # fmt: skip
    assert alarms() == before  # until the provider has said whose they are


async def test_the_ticket_of_another_purchase_wakes_nobody(desk, user):
    lost, other = await admitted(desk.pool, user, 2)
    await taken(desk.ledger, claim(other), ticket(other, 1, "t3"))
    await desk.lost(lost)
    await desk.waits(lost)
    await desk.announced()
    assert await desk.store("m1", lost, "t3")
    assert await desk.announced() == []
    assert (await desk.ledger.apply([claim(lost)]))[0].outcome == NOT_DUE


async def test_a_ticket_that_comes_from_a_worker_of_the_past_is_taken_as_a_hint(desk, user):
    """It was bought: whoever looks it up is to know at once, before a list may show it."""
    [purchase_id] = await admitted(desk.pool, user)
    await desk.lost(purchase_id)
    await taken(desk.ledger, park(purchase_id, 1))
    [owned] = await taken(desk.ledger, claim(purchase_id, "w2"))
    await desk.waits(purchase_id, owned.fence)
    await desk.announced()
    late = ticket(purchase_id, 1, "t1")
    for _ in range(2):  # said again, after an answer that was lost
        assert await desk.told(late) == "FENCE_STALE"
    assert await desk.announced() == [purchase_id]
    [owned] = await taken(desk.ledger, claim(purchase_id, "w3"))
    assert list(owned.webhook_tickets) == ["t1"]


async def test_a_late_ticket_of_what_has_ended_is_a_stray(desk, user):
    [purchase_id] = await admitted(desk.pool, user)
    await desk.lost(purchase_id)
    await taken(desk.ledger, absent(purchase_id, 1))
    assert await desk.told(ticket(purchase_id, 0, "t1")) == "FENCE_STALE"
    assert [row["standing"] for row in await desk.inbox()] == ["stray"]
    assert await desk.told(ticket(purchase_id, 0, "t" * 300)) == "FENCE_STALE"  # no inbox takes it


async def test_a_webhook_of_no_purchase_of_ours_is_kept_aside_and_raises_the_alarm_once(desk):
    before = ALARMS.labels("unknown")._value.get()
    assert await desk.store("m1", "")
    assert await desk.store("m2", str(uuid.uuid4()))
    assert [row["standing"] for row in await desk.inbox()] == ["unknown"] * 2
    assert ALARMS.labels("unknown")._value.get() == before + 1  # it is one ticket
    with pytest.raises(Invalid):
        await desk.store("m3", "no-uuid")
    with pytest.raises(Invalid):
        await desk.store("", "")


async def test_old_webhooks_are_swept_and_new_ones_stay(desk, database_url):
    await desk.store("m1", "")
    await desk.store("m2", "")
    connection = await connect(database_url, "studio_ledger")
    await connection.execute(
        "UPDATE webhook_inbox SET created_at = now() - interval '8 days' WHERE webhook_id = 'm1'"
    )
    await Sweeper(connect=None, ledger=desk.ledger, news=desk.news).sweep(connection)
    await connection.close()
    assert [row["webhook_id"] for row in await desk.inbox()] == ["m2"]


@pytest.mark.parametrize("seed", [1, 2])
async def test_a_thousand_deliveries_shuffled_and_doubled_converge(desk, user, seed):
    """Beside the lives of their purchases: each ends with its own picture, once."""
    dice = random.Random(seed)
    ids = await admitted(desk.pool, user, 32)
    deliveries = [(f"{each}-{n}", each, f"ticket of {each}") for each in ids for n in range(16)]
    deliveries = [*deliveries, *deliveries]  # 1,024
    dice.shuffle(deliveries)
    before, queue = alarms(), iter(deliveries)
    await taken(desk.ledger, *(claim(each) for each in ids))

    async def deliver():
        return [await desk.store(*delivery) for delivery in queue]

    async def live(purchase_id):
        reference = f"ticket of {purchase_id}"
        if dice.random() < 0.5:
            await desk.doubt(purchase_id)
            await desk.waits(purchase_id)
            while True:  # until its webhook makes it due
                [answer] = await desk.ledger.apply([claim(purchase_id, "w2")])
                if answer.outcome == 1:
                    break
            assert list(answer.purchase.webhook_tickets) == [reference]
            fence = answer.purchase.fence
            await taken(desk.ledger, found(purchase_id, fence, reference))
        else:
            fence = 1
            await taken(desk.ledger, ticket(purchase_id, 1, reference))
        await taken(desk.ledger, drawn(purchase_id, fence), keep(purchase_id, fence))

    *stored, _ = await asyncio.gather(
        *(deliver() for _ in range(4)), asyncio.gather(*(live(each) for each in ids))
    )
    assert sum(map(sum, stored)) == len(await desk.inbox()) == 512
    assert alarms() == before
    async with as_ledger(desk.pool) as connection:
        rows = await connection.fetch("SELECT purchase_id, state, ticket FROM purchases")
        assert await connection.fetchval("SELECT state FROM image_jobs") == "succeeded"
    assert {(row["state"], row["ticket"]) for row in rows} == {
        ("kept", f"ticket of {each}") for each in ids
    }
