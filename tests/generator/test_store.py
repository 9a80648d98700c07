"""What a worker makes of storage's answers when a picture is to be copied from its vendor."""

import asyncio
import time
from datetime import UTC, datetime

import pytest

from chassis.errors import (
    DataLoss,
    Denied,
    Exhausted,
    Fault,
    Invalid,
    Late,
    Missing,
    Unavailable,
    from_status,
)
from imagestudio.catalog.v1 import (
    edge_pb2,
    ledger_pb2,
    ledger_service_pb2,
    ledger_service_pb2_grpc,
)
from imagestudio.storage.v1 import storage_service_pb2 as pb
from imagestudio.storage.v1 import storage_service_pb2_grpc as pb_grpc
from services.generator import models, moves
from services.generator.buy import Errand
from services.generator.deeds import Tools
from services.generator.ledger import Ledger
from services.generator.models import Registry
from services.generator.provider import Drawn, Inline, Link, Unclear
from services.generator.standing import Terms
from services.generator.vendor import Vendor
from tests.generator.wire import serving

URL = "https://files.replicate.delivery/a.png"
EXPIRES = datetime(2026, 11, 25, 12, tzinfo=UTC)
ID = "01890000-0000-7000-8000-000000000001"


class Storage(pb_grpc.StorageServiceServicer):
    """Answers as it is told."""

    def __init__(self) -> None:
        self.fault: Fault | None = None
        self.asked: list[pb.ImportAssetRequest] = []

    async def ImportAsset(self, request, context):
        self.asked.append(request)
        if self.fault:
            raise self.fault
        return pb.ImportAssetResponse(asset=pb.Asset(name="assets/ab"))


class Books(ledger_service_pb2_grpc.LedgerServiceServicer):
    """Takes every edge."""

    def __init__(self) -> None:
        self.edges: asyncio.Queue[edge_pb2.Edge] = asyncio.Queue()

    async def Apply(self, request, context):
        for edge in request.edges:
            self.edges.put_nowait(edge)
        results = [ledger_service_pb2.EdgeResult() for _ in request.edges]
        return ledger_service_pb2.ApplyResponse(results=results)


class Vendors:
    """A vendor that has drawn."""

    def __init__(self) -> None:
        self.looks, self.away = 0, False

    async def follow(self, ticket, /):
        self.looks += 1
        await asyncio.sleep(0)
        if self.away:
            raise Unclear("no answer")
        yield Drawn(images=(Link(URL, EXPIRES),), seconds=1.0)


@pytest.fixture
async def world():
    storage, books = Storage(), Books()
    storage.books = books

    def add(server):
        pb_grpc.add_StorageServiceServicer_to_server(storage, server)
        ledger_service_pb2_grpc.add_LedgerServiceServicer_to_server(books, server)

    async with serving("imagestudio.storage.v1.StorageService", add) as peer:
        vendor = Vendor(
            name="replicate", provider=Vendors(), terms=Terms(askable=True), time_limit=60
        )
        ledger = Ledger(peer, ledger_service_pb2_grpc.LedgerServiceStub(peer.channel))
        ledger.start()
        tools = Tools(
            ledger=ledger, storage=peer, vault=pb_grpc.StorageServiceStub(peer.channel),
            receipts=None, live=None, vendors={"replicate": vendor},
            registry=Registry(models.EVERY, configured={"sketch"}, default="sketch"),
        )  # fmt: skip
        claim = ledger_pb2.LedgerPurchase(user="users/1", ticket="t1")
        claim.purchase.purchase_id, claim.purchase.job = ID, "jobs/1"
        claim.purchase.provider, claim.purchase.model = "replicate", "sketch"
        claim.spec.prompt, claim.spec.count = "a lighthouse", 1
        claim.spec.models.append("sketch")
        errand = Errand(tools, claim, claimed_at=0, owned_until=lambda: 0, now=lambda: 0)
        yield storage, errand._deeds
        await ledger.close()


async def test_storage_is_told_whose_url_it_is_and_when_it_dies(world):
    storage, deeds = world
    assert await deeds.store(0) == moves.Stored(0)
    (asked,) = storage.asked
    assert (asked.source_uri, asked.provider, asked.purchase_id) == (URL, "replicate", ID)
    assert asked.source_expire_time.ToDatetime(UTC) == EXPIRES


