"""What the catalog has numbered is told to storage, together, and again while it is away."""

import asyncio

import pytest

from chassis.beside import Beside
from chassis.errors import Unavailable
from imagestudio.catalog.v1 import ledger_pb2
from imagestudio.storage.v1 import storage_service_pb2 as pb
from imagestudio.storage.v1 import storage_service_pb2_grpc as pb_grpc
from services.generator.numbering import Numbering
from tests.generator.wire import serving


class Storage(pb_grpc.StorageServiceServicer):
    """Remembers what it is told; away for the first *refusals* calls."""

    def __init__(self):
        self.told, self.calls, self.refusals = [], 0, 0

    async def RecordVariants(self, request, context):
        self.calls += 1
        if self.calls <= self.refusals:
            raise Unavailable("SERVICE_UNAVAILABLE", "not now")
        self.told += [each.variant for each in request.variants]
        return pb.RecordVariantsResponse()


@pytest.fixture
async def storage():
    return Storage()


def output(number):
    return ledger_pb2.PurchaseOutput(index=number, variant=f"jobs/1/variants/{number}")


def serve(storage):
    def add(server):
        pb_grpc.add_StorageServiceServicer_to_server(storage, server)

    return serving("imagestudio.storage.v1.StorageService", add)


@pytest.mark.parametrize("refusals", [0, 2])
async def test_all_are_told_in_one_call_that_is_repeated_until_it_was_heard(storage, refusals):
    storage.refusals, pauses = refusals, []

    async def pause(seconds):
        pauses.append(seconds)

    async with serve(storage) as peer:
        told = Numbering(peer, pb_grpc.StorageServiceStub(peer.channel), pause)
        for number in range(3):
            told.add("p", output(number))
        beside = Beside()
        beside.start(told.run())
        async with asyncio.timeout(60):
            while told._waiting:
                await asyncio.sleep(0)
        await beside.close()
    assert storage.told == [f"jobs/1/variants/{number}" for number in range(3)]
    assert storage.calls == refusals + 1
    assert len(pauses) >= refusals + 1


async def test_the_last_ones_are_told_at_the_end(storage):
    async def never(_seconds):
        await asyncio.Event().wait()

    async with serve(storage) as peer:
        told = Numbering(peer, pb_grpc.StorageServiceStub(peer.channel), never)
        beside = Beside()
        beside.start(told.run())
        told.add("p", output(7))
        await beside.close()
        await told.tell()
    assert storage.told == ["jobs/1/variants/7"]
