"""What a worker does about answers that are lost, its own death, and its end."""

import asyncio
from datetime import UTC, datetime

import prometheus_client
import pytest

from chassis import errors
from chassis.bus import Bus
from imagestudio.catalog.v1 import edge_pb2, ledger_pb2, ledger_service_pb2_grpc
from imagestudio.storage.v1 import storage_service_pb2_grpc
from imagestudio.type.v1 import cost_pb2, purchase_pb2
from services.generator import models, moves
from services.generator import provider as seam
from services.generator.buy import FRESH, Errand
from services.generator.deeds import Tools
from services.generator.ledger import Ledger
from services.generator.live import Live
from services.generator.models import Registry
from services.generator.receipts import Receipts
from services.generator.standing import Terms
from services.generator.vendor import Vendor
from services.generator.worker import Worker
from tests.generator.scripted_ledger import (
    ID,
    NAME,
    NOW,
    RUNNING,
    SENDING,
    UNCLEAR,
    Catalog,
    Listing,
    Shop,
)
from tests.generator.wire import serving


async def soon(waiting):
    """Fail rather than hang."""
    return await asyncio.wait_for(waiting, 15)


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
            ledger=ledger, storage=peer, vault=vault, receipts=Receipts(peer, vault),
            live=Live(bus),
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
    assert await soon(world.catalog.written.get()) == "release"
    assert world.shop.asked == 0
    assert world.catalog.owner == ""


async def test_what_is_ours_and_no_claim_of_it_was_lost_is_left_alone(world):
    """A word that comes twice finds what this worker has: it may be bought already."""
    world.catalog.owner = world.worker.worker_id
    world.worker.take(ID, "sketch")
    while world.worker.room < 10:
        await asyncio.sleep(0)
    assert world.catalog.written.empty()
    assert world.worker.room == 10


async def test_work_that_was_dropped_before_its_first_step_can_be_had_again(world):
    world.worker.take(ID, "sketch")
    await world.worker._abandon()
    assert world.worker.room == 10
    world.worker.take(ID, "sketch")
    await soon(world.shop.came.wait())
    assert world.shop.asked == 1


async def test_the_same_work_twice_is_done_once(world):
    for _ in range(3):
        world.worker.take(ID, "sketch")
    await soon(world.shop.came.wait())
    assert (world.shop.asked, world.catalog.claims, world.worker.room) == (1, 1, 9)


async def test_one_that_ends_gives_back_what_it_draws_and_says_goodbye(world):
    world.worker.take(ID, "sketch")
    await soon(world.shop.came.wait())
    await world.worker.stop(5)
    assert world.catalog.written.get_nowait() == "release"
    assert world.catalog.left.is_set()
    assert world.worker.room == 0


async def test_one_that_was_taken_for_dead_writes_nothing_more_and_is_somebody_new(world):
    world.worker.take(ID, "sketch")
    await soon(world.shop.came.wait())
    first = world.catalog.workers[0]
    world.catalog.alive = False
    while world.catalog.workers[-1] == first:
        await asyncio.sleep(0)
    assert world.catalog.written.empty()


@pytest.mark.parametrize(
    ("answer", "edge"),
    [
        (seam.Refused("no"), "end"),
        (seam.ContentRefused("not this"), "end"),
        (seam.Unavailable("no connection was made", retry_after=1), "release"),
        (seam.Unclear("cut"), "unclear"),
        (ConnectionResetError("what an adapter must not raise"), "unclear"),
    ],
    ids=repr,
)
async def test_what_a_failed_order_may_have_cost_decides_what_is_written(world, answer, edge):
    world.shop.answer = answer
    world.worker.take(ID, "sketch")
    assert await soon(world.catalog.written.get()) == edge


LEFT = seam.Allowance(3, 20.0)


def allowing(error):
    error.allowance = LEFT
    return error


