"""A request that would be refused by now asks first whether it is a job already."""

import contextlib
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable

import pytest

from chassis import identity
from chassis.bus import Bus
from chassis.errors import Exhausted, Fault, Invalid, Missing, Unavailable, to_status
from imagestudio.catalog.v1 import catalog_service_pb2_grpc, ledger_service_pb2_grpc
from imagestudio.catalog.v1 import ledger_service_pb2 as pb
from imagestudio.storage.v1 import storage_service_pb2, storage_service_pb2_grpc
from imagestudio.type.v1 import image_pb2, job_pb2
from services.generator import models
from services.generator.admissions import Admissions
from services.generator.disk import Disk
from services.generator.generations import Generations
from services.generator.hub import Hub
from services.generator.language.call import Voice
from services.generator.language.meter import Meter
from services.generator.language.smart import Rewriter
from services.generator.models import Registry
from services.generator.plan import request_fingerprint
from services.generator.preparation import Preparation
from services.generator.watch import Watch
from tests.generator.language.books import ENTRY, WHOLE, Pen
from tests.generator.own_worker import hired
from tests.generator.scripted_ledger import NAME, Catalog, Shop
from tests.generator.wire import serving

Start = Callable[[job_pb2.JobSpec], Awaitable[pb.AdmitResponse]]
RETIRED = job_pb2.JobSpec(prompt="a lighthouse", models=["dall-e-3"])
SKETCH = job_pb2.JobSpec(prompt="a lighthouse", models=["sketch"])


class Books(Catalog):
    """Has admitted the requests of *known* fingerprints; *refusal* is what it says to an order."""

    def __init__(self) -> None:
        super().__init__()
        self.known: set[str] = set()
        self.looks = 0
        self.away = False  # of what it knows
        self.refusal_of_orders: Fault | None = None
        self.room = 1 << 40  # micro-USD
        self.orders: list[pb.AdmitRequest] = []

    async def AdmitMany(self, request, context):
        [admission] = request.admissions
        try:
            admitted = await self.Admit(admission.request, context)
        except Fault as fault:
            return pb.AdmitManyResponse(results=[{"status": to_status(fault)}])
        return pb.AdmitManyResponse(results=[pb.AdmitResult(admitted=admitted)])

    async def Admit(self, request, context):
        if self.refusal_of_orders:
            raise self.refusal_of_orders
        self.orders.append(request)
        if sum(each.reserved_usd_micros for each in request.purchases) > self.room:
            raise Exhausted("SPEND_CAP_EXCEEDED", "not so much is left")
        return pb.AdmitResponse(job=job_pb2.Job(name="jobs/8"), replayed=True)

    async def ReadAdmitted(self, request, context):
        self.looks += 1
        if self.away:
            raise Unavailable("SERVICE_UNAVAILABLE", "the catalog starts")
        if request.fingerprint not in self.known:
            return pb.ReadAdmittedResponse()
        return pb.ReadAdmittedResponse(admitted={"job": {"name": "jobs/7"}, "replayed": True})

    async def ReserveSpending(self, request, context):
        return pb.ReserveSpendingResponse()

    async def SettleSpending(self, request, context):
        return pb.SettleSpendingResponse()


class Library(catalog_service_pb2_grpc.CatalogServiceServicer):
    """Has no variant, and no preset."""

    async def GetPreset(self, request, context):
        raise Missing("RESOURCE_UNKNOWN", "no such preset")

    async def GetVariant(self, request, context):
        raise Missing("RESOURCE_UNKNOWN", "no such variant")


class Room(storage_service_pb2_grpc.StorageServiceServicer):
    """Has room, unless it has something to say against it."""

    refusal: Fault | None = None

    async def GetRoom(self, request, context):
        if self.refusal:
            raise self.refusal
        return storage_service_pb2.GetRoomResponse(free_bytes=1 << 40)

    async def GetAsset(self, request, context):
        raise Missing("RESOURCE_UNKNOWN", "There is no such file.")

    async def PrepareReference(self, request, context):
        raise Missing("RESOURCE_UNKNOWN", "There is no such file.")


