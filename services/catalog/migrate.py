"""
Brings a database to the schema of this release: `python -m services.catalog.migrate`.

Numbered files in `migrations/`, forward only, each in a transaction of its own that gives
up rather than wait long for a lock. Any number of these may run at once.
"""

import asyncio
import hashlib
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import asyncpg

from chassis import settings
from services.catalog.reach import ROLES, given_url, is_gone

_FOLDER = Path(__file__).parent / "migrations"
_LOCK = 0x1A6E57D0  # of pg_advisory_lock: one migrator at a time in a database
_TRIES = 5
_PATIENCE = 30.0  # seconds for a database that is just starting


class CannotMigrate(Exception):
    """The database stays as it is; the message says what to do."""


@dataclass(frozen=True, slots=True)
class Migration:
    """One file: *version* and *name* from "0001_tables.sql", *digest* of its text."""

    version: int
    name: str
    text: str

    @property
    def digest(self) -> str:
        return hashlib.sha256(self.text.encode()).hexdigest()


def known(folder: Path = _FOLDER) -> list[Migration]:
    """Return the migrations of this release, in order, without a gap."""
    found = []
    for path in sorted(folder.glob("*.sql")):
        number, _, name = path.stem.partition("_")
        found.append(Migration(int(number), name, path.read_text()))
    if [migration.version for migration in found] != list(range(1, len(found) + 1)):
        raise CannotMigrate(f"{folder} is incomplete; check the release out again")
    return found


async def migrate(
    connection: asyncpg.Connection, folder: Path = _FOLDER, *, tries: int = _TRIES
) -> list[str]:
    """
    Apply what is missing and return the names; CannotMigrate where that must not be.

    A table that somebody has locked is tried for so many times.
    """
    migrations = known(folder)
    await connection.execute("SELECT pg_advisory_lock($1)", _LOCK, timeout=300)
    try:
        return await _bring_up(connection, migrations, tries)
    except asyncpg.InsufficientPrivilegeError as error:
        raise CannotMigrate(await _for_the_administrator(connection)) from error
    finally:
        if not connection.is_closed():
            await connection.execute("SELECT pg_advisory_unlock($1)", _LOCK)


async def _bring_up(
    connection: asyncpg.Connection, migrations: list[Migration], tries: int
) -> list[str]:
    await make_roles(connection)
    await connection.execute(_TABLE)
    applied = await connection.fetch("SELECT version, name, digest FROM schema_migrations")
    _check(migrations, {row["version"]: row for row in applied})
    missing = migrations[len(applied) :]
    for migration in missing:
        await _apply(connection, migration, tries)
    return [f"{migration.version:04}_{migration.name}" for migration in missing]


_TABLE = """
    CREATE TABLE IF NOT EXISTS schema_migrations (
        version    INTEGER PRIMARY KEY,
        name       TEXT NOT NULL,
        digest     TEXT NOT NULL,
        applied_at TIMESTAMPTZ NOT NULL DEFAULT now()
    )"""


def _check(migrations: list[Migration], applied: dict[int, asyncpg.Record]) -> None:
    """Refuse a database of a newer release, and a history that is not ours."""
    newest, ours = max(applied, default=0), len(migrations)
    if newest > ours:
        raise CannotMigrate(
            f"The database is at version {newest}, of a newer release than this one, which "
            f"knows {ours}. Use the newer release; nothing was changed."
        )
    for migration in migrations[: len(applied)]:
        row = applied.get(migration.version)
        if row is None or row["digest"] != migration.digest:
            raise CannotMigrate(
                f"Migration {migration.version:04}_{migration.name} differs from the one that "
                "this database was made with. Put its file back as it was, and write the change "
                "as a new migration; nothing was changed."
            )


