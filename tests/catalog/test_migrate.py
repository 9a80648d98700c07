"""Migrations: forward only, one at a time, and never over a history that is not ours."""

import asyncio
import os
import shutil
import subprocess
import sys
from pathlib import Path
from urllib.parse import urlsplit

import asyncpg
import pytest

from services.catalog import database
from services.catalog import migrate as code
from services.catalog.migrate import CannotMigrate, known, migrate
from tests.catalog.conftest import run_as_owner

FOLDER = Path(code.__file__).parent / "migrations"


@pytest.fixture
def copied(tmp_path: Path) -> Path:
    """The migrations in a folder that a test may change."""
    return Path(shutil.copytree(FOLDER, tmp_path / "migrations"))


async def _migrate(url: str, folder: Path = FOLDER, **more: int) -> list[str]:
    connection = await asyncpg.connect(url)
    try:
        return await migrate(connection, folder, **more)
    finally:
        await connection.close()


async def test_every_migration_is_applied_once(empty_url: str) -> None:
    assert len(await _migrate(empty_url)) == len(known())
    assert await _migrate(empty_url) == []


async def test_two_at_once_do_not_get_in_each_others_way(empty_url: str) -> None:
    first, second = await asyncio.gather(_migrate(empty_url), _migrate(empty_url))
    assert sorted([len(first), len(second)]) == [0, len(known())]


async def test_a_database_of_a_newer_release_is_refused(empty_url: str, copied: Path) -> None:
    await _migrate(empty_url)
    newest = known()[-1].version
    for path in copied.glob(f"{newest:04}_*.sql"):
        path.unlink()
    with pytest.raises(CannotMigrate, match="newer release"):
        await _migrate(empty_url, copied)


async def test_an_edited_migration_is_refused(empty_url: str, copied: Path) -> None:
    await _migrate(empty_url)
    first = next(copied.glob("0001_*.sql"))
    first.write_text(first.read_text() + "-- edited\n")
    with pytest.raises(CannotMigrate, match="0001_tables differs"):
        await _migrate(empty_url, copied)


async def test_a_migration_that_fails_leaves_nothing_behind(empty_url: str, copied: Path) -> None:
    number = len(known()) + 1
    bad = copied / f"{number:04}_bad.sql"
    bad.write_text("CREATE TABLE half (id INTEGER); SELECT 1/0;")
    with pytest.raises(asyncpg.DivisionByZeroError):
        await _migrate(empty_url, copied)
    bad.write_text("CREATE TABLE half (id INTEGER);")
    assert await _migrate(empty_url, copied) == [f"{number:04}_bad"]


async def test_a_locked_table_ends_the_start_with_a_word(database_url: str, copied: Path) -> None:
    (copied / f"{len(known()) + 1:04}_more.sql").write_text("ALTER TABLE users ADD more INTEGER;")
    holder = await asyncpg.connect(database_url)
    async with holder.transaction():
        await holder.execute("LOCK TABLE users IN ACCESS SHARE MODE")
        with pytest.raises(CannotMigrate, match="pg_stat_activity"):
            await _migrate(database_url, copied, tries=2)
    await holder.close()


async def test_a_gap_in_the_files_is_refused(copied: Path) -> None:
    next(copied.glob("0001_*.sql")).unlink()
    with pytest.raises(CannotMigrate, match="incomplete"):
        known(copied)


async def test_a_plain_owner_migrates_once_an_administrator_made_the_roles(
    empty_url: str, migrated: str
) -> None:
    await run_as_owner(
        empty_url,
        "CREATE ROLE plain LOGIN PASSWORD 'plain'",
        "GRANT studio_user, studio_ledger TO plain",
        f"ALTER DATABASE {urlsplit(empty_url).path[1:]} OWNER TO plain",
    )
    try:
        owner = empty_url.split("@", maxsplit=1)[0].removeprefix("postgresql://")
        plain = empty_url.replace(owner, "plain:plain")
        await _migrate(plain)
        pools = await database.open_pools(plain)
        async with database.as_user(pools.user, 2) as connection:
            assert await connection.fetchval("SELECT count(*) FROM image_presets") == 12
        await pools.close()
    finally:
        await run_as_owner(
            empty_url,
            "REASSIGN OWNED BY plain TO studio",
            "DROP OWNED BY plain",
            "DROP ROLE plain",
        )


async def test_a_role_that_may_make_none_is_told_the_sql(empty_url: str) -> None:
    await run_as_owner(empty_url, "CREATE ROLE lowly LOGIN PASSWORD 'lowly'")
    try:
        owner = empty_url.split("@", maxsplit=1)[0].removeprefix("postgresql://")
        done = _run(empty_url.replace(owner, "lowly:lowly"))
        assert done.returncode == 78
        assert "GRANT studio_user, studio_ledger TO lowly;" in done.stderr
        assert "lowly:lowly" not in done.stderr
    finally:
        await run_as_owner(empty_url, "DROP ROLE lowly")


def test_without_an_address_it_says_what_to_set() -> None:
    done = _run("")
    assert (done.returncode, "DATABASE_URL" in done.stderr) == (78, True)


def _run(url: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "services.catalog.migrate"],
        env=os.environ | {"DATABASE_URL": url},
        capture_output=True,
        text=True,
        check=False,
    )
