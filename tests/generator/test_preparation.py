"""A job's input images are prepared at the same time, and refused together."""

import asyncio
from contextlib import asynccontextmanager

import pytest

from chassis import identity
from chassis.errors import DataLoss, Invalid
from imagestudio.catalog.v1 import catalog_service_pb2_grpc
from imagestudio.storage.v1 import storage_service_pb2_grpc
from imagestudio.type.v1 import job_pb2
from services.generator.preparation import Preparation
from tests.generator.wire import serving

GOOD, BAD = "https://p.test/good", "https://p.test/bad"


class Storage(storage_service_pb2_grpc.StorageServiceServicer):
    """Refuses the bad one once the good one is in work, which takes for ever."""

    def __init__(self) -> None:
        self.came, self.left = asyncio.Event(), asyncio.Event()

    async def PrepareReference(self, request, context):
        if request.uri == BAD:
            await self.came.wait()
            raise Invalid("IMAGE_UNREADABLE", "source: is no picture", fields={"source": "is none"})
        self.came.set()
        try:
            await asyncio.Event().wait()
        finally:
            self.left.set()


class Torn(storage_service_pb2_grpc.StorageServiceServicer):
    """Has lost the file."""

    async def PrepareReference(self, request, context):
        raise DataLoss("HASH_MISMATCH", "Its file is gone.", metadata={"found": "no file"})


@asynccontextmanager
async def preparing(storage):
    """Yield what prepares by *storage*, for a user."""
    identity.current.set(identity.Caller(1))

    def add(server):
        storage_service_pb2_grpc.add_StorageServiceServicer_to_server(storage, server)

    async with serving("imagestudio.storage.v1.StorageService", add) as peer:
        vault = storage_service_pb2_grpc.StorageServiceStub(peer.channel)
        library = catalog_service_pb2_grpc.CatalogServiceStub(peer.channel)
        yield Preparation(peer, vault, peer, library)


async def test_one_whose_file_is_gone_is_named():
    """Whoever asks can choose another one: it is no failure of the whole request."""
    spec = job_pb2.JobSpec(prompt="a lighthouse")
    spec.references.add(asset=f"assets/{'ab' * 32}")
    async with preparing(Torn()) as preparation:
        with pytest.raises(Invalid, match="Its file is gone") as refused:
            await preparation.of(spec)
    assert list(refused.value.fields) == ["references[0]"]


async def test_one_that_is_refused_ends_the_others():
    """They would hold the user's places at storage, for a job that will never be."""
    storage = Storage()
    spec = job_pb2.JobSpec(prompt="a lighthouse")
    for each in (GOOD, BAD):
        spec.references.add(uri=each)
    async with preparing(storage) as preparation:
        with pytest.raises(Invalid) as refused:
            await preparation.of(spec)
        assert list(refused.value.fields) == ["references[1]"]
        await asyncio.wait_for(storage.left.wait(), 60)
