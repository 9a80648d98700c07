"""
What holds up the living for longer than the silence that is death takes none of them for dead, on
a real PostgreSQL: a disk that stands still, a server that does, all connections lent, a locked
table, a clock that is set. Whoever is dead is found all the same.
"""

import asyncio
import os
import signal
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from datetime import timedelta
from pathlib import Path

import asyncpg
import pytest
from structlog.testing import capture_logs

from imagestudio.catalog.v1 import ledger_pb2, ledger_service_pb2
from services.catalog import workers
from services.catalog.database import as_ledger, connect, open_pools
from services.catalog.sweeper import Sweeper
from tests.catalog.purchases import make_ledger

PATIENCE = 0.9  # seconds
HICCUP = 2 * PATIENCE
COMMIT = "SELECT pg_logical_emit_message(true, 'test', repeat('x', 1 << 18))"
# Stands before PostgreSQL's own for whoever looks in `public` first; it is set with `leap`.
CLOCK = """
    CREATE TABLE leap AS SELECT interval '0' AS leap;
    CREATE FUNCTION public.clock_timestamp() RETURNS timestamptz LANGUAGE sql VOLATILE
        AS 'SELECT pg_catalog.clock_timestamp() + leap FROM leap';
    GRANT SELECT ON leap TO studio_ledger"""


class Watch:
    """A sweeper by hand, and two workers: *living*, which beats, and *dead*, which never does."""

    def __init__(self, pools, postgres, sweeping, owner) -> None:
        self.pools, self.postgres, self.sweeping, self.owner = pools, postgres, sweeping, owner
        ledger, news = make_ledger(pools.ledger)
        self.sweeper = Sweeper(connect=None, ledger=ledger, news=news, patience=PATIENCE)

    async def sweep(self) -> None:
        await self.sweeper.bury(self.sweeping)
        await self.sweeper.sweep(self.sweeping)

    async def beat(self, worker: str) -> bool:
        """Whether it is alive by the ledger's word; it is made known by its first beat."""
        limit = ledger_pb2.ProviderLimit(provider="sketch")
        request = ledger_service_pb2.HeartbeatRequest(worker_id=worker)
        if worker not in await self.known():
            request.limits.append(limit)
        return (await workers.beat(self.pools.ledger, request, PATIENCE)).alive

    async def known(self) -> set[str]:
        rows = await self.owner.fetch("SELECT worker_id FROM workers")
        return {row["worker_id"] for row in rows}

    async def until_death(self, worker: str) -> None:
        """Sweep until it is found dead, while *living* beats."""
        async with asyncio.timeout(60):
            while worker in await self.known():
                await self.beat("living")
                await self.sweep()


@pytest.fixture
async def watch(database_url, postgres):
    """A watch that trusts a silence by now; its ledger has one connection, and so one clock."""
    owner = await asyncpg.connect(database_url)
    await owner.execute(CLOCK)
    pools = await open_pools(database_url, ledger=1)
    sweeping = await connect(database_url, "studio_ledger")
    async with as_ledger(pools.ledger) as lent:
        await lent.execute("SET search_path = public, pg_catalog")
    await sweeping.execute("SET search_path = public, pg_catalog")
    found = Watch(pools, postgres, sweeping, owner)
    await found.beat("dead")
    await found.until_death("dead")
    yield found
    await pools.close()
    await sweeping.close()
    await owner.close()


@asynccontextmanager
async def disk(watch):
    """
    Commits wait, as for a disk that does not answer, and what reads goes on.

    Who writes the log for all of them is stopped while he does.
    """
    owner, writer = watch.owner, await asyncpg.connect(watch.postgres.url)
    pid = writer.get_server_pid()

    async def write() -> None:
        while True:
            await writer.execute(COMMIT)

    writing = asyncio.create_task(write())
    try:
        async with asyncio.timeout(300):  # it is luck where a stop comes
            while not await is_stopped_within(owner, pid, "WalWrite"):
                assert not writing.done()
        yield
    finally:
        os.kill(pid, signal.SIGCONT)
        writing.cancel()
        with suppress(asyncio.CancelledError):
            await writing
        writer.terminate()


async def is_stopped_within(owner, pid: int, event: str) -> bool:
    """
    Stop a backend, and have it go on where it waits for anything else.

    Whoever is stopped while he holds what every reader needs is not where he should be either:
    the question about him is answered once he goes on.
    """
    os.kill(pid, signal.SIGSTOP)
    asked = asyncio.ensure_future(
        owner.fetchval("SELECT wait_event FROM pg_stat_activity WHERE pid = $1", pid)
    )
    answered, _ = await asyncio.wait([asked], timeout=1)
    if answered and asked.result() == event:
        return True
    os.kill(pid, signal.SIGCONT)
    await asked
    return False


@asynccontextmanager
async def server(watch):
    """All of PostgreSQL is stopped (Linux)."""
    top = watch.postgres.pid
    children = Path(f"/proc/{top}/task/{top}/children").read_text().split()
    stopped = [top, *map(int, children)]
    try:
        for each in stopped:
            os.kill(each, signal.SIGSTOP)
        yield
    finally:
        for each in stopped:
            with suppress(ProcessLookupError):
                os.kill(each, signal.SIGCONT)


@asynccontextmanager
async def connections(watch):
    """Slow transactions have every connection that a heartbeat could go by."""
    async with AsyncExitStack() as lent:
        for _ in range(watch.pools.ledger.get_max_size()):
            await lent.enter_async_context(as_ledger(watch.pools.ledger))
        yield


@asynccontextmanager
async def table(watch):
    """A slow transaction has locked what a heartbeat writes."""
    async with watch.owner.transaction():
        await watch.owner.execute("LOCK TABLE workers")
        yield


@pytest.mark.parametrize("hiccup", [disk, server, connections, table])
async def test_what_holds_up_the_living_is_no_death_of_theirs(watch, hiccup):
    async def sweep_on() -> None:
        while not over.is_set():
            await watch.sweep()

    over, now = asyncio.Event(), asyncio.get_running_loop().time
    assert await watch.beat("living")
    async with hiccup(watch):
        until = now() + HICCUP
        sweeping = asyncio.create_task(sweep_on())
        while now() < until:
            await asyncio.sleep(0.02)
        over.set()
    await sweeping
    assert "living" in await watch.known()
    await watch.sweep()
    assert await watch.beat("living")
    await watch.beat("dead")
    await watch.until_death("dead")


@pytest.mark.parametrize("seconds", [60, -60])
async def test_a_clock_that_is_set_kills_nobody_and_raises_no_dead(watch, seconds):
    await watch.beat("dead")
    assert await watch.beat("living")
    await watch.owner.execute("UPDATE leap SET leap = $1", timedelta(seconds=seconds))
    for _ in range(2):
        await watch.sweep()
        assert {"dead", "living"} <= await watch.known()
    assert await watch.beat("living")
    await watch.until_death("dead")
    assert await watch.beat("living")


async def test_a_sweep_without_a_database_is_told_once_by_who_found_it_gone(database_url, pools):
    ledger, news = make_ledger(pools.ledger)
    again, times = asyncio.Event(), iter(range(2))

    async def begin() -> asyncpg.Connection:
        if next(times):
            again.set()
        return await connect(database_url, "studio_ledger")

    sweeper = Sweeper(connect=begin, ledger=ledger, news=news, pause=0.01)
    await pools.ledger.close()
    with capture_logs() as lines:
        sweeping = asyncio.create_task(sweeper.run())
        await asyncio.wait_for(again.wait(), 60)
        sweeping.cancel()
    assert {line["event"] for line in lines} == {"the database does not answer"}