async def test_what_was_kept_with_its_receipt_is_not_imported_once_more(world):
    storage, deeds = world
    drawn = Drawn(images=(Inline(1, 5), Inline(5, 9, raw=True)), seconds=1.0)
    named = deeds.pictures(drawn)
    assert [each.source_uri for each in named] == [
        f"receipt:{ID}#1-5",
        f"receipt:{ID}#5-9;raw",
    ]
    assert {each.provenance.ticket for each in named} == {f"receipt:{ID}"}

    early = [pb.Asset(name="assets/cd"), pb.Asset(name="assets/ef")]
    deeds.pictured(pb.ImportAssetResponse(asset=each, publishable=True) for each in early)
    assert [await deeds.store(index) for index in range(2)] == [
        moves.Stored(index, publishable=True) for index in range(2)
    ]
    assert ([*deeds.assets.values()], storage.asked) == (early, [])
    await deeds.store(0)  # another try is a real one
    assert len(storage.asked) == 1


@pytest.mark.parametrize("away", [False, True])
async def test_many_outputs_ask_the_vendor_once_for_all(world, away):
    _storage, deeds = world
    vendor = deeds.vendor.provider
    vendor.away = away
    for index in range(3):
        deeds.claim.outputs.add(index=index, source=URL)
    stored = await asyncio.gather(*map(deeds.store, range(3)))
    assert stored == [moves.Stored(index) for index in range(3)]
    assert vendor.looks == 1


@pytest.mark.parametrize(
    ("fault", "event"),
    [
        (Missing("SOURCE_EXPIRED", "gone"), moves.Vanished(0, "gone")),
        (Denied("SOURCE_FORBIDDEN", "off the list"), moves.Vanished(0, "off the list")),
        (Denied("SOURCE_FORBIDDEN", "may pass", retry_after=2), moves.Unstored(0, "may pass", 2)),
        (Unavailable("PROVIDER_UNAVAILABLE", "later", retry_after=7),
         moves.Unstored(0, "later", 7)),
        (Late("SERVICE_UNAVAILABLE", "late"), moves.Unstored(0, "late", 1.0)),
        (Exhausted("DISK_FULL", "full", retry_after=5), moves.Unstored(0, "full", 5)),
    ],
    ids=repr,
)  # fmt: skip
async def test_an_output_is_lost_where_no_other_try_can_help_and_only_there(world, fault, event):
    storage, deeds = world
    storage.fault = fault
    assert await deeds.store(0) == event


@pytest.mark.parametrize(
    "fault",
    [
        Unavailable("VAULT_UNAVAILABLE", "mount it", retry_after=2),
        Exhausted("DISK_FULL", "free some space", retry_after=5),
    ],
    ids=repr,
)
async def test_a_job_is_told_once_that_the_vault_takes_nothing(world, fault):
    storage, deeds = world
    storage.fault = Unavailable("SERVICE_UNAVAILABLE", "it starts", retry_after=1)
    await deeds.store(0)  # that passes, and is nobody's concern
    storage.fault = fault
    for _ in range(2):
        await deeds.store(0)
    storage.fault = None
    await deeds.store(0)
    deeds.tools.ledger.submit(edge_pb2.Edge(purchase_id="the last"))
    edges = [await asyncio.wait_for(storage.books.edges.get(), 60) for _ in range(2)]
    assert [edge.purchase_id for edge in edges] == [ID, "the last"]
    told = from_status(edges[0].warn.error)
    assert (told.reason, told.message) == (fault.reason, fault.message)


@pytest.mark.parametrize(
    ("fault", "delay"),
    [
        (Unavailable("PROVIDER_UNAVAILABLE", "not there", retry_after=2), 60),
        (Denied("SOURCE_FORBIDDEN", "may pass", retry_after=2), 60),
        (Exhausted("DISK_FULL", "full", retry_after=5), 5),  # that is ours to see to
    ],
    ids=repr,
)
async def test_an_old_order_asks_its_source_less_often(world, fault, delay):
    storage, deeds = world
    storage.fault = fault
    deeds.claim.purchase.send_time.FromSeconds(int(time.time()) - 3000)
    deeds.vendor.provider.away = True  # nobody tells when the link dies
    deeds.claim.outputs.add(index=0, source=URL)
    assert await deeds.store(0) == moves.Unstored(0, fault.message, delay)


async def test_a_service_that_may_not_ask_loses_nothing(world):
    storage, deeds = world
    storage.fault = Denied("SERVICE_ONLY", "who are you")
    told = moves.Unstored(0, "who are you", defect=True)
    assert await deeds.store(0) == told


@pytest.mark.parametrize(
    "spoilt", [Invalid("REQUEST_INVALID", "no"), DataLoss("HASH_MISMATCH", "no")]
)
async def test_what_is_no_picture_is_told_apart_from_a_defect_of_storage(world, spoilt):
    storage, deeds = world
    storage.fault = Fault("INTERNAL", "a defect")
    assert await deeds.store(0) == moves.Unstored(0, "a defect", defect=True)
    storage.fault = spoilt
    assert await deeds.store(0) == moves.Unstored(0, "no", defect=True, spoilt=True)
