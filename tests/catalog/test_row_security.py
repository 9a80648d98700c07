"""The second line: a user's query that forgets its WHERE clause still sees one user."""

import asyncpg
import pytest

from services.catalog.database import as_ledger, as_user
from tests.catalog.shelf import Person, Shelf

OWNED = {  # tables of users, and the rows that `filled` writes for each of two users
    "users": 1,
    "api_keys": 1,
    "image_jobs": 1,
    "job_events": 1,
    "purchases": 1,
    "purchase_outputs": 1,
    "image_files": 1,
    "image_variants": 1,
    "spending": 1,
    "language_calls": 1,
    "user_feed": 1,
    "charge_settlements": 1,
}
SHARED = {"image_presets"}  # the system's are everybody's to read
NOBODYS = {  # studio_user may not look
    "workers", "permits", "webhook_inbox", "listings", "restores", "schema_migrations",
}  # fmt: skip


async def _fill(shelf: Shelf, owner: Person) -> None:
    job = await shelf.job(owner)
    purchase = await shelf.purchase(owner, job)
    await shelf.variant(owner, job)
    user = owner.user_id
    await shelf.run("INSERT INTO job_events VALUES ($1, 1, 'accepted', '')", job)
    await shelf.run(
        "INSERT INTO purchase_outputs (purchase_id, index, source, state) "
        "VALUES ($1, 0, 'receipt', 'kept')",
        purchase,
    )
    await shelf.run(
        "INSERT INTO charge_settlements VALUES ($1, $2, 'no', 0, 5, $2, now())", purchase, user
    )
    await shelf.run("INSERT INTO spending (user_id, period) VALUES ($1, '2026-11-01')", user)
    await shelf.run(
        "INSERT INTO language_calls (reservation_id, user_id, period, reserved) "
        "VALUES (gen_random_uuid(), $1, '2026-11-01', 1)",
        user,
    )
    await shelf.run("INSERT INTO user_feed VALUES ($1, 1, 'image_published', '')", user)
    await shelf.run(
        "INSERT INTO image_presets (user_id, preset_key, name) VALUES ($1, 'own', 'Own')", user
    )


@pytest.fixture
async def filled(shelf: Shelf) -> tuple[Person, Person]:
    ann, bob = await shelf.person(), await shelf.person()
    await _fill(shelf, ann)
    await _fill(shelf, bob)
    return ann, bob


async def test_no_table_is_forgotten(shelf: Shelf) -> None:
    async with as_ledger(shelf.pools.ledger) as connection:
        rows = await connection.fetch(
            "SELECT relname, relrowsecurity, relforcerowsecurity FROM pg_class "
            "WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace"
        )
    assert {row["relname"] for row in rows} == {*OWNED, *SHARED, *NOBODYS}
    secured = {row["relname"] for row in rows if row["relrowsecurity"] and row[2]}
    assert secured == {*OWNED, *SHARED}


@pytest.mark.parametrize("table", sorted(OWNED))
async def test_without_a_where_clause_only_the_users_own_rows_come(
    shelf: Shelf, filled: tuple[Person, Person], table: str
) -> None:
    ann, _bob = filled
    async with as_user(shelf.pools.user, ann.user_id) as connection:
        assert await connection.fetchval(f"SELECT count(*) FROM {table}") == OWNED[table]
    async with shelf.pools.user.acquire() as connection:  # no user was set
        assert await connection.fetchval(f"SELECT count(*) FROM {table}") == 0
    assert await shelf.run(f"SELECT count(*) FROM {table}") >= 2


async def test_presets_are_the_users_own_and_the_systems(
    shelf: Shelf, filled: tuple[Person, Person]
) -> None:
    ann, _bob = filled
    async with as_user(shelf.pools.user, ann.user_id) as connection:
        owners = await connection.fetch("SELECT DISTINCT user_id FROM image_presets")
    assert {row["user_id"] for row in owners} == {1, ann.user_id}


@pytest.mark.parametrize("table", sorted(NOBODYS))
async def test_what_is_nobodys_cannot_be_read(shelf: Shelf, table: str) -> None:
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        async with as_user(shelf.pools.user, 2) as connection:
            await connection.fetch(f"SELECT * FROM {table}")


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE image_variants SET is_favorite = true",
        "UPDATE api_keys SET revoked_at = now()",
        "UPDATE spending SET cap = 0",
        "UPDATE image_presets SET name = 'mine now'",
        "DELETE FROM image_presets",
    ],
)
async def test_a_change_without_a_where_clause_reaches_only_the_users_own(
    shelf: Shelf, filled: tuple[Person, Person], change: str
) -> None:
    ann, _bob = filled
    async with as_user(shelf.pools.user, ann.user_id) as connection:
        assert (await connection.execute(change)).endswith(" 1")


@pytest.mark.parametrize(
    "forbidden",
    [
        "UPDATE image_variants SET cost = 0",
        "UPDATE spending SET spent = 0",
        "UPDATE api_keys SET scopes = '{caps}'",
        "DELETE FROM image_variants",
        "UPDATE image_jobs SET title = ''",
        "INSERT INTO users (subject) VALUES ('more')",
        "UPDATE purchases SET charged = 'no'",
        "UPDATE charge_settlements SET charged = 'yes'",
    ],
)
async def test_what_only_the_ledger_may_is_refused(
    shelf: Shelf, filled: tuple[Person, Person], forbidden: str
) -> None:
    ann, _bob = filled
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        async with as_user(shelf.pools.user, ann.user_id) as connection:
            await connection.execute(forbidden)


@pytest.mark.parametrize(
    ("insert", "more"),
    [
        ("image_presets (user_id, preset_key, name) VALUES ($1, 'theirs', '')", ""),
        ("image_presets (user_id, preset_key, name, is_system) VALUES ($1, 's', '', true)", "own"),
        ("api_keys (user_id, hash, hint, label, scopes) VALUES ($1, '', '', '', '{}')", ""),
        ("spending (user_id, period, cap) VALUES ($1, '2027-01-01', 1)", ""),
    ],
)
async def test_nobody_writes_a_row_in_anothers_name(
    shelf: Shelf, filled: tuple[Person, Person], insert: str, more: str
) -> None:
    ann, bob = filled
    with pytest.raises(asyncpg.InsufficientPrivilegeError, match="row-level security"):
        async with as_user(shelf.pools.user, ann.user_id) as connection:
            await connection.execute(f"INSERT INTO {insert}", ann.user_id if more else bob.user_id)


async def test_a_search_by_words_takes_the_user_from_the_transaction(
    shelf: Shelf, filled: tuple[Person, Person]
) -> None:
    ann, _bob = filled
    search = "SELECT count(*) FROM variants_with_words('lighthouse', 1000000, 10, true)"
    jobs = "SELECT count(*) FROM jobs_with_words('lighthouse', 1000000, 10)"
    async with as_user(shelf.pools.user, ann.user_id) as connection:
        assert [await connection.fetchval(query) for query in (search, jobs)] == [1, 1]
    async with shelf.pools.user.acquire() as connection:
        assert [await connection.fetchval(query) for query in (search, jobs)] == [0, 0]