@contextlib.asynccontextmanager
async def starting(
    books: Books,
    voice: Voice | None = None,
    room: Room | None = None,
    patience: float = 60.0,
) -> AsyncIterator[Start]:
    """Yield what starts a job over a wire to *books*."""
    identity.current.set(identity.Caller(1))

    def add(server):
        ledger_service_pb2_grpc.add_LedgerServiceServicer_to_server(books, server)
        catalog_service_pb2_grpc.add_CatalogServiceServicer_to_server(Library(), server)
        storage_service_pb2_grpc.add_StorageServiceServicer_to_server(room or Room(), server)

    async with serving(NAME, add) as peer, hired(peer, Shop()) as worker:
        ledger = ledger_service_pb2_grpc.LedgerServiceStub(peer.channel)
        vault = storage_service_pb2_grpc.StorageServiceStub(peer.channel)
        library = catalog_service_pb2_grpc.CatalogServiceStub(peer.channel)
        generations = Generations(
            catalog=peer,
            library=library,
            ledger=ledger,
            admissions=Admissions(peer, ledger),
            registry=Registry(models.EVERY, configured={"sketch", "openai"}, default="sketch"),
            worker=worker,
            watch=Watch(Hub(Bus("nats://127.0.0.1:1", "nobody is there")), peer, ledger),
            disk=Disk(peer, vault, patience),
            preparation=Preparation(peer, vault, peer, library),
            rewriter=Rewriter(Meter(peer, ledger), voice),
        )

        def start(spec):
            return generations.start(spec, str(uuid.uuid4()))

        start.estimate = generations.estimate
        yield start


async def test_a_retired_model_refuses_new_requests_alone():
    books = Books()
    async with starting(books) as start:
        with pytest.raises(Fault) as refused:
            await start(RETIRED)
        books.known.add(request_fingerprint(RETIRED))
        assert (await start(RETIRED)).job.name == "jobs/7"
    assert refused.value.reason == "MODEL_RETIRED"


async def test_what_can_be_admitted_asks_nothing_before():
    books = Books()
    async with starting(books) as start:
        assert (await start(SKETCH)).job.name == "jobs/8"
    assert books.looks == 0


async def test_a_vault_that_takes_nothing_is_no_place_for_new_work_and_what_is_known_is_told():
    books, room = Books(), Room()
    room.refusal = Unavailable("VAULT_UNAVAILABLE", "Mount it.", retry_after=5)
    async with starting(books, room=room) as start:
        with pytest.raises(Unavailable, match="Mount it") as refused:
            await start(SKETCH)
        assert (refused.value.reason, refused.value.retry_after) == ("VAULT_UNAVAILABLE", 5)
        assert not books.orders
        books.known.add(request_fingerprint(SKETCH))
        assert (await start(SKETCH)).job.name == "jobs/7"
        room.refusal = None
        books.known.clear()
        assert (await start(SKETCH)).job.name == "jobs/8"


async def test_a_disk_that_is_full_is_no_place_for_new_work_whatever_the_reserve():
    books, room = Books(), Room()
    room.refusal = Exhausted("DISK_FULL", "Free some space.", retry_after=5)
    async with starting(books, room=room) as start:
        with pytest.raises(Exhausted, match="Free some space"):
            await start(SKETCH)
    assert not books.orders


AWAY = Unavailable("SERVICE_UNAVAILABLE", "storage is not there")


async def test_a_storage_that_restarts_holds_up_no_new_work():
    books, room = Books(), Room()
    room.refusal = AWAY
    async with starting(books, room=room) as start:
        assert (await start(SKETCH)).job.name == "jobs/8"


async def test_a_storage_that_stays_away_is_no_place_for_new_work_until_it_is_heard():
    """As where its disk is not mounted: it does not start, and cannot say so itself."""
    books, room = Books(), Room()
    room.refusal = AWAY
    async with starting(books, room=room, patience=0) as start:
        with pytest.raises(Unavailable, match="mounted") as refused:
            await start(SKETCH)
        assert refused.value.reason == "VAULT_UNAVAILABLE"
        assert refused.value.retry_after
        assert not books.orders
        room.refusal = None
        assert (await start(SKETCH)).job.name == "jobs/8"


