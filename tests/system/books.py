"""What PostgreSQL has of some jobs, row by row, to be compared with itself later."""

import asyncio
from typing import Any

import asyncpg

_TABLES = {
    "image_jobs": "SELECT * FROM image_jobs WHERE job_id = ANY ($1) ORDER BY 1",
    "purchases": "SELECT * FROM purchases WHERE job_id = ANY ($1) ORDER BY purchase_id",
    "purchase_outputs": """SELECT o.* FROM purchase_outputs o JOIN purchases USING (purchase_id)
                           WHERE job_id = ANY ($1) ORDER BY purchase_id, index""",
    "job_events": "SELECT * FROM job_events WHERE job_id = ANY ($1) ORDER BY job_id, sequence",
    "image_variants": "SELECT * FROM image_variants WHERE job_id = ANY ($1) ORDER BY variant_id",
}


def ask(stack: Any, query: str, *arguments: object) -> list[asyncpg.Record]:
    """Return the rows of *query* on the stack's own PostgreSQL."""
    url = (stack.data / "secrets" / "database_url").read_text().strip()

    async def asked() -> list[asyncpg.Record]:
        connection = await asyncpg.connect(url)
        try:
            return await connection.fetch(query, *arguments)
        finally:
            await connection.close()

    return asyncio.run(asked())


def states(stack: Any, jobs: list[str]) -> list[str]:
    """In which state each purchase of *jobs* is."""
    return [row["state"] for row in books(stack, jobs)["purchases"]]


def books(stack: Any, jobs: list[str]) -> dict[str, list[dict[str, Any]]]:
    """Every row of *jobs*, by table."""
    ids = [int(job.rpartition("/")[2]) for job in jobs]
    return {
        table: [dict(row) for row in ask(stack, query, ids)] for table, query in _TABLES.items()
    }
