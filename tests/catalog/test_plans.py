"""What is asked of a large library is answered from indexes, not by reading every row."""

from datetime import UTC, datetime, timedelta
from typing import Any

import asyncpg
import pytest

from services.catalog.database import Pools, as_user
from services.catalog.pages import NEWEST
from services.catalog.queries import SQL

JOBS, EACH = 2000, 4
PROMPT = " ".join(["lighthouse"] * 100)  # wide rows, as real ones are
FILL = f"""
    INSERT INTO users (subject) SELECT 'reader' || n FROM generate_series(1, 2) n;
    INSERT INTO image_files
        SELECT user_id, 'h' || n, 'l' || n || '-' || user_id, 'image/png', 1, 1, 1, true
        FROM users, generate_series(1, {JOBS}) n;
    INSERT INTO image_jobs (user_id, title, state, original_prompt, spec, request_id, fingerprint,
                            last_sequence, open_purchases, created_at)
        SELECT user_id, 't', 'succeeded', '', '{{}}', gen_random_uuid(), '', 1, 0,
               now() - n * interval '1 minute'
        FROM users, generate_series(1, {JOBS}) n WHERE subject <> 'system';
    INSERT INTO image_variants (job_id, user_id, version_number, model_key, original_prompt,
                                cdn_url, thumbnail_url, width, height, cost, image_hash,
                                purchase_id, output_index, media_type, bytes, created_at)
        SELECT job_id, user_id, n, 'sketch', '{PROMPT}', '/i/x', '/i/x', 1024, 1024, 0,
               'h' || n,
               gen_random_uuid(), 0, 'image/png', 1, created_at
        FROM image_jobs, generate_series(1, {EACH}) n;
    INSERT INTO purchases (purchase_id, job_id, user_id, provider, model_key, ordinal, attempt,
                           state, fingerprint, period, reserved)
        SELECT purchase_id, job_id, user_id, 'sketch', 'sketch', version_number, 1, 'published',
               '', current_date, 0
        FROM image_variants"""


@pytest.fixture
async def reader(database_url: str) -> int:
    """A user of two that have a library."""
    connection = await asyncpg.connect(database_url)
    await connection.execute(FILL)
    await connection.execute("VACUUM ANALYZE")
    found: int = await connection.fetchval("SELECT max(user_id) FROM users")
    await connection.close()
    return found


async def plan(pools: Pools, user_id: int, query: str, *arguments: Any) -> str:
    async with as_user(pools.user, user_id) as connection:
        rows = await connection.fetch(f"EXPLAIN (ANALYZE, TIMING OFF) {query}", *arguments)
    return "\n".join(row[0] for row in rows)


def filters(**given: Any) -> list[Any]:
    """Return $4 to $15 of list_variants."""
    names = ("jobs", "deleted", "favorites", "rating", "models", "since", "before", "aspect")
    wanted = {"deleted": False, "favorites": False} | given
    return [wanted.get(name) for name in names] + [None] * 4


LONG_AGO = datetime.now(UTC) - timedelta(days=900)


@pytest.mark.parametrize(
    "narrowed",
    [{"aspect": 3.0}, {"before": LONG_AGO}, {"since": LONG_AGO + timedelta(days=1800)},
     {"aspect": 3.0, "before": LONG_AGO, "deleted": True}],
    ids=" ".join,
)  # fmt: skip
async def test_a_filter_that_finds_nothing_walks_over_an_index_alone(
    pools: Pools, reader: int, narrowed: dict[str, Any]
) -> None:
    found = await plan(pools, reader, SQL.list_variants, reader, NEWEST, 51, *filters(**narrowed))
    assert "Index Only Scan Backward using image_variants_pkey" in found
    assert f"Rows Removed by Filter: {JOBS * EACH}" in found
    assert "Seq Scan" not in found


async def test_a_page_reads_no_more_than_itself(pools: Pools, reader: int) -> None:
    found = await plan(pools, reader, SQL.list_variants, reader, NEWEST, 51, *filters())
    assert "Seq Scan" not in found
    assert "Rows Removed by Filter" not in found


@pytest.mark.parametrize(
    "query", [SQL.usage_by_model, SQL.usage_by_project, SQL.usage_by_use_case, SQL.usage_by_day]
)
async def test_a_report_counts_pictures_without_reading_them(
    pools: Pools, reader: int, query: str
) -> None:
    end = datetime.now(UTC) + timedelta(days=1)
    found = await plan(pools, reader, query, reader, LONG_AGO, end)
    assert "Index Only Scan using image_variants_job_id_version_number_key" in found
    assert "Seq Scan on image_variants" not in found