async def test_a_catalog_that_is_away_is_not_asked_what_it_knows():
    books = Books()
    books.refusal_of_orders = Unavailable("SERVICE_UNAVAILABLE", "the catalog starts")
    async with starting(books) as start:
        with pytest.raises(Unavailable):
            await start(SKETCH)
        books.refusal_of_orders = Invalid("REQUEST_INVALID", "no")
        with pytest.raises(Invalid):
            await start(SKETCH)
    assert books.looks == 1  # after the refusal alone


def of_nothing() -> job_pb2.JobSpec:
    spec = job_pb2.JobSpec(prompt="a lighthouse", preset="gone")
    spec.references.add(role=image_pb2.REFERENCE_ROLE_MASK)
    return spec


@pytest.mark.parametrize(
    ("spec", "named"),
    [
        (job_pb2.JobSpec(prompt=" ", preset="gone"), "prompt"),
        (job_pb2.JobSpec(prompt="a lighthouse", models=["sketch", "sketch"]), "models"),
        (of_nothing(), "references[0]"),
    ],
    ids=["words", "models", "references"],
)
async def test_what_nobody_could_ever_ask_is_told_so_though_the_catalog_is_away(spec, named):
    books = Books()
    books.away = True
    async with starting(books) as start:
        with pytest.raises(Invalid) as refused:
            await start(spec)
    assert list(refused.value.fields) == [named]
    assert books.looks == 0


async def test_a_preset_that_is_gone_refuses_new_requests_alone():
    spec = job_pb2.JobSpec(prompt="a lighthouse", preset="gone")
    books = Books()
    async with starting(books) as start:
        with pytest.raises(Missing):
            await start(spec)
        books.known.add(request_fingerprint(spec))
        assert (await start(spec)).job.name == "jobs/7"


async def test_a_better_prompt_for_which_no_money_is_left_is_not_drawn_with():
    """It is longer and so dearer: the job goes on with the one that fits."""
    spec = job_pb2.JobSpec(prompt="sea", models=["gpt-image-2"], smart_prompt=True)
    books, pen = Books(), Pen(WHOLE, WHOLE)
    async with starting(books, Voice(ENTRY, pen)) as start:
        await start(spec)
        [better] = books.orders
        assert better.spec.prompt == "a stormy sea"
        books.room = better.purchases[0].reserved_usd_micros - 1
        assert (await start(spec)).job.name == "jobs/8"
        plain = books.orders[-1]
    assert (plain.spec.prompt, plain.fingerprint) == ("sea", better.fingerprint)
    assert not plain.HasField("prompt_enhanced")
    [warning] = plain.warnings
    assert warning.reason == "SPEND_CAP_EXCEEDED"


async def test_a_variant_that_is_gone_refuses_new_requests_alone():
    spec = job_pb2.JobSpec(prompt="in a garden", models=["gpt-image-2"])
    spec.references.add(variant="jobs/-/variants/7")
    books = Books()
    async with starting(books) as start:
        with pytest.raises(Invalid) as refused:
            await start(spec)
        books.known.add(request_fingerprint(spec))
        assert (await start(spec)).job.name == "jobs/7"
        with pytest.raises(Invalid) as estimated:
            await start.estimate(spec)
    assert list(refused.value.fields) == ["references[0].variant"]
    assert str(estimated.value) == str(refused.value)


async def test_an_estimate_refuses_a_file_that_is_not_there_as_the_order_does():
    spec = job_pb2.JobSpec(prompt="in a garden", models=["gpt-image-2"])
    spec.references.add(asset="assets/" + "a" * 64)
    async with starting(Books()) as start:
        refusals = []
        for asking in (start, start.estimate):
            with pytest.raises(Invalid) as refused:
                await asking(spec)
            refusals.append((refused.value.reason, refused.value.message, refused.value.fields))
    assert refusals[0] == refusals[1]
