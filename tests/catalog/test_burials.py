"""Whoever is dead is found by a sweeper that is slow, or fails at what else it has to do."""

import asyncio
from contextlib import asynccontextmanager, suppress
from urllib.parse import urlsplit

import asyncpg
import pytest
from structlog.testing import capture_logs

from services.catalog import workers
from services.catalog.database import as_ledger, connect, open_pools
from services.catalog.sweeper import Sweeper
from tests.catalog.purchases import admitted, beat, claim, make_ledger, taken, ticket

PATIENCE = 1.5  # seconds
SOON = 60.0  # seconds: many times as long as it takes


@pytest.fixture
async def left(pools, user):
    """A sweeper yet to be connected; of "dead", which has spoken once, is the one purchase."""
    ledger, news = make_ledger(pools.ledger)
    [purchase] = await admitted(pools.ledger, user)
    await workers.beat(pools.ledger, beat("dead"), PATIENCE)
    await taken(ledger, claim(purchase, "dead"))
    await taken(ledger, ticket(purchase, 1))
    return Sweeper(connect=None, ledger=ledger, news=news, patience=PATIENCE)


@asynccontextmanager
async def slow(url, seconds):
    """Where a PostgreSQL answers whose every answer is so late."""
    real = urlsplit(url)

    async def pass_on(reader, writer):
        theirs, to_them = await asyncio.open_connection(real.hostname, real.port)
        await asyncio.gather(copy(reader, to_them, 0), copy(theirs, writer, seconds))

    async def copy(source, sink, late):
        loop = asyncio.get_running_loop()
        with suppress(OSError):
            while chunk := await source.read(65536):
                loop.call_later(late, sink.write, chunk)
        sink.close()

    async with await asyncio.start_server(pass_on, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        yield real._replace(netloc=f"{real.netloc.rsplit(':', 1)[0]}:{port}").geturl()


@asynccontextmanager
async def running(sweeper):
    task = asyncio.create_task(sweeper.run())
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def freed(pools):
    async with asyncio.timeout(SOON):
        while await owner(pools) is not None:
            await asyncio.sleep(0.05)


async def owner(pools):
    async with as_ledger(pools.ledger) as connection:
        return await connection.fetchval("SELECT owner FROM purchases")


async def test_a_sweep_that_takes_its_time_keeps_no_dead_unburied(pools, database_url, left):
    async with slow(database_url, 0.3) as url:
        left.connect = lambda: connect(url, "studio_ledger")
        async with running(left):
            await freed(pools)


@pytest.mark.parametrize("limit", ["statement_timeout", "transaction_timeout"])
async def test_a_step_that_always_fails_keeps_no_dead_unburied(pools, database_url, left, limit):
    """The second one takes the sweep's connection with it."""

    async def limited():
        connection = await connect(database_url, "studio_ledger")
        await connection.execute(f"SET {limit} = 300")
        return connection

    left.connect, left.pause = limited, 0.05
    holder = await asyncpg.connect(database_url)
    async with holder.transaction():
        await holder.execute("LOCK TABLE language_calls")
        async with running(left):
            await freed(pools)
    await holder.close()


async def test_a_heartbeat_that_does_not_end_keeps_no_other_unburied(pools, database_url, left):
    """A catalog that stands still in the middle of one holds its row."""
    left.connect = lambda: connect(database_url, "studio_ledger")
    await workers.beat(pools.ledger, beat("beating"), PATIENCE)
    holder = await asyncpg.connect(database_url)
    async with holder.transaction():
        await holder.execute("UPDATE workers SET heartbeat_at = now() WHERE worker_id = 'beating'")
        async with running(left):
            await freed(pools)
        assert await holder.fetchval("SELECT count(*) FROM workers") == 1
    await holder.close()


async def test_a_clock_that_was_set_back_keeps_no_dead_unburied(pools, database_url, left):
    left.connect = lambda: connect(database_url, "studio_ledger")
    async with as_ledger(pools.ledger) as connection:
        later = "UPDATE workers SET heartbeat_at = heartbeat_at + interval '10 min'"
        await connection.execute(later)
    async with running(left):
        await freed(pools)


async def test_a_burial_is_followed_by_a_sweep_at_once(pools, database_url, left):
    left.connect = lambda: connect(database_url, "studio_ledger")
    left.pause = 10_000.0
    async with running(left):
        await freed(pools)


async def test_a_full_pool_holds_up_the_burials_and_stops_no_sweep(pools, database_url, left):
    small, connected = await open_pools(database_url, user=1, ledger=1), []

    async def counted():
        connected.append(await connect(database_url, "studio_ledger"))
        return connected[-1]

    left.connect, left.ledger = counted, make_ledger(small.ledger)[0]
    async with running(left):
        with capture_logs() as lines:
            async with as_ledger(small.ledger), asyncio.timeout(SOON):
                while not lines:
                    await asyncio.sleep(0.05)
        assert "the database does not answer" in lines[0]["event"]
        await freed(pools)
    assert len(connected) == 2  # the watch's and the sweep's, from first to last
    await small.close()
