"""Every query fits the migrated schema and the rights of the role that runs it."""

import re
from pathlib import Path

import pytest

from services.catalog.database import Pools, open_pools
from services.catalog.queries import SQL, Queries, Query

# Queries of studio_user that do not name the user themselves, and why.
NAMELESS = {
    "find_jobs": "the function takes the user from the transaction",
    "find_variants": "the function takes the user from the transaction",
}

OF_ALL_WORKERS = {
    "bury_silent_workers",
    "cap_heartbeats",
    "next_death",
}  # a few rows, which change all the time


_SOUGHT = re.compile(r"Filter: \(+(job_id|purchase_id) = ")  # a row among others


@pytest.fixture(params=sorted(SQL.all))
def query(request: pytest.FixtureRequest) -> Query:
    return SQL.all[request.param]


async def test_every_query_is_prepared_and_permitted(pools: Pools) -> None:
    for query in SQL.all.values():
        pool = pools.user if query.role == "studio_user" else pools.ledger
        async with pool.acquire() as connection:
            await connection.prepare(query.text)
            await connection.execute(f"EXPLAIN (GENERIC_PLAN) {query.text}")


async def test_a_new_connection_looks_up_no_types(database_url: str) -> None:
    """Each such look takes PostgreSQL long, on every connection, when all are new after a kill."""
    fresh, sent = await open_pools(database_url, user=1, ledger=1), list[str]()
    try:
        for role, pool in (("studio_user", fresh.user), ("studio_ledger", fresh.ledger)):
            async with pool.acquire() as connection:
                with connection.query_logger(lambda said: sent.append(said.query)):
                    await connection.fetchval("SELECT 1")  # that it is heard
                    for query in SQL.all.values():
                        if query.role == role:
                            await connection.prepare(query.text)
    finally:
        await fresh.close()
    assert sent == ["SELECT 1"] * 2


async def test_the_ledger_finds_rows_by_index_even_in_empty_tables(pools: Pools) -> None:
    """
    Its plans are made once, at the first call, when a new database has no rows yet.

    One that finds a row by its number does not look for it among all of somebody's.
    """
    async with pools.ledger.acquire() as connection:
        for query in SQL.all.values():
            if query.role == "studio_ledger" and query.name not in OF_ALL_WORKERS:
                nulls = len((await connection.prepare(query.text)).get_parameters()) * ["NULL"]
                await connection.execute(f"PREPARE asked AS {query.text}")
                asked = f"asked({', '.join(nulls)})" if nulls else "asked"
                plan = await connection.fetch(f"EXPLAIN EXECUTE {asked}")
                assert "Seq Scan" not in str(plan), query.name
                assert not _SOUGHT.search(str(plan)), query.name
                await connection.execute("DEALLOCATE asked")


def test_every_query_of_a_user_names_the_user(query: Query) -> None:
    if query.role == "studio_user" and query.name not in NAMELESS:
        statement = re.sub(r"--.*", "", query.text)
        assert re.search(r"user_id\b[^=]*= \$1|VALUES \(\$1|\(user_id,", statement), statement


def test_every_query_is_used(query: Query) -> None:
    folder = Path(__file__).parents[2] / "services" / "catalog"
    code = "".join(path.read_text() for path in folder.glob("*.py"))
    assert re.search(rf"SQL\.{query.name}\b", code)


def test_two_queries_of_one_name_are_refused(tmp_path: Path) -> None:
    for name in ("one.sql", "two.sql"):
        (tmp_path / name).write_text("-- name: same\nSELECT 1;\n")
    with pytest.raises(ValueError, match=r"same is in one\.sql and in two\.sql"):
        Queries(tmp_path)


def test_a_fragment_is_put_in_where_it_is_named(tmp_path: Path) -> None:
    text = "-- role: studio_user\n-- fragment: two\n2\n-- name: answer\nSELECT 4/*two*/;\n"
    (tmp_path / "one.sql").write_text(text)
    found = Queries(tmp_path).all["answer"]
    assert (found.text, found.role, found.file) == ("SELECT 42", "studio_user", "one.sql")


def test_a_query_that_is_nowhere_is_said_so() -> None:
    with pytest.raises(AttributeError, match="no file in queries/ has '-- name: nothing'"):
        _ = SQL.nothing
