"""A worker takes a kept purchase to the CDN, by the wire: what it asks and what it writes."""

import asyncio
import time

import pytest

from chassis import errors
from chassis.bus import Bus
from imagestudio.catalog.v1 import ledger_pb2, ledger_service_pb2, ledger_service_pb2_grpc
from imagestudio.storage.v1 import storage_service_pb2, storage_service_pb2_grpc
from imagestudio.type.v1 import purchase_pb2
from services.generator import models
from services.generator import provider as seam
from services.generator.buy import Errand
from services.generator.deeds import Tools
from services.generator.ledger import Ledger
from services.generator.live import Live
from services.generator.models import Registry
from services.generator.receipts import Receipts
from services.generator.standing import Terms
from services.generator.vendor import Vendor
from services.generator.worker import Worker
from tests.generator.wire import serving

ID = "01890000-0000-7000-8000-000000000001"
HASH = "ab" * 32
CDN = f"https://cdn.test/{HASH}"


class Catalog(ledger_service_pb2_grpc.LedgerServiceServicer):
    """Takes every edge, and answers a keep as the real one does; *offered* to who claims it."""

    def __init__(self) -> None:
        self.written, self.offered, self.done = [], None, asyncio.Event()

    async def Heartbeat(self, request, context):
        answer = ledger_service_pb2.HeartbeatResponse(alive=True)
        answer.patience.FromSeconds(3)
        return answer

    async def Apply(self, request, context):
        self.written += [edge for edge in request.edges if not edge.HasField("claim")]
        if any(edge.HasField("publish") for edge in request.edges):
            self.done.set()
        return ledger_service_pb2.ApplyResponse(results=map(self.result, request.edges))

    def result(self, edge):
        if edge.HasField("claim"):
            won = ledger_service_pb2.CLAIM_OUTCOME_CLAIMED
            return ledger_service_pb2.EdgeResult(outcome=won, purchase=self.offered)
        found = ledger_pb2.LedgerPurchase(fence=edge.fence)
        if edge.HasField("keep") and edge.keep.to_publish:
            found.outputs.add(
                index=edge.keep.output_index, state=ledger_pb2.OUTPUT_STATE_KEPT,
                image_hash=edge.keep.image.image_hash, version_number=4, to_publish=True,
            )  # fmt: skip
        return ledger_service_pb2.EdgeResult(purchase=found)


class Storage(storage_service_pb2_grpc.StorageServiceServicer):
    """Keeps what it is asked to; publishes, or fails as a test says."""

    def __init__(self) -> None:
        self.asked, self.fault = [], None
        self.failing: dict[int, Exception] = {}  # outputs that are never stored
        self.failed = asyncio.Event()
        self.failed.set()

    async def ImportAsset(self, request, context):
        if fault := self.failing.get(request.output_index):
            self.failed.set()
            raise fault
        await self.failed.wait()
        asset = storage_service_pb2.Asset(name=f"assets/{HASH}", path="/i/abc")
        return storage_service_pb2.ImportAssetResponse(asset=asset, publishable=True)

    async def PublishAsset(self, request, context):
        self.asked.append((request.name, request.display_name))
        if self.fault:
            raise self.fault
        asset = storage_service_pb2.Asset(cdn_url=f"{CDN}.png", cdn_thumbnail_url=f"{CDN}.webp")
        return storage_service_pb2.PublishAssetResponse(asset=asset)


class Silent:
    """A provider that tells nothing any more."""

    async def follow(self, ticket, /):
        raise seam.Unclear("gone")
        yield


def claim(state, *outputs):
    found = ledger_pb2.LedgerPurchase(fence=3, user="users/7", outputs=outputs)
    found.purchase.purchase_id, found.purchase.job = ID, "jobs/12"
    found.purchase.provider = found.purchase.model = "sketch"
    found.purchase.state = state
    found.purchase.send_time.GetCurrentTime()
    found.purchase.send_time.seconds -= 60
    found.spec.prompt, found.spec.count, found.spec.models[:] = "a lighthouse", 1, ["sketch"]
    return found


def output(index, state="KEPT", *, version=0, to_publish=True):
    return ledger_pb2.PurchaseOutput(
        index=index, source=f"receipt:{ID}#0-9", image_hash=HASH, version_number=version,
        state=ledger_pb2.OutputState.Value(f"OUTPUT_STATE_{state}"), to_publish=to_publish,
    )  # fmt: skip


@pytest.fixture
async def desk():
    """Tools of a worker that knows `sketch` alone, and both scripted services."""
    catalog, storage = Catalog(), Storage()
    add_catalog = ledger_service_pb2_grpc.add_LedgerServiceServicer_to_server
    add_storage = storage_service_pb2_grpc.add_StorageServiceServicer_to_server
    async with (
        serving("catalog", lambda server: add_catalog(catalog, server)) as books,
        serving("storage", lambda server: add_storage(storage, server)) as shelves,
    ):
        ledger = Ledger(books, ledger_service_pb2_grpc.LedgerServiceStub(books.channel))
        vault = storage_service_pb2_grpc.StorageServiceStub(shelves.channel)
        vendor = Vendor(name="sketch", provider=Silent(), terms=Terms(askable=True), time_limit=60)
        tools = Tools(
            ledger=ledger, storage=shelves, vault=vault, receipts=Receipts(shelves, vault),
            live=Live(Bus("nats://127.0.0.1:1", "nobody is there")), vendors={"sketch": vendor},
            registry=Registry(models.EVERY, configured={"sketch"}, default="sketch"),
        )  # fmt: skip
        ledger.start()

        yield tools, catalog, storage
        await ledger.close()


