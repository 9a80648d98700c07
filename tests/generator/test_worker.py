"""What a worker does about answers that are lost, its own death, and its end."""

import asyncio

import pytest

from chassis import errors
from chassis.bus import Bus
from chassis.errors import Unavailable
from imagestudio.catalog.v1 import ledger_pb2, ledger_service_pb2, ledger_service_pb2_grpc
from imagestudio.storage.v1 import storage_service_pb2_grpc
from imagestudio.type.v1 import purchase_pb2
from services.generator import models
from services.generator import provider as seam
from services.generator.buy import FRESH, Errand
from services.generator.deeds import Tools
from services.generator.ledger import Ledger
from services.generator.live import Live
from services.generator.models import Registry
from services.generator.purchase import Terms
from services.generator.receipts import Receipts
from services.generator.vendor import Vendor
from services.generator.worker import Worker
from tests.generator.wire import serving

NAME = "imagestudio.catalog.v1.LedgerService"
ID = "01890000-0000-7000-8000-000000000001"
CLAIMED = ledger_service_pb2.CLAIM_OUTCOME_CLAIMED
TAKEN = ledger_service_pb2.CLAIM_OUTCOME_TAKEN
SENDING = purchase_pb2.PURCHASE_STATE_SENDING


class Catalog(ledger_service_pb2_grpc.LedgerServiceServicer):
    """One purchase, by the ledger's rules for claims; loses its answers to the first *lost*."""

    def __init__(self) -> None:
        self.lost = 0
        self.patience, self.alive = 3.0, True
        self.owner, self.fence = "", 0
        self.workers: list[str] = []
        self.left = asyncio.Event()
        self.written: asyncio.Queue[str] = asyncio.Queue()

    async def Heartbeat(self, request, context):
        self.workers.append(request.worker_id)
        if request.leaving:
            self.left.set()
        alive, self.alive = self.alive, True
        answer = ledger_service_pb2.HeartbeatResponse(alive=alive)
        answer.patience.FromMilliseconds(round(self.patience * 1000))
        return answer

    async def Apply(self, request, context):
        results = [self.take(edge) for edge in request.edges]
        if self.lost:
            self.lost -= 1
            raise Unavailable("SERVICE_UNAVAILABLE", "the answer is lost")
        return ledger_service_pb2.ApplyResponse(results=results)

    def take(self, edge):
        kind = edge.WhichOneof("step")
        if kind == "claim":
            won = not self.owner
            if won:
                self.owner, self.fence = edge.claim.worker_id, self.fence + 1
            outcome = CLAIMED if won else TAKEN
            return ledger_service_pb2.EdgeResult(outcome=outcome, purchase=self.purchase())
        self.written.put_nowait(kind)
        if edge.fence != self.fence:
            stale = errors.Stale("FENCE_STALE", "another has it")
            return ledger_service_pb2.EdgeResult(status=errors.to_status(stale))
        if kind in ("release", "park", "end"):
            self.owner = ""
        return ledger_service_pb2.EdgeResult(purchase=self.purchase())

    def purchase(self):
        found = ledger_pb2.LedgerPurchase(owner=self.owner, fence=self.fence, user="users/1")
        found.purchase.purchase_id, found.purchase.job = ID, "jobs/1"
        found.purchase.provider, found.purchase.model = "sketch", "sketch"
        found.purchase.state = SENDING
        found.spec.prompt, found.spec.count = "a lighthouse", 1
        return found


class Shop:
    """A provider that sells nothing before it is told to, and counts who asks."""

    def __init__(self) -> None:
        self.asked, self.came = 0, asyncio.Event()

    async def buy(self, order, receipt, report, /):
        self.asked += 1
        self.came.set()
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            raise seam.Refused("stopped in time") from None

    async def follow(self, ticket, /):
        raise seam.Unclear("nothing is sold here")
        yield


class World:
    def __init__(self, catalog: Catalog, shop: Shop, worker: Worker) -> None:
        self.catalog, self.shop, self.worker = catalog, shop, worker


@pytest.fixture
async def world():
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
            ledger=ledger, storage=peer, vault=vault, receipts=Receipts(peer, vault), live=Live(bus),
            registry=Registry(models.EVERY, configured={"sketch"}, default="sketch"),
            vendors={"sketch": Vendor(name="sketch", provider=shop, terms=terms, time_limit=60)},
        )  # fmt: skip
        worker = Worker(tools, peer, bus, 10)
        ledger.start()
        await worker.start()
        while not worker.room:  # until the ledger knows it
            await asyncio.sleep(0)
        yield World(catalog, shop, worker)
        await worker.stop(5)
        await ledger.close()


async def test_a_claim_whose_answer_was_lost_is_given_back_and_never_sent(world):
    world.catalog.lost = 1
    world.worker.take(ID, "sketch")
    assert await world.catalog.written.get() == "release"
    assert world.shop.asked == 0
    assert world.catalog.owner == ""


async def test_the_same_work_twice_is_done_once(world):
    for _ in range(3):
        world.worker.take(ID, "sketch")
    await world.shop.came.wait()
    assert world.shop.asked == 1
    assert world.worker.room <= 9


async def test_one_that_ends_gives_back_what_it_draws_and_says_goodbye(world):
    world.worker.take(ID, "sketch")
    await world.shop.came.wait()
    await world.worker.stop(5)
    assert world.catalog.written.get_nowait() == "release"
    assert world.catalog.left.is_set()
    assert world.worker.room == 0


async def test_one_that_was_taken_for_dead_writes_nothing_more_and_is_somebody_new(world):
    world.worker.take(ID, "sketch")
    await world.shop.came.wait()
    first = world.catalog.workers[0]
    world.catalog.alive = False
    while world.catalog.workers[-1] == first:
        await asyncio.sleep(0)
    assert world.catalog.written.empty()


async def test_an_order_does_not_leave_once_the_ledger_may_take_us_for_dead(world):
    claimed = ledger_pb2.LedgerPurchase()
    claimed.CopyFrom(world.catalog.purchase())
    world.catalog.owner, world.catalog.fence = world.worker.worker_id, 1
    claimed.fence, now = 1, asyncio.get_running_loop().time()
    for claimed_at, owned_until in ((now, now - 1), (now - FRESH - 1, now + 60)):
        errand = Errand(
            world.worker.tools,
            claimed,
            claimed_at=claimed_at,
            owned_until=lambda at=owned_until: at,
        )
        await errand.run()
        assert world.catalog.written.get_nowait() == "release"
    assert world.shop.asked == 0
