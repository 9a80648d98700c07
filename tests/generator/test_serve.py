"""The end of a generator takes less than it is given, also where those are away that it tells."""

import asyncio
from contextlib import asynccontextmanager
from dataclasses import replace

from chassis.server import Server
from chassis.settings import read
from imagestudio.catalog.v1 import ledger_pb2, ledger_service_pb2_grpc
from imagestudio.storage.v1 import storage_service_pb2_grpc
from services.generator import compose, serve
from services.generator.settings import Settings
from services.generator.standing import Terms
from tests.generator.hired import soon
from tests.generator.scripted_ledger import ID, NAME, Catalog, Slow
from tests.generator.wire import SECRET, nobody
from tests.ports import free_port

DRAIN = 10.0  # seconds that a process gets to end
STORAGE = "imagestudio.storage.v1.StorageService"


class Deaf(Catalog):
    """Hears no goodbye, but for how long somebody waits with it."""

    waited = 0.0

    async def Heartbeat(self, request, context):
        if request.leaving:
            self.waited = context.time_remaining()
            await asyncio.Event().wait()
        return await super().Heartbeat(request, context)


class Away(storage_service_pb2_grpc.StorageServiceServicer):
    """Takes no numbers, but for how long somebody waits with them."""

    waited = 0.0

    async def RecordVariants(self, request, context):
        self.waited = context.time_remaining()
        await asyncio.Event().wait()


@asynccontextmanager
async def answering(catalog: Deaf, storage: Away):
    """Serve both on one port, which is yielded."""

    def add_catalog(server):
        ledger_service_pb2_grpc.add_LedgerServiceServicer_to_server(catalog, server)

    def add_storage(server):
        storage_service_pb2_grpc.add_StorageServiceServicer_to_server(storage, server)

    services = [(NAME, add_catalog), (STORAGE, add_storage)]
    server, port = Server(services, secret=SECRET, resolve=nobody), free_port()
    await server.start("127.0.0.1", port, "PORT")
    yield port
    await server.stop(lame=0, grace=0)


def behind(port: int, **more: str) -> Settings:
    """The settings of a generator whose catalog and storage are on *port*."""
    environment = {
        "GENERATOR_PORT": str(free_port()),
        "CATALOG_TARGET": f"127.0.0.1:{port}",
        "STORAGE_TARGET": f"127.0.0.1:{port}",
        "NATS_URL": "nats://127.0.0.1:1",
        "SERVICE_SECRET": SECRET.decode(),
    }
    return read(Settings, environment | more)


async def test_what_nobody_hears_at_the_end_is_said_for_less_than_the_end_may_take():
    catalog, storage = Deaf(), Away()
    async with answering(catalog, storage) as port:
        settings = behind(port)
        generator = compose.generator(settings)
        beside = await serve.begin(generator, settings)
        while not generator.worker.room:  # until the ledger knows it
            await asyncio.sleep(0)
        output = ledger_pb2.PurchaseOutput(index=0, variant="jobs/1/variants/1", version_number=1)
        generator.numbering.add("p", output)
        await asyncio.wait_for(serve.end(generator, beside, settings), 60)
    assert catalog.waited > 0
    assert storage.waited > 0
    waited = catalog.waited + storage.waited
    assert settings.settle + settings.drain + waited < DRAIN


async def test_what_goes_on_beside_ends_before_what_it_goes_on_over_is_closed():
    catalog, storage = Catalog(), Away()
    ended = list[tuple[str, bool]]()
    async with answering(catalog, storage) as port:
        settings = behind(port, REPLICATE_API_TOKEN="r8_" + "x" * 37)
        generator = compose.generator(settings)
        shop = generator.worker.tools.vendors["replicate"].provider
        began = await serve.begin(generator, settings)
        over = {
            "acknowledgements": (
                generator.worker._beside,
                lambda: bool(generator.ledger._beside._tasks),
            ),
            "uploads": (shop.files.beside, lambda: not shop.http.is_closed),
            "crowd": (shop.crowd.beside, lambda: not shop.http.is_closed),
            "look-ups": (shop._lookups.beside, lambda: not shop.http.is_closed),
            "old look-ups": (shop._old_lookups.beside, lambda: not shop.http.is_closed),
        }

        async def goes_on(name, is_open):
            try:
                await asyncio.Event().wait()
            finally:
                ended.append((name, is_open()))

        for name, (beside, is_open) in over.items():
            beside.start(goes_on(name, is_open))
        while not generator.worker.room:
            await asyncio.sleep(0)
        await asyncio.wait_for(serve.end(generator, began, settings), 60)
    assert sorted(ended) == sorted((name, True) for name in over)


class Finishing(Slow):
    """One that is stopped while its answer becomes durable, and finishes that."""

    def __init__(self) -> None:
        super().__init__()
        self.stopped = asyncio.Event()

    async def buy(self, order, receipt, report, /):
        try:
            return await super().buy(order, receipt, report)
        except asyncio.CancelledError:
            self.stopped.set()
            await self.go.wait()
            raise


async def test_who_drops_all_work_does_not_wait_for_a_receipt_that_is_being_finished(world):
    shop = Finishing()
    vendors = world.worker.tools.vendors
    terms = Terms(askable=True, conclusive=False)
    vendors["sketch"] = replace(vendors["sketch"], provider=shop, terms=terms)
    world.worker.take(ID, "sketch")
    await soon(shop.came.wait())
    await soon(world.worker._abandon())
    await soon(shop.stopped.wait())
    assert world.worker.room == 10
    shop.go.set()
