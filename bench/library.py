"""
What a large library costs to look at: a page of the gallery, a search, filters, a report.

The catalog's own code answers in this process, on the stack's own PostgreSQL, as two kinds of
users: one with a fifth of all variants, and fifty with the rest.
"""

import random
import time
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta

import asyncpg
import uvloop

from bench.report import Report, parser, percentile
from chassis.bus import Bus
from imagestudio.catalog.v1 import catalog_service_pb2 as pb
from imagestudio.catalog.v1.usage_pb2 import USAGE_GROUPING_DAY
from services.catalog import pages
from services.catalog.database import Pools, open_pools
from services.catalog.ledger import Ledger
from services.catalog.library import Library, open_library
from services.catalog.migrate import migrate
from services.catalog.news import News
from tests.ports import free_port
from tests.postgres import running_postgres, temporary_data

_USERS, _WORDS, _PROMPTS = 51, 2000, 20_000
_BATCH = 20_000  # jobs, with four variants each
_HEAVY = 2  # the user with a fifth of everything; 1 is the system
_PREPARE = f"""
    INSERT INTO users (subject) SELECT 'u' || n FROM generate_series(1, {_USERS}) n;
    CREATE TEMP TABLE prompts AS
        SELECT n, (SELECT string_agg('w' || floor({_WORDS} * power(random(), 3)), ' ')
                   FROM generate_series(1, 30) WHERE n > 0) AS prompt
        FROM generate_series(1, {_PROMPTS}) n;
    CREATE INDEX ON prompts (n)"""
_FILL = f"""
    CREATE TEMP TABLE added AS
    WITH jobs AS (
        INSERT INTO image_jobs (user_id, title, project, state, original_prompt, spec, request_id,
                                fingerprint, last_sequence, open_purchases, created_at)
        SELECT CASE WHEN i % 5 = 0 THEN {_HEAVY} ELSE {_HEAVY + 1} + r.n % {_USERS - 1} END,
               'a job', 'p' || i % 7, 'succeeded', prompt, '{{"models": ["sketch"]}}',
               gen_random_uuid(), '', 9, 0,
               now() - (2000000 - BATCH * {_BATCH} - i) * interval '10 seconds'
        FROM generate_series(1, {_BATCH}) i,
             LATERAL (SELECT (random() * 1e9)::int + 0 * i AS n) r
             JOIN prompts ON prompts.n = 1 + r.n % {_PROMPTS}
        RETURNING job_id, user_id, original_prompt, created_at)
    SELECT jobs.*, k, gen_random_uuid() AS purchase_id FROM jobs, generate_series(0, 3) k;
    INSERT INTO purchases (purchase_id, job_id, user_id, provider, model_key, ordinal, attempt,
                           state, fingerprint, period, reserved, cost, charged, created_at)
        SELECT purchase_id, job_id, user_id, 'sketch', 'sketch-' || k % 3, k, 1, 'kept', '',
               date_trunc('month', created_at)::date, 40000, 40000, 'yes', created_at FROM added;
    INSERT INTO image_files
        SELECT user_id, md5(purchase_id::text), purchase_id, 'image/png', 65536, 1024, 1024, true,
               created_at FROM added;
    INSERT INTO image_variants (job_id, user_id, version_number, model_key, original_prompt,
                                cdn_url, thumbnail_url, width, height, seed, cost, image_hash,
                                purchase_id, output_index, media_type, bytes, created_at)
        SELECT job_id, user_id, k + 1, 'sketch-' || k % 3, original_prompt, '/i/' || purchase_id,
               '/i/' || purchase_id || '/thumbnail', 1024, CASE k WHEN 0 THEN 1024 ELSE 576 END, 7,
               40000, md5(purchase_id::text), purchase_id, 0, 'image/png', 65536, created_at
        FROM added ORDER BY job_id, k;
    DROP TABLE added"""
_BARE = "SELECT * FROM image_variants WHERE user_id = $1 ORDER BY variant_id DESC LIMIT 51"

Look = Callable[[int], Awaitable[object]]


