"""schema.sql is what the migrations add up to."""

import asyncpg

from services.catalog import schema


async def test_the_schema_file_is_fresh(database_url: str) -> None:
    connection = await asyncpg.connect(database_url)
    try:
        found = await schema.dump(connection)
    finally:
        await connection.close()
    assert found == schema.FILE.read_text(), (
        "migrate an empty database, then run `python -m services.catalog.schema` on it"
    )