@pytest.mark.parametrize(
    ("answer", "sign", "reason"),
    [
        (seam.Ticket("t1", allowance=LEFT), "WELL", None),
        (allowing(seam.Refused("no")), "WELL", "PROVIDER_FAILED"),
        (allowing(seam.Busy("429", retry_after=7)), "UNSPECIFIED", "PROVIDER_RATE_LIMITED"),
        (allowing(seam.Unavailable("no connection")), "FAILS", "PROVIDER_UNAVAILABLE"),
        (allowing(seam.Unclear("cut")), "FAILS", "PURCHASE_UNCLEAR"),
        (allowing(seam.NoCredit("pay")), "REFUSES_US", "PROVIDER_BALANCE_EMPTY"),
        (allowing(seam.NotKnown("who?")), "REFUSES_US", "PROVIDER_CREDENTIAL_REFUSED"),
    ],
    ids=repr,
)
async def test_what_an_order_told_of_its_provider_goes_with_its_edge(world, answer, sign, reason):
    world.shop.answer = answer
    world.worker.take(ID, "sketch")
    kind = await soon(world.catalog.written.get())
    written = world.catalog.edges[-1]
    heard, allowance = written.heard, written.heard.allowance
    assert edge_pb2.ProviderSign.Name(heard.sign) == f"PROVIDER_SIGN_{sign}"
    assert (allowance.orders_left, allowance.renewal.seconds) == (3, 20)
    if reason:
        assert errors.from_status(getattr(written, kind).error).reason == reason
    if sign == "REFUSES_US":
        refusal = errors.from_status(heard.refusal)
        assert (refusal.reason, refusal.message) == (reason, str(answer))
        assert (written.end.charged, written.end.next.purchase_id) == (cost_pb2.CHARGED_NO, "")


async def test_a_defect_of_ours_and_what_never_came_so_far_tell_nothing_of_the_provider(world):
    world.shop.answer = ConnectionResetError("what an adapter must not raise")
    world.worker.take(ID, "sketch")
    assert await soon(world.catalog.written.get()) == "unclear"
    assert not world.catalog.edges[-1].HasField("heard")


async def test_what_may_not_be_sent_is_not_and_a_fallback_model_is_tried(world):
    world.catalog.fallback = "sketch-ink"
    refusal = errors.Precondition("PROVIDER_BALANCE_EMPTY", "Add credit there.")
    world.catalog.refusal = errors.to_status(refusal)
    world.worker.take(ID, "sketch")
    assert await soon(world.catalog.written.get()) == "end"
    end = world.catalog.edges[-1].end
    told = errors.from_status(end.error)
    assert (told.reason, told.message) == ("PROVIDER_BALANCE_EMPTY", "Add credit there.")
    assert (end.charged, end.next.model_key) == (cost_pb2.CHARGED_NO, "sketch-ink")
    assert world.shop.asked == 0


async def test_how_the_providers_do_is_heard_with_the_heartbeat(world):
    world.catalog.health.add(provider="far", state=ledger_pb2.BREAKER_STATE_OPEN)
    health = world.worker.tools.health
    async with asyncio.timeout(15):
        while health.trouble("far") is None:
            await asyncio.sleep(0.01)
    assert health.trouble("far") == ("PROVIDER_UNAVAILABLE", "")
    assert health.trouble("sketch") is None
    shown = prometheus_client.REGISTRY.get_sample_value(
        "studio_provider_breaker", {"provider": "far"}
    )
    assert shown == 2


async def test_one_whose_purchase_is_anothers_by_now_writes_nothing_more(world):
    world.catalog.gives_away, world.shop.answer = True, seam.Ticket("t1")
    world.worker.take(ID, "sketch")
    assert await soon(world.catalog.written.get()) == "ticket"
    await soon(let_go(world.worker))
    assert world.catalog.written.empty()


async def let_go(worker: Worker) -> None:
    while worker.room < 10:
        await asyncio.sleep(0)


@pytest.mark.parametrize(("state", "edge"), [(SENDING, "end"), (RUNNING, "fail")], ids=str)
async def test_work_that_breaks_off_leaves_its_evidence_and_does_not_hang(world, state, edge):
    world.catalog.broken, world.catalog.state = True, state
    world.worker.take(ID, "sketch")
    assert await soon(world.catalog.written.get()) == edge
    assert world.shop.asked == 0


@pytest.mark.parametrize(
    ("where", "state", "edge"),
    [
        ("model", SENDING, "release"),
        ("model", RUNNING, "park"),
        ("model", UNCLEAR, "park"),
        ("fallback", SENDING, "release"),
        ("fallback", UNCLEAR, "park"),
    ],
)
async def test_what_only_another_release_knows_is_left_to_it(world, where, state, edge):
    world.catalog.state = state
    setattr(world.catalog, where, "a model of another release")
    world.worker.take(ID, "sketch")
    assert await soon(world.catalog.written.get()) == edge
    assert getattr(world.catalog.edges[0], edge).delay.seconds > 0
    assert world.shop.asked == 0
    await soon(let_go(world.worker))
    assert world.catalog.written.empty()


async def test_without_nats_the_heartbeat_brings_the_work(world):
    world.catalog.due = [ID]
    await soon(world.shop.came.wait())
    assert world.catalog.beats[-1].room == 10
    assert list(world.catalog.beats[-1].providers) == ["sketch", "any"]


