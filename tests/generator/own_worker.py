"""A worker of a test's own: on a real wire to whatever ledger the test serves."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from chassis.bus import Bus
from chassis.channel import Peer
from imagestudio.catalog.v1 import ledger_service_pb2_grpc
from imagestudio.storage.v1 import storage_service_pb2_grpc
from services.generator import models
from services.generator import provider as seam
from services.generator.deeds import Tools
from services.generator.ledger import Ledger
from services.generator.live import Live
from services.generator.models import Registry
from services.generator.receipts import Receipts
from services.generator.standing import Terms
from services.generator.vendor import Vendor
from services.generator.worker import Worker


@asynccontextmanager
async def hired(peer: Peer, provider: seam.Provider, most: int = 10) -> AsyncIterator[Worker]:
    """A worker that the ledger at *peer* knows, without NATS; it buys sketches from *provider*."""
    bus = Bus("nats://127.0.0.1:1", "nobody is there")
    ledger = Ledger(peer, ledger_service_pb2_grpc.LedgerServiceStub(peer.channel))
    vault = storage_service_pb2_grpc.StorageServiceStub(peer.channel)
    terms = Terms(askable=True, interruptible=True)
    tools = Tools(
        ledger=ledger,
        storage=peer,
        vault=vault,
        receipts=Receipts(peer, vault),
        live=Live(bus),
        registry=Registry(models.EVERY, configured={"sketch"}, default="sketch"),
        vendors={"sketch": Vendor(name="sketch", provider=provider, terms=terms, time_limit=60)},
    )
    worker = Worker(tools, peer, bus, most)
    ledger.start()
    await worker.start()
    while not worker.room:  # until the ledger knows it
        await asyncio.sleep(0.01)
    try:
        yield worker
    finally:
        await worker.let_go(5)
        await worker.leave(0)
        await ledger.close()
