"""
The way to PostgreSQL: a pool for each role, and one place where its failures become ours.

The role is set in the connection's start-up packet, so that nothing sent later, not even
RESET ROLE or DISCARD ALL, makes more of a connection than its pool's role.
"""

import asyncio
import json
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from functools import lru_cache
from uuid import UUID

import asyncpg
from asyncpg.pool import PoolConnectionProxy

from chassis import logs
from chassis.errors import Exhausted, Unavailable
from services.catalog.reach import is_gone

Connection = PoolConnectionProxy
Pool = asyncpg.Pool

_TIMEOUT = 5.0  # seconds, for a connection, for a free one, and for every command
_SETTINGS = {
    "application_name": "image-studio catalog",
    "timezone": "UTC",
    "search_path": "public",
    "statement_timeout": "6s",  # behind the client's own, for a client that is gone
    "idle_in_transaction_session_timeout": "30s",
}
log = logs.get()


@dataclass(frozen=True, slots=True)
class Pools:
    """*user* sees the rows of the user that a transaction names; *ledger* sees all."""

    user: Pool
    ledger: Pool

    async def close(self) -> None:
        """Wait for what runs, then close every connection."""
        await asyncio.gather(self.user.close(), self.ledger.close())


class _Kept(asyncpg.Connection):
    """
    A connection that goes back to its pool as it is.

    We set nothing for longer than a transaction: no session lock, cursor or LISTEN. An
    open transaction is still rolled back. Saves the round trip that asyncpg's reset takes.
    """

    def get_reset_query(self) -> str:
        return ""


async def open_pools(url: str, *, user: int = 4, ledger: int = 8, patience: float = 15.0) -> Pools:
    """
    Open both pools on a migrated database: at most *user* and *ledger* connections.

    A database that does not answer yet is tried for *patience* seconds, then Unavailable.
    """
    end = time.monotonic() + patience
    while True:
        try:
            return Pools(
                await _open(url, "studio_user", user), await _open(url, "studio_ledger", ledger)
            )
        except (OSError, asyncpg.PostgresError, TimeoutError) as error:
            if not is_gone(error) or time.monotonic() > end:
                with translate():
                    raise
            await asyncio.sleep(0.1)


async def connect(url: str, role: str) -> asyncpg.Connection:
    """Open one connection outside the pools, for what holds a session: an advisory lock."""
    with translate():
        connection = await asyncpg.connect(
            url,
            timeout=_TIMEOUT,
            command_timeout=_TIMEOUT,
            server_settings=_SETTINGS | {"role": role, "idle_in_transaction_session_timeout": "0"},
        )
        await _prepare(connection)
        return connection


# A user's filters are "$4 IS NULL OR …": a plan must see which are on. The ledger's statements
# find rows by their keys: planned once, and for indexes even while the tables are still empty.
_PLANS = {
    "studio_user": {"plan_cache_mode": "force_custom_plan"},
    "studio_ledger": {"plan_cache_mode": "force_generic_plan", "enable_seqscan": "off"},
}


async def _open(url: str, role: str, most: int) -> Pool:
    settings = _SETTINGS | _PLANS[role] | {"role": role}
    return await asyncpg.create_pool(
        url,
        min_size=1,
        max_size=most,
        connection_class=_Kept,
        init=_prepare,
        timeout=_TIMEOUT,
        command_timeout=_TIMEOUT,
        max_inactive_connection_lifetime=60.0,
        server_settings=settings,
    )


# Arrays of PostgreSQL's own types: their numbers, which never change, and those of what is in
# them. asyncpg has each new connection look them up, which costs the server half of its beginning.
_ARRAYS = {
    1000: ("bool", 16),
    1001: ("bytea", 17),
    1007: ("int4", 23),
    1009: ("text", 25),
    1016: ("int8", 20),
    1021: ("float4", 700),
    1022: ("float8", 701),
    1182: ("date", 1082),
    1185: ("timestamptz", 1184),
    1187: ("interval", 1186),
    2287: ("record", 2249),
    2951: ("uuid", 2950),
}
_KNOWN_TYPES = [
    {"oid": oid, "name": f"_{name}", "elemtype": element, "ns": "pg_catalog", "elemdelim": ","}
    | dict.fromkeys(("range_subtype", "attrtypoids", "basetype"))
    for oid, (name, element) in _ARRAYS.items()
]


async def _prepare(connection: asyncpg.Connection) -> None:
    await connection.set_type_codec(
        "jsonb", schema="pg_catalog", encoder=json.dumps, decoder=json.loads
    )
    await connection.set_type_codec(
        "uuid", schema="pg_catalog", format="binary", encoder=_uuid_bytes, decoder=_uuid_text
    )
    connection.get_settings().register_data_types(_KNOWN_TYPES)  # after uuid's codec is ours


@lru_cache(maxsize=4096)  # of what is in work: each goes to and fro many times
def _uuid_bytes(text: str) -> bytes:
    return UUID(text).bytes


def _uuid_text(raw: bytes) -> str:
    digits = bytes(raw).hex()
    return "-".join((digits[:8], digits[8:12], digits[12:16], digits[16:20], digits[20:]))


@asynccontextmanager
async def as_user(pool: Pool, user_id: int) -> AsyncIterator[Connection]:
    """
    Lend a connection in a transaction that sees the rows of *user_id* alone.

    Its begin and its user go in one message: a fourth of what a page waits for.
    """
    async with _transaction(pool, f"BEGIN; SET LOCAL studio.user_id = {int(user_id)}") as lent:
        yield lent


@asynccontextmanager
async def as_ledger(pool: Pool, *, holding: int | None = None) -> AsyncIterator[Connection]:
    """
    Lend a connection in a transaction that sees all rows; *pool* is the ledger's.

    *holding* is an advisory lock of which it takes a share before anything else.
    """
    share = "" if holding is None else f"; SELECT pg_advisory_xact_lock_shared({int(holding)})"
    async with _transaction(pool, f"BEGIN{share}") as lent:
        yield lent


@asynccontextmanager
async def _transaction(pool: Pool, begin: str) -> AsyncIterator[Connection]:
    with translate():
        async with pool.acquire(timeout=_TIMEOUT) as connection:
            try:
                await connection.execute(begin)
                yield connection
            except BaseException:
                if not connection.is_closed():
                    await connection.execute("ROLLBACK")
                raise
            await connection.execute("COMMIT")


@asynccontextmanager
async def by_statement(pool: Pool) -> AsyncIterator[Connection]:
    """Lend a connection on which each statement is a transaction: two round trips less."""
    with translate():
        async with pool.acquire(timeout=_TIMEOUT) as connection:
            yield connection


@contextmanager
def translate() -> Iterator[None]:
    """Turn a database that is gone, slow or full into a Fault that says so."""
    try:
        yield
    except asyncpg.DiskFullError as error:
        raise Exhausted(
            "DISK_FULL",
            "The database's disk is full; free space on it, then try again.",
            retry_after=10.0,
        ) from error
    except (
        OSError,
        asyncpg.PostgresError,
        asyncpg.InterfaceError,
        asyncpg.InternalClientError,
    ) as error:
        if not is_gone(error):
            raise
        log.warning("the database does not answer", error=repr(error))
        raise Unavailable(
            "SERVICE_UNAVAILABLE",
            "The database does not answer; try again in a moment.",
            metadata={"service": "postgres"},
            retry_after=1.0,
        ) from error
