"""Storage with the real catalog and its PostgreSQL: what the scripted one stands for."""

import os
import subprocess
import sys

import pytest

from chassis.channel import Peer
from chassis.errors import Late, Missing, Unauthenticated, Unavailable
from imagestudio.catalog.v1 import catalog_service_pb2 as pb
from imagestudio.catalog.v1 import catalog_service_pb2_grpc as pb_grpc
from tests.leash import leashed
from tests.ports import free_port
from tests.postgres import postgres, postgres_url
from tests.storage.client import SECRET, Client, link_of
from tests.storage.conftest import running
from tests.storage.pictures import picture
from tests.storage.process import ROOT

__all__ = ["postgres", "postgres_url"]


@pytest.fixture
def target(postgres_url):
    """A catalog as a process of its own."""
    port = free_port()
    environment = os.environ | {
        "DATABASE_URL": postgres_url,
        "CATALOG_PORT": str(port),
        "SERVICE_SECRET": SECRET,
        "NATS_URL": f"nats://127.0.0.1:{free_port()}",
    }
    migrate = [sys.executable, "-m", "services.catalog.migrate"]
    subprocess.run(migrate, env=environment, cwd=ROOT, check=True, capture_output=True)
    command = leashed([sys.executable, "-m", "services.catalog"])
    started = subprocess.Popen(command, env=environment, cwd=ROOT, stderr=subprocess.DEVNULL)
    yield f"127.0.0.1:{port}"
    started.kill()
    started.wait()


async def key_for(target, subject):
    peer = Peer(target, "catalog", service="cli", secret=SECRET.encode())
    stub = pb_grpc.CatalogServiceStub(peer.channel)
    request = pb.CreateApiKeyRequest(label="test", subject=subject)
    made = await peer.ask(stub.CreateApiKey, request, timeout=60)
    await peer.close()
    return made.secret


async def test_people_keep_and_delete_through_the_real_catalog(target, folder):
    anna_key, bert_key = [await key_for(target, name) for name in ("anna", "bert")]
    async with running(folder, target) as (_, storage):
        anna, bert = Client(storage, key=anna_key), Client(storage, key=bert_key)
        nobody = Client(storage, key="isk_nobody")
        with pytest.raises(Unauthenticated):
            await nobody.upload(picture())

        first, again = await anna.upload(picture()), await anna.upload(picture())
        berts = await bert.upload(picture())
        assert [a.deduplicated for a in (first, again, berts)] == [False, True, False]
        assert first.asset.path != berts.asset.path

        await anna.delete(first.asset.name)
        await anna.delete(first.asset.name, allow_missing=True)
        with pytest.raises(Missing):
            await anna.get(first.asset.name)
        assert (await bert.download(link_of(berts.asset)))[1] == picture()
        assert not (await anna.upload(picture())).deduplicated
        for client in (anna, bert, nobody):
            await client.close()


async def test_without_keys_everybody_is_the_catalogs_local_user(target, folder):
    async with running(folder, target, AUTH="none") as (_, storage):
        client = Client(storage, key="")
        asset = (await client.upload(picture())).asset
        assert (await client.download(asset.name))[1] == picture()
        await client.close()


async def test_a_catalog_that_is_gone_is_said_and_the_next_try_records(catalog, folder):
    """Nothing is acknowledged that the catalog does not know; what is kept waits for it."""
    async with running(folder, f"127.0.0.1:{free_port()}") as (_, storage):
        client = Client(storage)
        with pytest.raises((Unavailable, Late)) as failure:
            await client.upload(picture())
        assert failure.value.reason == "SERVICE_UNAVAILABLE"
        await client.close()
    async with running(folder, catalog.target) as (_, storage):
        client = Client(storage)
        assert (await client.upload(picture())).deduplicated
        assert len(catalog.files) == 1
        await client.close()