async def _apply(connection: asyncpg.Connection, migration: Migration, tries: int) -> None:
    """Run one file; a lock that somebody holds is waited for 2 s, a few times."""
    for left in reversed(range(tries)):
        try:
            async with connection.transaction():
                await connection.execute("SET LOCAL lock_timeout = '2s'")
                await connection.execute(migration.text, timeout=3600)
                await connection.execute(
                    "INSERT INTO schema_migrations (version, name, digest) VALUES ($1, $2, $3)",
                    *(migration.version, migration.name, migration.digest),
                )
                return
        except asyncpg.LockNotAvailableError as error:
            if not left:
                raise CannotMigrate(
                    f"Migration {migration.version:04}_{migration.name} waits for a table that a "
                    "long transaction holds. End that transaction (see pg_stat_activity), then "
                    "start again; the migrations before it are applied."
                ) from error
            await asyncio.sleep(0.2)


async def make_roles(connection: asyncpg.Connection) -> None:
    """Have the two roles and the right to become them; roles belong to the whole server."""
    for role in ROLES:
        if not await connection.fetchval(_HAS_ROLE, role):
            await connection.execute(_CREATE_ROLE.format(role=role))
        if not await connection.fetchval(_CAN_BECOME, role):
            await connection.execute(f"GRANT {role} TO CURRENT_USER")


_HAS_ROLE = "SELECT to_regrole($1) IS NOT NULL"
_CAN_BECOME = "SELECT pg_has_role($1::regrole, 'SET')"
# Migrators of two databases of one server do not see each other's lock.
_CREATE_ROLE = """
    DO $$ BEGIN CREATE ROLE {role} NOLOGIN;
    EXCEPTION WHEN duplicate_object OR unique_violation THEN NULL; END $$"""


async def _for_the_administrator(connection: asyncpg.Connection) -> str:
    """Say which of the needed rights are missing, as SQL."""
    ourselves, database = await connection.fetchrow(
        "SELECT quote_ident(current_user), quote_ident(current_database())"
    ) or ("", "")
    lines = [
        f"CREATE ROLE {role} NOLOGIN;"
        for role in ROLES
        if not await connection.fetchval(_HAS_ROLE, role)
    ]
    lines.append(f"GRANT {', '.join(ROLES)} TO {ourselves};")
    if not await connection.fetchval("SELECT pg_has_role('pg_database_owner', 'USAGE')"):
        lines.append(f"ALTER DATABASE {database} OWNER TO {ourselves};")
    return (
        "The role of DATABASE_URL lacks rights. Let an administrator of that PostgreSQL run "
        "this, then start again:\n\n    " + "\n    ".join(lines)
    )


async def _connect(url: str) -> asyncpg.Connection:
    end = time.monotonic() + _PATIENCE
    while True:
        try:
            return await asyncpg.connect(url, timeout=5, command_timeout=60)
        except (asyncpg.PostgresError, asyncpg.InterfaceError, OSError) as error:
            if not is_gone(error) or time.monotonic() > end:
                raise CannotMigrate(
                    f"DATABASE_URL cannot be reached ({type(error).__name__}: {error}). Check its "
                    "host, port, database, role and password."
                ) from error
            await asyncio.sleep(0.2)


async def _check_whole(connection: asyncpg.Connection) -> None:
    """Refuse to work with what came back in part: what is open in it might be bought again."""
    what = await connection.fetchval(
        "SELECT what FROM restores WHERE finished_at IS NULL ORDER BY restore_id DESC LIMIT 1"
    )
    if what == "restore":
        raise CannotMigrate(
            "A restore of this database did not get to its end. Do it again: ./studio restore FROM "
            "--replace, with the copy that it was from."
        )
    if what:
        raise CannotMigrate(
            "A rebuild of this database did not get to its end. Do it again: ./studio rebuild."
        )


async def _main(url: str) -> None:
    connection = await _connect(url)
    try:
        for name in await migrate(connection):
            print(f"migrate: applied {name}", file=sys.stderr)
        await _check_whole(connection)
    finally:
        await connection.close()


def main() -> None:
    """Migrate the database of DATABASE_URL; exit 78 where an administrator is needed."""
    try:
        asyncio.run(_main(given_url()))
    except CannotMigrate as error:
        print(f"migrate: {error}", file=sys.stderr)
        raise SystemExit(settings.EX_CONFIG) from None


if __name__ == "__main__":
    main()
