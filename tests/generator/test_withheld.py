"""What was planned is not bought while the vault could not keep it; it waits, uncharged."""

import asyncio

import pytest

from chassis.errors import Exhausted, Unavailable, from_status
from imagestudio.storage.v1 import storage_service_pb2 as pb
from imagestudio.storage.v1 import storage_service_pb2_grpc as pb_grpc
from services.generator import moves
from services.generator import provider as seam
from services.generator.disk import Disk
from tests.generator.errands import errand, shop_elsewhere
from tests.generator.hired import soon
from tests.generator.wire import serving

NAME = "imagestudio.storage.v1.StorageService"
GONE = Unavailable("VAULT_UNAVAILABLE", "Mount it.", retry_after=5)
FULL = Exhausted("DISK_FULL", "Free some space.", retry_after=5)
AWAY = Unavailable("SERVICE_UNAVAILABLE", "storage is not there")


class Room(pb_grpc.StorageServiceServicer):
    """Has room, unless it has something to say against it, or says nothing."""

    def __init__(self) -> None:
        self.refusal: Exception | None = None
        self.free, self.asked = 1 << 40, asyncio.Event()
        self.speaks = asyncio.Event()
        self.speaks.set()

    async def GetRoom(self, request, context):
        self.asked.set()
        await self.speaks.wait()
        if self.refusal:
            raise self.refusal
        return pb.GetRoomResponse(free_bytes=self.free, reserve_bytes=1 << 20)


@pytest.fixture
async def room(world):
    """The worker's storage; where an order leaves, its vendor is sold out."""
    found, world.shop.answer = Room(), seam.Refused("sold out")

    def add(server):
        pb_grpc.add_StorageServiceServicer_to_server(found, server)

    async with serving(NAME, add) as peer:
        world.worker.tools.disk = Disk(peer, pb_grpc.StorageServiceStub(peer.channel))
        yield found


async def released(world):
    """Claim the order, which does not leave; return the release that is written."""
    now = asyncio.get_running_loop().time()
    await soon(errand(world, now, now + 60).run())
    assert world.shop.asked == 0
    assert await soon(world.catalog.written.get()) == "release"
    return world.catalog.edges[-1].release


def delay_of(release) -> float:
    return release.delay.ToMilliseconds() / 1000


@pytest.mark.parametrize("refusal", [GONE, FULL], ids=["gone", "full"])
async def test_nothing_leaves_while_the_vault_takes_nothing_and_all_does_once_it_takes_it(
    world, room, refusal
):
    room.refusal = refusal
    for _ in range(2):
        release = await released(world)
        told = from_status(release.error)
        assert (told.reason, told.message) == (refusal.reason, refusal.message)
        assert (delay_of(release), release.sent_back) == (5, False)
    room.refusal = None
    now = asyncio.get_running_loop().time()
    await soon(errand(world, now, now + 60).run())
    assert world.shop.asked == 1


async def test_what_waits_for_a_vault_that_stays_away_asks_ever_less_often(world, room):
    now = [0.0]
    world.worker.tools.disk.clock = lambda: now[0]
    room.refusal, found = GONE, []
    for now[0] in (0.0, 8.0, 24.0, 40.0, 4000.0):
        found.append(delay_of(await released(world)))
    assert found == [5, 5, 12, 20, 30]
    room.refusal = None
    assert await world.worker.tools.disk.refusal() is None
    room.refusal, now[0] = GONE, 4002.0  # another time that it is away
    assert delay_of(await released(world)) == 5


async def test_a_storage_that_may_be_starting_is_asked_as_often_as_before(world, room):
    now = [0.0]
    world.worker.tools.disk.clock = lambda: now[0]
    room.refusal = AWAY
    for now[0] in (0.0, 20.0):
        assert delay_of(await released(world)) == 1


async def test_the_reserve_is_for_what_was_paid_for(world, room):
    room.free = 1
    for _ in range(2):  # by its word, and by its word of a moment ago
        assert from_status((await released(world)).error).reason == "DISK_FULL"


async def test_storage_that_restarts_is_waited_for_and_nobody_is_told(world, room):
    room.refusal = AWAY
    release = await released(world)
    assert from_status(release.error).reason == "SERVICE_UNAVAILABLE"
    assert delay_of(release) == 1
    room.refusal = None
    room.speaks.clear()
    room.asked.clear()
    now = asyncio.get_running_loop().time()
    buying = asyncio.create_task(errand(world, now, now + 60).run())
    await soon(room.asked.wait())
    room.speaks.set()
    await soon(buying)
    assert world.shop.asked == 1


async def test_storage_that_says_nothing_is_not_waited_for_until_the_claim_is_too_old(world, room):
    room.speaks.clear()
    assert from_status((await released(world)).error).reason == "SERVICE_UNAVAILABLE"
    world.worker.tools.disk.patience = 0
    release = await released(world)
    assert from_status(release.error).reason == "VAULT_UNAVAILABLE"
    assert delay_of(release) == 5


async def test_who_ends_does_not_wait_for_storage(world, room):
    """Else it would own what it never sent, and somebody would have to doubt that."""
    edge = await wished_while_asking(world, room, moves.StopAsked(), interruptible=False)
    assert from_status(edge.release.error).reason == "PROVIDER_UNAVAILABLE"  # not storage's word
    assert delay_of(edge.release) == 0


@pytest.mark.parametrize("interruptible", [True, False])
async def test_what_is_canceled_before_it_left_does_not_leave(world, room, interruptible):
    asked = moves.CancelAsked()
    edge = await wished_while_asking(world, room, asked, interruptible=interruptible)
    assert from_status(edge.end.error).reason == "JOB_CANCELED"


async def wished_while_asking(world, room, wish, *, interruptible):
    """Return what is written where somebody wishes for an end while storage says nothing."""
    shop_elsewhere(world, world.shop, conclusive=False, interruptible=interruptible)
    room.speaks.clear()
    now = asyncio.get_running_loop().time()
    work = errand(world, now, now + 60)
    running = asyncio.create_task(work.run())
    await soon(room.asked.wait())
    work.tell(wish)
    await soon(running)
    assert world.shop.asked == 0
    [edge] = world.catalog.edges
    return edge
