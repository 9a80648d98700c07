"""Receipts at a real storage, in this process, on a real folder: the rules of the memory's, too."""

import asyncio
from contextlib import asynccontextmanager

import pytest

from chassis.channel import Peer
from chassis.errors import Denied, Exhausted, Fault, Precondition
from chassis.settings import read
from imagestudio.storage.v1 import storage_service_pb2 as pb
from imagestudio.storage.v1 import storage_service_pb2_grpc
from services.generator import edges
from services.generator.provider import Drawn, Inline
from services.generator.receipts import Receipts
from services.storage import compose
from services.storage.settings import Settings
from tests.generator.memory_receipts import MemoryReceipts
from tests.generator.wire import SECRET, serving
from tests.ports import free_port

ID = "01890000-0000-7000-8000-000000000001"
ANSWER = b"x" * 1000 + b"y" * 200_000


@asynccontextmanager
async def storing(folder, port):
    """Run a storage on *folder* in this process."""
    environment = {
        "STORAGE_PORT": str(port),
        "VAULT_URL": f"file://{folder}/vault",
        "CATALOG_TARGET": "127.0.0.1:1",
        "SERVICE_SECRET": SECRET.decode(),
        "LINK_KEY": SECRET.decode(),
        "DISK_RESERVE_MB": "0",
    }
    storage = compose.storage(read(Settings, environment))
    await storage.vault.open()
    await storage.server.start("127.0.0.1", port, "STORAGE_PORT")
    yield
    await storage.server.stop(lame=0, grace=0)
    await storage.child.close()
    await storage.peer.close()
    await storage.vault.close()


async def hung_up(port):
    """Return when somebody came who was hung up on."""
    came = asyncio.Event()

    async def hang_up(_reader, writer):
        writer.transport.abort()
        came.set()

    async with await asyncio.start_server(hang_up, "127.0.0.1", port):
        await asyncio.wait_for(came.wait(), 60)


@asynccontextmanager
async def reaching(port):
    peer = Peer(f"127.0.0.1:{port}", "storage", service="generator", secret=SECRET)
    yield Receipts(peer, storage_service_pb2_grpc.StorageServiceStub(peer.channel))
    await peer.close()


@pytest.fixture
async def at_storage(tmp_path):
    port = free_port()
    async with storing(tmp_path, port), reaching(port) as receipts:
        yield receipts


@pytest.fixture(params=["memory", "storage"])
def receipts(request, at_storage):
    return MemoryReceipts() if request.param == "memory" else at_storage


def sink(receipts, purchase_id=ID):
    if isinstance(receipts, MemoryReceipts):
        return receipts.sink(purchase_id)
    return receipts.sink(purchase_id, "sketch", 1)


async def keep(receipts, answer=ANSWER):
    taking = sink(receipts)
    await taking.write(answer[:1500])
    await taking.write(answer[1500:])
    await taking.close()


async def test_what_was_closed_is_read_back_from_any_part(receipts):
    await keep(receipts)
    for start, stop in ((0, 1024), (990, 1010), (5000, 150_000)):
        assert await receipts.read(ID, start, stop) == ANSWER[start:stop]


async def test_another_process_reads_it_too(at_storage):
    await keep(at_storage)
    other = Receipts(at_storage.peer, at_storage.stub)
    assert await other.read(ID, 990, 1010) == ANSWER[990:1010]


async def test_what_was_not_closed_is_not_there(receipts):
    taking = sink(receipts)
    await taking.write(ANSWER)
    assert await receipts.read(ID, 0, 10) is None
    assert await receipts.seal(ID)


async def test_the_same_again_is_fine_and_anything_else_is_not_taken(receipts):
    await keep(receipts)
    await keep(receipts)
    with pytest.raises(Precondition):
        await keep(receipts, b"something else")
    assert await receipts.read(ID, 0, 10) == ANSWER[:10]


async def test_a_sealed_place_stays_empty_for_ever(receipts):
    assert await receipts.seal(ID)
    with pytest.raises(Precondition):
        await keep(receipts)
    assert await receipts.seal(ID)


async def test_what_is_there_cannot_be_sealed(receipts):
    await keep(receipts)
    assert not await receipts.seal(ID)
    assert await receipts.read(ID, 0, 10) == ANSWER[:10]


