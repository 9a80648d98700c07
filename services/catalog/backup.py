"""
Copies a database that is in use into one file: `python -m services.catalog.backup FILE`.

`pg_dump` reads one snapshot, and so do we: what is said of the copy on standard output, a
JSON object, is true of it. The database is DATABASE_URL's.
"""

import asyncio
import json
import os
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import asyncpg

from services.catalog.embedded import CannotRun
from services.catalog.programs import environment, program

_LOCKS = "60s"  # a table that somebody alters is waited for so long
_FACTS = """
    SELECT now() AS made_at, current_setting('server_version') AS postgres,
           (SELECT max(version) FROM schema_migrations) AS schema_version,
           (SELECT count(*) FROM users) AS users,
           (SELECT count(*) FROM image_jobs) AS jobs,
           (SELECT count(*) FROM image_variants) AS variants,
           (SELECT count(*) FROM purchases
            WHERE state IN ('planned', 'sending', 'running', 'drawn', 'unclear')) AS open_purchases,
           EXISTS (SELECT FROM restores WHERE finished_at IS NULL) AS unfinished"""


class CannotCopy(Exception):
    """There is no copy; the message says what to do."""


@dataclass(frozen=True, slots=True)
class Facts:
    """What is true of a copy."""

    found: dict[str, Any]

    @property
    def text(self) -> str:
        return json.dumps(self.found)


async def copy(url: str, target: Path) -> Facts:
    """Write the database of *url* to *target*, which must not exist; raise CannotCopy."""
    try:
        connection = await asyncpg.connect(url, timeout=10, command_timeout=60)
    except (OSError, asyncpg.PostgresError, TimeoutError) as error:
        raise CannotCopy(f"the database does not answer: {error!r}") from error
    try:
        async with connection.transaction(isolation="repeatable_read", readonly=True):
            snapshot = await connection.fetchval("SELECT pg_export_snapshot()")
            facts = await _facts(connection)
            await _dump(url, snapshot, target)
    except asyncpg.UndefinedTableError as error:
        raise CannotCopy("the database is of a release before copies, or empty") from error
    finally:
        await connection.close()
    _make_durable(target)
    return Facts(facts)


async def _facts(connection: asyncpg.Connection) -> dict[str, Any]:
    row = await connection.fetchrow(_FACTS)
    assert row is not None
    if row["unfinished"]:
        raise CannotCopy("the database is half restored or half rebuilt; finish that first")
    facts = {name: value for name, value in row.items() if name != "unfinished"}
    return facts | {"made_at": row["made_at"].isoformat()}


async def _dump(url: str, snapshot: str, target: Path) -> None:
    process = await asyncio.create_subprocess_exec(
        program("pg_dump"), "--format=custom", "--no-password", f"--snapshot={snapshot}",
        f"--lock-wait-timeout={_LOCKS}", f"--file={target}",
        env=environment(url), stdin=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    try:
        _, said = await process.communicate()
    except BaseException:
        process.kill()
        raise
    if process.returncode:
        raise CannotCopy(f"pg_dump: {said.decode(errors='replace').strip()[-2000:]}")


def _make_durable(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def main() -> None:
    """Copy the database of DATABASE_URL into the file that is named."""
    os.umask(0o077)  # it holds prompts, and the hashes of keys
    try:
        print(asyncio.run(copy(os.environ["DATABASE_URL"], Path(sys.argv[1]))).text)
    except (CannotCopy, CannotRun, OSError) as error:
        print(f"backup: {error}", file=sys.stderr)
        raise SystemExit(1) from None


if __name__ == "__main__":
    main()
