"""A storage that runs: in this process for most tests, on a real folder and a real port."""

from contextlib import asynccontextmanager

import pytest

from chassis import settings
from services.storage import compose
from services.storage.settings import Settings
from tests.ports import free_port
from tests.storage.client import LINK_KEY, SECRET, Client
from tests.storage.scripted_catalog import scripted_catalog
from tests.storage.scripted_cdn import ScriptedCdn, scripted_cdn
from tests.storage.vendor import vendor_host


def environment(folder, catalog_target: str, **more: str) -> dict[str, str]:
    return {
        "STORAGE_PORT": str(free_port()),
        "VAULT_URL": f"file://{folder}",
        "CATALOG_TARGET": catalog_target,
        "SERVICE_SECRET": SECRET,
        "LINK_KEY": LINK_KEY,
        "AUTH": "keys",
        **more,
    }


def with_cdn(cdn: ScriptedCdn) -> dict[str, str]:
    """The settings that make *cdn* the storage's."""
    return {"CLOUDINARY_URL": cdn.url, "CLOUDINARY_BASE_URL": cdn.base}


@asynccontextmanager
async def running(folder, catalog_target: str, **more: str):
    """Yields a storage and its target."""
    found = settings.read(Settings, environment(folder, catalog_target, **more))
    storage = compose.storage(found)
    await storage.vault.open()
    await storage.server.start(found.host, found.port, "STORAGE_PORT")
    try:
        yield storage, f"127.0.0.1:{found.port}"
    finally:
        await storage.server.stop(lame=0, grace=None)
        await storage.child.close()
        if storage.cdn:
            await storage.cdn.close()
        await storage.peer.close()
        await storage.vault.close()


@pytest.fixture
async def catalog():
    async with scripted_catalog() as scripted:
        yield scripted


@pytest.fixture
async def cdn():
    async with scripted_cdn() as scripted:
        yield scripted


@pytest.fixture
def folder(tmp_path):
    return tmp_path / "vault"


@pytest.fixture
async def storage(folder, catalog):
    async with running(folder, catalog.target) as (storage, target):
        yield storage, target


@pytest.fixture
async def clients(storage):
    """Makes clients of the running storage."""
    made: list[Client] = []

    def make(**options) -> Client:
        made.append(Client(storage[1], **options))
        return made[-1]

    yield make
    for client in made:
        await client.close()


@pytest.fixture
def client(clients):
    """A service that calls for Anna."""
    return clients()


@pytest.fixture
async def lab():
    """A file host in the lab's place, scripted."""
    async with vendor_host(None) as host:
        yield host


@pytest.fixture
async def fetching(folder, catalog, lab):
    """A client of a storage that may fetch from *lab*."""
    url = f"http://127.0.0.1:{lab.port}"
    async with running(folder, catalog.target, LAB_URL=url) as (_, target):
        client = Client(target)
        client.lab = url
        yield client
        await client.close()
