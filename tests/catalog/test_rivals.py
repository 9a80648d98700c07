"""What PostgreSQL gives up because of somebody else's transaction is done again, as if never."""

import asyncio
from datetime import UTC

import asyncpg
import pytest

from services.catalog.database import as_ledger
from tests.catalog.books import log_of
from tests.catalog.purchases import admitted, claim, end, make_ledger, taken

WAITS = "SELECT count(*) FROM pg_locks WHERE NOT granted"


@pytest.fixture
async def rival(database_url):
    """Somebody with a transaction of his own, who waits for no deadlock to be found."""
    connection = await asyncpg.connect(database_url)
    await connection.execute("SET deadlock_timeout = '60s'")  # so that ours is the one given up
    yield connection
    await connection.close()


async def test_a_deadlock_loses_no_edge(pools, user, rival, database_url):
    [first], [second] = [await admitted(pools.ledger, user) for _ in range(2)]
    ledger, _ = make_ledger(pools.ledger)
    onlooker = await asyncpg.connect(database_url)
    lock = """SELECT FROM image_jobs
              WHERE job_id = (SELECT job_id FROM purchases WHERE purchase_id = $1::uuid)
              FOR UPDATE"""
    transaction = rival.transaction()
    await transaction.start()
    await rival.execute(lock, second)
    edges = asyncio.ensure_future(taken(ledger, claim(first), claim(second)))
    while not await onlooker.fetchval(WAITS):  # the batch has the first job, and waits for ours
        await asyncio.sleep(0)
    crossing = asyncio.ensure_future(rival.execute(lock, first))
    await crossing  # ours was given up
    await transaction.rollback()
    assert [found.owner for found in await edges] == ["w1", "w1"]
    deadlocks = """SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()"""
    while not await onlooker.fetchval(deadlocks):
        await asyncio.sleep(0)
    await onlooker.close()


async def test_a_transaction_that_cannot_be_serialized_is_told_as_away(pools):
    """Nothing of ours runs at that level; a database that is set so by its owner does."""
    from chassis.errors import Unavailable

    with pytest.raises(Unavailable) as told:
        async with as_ledger(pools.ledger) as connection:
            await connection.execute(
                "DO $$ BEGIN RAISE EXCEPTION 'rival' USING ERRCODE = '40001'; END $$"
            )
    assert told.value.retry_after


@pytest.mark.parametrize("held", ["image_jobs", "users"])
async def test_an_event_that_had_to_wait_for_its_turn_is_not_older_than_the_one_before(
    pools, user, rival, database_url, held
):
    """Its log's turn is its job's lock, its feed's that of the user."""
    [purchase_id] = await admitted(pools.ledger, user)
    ledger, _ = make_ledger(pools.ledger)
    fence = (await taken(ledger, claim(purchase_id)))[0].fence
    onlooker = await asyncpg.connect(database_url)
    async with rival.transaction():
        await rival.execute(f"SELECT FROM {held} FOR UPDATE")
        edge = asyncio.ensure_future(taken(ledger, end(purchase_id, fence)))
        while not await onlooker.fetchval(WAITS):  # the edge's transaction has begun
            await asyncio.sleep(0)
        before = await rival.fetchval("SELECT clock_timestamp()")
    await edge
    told = [event.event_time.ToDatetime(UTC) for event in await log_of(pools, purchase_id)]
    fed = await onlooker.fetchval("SELECT max(created_at) FROM user_feed")
    await onlooker.close()
    assert fed >= before
    assert held == "users" or told[-1] >= before
