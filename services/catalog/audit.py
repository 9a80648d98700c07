"""
Prints the whole ledger as JSON, for whoever holds it against what vendors and vault tell:
`python -m services.catalog.audit`, with DATABASE_URL. It reads one snapshot and changes nothing.
"""

import asyncio
import json
import sys
from typing import Any

import asyncpg

from chassis import errors
from services.catalog import database, reach
from services.catalog.queries import SQL

_TABLES = {
    "users": SQL.audit_users,
    "jobs": SQL.audit_jobs,
    "events": SQL.audit_events,
    "purchases": SQL.audit_purchases,
    "outputs": SQL.audit_outputs,
    "variants": SQL.audit_variants,
    "files": SQL.audit_files,
    "spending": SQL.audit_spending,
    "permits": SQL.audit_permits,
}
_PATIENCE = 60.0  # seconds for one table


async def read(connection: asyncpg.Connection) -> dict[str, list[dict[str, Any]]]:
    """Return the rows of each table, all of one moment; money in micro-USD."""
    async with connection.transaction(isolation="repeatable_read", readonly=True):
        return {
            name: [dict(row) for row in await connection.fetch(query, timeout=_PATIENCE)]
            for name, query in _TABLES.items()
        }


async def _main(url: str) -> None:
    connection = await database.connect(url, "studio_ledger")
    try:
        json.dump(await read(connection), sys.stdout, default=str)
    finally:
        await connection.close()


def main() -> None:
    """Audit the database of DATABASE_URL; exit 1 where it does not answer."""
    try:
        asyncio.run(_main(reach.given_url()))
    except errors.Fault as fault:
        raise SystemExit(f"audit: {fault}") from None


if __name__ == "__main__":
    main()