def errand(world, claimed_at: float, owned_until: float, now=lambda: NOW) -> Errand:
    """The work on a claim that the ledger gave us, begun whenever the test says."""
    world.catalog.owner, world.catalog.fence = world.worker.worker_id, 1
    claim, tools = world.catalog.purchase(), world.worker.tools
    until = {"owned_until": lambda: owned_until, "now": now}
    return Errand(tools, claim, claimed_at=claimed_at, **until)


async def test_an_order_does_not_leave_once_the_ledger_may_take_us_for_dead(world):
    now = asyncio.get_running_loop().time()
    for claimed_at, owned_until in ((now, now - 1), (now - FRESH - 1, now + 60)):
        await soon(errand(world, claimed_at, owned_until).run())
        assert world.catalog.written.get_nowait() == "release"
    assert world.shop.asked == 0


@pytest.mark.parametrize(
    ("event", "edge"), [(moves.StopAsked(), "release"), (moves.CancelAsked(), "end")], ids=repr
)
async def test_who_is_stopped_before_he_began_says_so(world, event, edge):
    now = asyncio.get_running_loop().time()
    work = errand(world, now, now + 60)
    work.tell(event)
    await soon(work.run())
    assert world.catalog.written.get_nowait() == edge
    assert world.shop.asked == 0


def under_way(world, state, late: float, clock=lambda: NOW) -> Errand:
    """The work on what was sent by another, *late* seconds after its deadline."""
    world.catalog.state, world.catalog.ticket = state, "t1"
    world.catalog.sent = world.catalog.limit + late
    now = asyncio.get_running_loop().time()
    return errand(world, now, now + 60, clock)


async def test_an_order_that_is_overdue_is_given_up_with_its_charge_unknown(world):
    await soon(under_way(world, RUNNING, late=1).run())
    [edge] = world.catalog.edges
    assert edge.end.ending == purchase_pb2.PURCHASE_ENDING_EXPIRED
    assert edge.end.charged == cost_pb2.CHARGED_UNKNOWN
    assert edge.end.cost.usd_micros == models.EVERY[0].price
    assert edge.end.HasField("cost")  # a second match has no reservation to count in its place
    assert not edge.end.HasField("next")


@pytest.mark.parametrize(("ahead", "edge"), [(0, "park"), (61, "end")])
async def test_it_is_the_databases_clock_that_tells_what_is_overdue(world, ahead, edge):
    world.catalog.state, world.catalog.ticket, world.catalog.now = RUNNING, "t1", NOW + ahead
    world.shop.sights = [seam.Working(0.5), seam.Unclear("no answer")]
    heard = len(world.catalog.beats)
    while len(world.catalog.beats) < heard + 2:  # the first answer may have left before
        await asyncio.sleep(0)
    world.worker.take(ID, "sketch")
    assert await soon(world.catalog.written.get()) == edge


@pytest.mark.parametrize("late", [-1, 3599, 3600])
async def test_what_is_out_of_sight_is_asked_for_again_for_an_hour(world, late):
    world.shop.sights = [seam.Unclear("no answer")]
    await soon(under_way(world, RUNNING, late).run())
    assert await soon(world.catalog.written.get()) == ("park" if late < 3600 else "end")


async def test_an_order_in_time_is_followed_to_its_end(world):
    refused = seam.Ended(charged=True, reason="nudity", content=True)
    world.shop.sights = [seam.Working(0.1), seam.Working(0.9), refused]
    await soon(under_way(world, RUNNING, late=-1).run())
    [edge] = world.catalog.edges
    assert edge.end.ending == purchase_pb2.PURCHASE_ENDING_FAILED
    assert errors.from_status(edge.end.error).reason == "CONTENT_REFUSED"


async def test_a_ticket_from_a_webhook_settles_before_the_list_shows_it(world):
    vendors, listing = world.worker.tools.vendors, Listing(owns={"t1"})
    vendors["sketch"] = Vendor(
        name="sketch", provider=listing, terms=Terms(askable=True, lag=120.0), time_limit=60
    )
    world.catalog.hinted = ["t0", "t1"]
    work = asyncio.create_task(under_way(world, UNCLEAR, late=-1).run())
    assert await soon(world.catalog.written.get()) == "settle"
    assert list(world.catalog.edges[0].settle.found.tickets) == ["t1"]
    work.cancel()


async def test_a_webhook_that_was_sent_under_anothers_url_settles_nothing(world):
    vendors, listing = world.worker.tools.vendors, Listing(owns=set())
    vendors["sketch"] = Vendor(
        name="sketch", provider=listing, terms=Terms(askable=True, lag=120.0), time_limit=60
    )
    world.catalog.hinted = ["t0"]
    await soon(under_way(world, UNCLEAR, late=-1).run())
    [edge] = world.catalog.edges
    assert 0 < edge.park.delay.seconds <= 120
    assert listing.listed == 1  # its list may have it already