async def fill(url: str, variants: int, seconds: float) -> int:
    """Write *variants*, or as many as *seconds* allow; return how many there are."""
    connection = await asyncpg.connect(url, command_timeout=600)
    await migrate(connection)
    await connection.execute(_PREPARE)
    end, batches = time.monotonic() + seconds, 0
    while batches * _BATCH * 4 < variants and time.monotonic() < end:
        await connection.execute(_FILL.replace("BATCH", str(batches)))
        batches += 1
    await connection.execute("VACUUM ANALYZE")
    await connection.close()
    return batches * _BATCH * 4


def looks(library: Library, bare: asyncpg.Connection) -> dict[str, tuple[Look, float, float]]:
    """Return what is looked at, each with the most and the aim of its p99 in milliseconds."""
    variants, long_ago = library.variants, datetime.now(UTC) - timedelta(days=3000)

    def listed(**narrowed: object) -> Look:
        def ask(user: int) -> Awaitable[object]:
            request = pb.ListVariantsRequest(parent="jobs/-", page_size=50)
            for name, value in narrowed.items():
                if isinstance(value, datetime):
                    getattr(request.filter, name).FromDatetime(value)
                else:
                    setattr(request.filter, name, value)
            return variants.newest(user, request, pages.page(request, user))

        return ask

    def searched(user: int) -> Awaitable[object]:
        words = " ".join(f"w{int(_WORDS * random.random() ** 3)}" for _ in range(2))
        request = pb.SearchVariantsRequest(parent="jobs/-", page_size=50)
        request.filter.query = words
        return variants.search(user, request, pages.page(request, user))

    def report(user: int) -> Awaitable[object]:
        request = pb.GetUsageRequest(group_by=USAGE_GROUPING_DAY)
        request.start_time.FromDatetime(long_ago)
        return library.usage.report(user, request)

    return {
        "a bare indexed SELECT of 51 rows": (lambda user: bare.fetch(_BARE, user), 0, 0),
        "a page of the gallery": (listed(), 20, 5),
        "a search for two words": (searched, 100, 30),
        "an aspect that nothing has": (listed(aspect="3:1"), 0, 0),
        "a time before everything": (listed(created_before=long_ago), 0, 0),
        "a report on all that there is, by day": (report, 0, 0),
    }


def _library(pools: Pools) -> Library:
    """A library whose news nobody hears."""
    news = News(Bus("nats://127.0.0.1:1", "bench"), pools.ledger, "http://127.0.0.1")
    return open_library(pools, Ledger(pools.ledger, news), news, server_cap=None)


async def measure(url: str, report: Report, calls: int) -> None:
    """Ask each a number of times, half of them as the user who has most."""
    pools, bare = await open_pools(url), await asyncpg.connect(url)
    for name, (look, most, aim) in looks(_library(pools), bare).items():
        took = []
        for number in range(calls):
            user = _HEAVY if number % 2 else random.randint(_HEAVY + 1, _HEAVY + _USERS - 1)
            began = time.perf_counter()
            await look(user)
            took.append(1000 * (time.perf_counter() - began))
        demands = {"most": most, "aim": aim} if most else {}
        report.add(f"{name}, p50", percentile(took, 0.5), "ms")
        report.add(f"{name}, p99", percentile(took, 0.99), "ms", **demands)
    await bare.close()
    await pools.close()


async def _main(url: str, variants: int, seconds: float, calls: int) -> Report:
    began = time.monotonic()
    found = await fill(url, variants, seconds)
    report = Report(f"A library of {found:,} variants, {_USERS} users, one of them with a fifth")
    report.notes.append(f"Filled in {time.monotonic() - began:.0f} s.")
    await measure(url, report, calls)
    return report


def main() -> None:
    """Run it in about four minutes."""
    options = parser(__doc__)
    options.add_argument("--variants", type=int, default=1_000_000)
    options.add_argument("--seconds", type=float, default=180.0, help="for filling it at most")
    options.add_argument("--calls", type=int, default=400, help="of each kind")
    chosen = options.parse_args()
    with temporary_data() as data, running_postgres(data, free_port()) as postgres:
        work = _main(postgres.url, chosen.variants, chosen.seconds, chosen.calls)
        report = uvloop.run(work)
    report.show(chosen.json)


if __name__ == "__main__":
    main()
