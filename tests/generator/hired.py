"""A worker that is hired by the scripted ledger and buys in the scripted shop."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

import pytest

from chassis.bus import Bus
from imagestudio.catalog.v1 import ledger_service_pb2_grpc
from imagestudio.storage.v1 import storage_service_pb2_grpc
from services.generator import models
from services.generator.deeds import Tools
from services.generator.ledger import Ledger
from services.generator.live import Live
from services.generator.models import Registry
from services.generator.receipts import Receipts
from services.generator.seat import Seat
from services.generator.standing import Terms
from services.generator.vendor import Vendor
from services.generator.worker import Worker
from tests.generator.scripted_ledger import NAME, Catalog, Shop
from tests.generator.wire import serving


async def soon(waiting):
    """Fail rather than hang."""
    return await asyncio.wait_for(waiting, 60)


class World:
    def __init__(self, catalog: Catalog, shop: Shop, worker: Worker) -> None:
        self.catalog, self.shop, self.worker = catalog, shop, worker


@pytest.fixture
async def world():
    async with hired() as found:
        yield found


@pytest.fixture
async def hire():
    """Hire a worker that sits on a given seat."""
    async with AsyncExitStack() as ends:

        async def one(seat: Seat) -> World:
            return await ends.enter_async_context(hired(seat))

        yield one


@asynccontextmanager
async def hired(seat: Seat | None = None) -> AsyncIterator[World]:
    """Have a worker that the ledger knows, until it is let go."""
    catalog, shop = Catalog(), Shop()

    def add(server):
        ledger_service_pb2_grpc.add_LedgerServiceServicer_to_server(catalog, server)

    async def at_once(_seconds: float) -> None:
        return

    async with serving(NAME, add) as peer:
        stub = ledger_service_pb2_grpc.LedgerServiceStub(peer.channel)
        bus = Bus("nats://127.0.0.1:1", "nobody is there")
        ledger = Ledger(peer, stub, pause=at_once)
        vault = storage_service_pb2_grpc.StorageServiceStub(peer.channel)
        terms = Terms(askable=True, interruptible=True)
        tools = Tools(
            ledger=ledger, storage=peer, vault=vault, receipts=Receipts(peer, vault),
            live=Live(bus),
            registry=Registry(models.EVERY, configured={"sketch"}, default="sketch"),
            vendors={"sketch": Vendor(name="sketch", provider=shop, terms=terms, time_limit=60)},
        )  # fmt: skip
        worker = Worker(tools, peer, bus, 10, seat or Seat())
        ledger.start()
        await worker.start()
        while not worker.room:  # until the ledger knows it
            await asyncio.sleep(0)
        yield World(catalog, shop, worker)
        await worker.let_go(5)
        await worker.leave(0)
        await ledger.close()
