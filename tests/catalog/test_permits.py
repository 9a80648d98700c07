"""What may be under way at a provider at once, and in a minute, on a real PostgreSQL."""

import asyncio
from datetime import timedelta

import pytest

from imagestudio.catalog.v1 import edge_pb2
from services.catalog import ledger as ledgers
from services.catalog import permits, saving, workers
from services.catalog.database import as_ledger
from tests.catalog.purchases import (
    admitted,
    beat,
    claim,
    drawn,
    end,
    fail,
    found,
    make_ledger,
    taken,
    ticket,
    unclear,
)

PATIENCE = 3.0


async def test_permits_bound_what_is_under_way_and_a_freed_one_is_offered(pools, user):
    ledger, news = make_ledger(pools.ledger)
    await workers.beat(pools.ledger, beat("w1", max_in_flight=2), PATIENCE)
    ids = await admitted(pools.ledger, user, 3)
    results = await ledger.apply([claim(purchase_id) for purchase_id in ids])
    assert [result.outcome for result in results] == [1, 1, 3]
    await taken(ledger, end(ids[0], 1, "REFUSED"))
    await news.close()
    assert news.bus.announced == [("work.sketch", ids[2])]
    assert (await ledger.apply([claim(ids[2])]))[0].outcome == 1
    async with as_ledger(pools.ledger) as connection:
        assert await connection.fetchval("SELECT in_use FROM permits") == 2


async def test_a_rate_admits_no_more_than_its_tokens(pools, user):
    ledger, _news = make_ledger(pools.ledger)
    await workers.beat(pools.ledger, beat("w1", max_per_minute=2), PATIENCE)
    ids = await admitted(pools.ledger, user, 4)
    results = await ledger.apply([claim(purchase_id) for purchase_id in ids])
    assert [result.outcome for result in results] == [1, 1, 3, 3]
    async with as_ledger(pools.ledger) as connection:
        await connection.execute(
            "UPDATE permits SET refilled_at = refilled_at - $1::interval", timedelta(seconds=30)
        )
    results = await ledger.apply([claim(purchase_id) for purchase_id in ids[2:]])
    assert [result.outcome for result in results] == [1, 3]


@pytest.mark.parametrize(
    ("sent_back", "heard", "outcome"),
    [(False, False, 1), (True, False, 3), (False, True, 3)],
    ids=["never left", "came back", "its provider was heard"],
)
async def test_an_order_that_never_left_uses_up_none_of_a_rate(
    pools, user, sent_back, heard, outcome
):
    ledger, _news = make_ledger(pools.ledger)
    await workers.beat(pools.ledger, beat("w1", max_per_minute=2), PATIENCE)
    withheld, sent, *waiting = await admitted(pools.ledger, user, 4)
    claimed, _sent = await taken(ledger, claim(withheld), claim(sent))
    step = edge_pb2.ReleaseEdge(sent_back=sent_back)
    edge = edge_pb2.Edge(purchase_id=withheld, fence=claimed.fence, release=step)
    if heard:
        edge.heard.sign = edge_pb2.PROVIDER_SIGN_UNSPECIFIED
        edge.heard.SetInParent()
    await taken(ledger, edge)
    await taken(ledger, edge)  # whose answer was lost
    results = await ledger.apply([claim(each) for each in waiting])
    assert [result.outcome for result in results] == [outcome, 3]


async def in_use(pools):
    async with as_ledger(pools.ledger) as connection:
        return await connection.fetchval("SELECT in_use FROM permits")


@pytest.mark.parametrize("known", [True, False], ids=["known", "unknown"])
async def test_limits_that_come_later_count_what_is_under_way(pools, user, known):
    ledger, news = make_ledger(pools.ledger)
    if known:
        await workers.beat(pools.ledger, beat("w1"), PATIENCE)
    sending, running, drawing, waiting = ids = await admitted(pools.ledger, user, 4)
    await taken(ledger, *(claim(purchase_id) for purchase_id in ids[:3]))
    await taken(ledger, ticket(running, 1), ticket(drawing, 1), drawn(drawing, 1))

    await workers.beat(pools.ledger, beat("w2", max_in_flight=2), PATIENCE)
    assert await in_use(pools) == 2
    assert (await ledger.apply([claim(waiting)]))[0].outcome == 3  # no permit
    await taken(ledger, drawn(running, 1))
    await news.close()
    assert news.bus.announced == [("work.sketch", waiting)]
    assert (await ledger.apply([claim(waiting)]))[0].outcome == 1

    await workers.beat(pools.ledger, beat("w3"), PATIENCE)  # off, and what ends is not counted
    await taken(ledger, end(sending, 1, "REFUSED"))
    await workers.beat(pools.ledger, beat("w4", max_in_flight=9), PATIENCE)
    assert await in_use(pools) == 1


async def test_limits_wait_for_a_batch_that_did_not_see_them(pools, user):
    [purchase_id] = await admitted(pools.ledger, user)
    await workers.beat(pools.ledger, beat("w1"), PATIENCE)
    async with as_ledger(pools.ledger, holding=permits.LIMITS) as connection:
        edge = ledgers._change(claim(purchase_id))
        batch = await ledgers.read(connection, [edge])
        switching = asyncio.create_task(
            workers.beat(pools.ledger, beat("w2", max_in_flight=1), PATIENCE)
        )
        while not await connection.fetchval("SELECT count(*) FROM pg_locks WHERE NOT granted"):
            assert not switching.done()
        before = {purchase_id: saving.state_of(batch.purchases[purchase_id])}
        permitted = saving.permitted(batch)
        edge.apply(batch)
        await saving.save(connection, batch, before, permitted)
    await switching
    assert await in_use(pools) == 1


async def test_an_order_found_under_way_counts_and_one_set_aside_does_not(pools, user):
    ledger, _news = make_ledger(pools.ledger)
    await workers.beat(pools.ledger, beat("w1", max_in_flight=1), PATIENCE)
    lost, waiting = await admitted(pools.ledger, user, 2)
    await taken(ledger, claim(lost), unclear(lost, 1))
    assert await in_use(pools) == 0
    await taken(ledger, found(lost, 1, "t1", "t2"))
    assert await in_use(pools) == 2  # both are under way, whatever the limit is
    assert (await ledger.apply([claim(waiting)]))[0].outcome == 3
    for fence in range(1, 6):
        if fence > 1:
            await taken(ledger, claim(lost))
        await taken(ledger, fail(lost, fence))
        async with as_ledger(pools.ledger) as connection:
            await connection.execute("UPDATE purchases SET not_before = NULL, deadline = NULL")
    assert await in_use(pools) == 1


async def test_an_order_that_begins_and_ends_in_one_batch_takes_its_token(pools, user):
    ledger, _news = make_ledger(pools.ledger)
    await workers.beat(pools.ledger, beat("w1", max_per_minute=2), PATIENCE)
    ids = await admitted(pools.ledger, user, 3)
    for purchase_id in ids[:2]:
        await taken(ledger, claim(purchase_id), end(purchase_id, 1, "REFUSED"))
    assert (await ledger.apply([claim(ids[2])]))[0].outcome == 3  # no permit
