"""The pools: what a connection may, what it leaves behind, what its failure becomes."""

import asyncio
import os
import subprocess
import sys
from urllib.parse import urlsplit
from uuid import uuid4

import asyncpg
import pytest

from chassis.errors import Unavailable
from chassis.settings import EX_CONFIG
from services.catalog import database
from services.catalog.database import Pools, as_ledger, as_user
from tests.catalog.conftest import run_as_owner
from tests.ports import free_port


async def test_nothing_that_is_sent_makes_more_of_a_connection(pools: Pools) -> None:
    for pool, role in ((pools.user, "studio_user"), (pools.ledger, "studio_ledger")):
        async with pool.acquire() as connection:
            for words in ("RESET ROLE", "RESET ALL", "SELECT 1"):
                await connection.execute(words)
                assert await connection.fetchval("SELECT current_user") == role


async def test_the_user_is_forgotten_with_the_transaction(pools: Pools) -> None:
    async with as_user(pools.user, 7) as connection:
        assert await connection.fetchval("SELECT studio_user_id()") == 7
    async with pools.user.acquire() as connection:
        assert await connection.fetchval("SELECT studio_user_id()") is None


async def test_an_open_transaction_does_not_go_back_to_the_pool(pools: Pools) -> None:
    async with pools.user.acquire() as connection:
        await connection.execute("BEGIN; SET LOCAL studio.user_id = '7'")
    async with pools.user.acquire() as connection:
        assert await connection.fetchval("SELECT studio_user_id()") is None


async def test_objects_and_uuids_travel_as_python_has_them(pools: Pools) -> None:
    made, words = str(uuid4()), {"a": [1, None, "ä"]}
    async with as_ledger(pools.ledger) as connection:
        row = await connection.fetchrow(
            "SELECT $1::uuid AS made, $2::uuid[] AS several, $3::jsonb AS words",
            *(made, [made, made], words),
        )
    assert row is not None
    assert (row["made"], row["several"], row["words"]) == (made, [made, made], words)


async def test_a_lost_connection_is_unavailable_and_the_next_one_works(
    pools: Pools, database_url: str
) -> None:
    async def be_cut_off() -> None:
        async with as_user(pools.user, 7) as connection:
            pid = await connection.fetchval("SELECT pg_backend_pid()")
            await run_as_owner(database_url, f"SELECT pg_terminate_backend({pid}, 5000)")
            await connection.fetchval("SELECT 1")

    with pytest.raises(Unavailable) as failure:
        await be_cut_off()
    assert failure.value.reason == "SERVICE_UNAVAILABLE"
    async with as_user(pools.user, 7) as connection:
        assert await connection.fetchval("SELECT 1") == 1


async def test_a_wrong_question_stays_our_own_defect(pools: Pools) -> None:
    with pytest.raises(asyncpg.UndefinedTableError):
        async with as_user(pools.user, 7) as connection:
            await connection.fetchval("SELECT 1 FROM nowhere")
    with pytest.raises(asyncpg.DataError):
        async with as_user(pools.user, 7) as connection:
            await connection.fetchval("SELECT $1::int", "seven")


async def test_a_full_pool_is_unavailable_and_not_for_ever(database_url: str) -> None:
    pools = await database.open_pools(database_url, user=1)
    async with as_user(pools.user, 1):
        with pytest.raises(Unavailable):
            async with as_user(pools.user, 2):
                pass
    await pools.close()


async def test_a_database_that_never_answers_is_unavailable_in_the_end() -> None:
    url = f"postgresql://nobody@127.0.0.1:{free_port()}/none"
    with pytest.raises(Unavailable):
        await database.open_pools(url, patience=0.3)


async def test_a_database_that_starts_later_is_waited_for(migrated: str) -> None:
    port = free_port()
    late = asyncio.create_task(database.open_pools(_at(migrated, port)))
    asked = asyncio.Event()

    async def refuse(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        asked.set()
        writer.close()

    async with await asyncio.start_server(refuse, "127.0.0.1", port):
        await asked.wait()  # it has found nobody who speaks PostgreSQL
    real = urlsplit(migrated)

    async def pass_on(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        onward = await asyncio.open_connection(real.hostname, real.port)
        await asyncio.gather(_copy(reader, onward[1]), _copy(onward[0], writer))

    async with await asyncio.start_server(pass_on, "127.0.0.1", port):
        pools = await late
        async with as_user(pools.user, 7) as connection:
            assert await connection.fetchval("SELECT 1") == 1
        await pools.close()


async def _copy(source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
    while chunk := await source.read(65536):
        sink.write(chunk)
        await sink.drain()
    sink.close()


def _at(url: str, port: int) -> str:
    found = urlsplit(url)
    return found._replace(netloc=f"{found.netloc.rsplit(':', 1)[0]}:{port}").geturl()


@pytest.mark.parametrize("program", ["audit", "migrate", "schema"])
def test_a_program_without_a_database_says_which_setting_it_lacks(program: str) -> None:
    done = subprocess.run(
        [sys.executable, "-P", "-m", f"services.catalog.{program}"],
        env={name: value for name, value in os.environ.items() if name != "DATABASE_URL"},
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == EX_CONFIG
    assert done.stderr == "settings: DATABASE_URL is not set: postgresql://…\n"
