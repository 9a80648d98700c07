"""`git pull`, `./studio up`: a release on top of the data that the one before has made."""

import asyncio
import json
import os
import subprocess
import sys
import sysconfig
from collections.abc import Iterator
from pathlib import Path

import asyncpg
import pytest

from tests import patient
from tests.postgres import temporary_data
from tests.system.stack import CHECKOUT, Stack

LOCK = "requirements.lock"


def git(folder: Path, *arguments: str) -> None:
    somebody = ["-c", "user.name=Somebody", "-c", "user.email=somebody@studio.test"]
    options = ["-c", "safe.directory=*", "-c", "commit.gpgsign=false", *somebody]
    done = subprocess.run(
        ["git", *options, *arguments], cwd=folder, check=False, capture_output=True, text=True,
        env=os.environ | {"GIT_CONFIG_GLOBAL": os.devnull},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr


def installed(checkout: Path) -> None:
    """Leave .venv as the installation would, with the packages of our own."""
    venv = checkout / ".venv"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", venv], check=True)
    packages = next((venv / "lib").glob("python3*/site-packages"))
    paths = [checkout, checkout / "gen", sysconfig.get_path("purelib")]
    (packages / "image_studio.pth").write_text("".join(f"{path}\n" for path in paths))
    (venv / "bin" / "nats-server").symlink_to(Path(sys.executable).with_name("nats-server"))
    done = venv / ".installed"
    done.mkdir()
    (done / LOCK).write_bytes((checkout / LOCK).read_bytes())
    (done / "root").write_text(f"{checkout}\n")


@pytest.fixture
def origin() -> Iterator[Path]:
    """The repository that is pulled from: this checkout's last commit."""
    if not (CHECKOUT / ".git").exists():
        pytest.skip("this is no clone: there is nothing to pull")
    with temporary_data() as folder:
        git(folder, "clone", "--quiet", "--single-branch", str(CHECKOUT), str(folder / "origin"))
        yield folder / "origin"


def release(origin: Path) -> int:
    """Commit a release with one more migration; return its number."""
    folder = origin / "services" / "catalog" / "migrations"
    number = 1 + max(int(path.name[:4]) for path in folder.glob("*.sql"))
    text = "ALTER TABLE image_jobs ADD COLUMN of_next_release TEXT NOT NULL DEFAULT 'kept';\n"
    (folder / f"{number:04}_next.sql").write_text(text)
    git(origin, "add", ".")
    git(origin, "commit", "--quiet", "--message", "The next release")
    return number


async def migrated(data: Path) -> tuple[int, list[str]]:
    """Return the database's version, and what the new column says of the jobs."""
    url = (data / "secrets" / "database_url").read_text().strip()
    connection = await asyncpg.connect(url)
    version = await connection.fetchval("SELECT max(version) FROM schema_migrations")
    rows = await connection.fetch("SELECT of_next_release FROM image_jobs")
    await connection.close()
    return version, [row[0] for row in rows]


def test_a_pull_and_a_start_migrate_and_keep_everything(origin: Path) -> None:
    with temporary_data() as data:
        stack, checkout = Stack(data), origin.with_name("checkout")
        git(origin, "clone", "--quiet", str(origin), str(checkout))
        installed(checkout)

        def studio(*arguments: str) -> str:
            done = subprocess.run(
                [checkout / "studio", *arguments], env=stack.environment, check=False,
                capture_output=True, text=True, timeout=180,
            )  # fmt: skip
            assert done.returncode == 0, done.stderr
            assert "installing" not in done.stderr
            return done.stdout

        try:
            made = json.loads(studio("generate", "from before", "--size", "64x64", "--json"))
            (image,) = made["images"]
            picture = patient.get(image["url"]).content
            number = release(origin)
            git(checkout, "pull", "--quiet")
            studio("down")
            studio("up", "--detach")
            assert asyncio.run(migrated(data)) == (number, ["kept"])
            assert patient.get(image["url"]).content == picture
            (job,) = json.loads(studio("jobs", "--json"))
            assert (job["job_id"], job["prompt"]) == (made["job_id"], "from before")
            again = json.loads(studio("generate", "from after", "--size", "64x64", "--json"))
            assert again["state"] == "succeeded"
        finally:
            studio("down")
