"""
A migrated PostgreSQL for the catalog's tests: each test has a database of its own, cloned.
"""

import asyncio
import itertools
from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from functools import partial
from urllib.parse import urlsplit

import asyncpg
import grpc
import pytest

from chassis import identity
from chassis.errors import Unauthenticated
from chassis.server import Server
from imagestudio.catalog.v1 import catalog_service_pb2_grpc
from services.catalog import database
from services.catalog.handler import CatalogHandler
from services.catalog.ledger import Ledger
from services.catalog.library import open_library
from services.catalog.migrate import migrate
from tests.catalog.purchases import make_ledger
from tests.catalog.shelf import PUBLIC, SECRET, Shelf
from tests.ports import free_port
from tests.postgres import postgres, postgres_url

__all__ = ["postgres", "postgres_url"]
_numbers = itertools.count(1)


def beside(url: str, name: str) -> str:
    """Return *url* with another database of the same server."""
    return urlsplit(url)._replace(path=f"/{name}").geturl()


async def run_as_owner(url: str, *statements: str) -> None:
    """Run *statements* one by one, as the owner of everything."""
    connection = await asyncpg.connect(url)
    try:
        for statement in statements:
            await connection.execute(statement)
    finally:
        await connection.close()


async def _migrated(url: str) -> None:
    # Each DROP DATABASE waits for a checkpoint: nothing here has to outlive the machine's power.
    hurried = [f"ALTER SYSTEM SET {name} = off" for name in ("fsync", "full_page_writes")]
    await run_as_owner(url, *hurried, "SELECT pg_reload_conf()", "CREATE DATABASE migrated")
    connection = await asyncpg.connect(beside(url, "migrated"))
    try:
        await migrate(connection)
    finally:
        await connection.close()


@pytest.fixture(scope="session")
def migrated(postgres_url: str) -> str:
    """The owner's URL of a database that tests clone; nobody stays connected to it."""
    asyncio.run(_migrated(postgres_url))
    return beside(postgres_url, "migrated")


@pytest.fixture
def empty_url(postgres_url: str) -> Iterator[str]:
    """The owner's URL of an empty database."""
    yield from _own(postgres_url, "template1")


@pytest.fixture
def database_url(postgres_url: str, migrated: str) -> Iterator[str]:
    """The owner's URL of a migrated database with the system presets in it."""
    yield from _own(postgres_url, "migrated")


@pytest.fixture(scope="session")
def shared_url(postgres_url: str, migrated: str) -> Iterator[str]:
    """The owner's URL of a migrated database for tests whose users keep them apart."""
    yield from _own(postgres_url, "migrated")


def _own(server: str, template: str) -> Iterator[str]:
    name = f"test_{next(_numbers)}"
    asyncio.run(
        run_as_owner(server, f"CREATE DATABASE {name} TEMPLATE {template} STRATEGY file_copy")
    )
    yield beside(server, name)
    asyncio.run(run_as_owner(server, f"DROP DATABASE {name} WITH (FORCE)"))


@pytest.fixture
async def pools(database_url: str) -> AsyncIterator[database.Pools]:
    found = await database.open_pools(database_url)
    yield found
    await found.close()


@pytest.fixture
async def user(pools: database.Pools) -> int:
    async with database.as_ledger(pools.ledger) as connection:
        found: int = await connection.fetchval(
            "INSERT INTO users (subject) VALUES ('somebody') RETURNING user_id"
        )
        return found


@pytest.fixture
def ledger(pools: database.Pools) -> Ledger:
    return make_ledger(pools.ledger)[0]


@pytest.fixture
async def shelf(shared_url: str) -> AsyncIterator[Shelf]:
    """A catalog, listening, on a database that other tests use, too; its ledger by itself."""
    pools = await database.open_pools(shared_url)
    ledger, news = make_ledger(pools.ledger, PUBLIC)
    library = open_library(pools, ledger, news, server_cap=50_000_000)
    patient = replace(library.feeds, silence=600)  # no heartbeat comes before what is to come
    library = replace(library, feeds=patient)

    async def resolve(credential: str | None) -> identity.Caller:
        if credential is None:
            raise Unauthenticated("CREDENTIAL_MISSING", "Send a key.")
        return identity.Caller(*await library.keys.user_of_key(identity.hashed(credential)))

    handler = CatalogHandler(library=library, public_url=PUBLIC, resolve=resolve)
    add = partial(catalog_service_pb2_grpc.add_CatalogServiceServicer_to_server, handler)
    server = Server(
        [("imagestudio.catalog.v1.CatalogService", add)], secret=SECRET, resolve=resolve
    )
    port = free_port()
    await server.start("127.0.0.1", port, "CATALOG_PORT")
    async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
        stub = catalog_service_pb2_grpc.CatalogServiceStub(channel)
        yield Shelf(pools, library.keys, stub, ledger, news)
    news.wakes.close()
    await server.stop(lame=0, grace=0)
    await pools.close()
