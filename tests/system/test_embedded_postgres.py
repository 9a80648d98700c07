"""The embedded PostgreSQL by itself: private, durable, and back after any death."""

import asyncio
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import asyncpg
import pytest

from tests.ports import free_port
from tests.postgres import Postgres, running_postgres, temporary_data

# Holds the shared memory for a second or so: it looks at no signal while it counts.
BUSY = "SELECT count(*) FROM generate_series(1, 30000000) AS busy"
IS_BUSY = """SELECT count(*) FROM pg_stat_activity
             WHERE state = 'active' AND query LIKE '%AS busy' AND pid <> pg_backend_pid()"""


async def value(url: str, query: str) -> object:
    connection = await asyncpg.connect(url)
    try:
        return await connection.fetchval(query)
    finally:
        await connection.close()


async def test_what_is_committed_is_flushed_to_disk(postgres_url: str) -> None:
    assert await value(postgres_url, "SHOW fsync") == "on"
    assert await value(postgres_url, "SHOW synchronous_commit") == "on"
    assert await value(postgres_url, "SHOW full_page_writes") == "on"


async def test_who_begins_a_file_of_the_log_holds_nobody_up_for_long(postgres_url: str) -> None:
    assert await value(postgres_url, "SHOW wal_segment_size") == "4MB"


async def test_nobody_comes_in_without_the_password(postgres_url: str) -> None:
    user, _, rest = postgres_url.removeprefix("postgresql://").partition(":")
    open_url = f"postgresql://{user}@{rest.partition('@')[2]}"
    with pytest.raises(asyncpg.InvalidPasswordError):
        await asyncpg.connect(open_url, password="guess")


async def test_the_password_is_readable_by_its_owner_alone(postgres: Postgres) -> None:
    for name in ("postgres_password", "database_url"):
        assert (postgres.data / "secrets" / name).stat().st_mode & 0o777 == 0o600
    command_line = Path(f"/proc/{postgres.pid}/cmdline").read_bytes()
    password = (postgres.data / "secrets" / "postgres_password").read_bytes().strip()
    assert password not in command_line


async def test_a_killed_postmaster_starts_again_while_its_backends_live() -> None:
    port = free_port()
    with temporary_data() as data:
        with running_postgres(data, port) as first:
            connection = await asyncpg.connect(first.url)
            await connection.execute("CREATE TABLE kept AS SELECT 42 AS answer")
            busy = asyncio.ensure_future(connection.fetchval(BUSY))
            while not await value(first.url, IS_BUSY):
                pass
            os.kill(first.pid, signal.SIGKILL)
        with running_postgres(data, port) as second:
            assert await value(second.url, "SELECT answer FROM kept") == 42
        busy.cancel()
        await asyncio.gather(busy, return_exceptions=True)


async def test_a_stale_pid_file_with_a_stranger_s_pid_does_not_block_the_start(
    postgres: Postgres,
) -> None:
    port, stranger = free_port(), postgres.pid  # of the same user
    with temporary_data() as data:
        with running_postgres(data, port):
            pass
        stale = data / "postgres" / "postmaster.pid"
        stale.write_text(f"{stranger}\n{data / 'postgres'}\n0\n{port}\n\n127.0.0.1\n0 0\n")
        with running_postgres(data, port) as server:
            assert await value(server.url, "SELECT 1") == 1


def start(data: Path) -> subprocess.CompletedProcess[str]:
    environment = os.environ | {"STUDIO_DATA": str(data), "POSTGRES_PORT": str(free_port())}
    command = [sys.executable, "-m", "services.catalog.embedded"]
    return subprocess.run(
        command, check=False, env=environment, capture_output=True, text=True, timeout=60
    )


@pytest.mark.parametrize(
    ("files", "words"),
    [({"PG_VERSION": "99\n"}, "written by PostgreSQL 99"), ({"base": ""}, "holds no database")],
)
def test_a_folder_that_is_not_ours_is_left_as_it_is(files: dict[str, str], words: str) -> None:
    with temporary_data() as data:
        cluster = data / "postgres"
        cluster.mkdir()
        for name, text in files.items():
            (cluster / name).write_text(text)
        done = start(data)
        assert done.returncode == 1
        assert words in done.stderr
        assert sorted(path.name for path in cluster.iterdir()) == sorted(files)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root changes the user")
async def test_root_in_a_closed_folder_finds_the_database_elsewhere_and_again(
    tmp_path: Path,
) -> None:
    data, port = tmp_path / "data", free_port()
    data.mkdir(mode=0o700)
    with running_postgres(data, port) as first:
        await value(first.url, "CREATE TABLE kept AS SELECT 42 AS answer")
        assert Path(f"/proc/{first.pid}").stat().st_uid != 0
    with running_postgres(data, port) as second:
        assert await value(second.url, "SELECT answer FROM kept") == 42
    elsewhere = Path((data / "postgres.moved").read_text().strip())
    assert elsewhere.is_relative_to("/var/lib/image-studio")
    shutil.rmtree(elsewhere.parent)