@pytest.fixture
async def work(desk):
    """Runs the work on a claim to its end; yields it with the scripted storage."""
    tools, catalog, storage = desk

    async def run(found):
        errand = Errand(tools, found, claimed_at=0, owned_until=lambda: 0, now=time.time)
        await asyncio.wait_for(errand.run(), 60)
        return [(edge.WhichOneof("step"), edge) for edge in catalog.written]

    return run, storage


@pytest.mark.parametrize("state", ["KEPT", "LOST", "QUARANTINED"])
async def test_what_is_kept_goes_to_the_cdn_under_a_name_for_people(work, state):
    run, storage = work
    outputs = (
        output(0, version=4), output(1, "LOST"), output(2, "PUBLISHED"), output(3, to_publish=False)
    )  # fmt: skip
    state = purchase_pb2.PurchaseState.Value(f"PURCHASE_STATE_{state}")
    [(step, edge)] = await run(claim(state, *outputs))
    assert storage.asked == [(f"assets/{HASH}", "sketch_12_4")]
    assert (step, edge.fence, edge.publish.output_index) == ("publish", 3, 0)
    assert edge.publish.cdn_url == f"{CDN}.png"
    assert edge.publish.thumbnail_url == f"{CDN}.webp"


async def test_what_is_kept_now_is_published_under_the_number_that_the_ledger_gave(work):
    run, storage = work
    drawn = purchase_pb2.PURCHASE_STATE_DRAWN
    found = await run(claim(drawn, output(0, "DRAWN", to_publish=False)))
    assert [step for step, _edge in found] == ["keep", "publish"]
    assert found[0][1].keep.to_publish
    assert storage.asked == [(f"assets/{HASH}", "sketch_12_4")]


@pytest.mark.parametrize(
    ("fault", "last"),
    [
        (errors.Unavailable("SERVICE_UNAVAILABLE", "no answer"), "park"),
        (errors.Denied("SCOPE_MISSING", "a defect"), "fail"),
    ],
    ids=repr,
)
async def test_an_output_that_always_fails_at_once_leaves_its_siblings_kept(work, fault, last):
    run, storage = work
    storage.failing[0] = fault
    storage.failed.clear()
    outputs = [output(index, "DRAWN", to_publish=False) for index in range(3)]
    found = await run(claim(purchase_pb2.PURCHASE_STATE_DRAWN, *outputs))
    assert [step for step, _edge in found] == ["keep", "keep", last]
    assert {edge.keep.output_index for _step, edge in found[:2]} == {1, 2}


@pytest.mark.parametrize(
    ("fault", "wait"),
    [
        (errors.Unavailable("CDN_UNAVAILABLE", "busy"), 30),
        (errors.Unavailable("CDN_UNAVAILABLE", "busy", retry_after=77), 77),
        (errors.Precondition("CDN_REFUSED", "a wrong secret"), 900),
    ],
    ids=repr,
)
async def test_what_does_not_get_there_is_let_go_of_for_a_while(work, fault, wait):
    run, storage = work
    storage.fault = fault
    [(step, edge)] = await run(claim(purchase_pb2.PURCHASE_STATE_KEPT, output(0, version=4)))
    assert step == "park"
    assert edge.park.delay.ToMilliseconds() / 1000 == pytest.approx(wait, abs=5)


@pytest.mark.parametrize(
    ("state", "was", "written"),
    [("DRAWN", "DRAWN", ["keep", "publish"]), ("KEPT", "KEPT", ["publish"])],
)
async def test_what_was_bought_is_kept_and_published_without_the_providers_key(
    desk, nats_url, state, was, written
):
    tools, catalog, _storage = desk
    state = purchase_pb2.PurchaseState.Value(f"PURCHASE_STATE_{state}")
    catalog.offered = claim(state, output(0, was, version=4))
    catalog.offered.purchase.provider, catalog.offered.purchase.model = "replicate", "flux-schnell"
    bus = Bus(nats_url, "a worker")
    worker = Worker(tools, tools.ledger.peer, bus, 10)
    await bus.start()
    await worker.start()
    while not await bus.announce("work.any", ID.encode(), once=f"{ID}:{state}"):
        await asyncio.sleep(0)
    async with asyncio.timeout(60):
        await catalog.done.wait()
        while worker.room < 10:  # the answer may be on its way still: stopped now, it would park
            await asyncio.sleep(0.01)
    await worker.let_go(5)
    await worker.leave(0)
    await bus.close()
    assert [edge.WhichOneof("step") for edge in catalog.written] == written


async def test_an_order_is_left_to_who_has_the_providers_key(desk):
    tools, catalog, _storage = desk
    catalog.offered = claim(purchase_pb2.PURCHASE_STATE_RUNNING)
    catalog.offered.purchase.provider, catalog.offered.purchase.model = "replicate", "flux-schnell"
    worker = Worker(tools, tools.ledger.peer, Bus("nats://127.0.0.1:1", "nobody is there"), 10)
    worker.take(ID, "replicate")
    while not catalog.written:
        await asyncio.sleep(0)
    assert [edge.WhichOneof("step") for edge in catalog.written] == ["park"]
    await worker.let_go(5)
    await worker.leave(0)
