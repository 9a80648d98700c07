"""
Fills an empty database from a copy: `python -m services.catalog.restore FILE`. With `--mark` in
place of a file it was filled by other means.

The copy is older than what happened. What was open in it may have been bought, drawn and kept
since, or ended, with something else bought in its place. So all that was open is marked, and
what might be sent is made unclear: it is looked up, never sent again, and nothing follows it.
Until `services.catalog.rebuild` has been over it as well, no catalog starts on it.
"""

import asyncio
import os
import shutil
import subprocess
import sys
from contextlib import suppress
from datetime import timedelta
from pathlib import Path
from typing import IO

import asyncpg

from chassis.bus import Bus
from services.catalog import endings, outcome
from services.catalog.database import as_ledger, open_pools
from services.catalog.embedded import CannotRun
from services.catalog.ledger import MOST, Change, Ledger
from services.catalog.migrate import CannotMigrate, known, make_roles, migrate
from services.catalog.news import News
from services.catalog.programs import environment, program
from services.catalog.queries import SQL
from services.catalog.rows import Batch

_BEGUN = b"\nINSERT INTO public.restores (what) VALUES ('restore');\nCOMMIT;\n"
_STILL_DRAWN = timedelta(hours=1)  # as long as anything may take that was sent a moment ago
_SENT_SINCE = "The database came back from a copy: this order may have been sent since."


class CannotRestore(Exception):
    """The database is as it was; the message says what to do."""


async def prepare(url: str) -> None:
    """See that the database of *url* is empty, and make the roles that a copy speaks of."""
    connection = await asyncpg.connect(url, timeout=10, command_timeout=60)
    try:
        tables = await connection.fetchval(
            "SELECT count(*) FROM pg_class WHERE relnamespace = 'public'::regnamespace"
        )
        if tables:
            raise CannotRestore("the database is not empty: restore into an empty one")
        await make_roles(connection)
    finally:
        await connection.close()


def load(url: str, copy: IO[bytes]) -> None:
    """Fill the database from *copy*, with the note that this is not all: all of it or nothing."""
    told = environment(url)
    with (
        subprocess.Popen(
            [program("pg_restore"), "--format=custom", "--file=-"],
            stdin=copy, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=told,
        ) as reading,
        subprocess.Popen(
            [program("psql"), "--no-psqlrc", "--quiet", "--set=ON_ERROR_STOP=1", "--file=-"],
            stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, env=told,
        ) as writing,
    ):  # fmt: skip
        said = _passed_on(reading, writing)
    if reading.returncode or writing.returncode:
        raise CannotRestore(f"the copy could not be read in, and nothing of it was: {said}")


def _passed_on(reading: "subprocess.Popen[bytes]", writing: "subprocess.Popen[bytes]") -> str:
    """Give one program's output to the other, within a transaction; return their complaints."""
    output, into = _there(reading.stdout), _there(writing.stdin)
    try:
        into.write(b"BEGIN;\n")
        shutil.copyfileobj(output, into)
        if reading.wait() == 0:  # else there is no COMMIT
            into.write(_BEGUN)
        into.close()
    except BrokenPipeError:
        reading.kill()  # psql says why
        with suppress(BrokenPipeError):
            into.close()
    said = [_there(process.stderr).read() for process in (reading, writing)]
    return "; ".join(text.decode(errors="replace").strip()[-1000:] for text in said if text)


def _there(pipe: IO[bytes] | None) -> IO[bytes]:
    assert pipe is not None
    return pipe


async def mark(url: str) -> int:
    """Mark what was open in the copy, and return how much of it might have been sent since."""
    pools = await open_pools(url)
    try:
        async with as_ledger(pools.ledger) as connection:
            rows = await connection.fetch(SQL.mark_restored)
        ledger = Ledger(pools.ledger, News(Bus("nats://127.0.0.1", "restore"), pools.ledger, ""))
        doubted = [_doubt(row["purchase_id"]) for row in rows]
        for start in range(0, len(doubted), MOST):
            await ledger.change(doubted[start : start + MOST])
        return sum(row["state"] in ("planned", "sending") for row in rows)
    finally:
        await pools.close()


def _doubt(purchase_id: str) -> Change:
    def apply(batch: Batch) -> None:
        purchase = batch.purchases[purchase_id]
        purchase.fence += 1
        purchase.owner = None
        if purchase.state in ("planned", "sending"):
            purchase.deadline = batch.now + _STILL_DRAWN  # if it is found; later it is given up
            error = outcome.said("PURCHASE_UNCLEAR", _SENT_SINCE)
            endings.become_unclear(batch, purchase, error)

    return Change(purchase_id, "fail", apply)


async def _migrate(url: str) -> None:
    """Bring it to this release; who has loaded it by other means has not said so yet."""
    connection = await asyncpg.connect(url, timeout=10, command_timeout=60)
    try:
        await migrate(connection)
        await connection.execute(SQL.begin_restore)
    finally:
        await connection.close()


def restore(url: str, copy: IO[bytes]) -> None:
    """Fill the database of *url* from *copy*, bring it to this release and mark what was open."""
    asyncio.run(prepare(url))
    load(url, copy)
    mark_all(url)


def mark_all(url: str) -> None:
    """Bring a database that was just loaded to this release and mark what is open in it."""
    asyncio.run(_migrate(url))
    doubted = asyncio.run(mark(url))
    if doubted:
        print(f"restore: {doubted} purchases may have been made since; they are looked up")


def main() -> None:
    """Restore the database of DATABASE_URL from the file that is named; --mark: it is loaded."""
    arguments = sys.argv[1:]
    if arguments[:1] == ["--newest"]:
        print(len(known()))
        return
    url = os.environ["DATABASE_URL"]
    try:
        if arguments == ["--mark"]:
            mark_all(url)
            return
        with Path(arguments[0]).open("rb") as copy:
            restore(url, copy)
    except (CannotRestore, CannotRun, CannotMigrate, OSError, asyncpg.PostgresError) as error:
        print(f"restore: {error}", file=sys.stderr)
        raise SystemExit(1) from None


if __name__ == "__main__":
    main()