async def test_an_order_that_another_release_planned_otherwise_is_not_sent(world):
    world.catalog.changed, world.catalog.fallback = True, "sketch-ink"
    world.shop.answer = seam.Ticket("t1")
    world.worker.take(ID, "sketch")
    assert await soon(world.catalog.written.get()) == "end"
    [edge] = world.catalog.edges
    assert (edge.end.charged, edge.end.HasField("next")) == (cost_pb2.CHARGED_NO, False)
    assert world.shop.asked == 0


@pytest.mark.parametrize("changed", [False, True])
async def test_what_another_release_planned_is_followed_by_no_attempt_of_this(world, changed):
    """It may bring more images in a call, and other calls of the job bring them already."""
    world.catalog.changed, world.catalog.fallback = changed, "sketch-ink"
    world.shop.sights = [seam.Ended(charged=False, reason="out of memory")]
    await soon(under_way(world, RUNNING, late=-1).run())
    assert world.catalog.edges[0].end.HasField("next") is not changed


@pytest.mark.parametrize("changed", [False, True])
async def test_who_looks_is_told_whether_it_is_the_order_that_was_sent(world, changed):
    world.catalog.changed, shop = changed, listing(world, [])
    await soon(under_way(world, UNCLEAR, late=-1).run())
    [order] = shop.looked_for
    assert (order.as_planned, order.sent) == (
        *(not changed, datetime.fromtimestamp(NOW - world.catalog.sent, UTC)),
    )


ALIKE = [seam.Ticket("t1", alike=True), seam.Ticket("t2", alike=True)]


def listing(world, shows) -> Listing:
    """Sold by one that tells of equal orders what it *shows*, without a lag."""
    made = Listing(set(), shows)
    terms = Terms(askable=True)
    vendor = Vendor(name="sketch", provider=made, terms=terms, time_limit=60)
    world.worker.tools.vendors["sketch"] = vendor
    return made


async def test_of_what_equal_orders_bought_it_follows_what_the_ledger_gave_it(world):
    shop, world.catalog.held = listing(world, ALIKE), {"t1"}
    work = asyncio.create_task(under_way(world, UNCLEAR, late=-1).run())
    assert await soon(shop.followed.get()) == "t2"
    [edge] = world.catalog.edges
    assert (list(edge.settle.found.tickets), edge.settle.found.alike) == (["t1", "t2"], True)
    work.cancel()


@pytest.mark.parametrize("unsure", [False, True])
async def test_where_equal_orders_hold_all_of_a_whole_list_nothing_was_bought(world, unsure):
    shop = listing(world, [seam.Ticket("t1", alike=True, unsure=unsure)])
    world.catalog.held = {"t1"}
    await soon(under_way(world, UNCLEAR, late=-1).run())
    _found, edge = world.catalog.edges
    assert edge.settle.HasField("absent") is not unsure
    assert edge.HasField("park") is unsure
    assert shop.followed.empty()


async def test_what_no_list_tells_is_given_up_with_its_reason_when_its_time_is_over(world):
    listing(world, [seam.Ticket("t1", alike=True, unsure=True)])
    world.catalog.held = {"t1"}
    await soon(under_way(world, UNCLEAR, late=3600).run())
    _found, edge = world.catalog.edges
    fault = errors.from_status(edge.settle.not_askable.error)
    assert (fault.reason, "may have been charged" in fault.message) == ("PURCHASE_UNCLEAR", True)


class Deaf(Shop):
    """One that draws on, 2 s from look to look, and has heard no cancel before the third."""

    def __init__(self) -> None:
        super().__init__()
        self.now, self.cancels = NOW, 0

    async def follow(self, ticket, /):
        while self.cancels < 3:
            yield seam.Working(None)
            self.now += 2
            await asyncio.sleep(0)
        yield seam.Ended(charged=False, reason="canceled", stopped=True)

    async def cancel(self, ticket, /):
        self.cancels += 1


async def test_a_cancel_that_was_not_heard_is_said_again_at_later_looks(world):
    shop, terms = Deaf(), Terms(askable=True, cancelable=True)
    vendor = Vendor(name="sketch", provider=shop, terms=terms, time_limit=60)
    world.worker.tools.vendors["sketch"] = vendor
    work = under_way(world, RUNNING, -50, lambda: shop.now)
    work.tell(moves.CancelAsked())
    await soon(work.run())
    assert await soon(world.catalog.written.get()) == "end"
    assert (shop.cancels, shop.now - NOW < 30) == (3, True)
