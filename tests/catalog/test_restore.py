"""A copy of a database in use, put back: what was open in it is never bought again."""

import asyncio
import os
from contextlib import nullcontext

import asyncpg
import pytest

from services.catalog import backup, migrate, rebuild, restore
from services.catalog.database import as_ledger, open_pools
from tests.catalog.purchases import (
    absent,
    admitted,
    claim,
    drawn,
    end,
    found,
    keep,
    make_ledger,
    next_attempt,
    taken,
    ticket,
    unclear,
)

STATES = "SELECT purchase_id::text, state, owner, restored FROM purchases ORDER BY ordinal, attempt"


async def rows(url, query=STATES):
    connection = await asyncpg.connect(url)
    try:
        return [tuple(row) for row in await connection.fetch(query)]
    finally:
        await connection.close()


@pytest.fixture
async def begun(pools):
    """One job with a purchase in each open state: the ids, in the order of STATES."""
    async with as_ledger(pools.ledger) as connection:
        user = await connection.fetchval(
            "INSERT INTO users (subject) VALUES ('somebody') RETURNING user_id"
        )
    ledger, _ = make_ledger(pools.ledger)
    planned, sending, running, known, lost = await admitted(pools.ledger, user, 5, reserve=40_000)
    await taken(ledger, *map(claim, (sending, running, known, lost)))
    await taken(ledger, ticket(running, 1), ticket(known, 1), drawn(known, 1, cost=40_000))
    await taken(ledger, unclear(lost, 1))
    return planned, sending, running, known, lost


@pytest.fixture
async def copied(database_url, begun, tmp_path):
    """A copy of that, and what was open in it."""
    facts = await backup.copy(database_url, tmp_path / "copy")
    assert facts.found["open_purchases"] == 5
    return tmp_path / "copy", begun


async def put_back(url, path):
    with path.open("rb") as copy:
        await asyncio.to_thread(restore.restore, url, copy)


async def test_a_copy_is_for_its_owner_alone(copied, database_url, tmp_path):
    assert copied[0].stat().st_size > 0
    done = await asyncio.create_subprocess_exec(
        *(os.sys.executable, "-m", "services.catalog.backup", str(tmp_path / "other")),
        env=os.environ | {"DATABASE_URL": database_url},
        stdout=asyncio.subprocess.DEVNULL,
    )
    assert await done.wait() == 0
    assert (tmp_path / "other").stat().st_mode & 0o777 == 0o600


async def test_what_may_have_been_sent_since_is_unclear_and_the_rest_goes_on(copied, empty_url):
    path, ids = copied
    await put_back(empty_url, path)
    assert await rows(empty_url) == [
        (purchase_id, state, None, True)
        for purchase_id, state in zip(
            ids, ("unclear", "unclear", "running", "drawn", "unclear"), strict=True
        )
    ]
    late = "SELECT count(*) FROM purchases WHERE state = 'unclear' AND deadline > now() + '59 min'"
    assert await rows(empty_url, late) == [(2,)]  # found, they may still be drawn
    told = "SELECT kind FROM job_events ORDER BY sequence DESC LIMIT 2"
    assert await rows(empty_url, told) == [("unclear",), ("unclear",)]


async def test_until_the_vault_was_looked_through_no_catalog_starts(copied, empty_url):
    path, _ = copied
    await put_back(empty_url, path)
    with pytest.raises(migrate.CannotMigrate, match="restore"):
        await migrate._main(empty_url)
    await rebuild.rebuild(empty_url, [])
    await migrate._main(empty_url)


@pytest.mark.parametrize(("listing", "status"), [(b"", 1), (b'{"end": true}\n', 0)])
async def test_what_breaks_off_is_not_taken_for_the_whole_vault(copied, empty_url, listing, status):
    path, _ = copied
    await put_back(empty_url, path)
    done = await asyncio.create_subprocess_exec(
        *(os.sys.executable, "-m", "services.catalog.rebuild"),
        env=os.environ | {"DATABASE_URL": empty_url},
        stdin=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    _, said = await done.communicate(listing)
    assert done.returncode == status
    assert (b"has no end" in said) is bool(status)
    with pytest.raises(migrate.CannotMigrate) if status else nullcontext():
        await migrate._main(empty_url)


@pytest.mark.parametrize("fate", ["absent", "refused"])
async def test_nothing_is_bought_in_the_place_of_what_was_open(copied, empty_url, fate):
    """What followed it is not known here, and was perhaps bought already."""
    path, (planned, _sending, running, *_) = copied
    await put_back(empty_url, path)
    pools = await open_pools(empty_url)
    ledger, _ = make_ledger(pools.ledger)
    which = planned if fate == "absent" else running
    [after] = await taken(ledger, claim(which))
    if fate == "absent":
        await taken(ledger, absent(which, after.fence, next_attempt()))
    else:
        await taken(ledger, end(which, after.fence, next_=next_attempt()))
    await pools.close()
    states = {row[0]: row[1] for row in await rows(empty_url)}
    assert len(states) == 5
    assert states[which] == ("void" if fate == "absent" else "ended")


async def test_what_is_found_at_the_provider_is_followed_and_kept(copied, empty_url):
    path, (planned, *_) = copied
    await put_back(empty_url, path)
    pools = await open_pools(empty_url)
    ledger, _ = make_ledger(pools.ledger)
    [after] = await taken(ledger, claim(planned))
    fence = after.fence
    await taken(
        ledger, found(planned, fence, "theirs"), drawn(planned, fence), keep(planned, fence)
    )
    await pools.close()
    assert (await rows(empty_url))[0][1] == "kept"


async def test_what_is_admitted_afterwards_is_bought_as_ever(copied, empty_url):
    path, _ = copied
    await put_back(empty_url, path)
    await rebuild.rebuild(empty_url, [])
    pools = await open_pools(empty_url)
    ledger, _ = make_ledger(pools.ledger)
    async with as_ledger(pools.ledger) as connection:
        user = await connection.fetchval("SELECT user_id FROM users WHERE subject = 'somebody'")
    [new] = await admitted(pools.ledger, user, reserve=1)
    await taken(ledger, claim(new), unclear(new, 1), absent(new, 1, next_attempt(1)))
    await pools.close()
    jobs = "SELECT job_id, (SELECT count(*) FROM purchases USING (job_id)) FROM image_jobs"
    assert len(await rows(empty_url)) == 7
    numbers = sorted(await rows(empty_url, jobs.partition(", (")[0] + " FROM image_jobs"))
    assert numbers[1][0] - numbers[0][0] > 9_000  # those in between may be known to somebody


async def test_a_database_with_anything_in_it_is_left_as_it_is(copied, database_url):
    path, _ = copied
    before = await rows(database_url)
    with pytest.raises(restore.CannotRestore, match="not empty"):
        await put_back(database_url, path)
    assert await rows(database_url) == before


async def test_half_a_copy_leaves_nothing_behind(copied, empty_url):
    path, _ = copied
    whole = path.read_bytes()
    path.write_bytes(whole[:-100])  # in the last table: the others have gone by
    with pytest.raises(restore.CannotRestore, match="nothing of it was"):
        await put_back(empty_url, path)
    assert await rows(empty_url, "SELECT relname FROM pg_class WHERE relnamespace = 2200") == []
