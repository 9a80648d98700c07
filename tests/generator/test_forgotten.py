"""What is a worker's by the ledger's word, and what it works on: the difference is given back."""

import asyncio

import pytest

from chassis import errors
from imagestudio.catalog.v1 import ledger_service_pb2_grpc
from tests.generator.own_worker import hired
from tests.generator.scripted_ledger import ID, NAME, Catalog, Shop
from tests.generator.wire import serving

OTHER = ID.replace("1", "2")


@pytest.fixture
async def catalog():
    found = Catalog()
    found.patience = 0.3  # seconds; a beat is a third
    return found


@pytest.fixture
async def shop():
    return Shop()


@pytest.fixture
async def worker(catalog, shop):
    def add(server):
        ledger_service_pb2_grpc.add_LedgerServiceServicer_to_server(catalog, server)

    async with serving(NAME, add) as peer, hired(peer, shop) as worker:
        yield worker


async def told(catalog, times):
    """Wait until the worker was told so many times more what is its."""
    seen = sum(beat.tell_owned for beat in catalog.beats)
    async with asyncio.timeout(60):
        while sum(beat.tell_owned for beat in catalog.beats) < seen + times:
            await asyncio.sleep(0.01)


async def test_what_is_ours_and_nobody_works_on_is_given_back_as_a_failed_try(worker, catalog):
    catalog.owned = [(ID, 0)]
    assert await asyncio.wait_for(catalog.written.get(), 60) == "fail"
    [edge] = catalog.edges
    assert (edge.purchase_id, edge.fence) == (ID, 0)
    assert "a defect of ours" in errors.from_status(edge.fail.error).message


async def test_what_is_in_hand_is_ours_for_good(worker, catalog, shop):
    worker.take(ID, "sketch")
    await asyncio.wait_for(shop.came.wait(), 60)
    catalog.owned = [(ID, 1)]
    await told(catalog, 3)
    assert catalog.written.empty()


async def test_what_was_let_go_of_while_it_was_told_is_left_alone(worker, catalog):
    catalog.owned = [(ID, 0)]
    await told(catalog, 1)
    catalog.owned = [(ID, 1), (OTHER, 0)]  # had again meanwhile, and let go of again
    await told(catalog, 1)
    catalog.owned = []
    await told(catalog, 1)
    assert catalog.written.empty()


@pytest.fixture
def calm(catalog):
    catalog.patience = 3.0  # else who is held up has it asked anew


async def test_it_asks_seldom(calm, worker, catalog):
    await told(catalog, 2)
    assert sum(beat.tell_owned for beat in catalog.beats) <= len(catalog.beats) / 9
