"""A cap that is set at the turn of a month, on a real PostgreSQL with a clock that a test sets."""

import asyncio

import asyncpg

from services.catalog.database import open_pools
from services.catalog.queries import SQL
from services.catalog.usage import Usage

# Stands before PostgreSQL's own for whoever looks in `public` first.
CLOCK = """
    CREATE TABLE leap AS SELECT interval '0' AS leap;
    CREATE FUNCTION public.now() RETURNS timestamptz LANGUAGE sql STABLE
        AS 'SELECT pg_catalog.now() + leap FROM leap';
    GRANT SELECT ON leap TO studio_user"""
OURS_FIRST = "SET search_path = public, pg_catalog"
WAITS = "SELECT count(*) FROM pg_locks WHERE NOT granted"


async def test_a_cap_that_is_set_while_a_month_begins_holds_in_that_too(database_url, user):
    admitting, other = [await asyncpg.connect(database_url) for _ in range(2)]
    await other.execute(CLOCK)
    await other.execute(OURS_FIRST)
    pools = await open_pools(database_url, user=1)
    async with pools.user.acquire() as lent:  # the only one
        await lent.execute(OURS_FIRST)
    usage = Usage(pools.user, None)
    await usage.set_cap(user, 1000)
    async with admitting.transaction():
        await admitting.execute("UPDATE spending SET reserved = 1")
        setting = asyncio.create_task(usage.set_cap(user, 10))
        while not await other.fetchval(WAITS):
            assert not setting.done()
        await other.execute("UPDATE leap SET leap = '32 days'")
        await other.execute(SQL.ensure_spending, user)  # the new month's first order
    assert (await setting).cap == 10
    caps = await other.fetch("SELECT cap FROM spending ORDER BY period")
    assert [row["cap"] for row in caps] == [10, 10]
    await pools.close()
    await admitting.close()
    await other.close()