@pytest.mark.parametrize("size", [1, 256 * 1024, 256 * 1024 + 1, 3_000_000])
async def test_an_answer_is_kept_whole_though_storage_goes_away_in_the_middle(tmp_path, size):
    answer = bytes(range(256)) * (size // 256) + b"z" * (size % 256)
    port = free_port()
    async with reaching(port) as receipts:
        async with storing(tmp_path, port):
            taking = sink(receipts)
            await taking.write(answer[: size // 2])
            await taking.write(answer[size // 2 :])
        closing = asyncio.create_task(taking.close())
        await hung_up(port)
        assert not closing.done()
        async with storing(tmp_path, port):
            await asyncio.wait_for(closing, 60)
            receipts.forget(ID)
            assert await receipts.read(ID, 0, size + 1) == answer


class Owner:
    """Remembers what it hears, and names what is drawn."""

    def __init__(self):
        self.heard, self.kept = [], []

    def warn(self, fault):
        self.heard.append(fault)

    def pictures(self, drawn):
        for index, image in enumerate(drawn.images):
            yield pb.ImportAssetRequest(
                purchase_id=ID, output_index=index, source_uri=edges.source(image, ID)
            )

    def pictured(self, kept):
        self.kept = [*kept]


class Trouble(storage_service_pb2_grpc.StorageServiceServicer):
    """A storage that says the next of its *faults* to each receipt, and then takes it."""

    def __init__(self, *faults):
        self.faults, self.taken, self.tries = list(faults), [], 0
        self.began = 0
        self.left: list[float] = []  # seconds, each time that one had all come

    async def PutReceipt(self, messages, context):
        self.began += 1
        answer = b"".join([message.chunk async for message in messages])
        self.tries += 1
        self.left.append(context.time_remaining())
        if self.faults:
            raise self.faults.pop(0)
        self.taken.append(answer)
        return pb.PutReceiptResponse()


@asynccontextmanager
async def troubled(*faults):
    storage = Trouble(*faults)

    def add(server):
        storage_service_pb2_grpc.add_StorageServiceServicer_to_server(storage, server)

    async with serving("imagestudio.storage.v1.StorageService", add) as peer:
        yield storage, Receipts(peer, storage_service_pb2_grpc.StorageServiceStub(peer.channel))


async def test_a_large_answer_has_the_longer_to_be_taken():
    """A vault on a slow line takes megabytes in as many seconds, and they are paid for."""
    async with troubled() as (storage, receipts):
        for purchase_id, size in ((ID, 1000), (ID[:-1] + "2", 20 * 2**20)):
            taking = sink(receipts, purchase_id)
            await taking.write(bytes(size))
            await taking.close()
        small, large = storage.left
    assert small < 31  # a deadline is told as the time that is left of it, rounded up
    assert large > 40


@pytest.mark.parametrize(
    "fault",
    [Exhausted("DISK_FULL", "The disk is full.", retry_after=0.01), Fault("INTERNAL", "a defect"),
     Denied("CREDENTIAL_INVALID", "another secret")],
    ids=repr,
)  # fmt: skip
async def test_a_paid_answer_is_sent_again_whatever_storage_said_and_who_waits_hears_it(fault):
    owner = Owner()
    async with troubled(fault) as (storage, receipts):
        taking = receipts.sink(ID, "sketch", 1, owner)
        await taking.write(ANSWER)
        await taking.close()
        assert (storage.taken, storage.tries) == ([ANSWER], 2)
    heard = [(each.reason, each.message) for each in owner.heard]
    assert heard == [(fault.reason, fault.message)]


async def test_an_owner_names_the_pictures_in_a_receipt_and_hears_which_are_kept(at_storage):
    owner, drawn = Owner(), Drawn(images=(Inline(1000, 1003, raw=True),), seconds=1.0)
    taking = at_storage.sink(ID, "sketch", 1, owner)
    await taking.write(ANSWER)
    await taking.close(drawn)
    assert [each.asset.size_bytes for each in owner.kept] == [3]


async def test_it_is_given_up_when_its_patience_is_over_and_not_before_what_storage_asks_for():
    full = Exhausted("DISK_FULL", "The disk is full.", retry_after=60.0)
    async with troubled(full) as (storage, receipts):
        receipts.patience = 59.0
        with pytest.raises(Exhausted):
            await keep(receipts)
        assert storage.tries == 1


async def test_another_answer_in_its_place_is_not_tried_against():
    async with troubled(Precondition("STATE_CONFLICT", "another one is kept")) as (storage, found):
        with pytest.raises(Precondition):
            await keep(found)
        assert storage.tries == 1


async def test_no_call_to_storage_is_open_while_the_vendor_still_draws():
    """It would end before the answer does, where pictures come one after another."""
    async with troubled() as (storage, receipts):
        taking = sink(receipts)
        await taking.write(bytes(300_000))
        for _ in range(3):  # by then storage would have heard of it
            with pytest.raises(Fault):
                await receipts.read(ID, 0, 1)
        assert storage.began == 0
        await taking.write(b"the end")
        await taking.close()
        assert (storage.taken, storage.began) == ([bytes(300_000) + b"the end"], 1)
