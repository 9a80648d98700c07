"""
Makes the rows that are missing of what the vault says, and ends a restore:
`services.storage.inventory | python -m services.catalog.rebuild`, on DATABASE_URL.

What is there already stays. Jobs, variants, files and what they cost come back, under their
numbers where the notes know them; what only the database ever knew (favourites, ratings,
deletions, presets, caps, keys, jobs that brought nothing) does not. Again changes nothing.
"""

import asyncio
import os
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

import asyncpg

from chassis.bus import Bus
from services.catalog import restoring
from services.catalog.database import Pools, as_ledger, open_pools
from services.catalog.ledger import Change, Ledger
from services.catalog.migrate import CannotMigrate, migrate
from services.catalog.news import News
from services.catalog.queries import SQL
from services.catalog.restoring import CannotRebuild
from services.catalog.sidecars import Answer, JobOfVault, Sidecars

# Numbers left out after what is known: the lost ones were given to somebody, as links or as
# another user's, and must not come to mean something else.
GAP = 10_000
END = '{"end": true}'  # of the inventory: what breaks off is not taken for a whole vault
_SEQUENCES = (("users", "user_id"), ("image_jobs", "job_id"), ("image_variants", "variant_id"))


@dataclass(slots=True)
class Report:
    """What was done, and what could not be; *answers* are to orders that nobody knows any more."""

    jobs: int = 0
    variants: int = 0
    problems: list[str] = field(default_factory=list)
    answers: list[Answer] = field(default_factory=list)

    def lines(self) -> list[str]:
        told = f"{self.variants} variants of {self.jobs} jobs came back from the vault"
        whole = "the database lacks nothing that the vault has"
        found = [told if self.jobs or self.problems else whole, *self.problems]
        if self.answers:
            found.append(
                "answers to orders that nobody knows any more; a vendor's may have been charged "
                f"({len(self.answers)}; see docs/backup.md):"
            )
        return [*found, *map(str, self.answers)]


async def rebuild(url: str, lines: Iterable[str], *, anew: bool = False) -> Report:
    """
    Add to the database of *url* what *lines* tell and it lacks, or *anew* make all of it.

    Raises CannotRebuild, and CannotMigrate.
    """
    found, report = Sidecars.read(lines), Report()
    if anew and not found.jobs:
        raise CannotRebuild("the vault tells of no picture, so nothing is dropped")
    if anew and (forgotten := await drop(url)):
        report.problems.append(f"{forgotten} purchases were open, and are forgotten")
    came_back = await _begin(url)
    if found.unread:
        report.problems.append(f"{found.unread} notes could not be read")
    pools = await open_pools(url)
    try:
        async with as_ledger(pools.ledger) as connection:
            await restoring.users(connection, found)
        ledger = Ledger(pools.ledger, News(Bus("nats://127.0.0.1", "rebuild"), pools.ledger, ""))
        for job in found.jobs.values():
            await _one(pools, ledger, found, job, report)
        async with as_ledger(pools.ledger) as connection:
            for file in found.files:
                await restoring.file(connection, file)
            asked = [answer.purchase_id for answer in found.answers]
            there = {str(row[0]) for row in await connection.fetch(SQL.purchases_there, asked)}
        report.answers = [one for one in found.answers if one.purchase_id not in there]
    finally:
        await pools.close()
    await _finish(url, GAP if report.jobs or came_back else 0)
    return report


async def _one(
    pools: Pools, ledger: Ledger, found: Sidecars, job: JobOfVault, report: Report
) -> None:
    """Bring one job to what the vault has of it."""
    try:
        async with as_ledger(pools.ledger) as connection:
            changes, variants = await restoring.job(connection, job)
    except CannotRebuild as error:
        report.problems.append(str(error))
        return
    if not changes:
        return
    refused = await _refusals(ledger, changes)
    report.problems += refused
    report.jobs += 1
    report.variants += variants - len(refused)
    async with as_ledger(pools.ledger) as connection:
        await restoring.date(connection, job, found.copies)


async def _refusals(ledger: Ledger, changes: list[Change]) -> list[str]:
    results = await ledger.change(changes)
    return [result.status.message for result in results if result.status.code]


async def drop(url: str) -> int:
    """Forget all that is in the database; return how many purchases were open in it."""
    connection = await asyncpg.connect(url, timeout=10, command_timeout=600)
    try:
        found = 0
        if await connection.fetchval("SELECT to_regclass('purchases')"):
            found = await connection.fetchval(_OPEN)
        await connection.execute(_DROP)
        return int(found)
    finally:
        await connection.close()


_OPEN = """
    SELECT count(*) FROM purchases
    WHERE state IN ('planned', 'sending', 'running', 'drawn', 'unclear')"""
_DROP = """
    BEGIN;
    DROP SCHEMA public CASCADE;
    CREATE SCHEMA public AUTHORIZATION pg_database_owner;
    GRANT USAGE ON SCHEMA public TO PUBLIC;
    COMMIT"""


async def _begin(url: str) -> bool:
    """Bring the schema up and say that this begins; return whether it ends a restore."""
    connection = await asyncpg.connect(url, timeout=10, command_timeout=60)
    try:
        await migrate(connection)
        return await connection.execute(SQL.begin_rebuild) == "INSERT 0 0"
    finally:
        await connection.close()


async def _finish(url: str, gap: int) -> None:
    """Say that all is there, with the numbers moved on by *gap*."""
    connection = await asyncpg.connect(url, timeout=10, command_timeout=60)
    try:
        async with connection.transaction():
            for table, column in _SEQUENCES if gap else ():
                await connection.execute(_MOVE_ON.format(table=table, column=column, gap=gap))
            await connection.execute(SQL.finish_restores)
    finally:
        await connection.close()


_MOVE_ON = """
    SELECT setval(s.name, greatest(s.last, (SELECT max({column}) FROM {table})) + {gap})
    FROM (SELECT pg_get_serial_sequence('{table}', '{column}') AS name,
                 coalesce(pg_sequence_last_value(pg_get_serial_sequence('{table}', '{column}')), 0)
                 AS last) AS s"""


def whole(lines: Iterable[str]) -> Iterator[str]:
    """Yield *lines* but the one that ends them; raise CannotRebuild where they just cease."""
    for line in lines:
        if line.strip() == END:
            return
        yield line
    raise CannotRebuild(
        "the list of the vault's notes has no end, so nothing was made of it; see that the vault "
        "can be read, and do this again"
    )


def main() -> None:
    """Rebuild the database of DATABASE_URL from the notes on standard input."""
    anew = sys.argv[1:] == ["--drop"]
    try:
        report = asyncio.run(rebuild(os.environ["DATABASE_URL"], whole(sys.stdin), anew=anew))
    except (CannotRebuild, CannotMigrate, OSError, asyncpg.PostgresError) as error:
        print(f"rebuild: {error}", file=sys.stderr)
        raise SystemExit(1) from None
    for line in report.lines():
        print(f"rebuild: {line}")
    raise SystemExit(1 if report.problems else 0)


if __name__ == "__main__":
    main()
