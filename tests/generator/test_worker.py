"""What a worker does about answers that are lost, its own death, and its end."""

import asyncio
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from chassis import errors
from imagestudio.type.v1 import cost_pb2, purchase_pb2
from services.generator import moves
from services.generator import provider as seam
from services.generator.buy import FRESH
from services.generator.ledger import Ledger
from services.generator.standing import Terms
from services.generator.vendor import Vendor
from services.generator.worker import Worker
from tests.generator.closing import left_open
from tests.generator.errands import errand, listing, shop_elsewhere, under_way
from tests.generator.hired import soon
from tests.generator.scripted_ledger import (
    ID,
    NOW,
    RUNNING,
    SENDING,
    UNCLEAR,
    Listing,
    Shop,
    Slow,
)


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
    await world.worker.let_go(5)
    await world.worker.leave(0)
    assert world.catalog.written.get_nowait() == "release"
    assert world.catalog.left.is_set()
    assert world.catalog.beats[-1].orderly
    assert world.worker.room == 0


async def test_one_that_ends_hears_an_answer_that_nobody_else_could(world):
    shop = Slow()
    shop_elsewhere(world, shop, conclusive=False)
    world.worker.take(ID, "sketch")
    await soon(shop.came.wait())
    await world.worker.let_go(0)
    leaving = asyncio.create_task(world.worker.leave(15))
    await asyncio.sleep(0)
    shop.go.set()
    await soon(leaving)
    assert [edge.WhichOneof("step") for edge in world.catalog.edges] == ["ticket", "park"]
    assert world.catalog.left.is_set()


async def test_one_that_ends_leaves_to_others_what_they_can_find(world):
    shop = Slow()
    shop_elsewhere(world, shop)
    world.worker.take(ID, "sketch")
    await soon(shop.came.wait())
    await world.worker.let_go(0)
    await soon(world.worker.leave(3600))
    assert world.catalog.edges == []
    assert world.catalog.left.is_set()


async def test_what_is_drawn_elsewhere_is_looked_at_once_all_that_came_is_claimed(world):
    shop, catalog = Listing({"t1"}), world.catalog
    shop_elsewhere(world, shop)
    turns = asyncio.Semaphore(0)
    catalog.state, catalog.ticket, catalog.turns = RUNNING, "t1", turns
    world.worker.take(ID, "sketch")
    await soon(catalog.asked.wait())
    catalog.asked.clear()
    world.worker.take("another", "sketch")
    turns.release()
    await soon(catalog.asked.wait())  # the first is ours
    assert shop.followed.empty()
    catalog.turns = None
    turns.release()
    assert await soon(shop.followed.get()) == "t1"


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


async def test_one_whose_purchase_is_anothers_by_now_writes_nothing_more(world):
    world.catalog.gives_away, world.shop.answer = True, seam.Ticket("t1")
    world.worker.take(ID, "sketch")
    assert await soon(world.catalog.written.get()) == "ticket"
    await soon(let_go(world.worker))
    assert world.catalog.written.empty()


async def test_a_defect_at_an_edges_answer_fails_the_try_and_does_not_hang(world):
    def broken(_provider):
        raise ValueError("a defect")

    world.worker.tools.notice = broken  # called for a ticket that the ledger does not take
    world.catalog.gives_away, world.shop.answer = True, seam.Ticket("t1")
    world.worker.take(ID, "sketch")
    assert await soon(world.catalog.written.get()) == "ticket"
    assert await soon(world.catalog.written.get()) == "fail"
    await soon(let_go(world.worker))


async def test_who_is_dropped_takes_back_what_was_not_sent(world, caplog):
    world.shop.sights = [seam.Ended(charged=True, reason="nudity")]
    tools = world.worker.tools
    sends, ledger = tools.ledger, Ledger(tools.ledger.peer, tools.ledger.stub)
    tools.ledger = ledger  # not started
    work = asyncio.create_task(under_way(world, RUNNING, late=-1).run())
    while not ledger._waiting:
        await asyncio.sleep(0)
    work.cancel()
    await asyncio.wait([work])
    await asyncio.sleep(0)
    tools.ledger = sends
    assert [each.future.cancelled() for each in ledger._waiting] == [True]
    assert caplog.records == []


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


async def test_an_order_in_time_is_followed_to_its_end(world):
    refused = seam.Ended(charged=True, reason="nudity", content=True)
    world.shop.sights = [seam.Working(0.1), seam.Working(0.9), refused]
    with left_open() as left:
        await soon(under_way(world, RUNNING, late=-1).run())
    assert left == []
    [edge] = world.catalog.edges
    assert edge.end.ending == purchase_pb2.PURCHASE_ENDING_FAILED
    told = errors.from_status(edge.end.error)
    assert told.reason == "CONTENT_REFUSED"
    assert str(told) == "The vendor refuses it: word it otherwise (nudity)"


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


@pytest.mark.parametrize(("changed", "repeats"), [(False, ""), (True, ""), (False, "0190")])
async def test_who_looks_is_told_whether_it_is_the_order_that_was_sent(world, changed, repeats):
    world.catalog.changed, world.catalog.repeats, shop = changed, repeats, listing(world, [])
    await soon(under_way(world, UNCLEAR, late=-1).run())
    [order] = shop.looked_for
    assert (order.as_planned, order.sent) == (
        *(not changed, datetime.fromtimestamp(NOW - world.catalog.sent, UTC)),
    )


ALIKE = [seam.Ticket("t1", alike=True), seam.Ticket("t2", alike=True)]


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
    found, *_, edge = world.catalog.edges
    assert found.settle.found.unproven is unsure
    assert edge.settle.HasField("absent") is not unsure
    assert edge.HasField("park") is unsure
    assert shop.followed.empty()


@pytest.mark.parametrize(
    ("fallback", "tried", "follows"),
    [
        ("sketch", ["sketch"] * 4, "sketch"),
        ("sketch", ["sketch"] * 5, None),
        ("sketch-ink", ["sketch"] * 5, "sketch-ink"),
        ("sketch-ink", ["sketch-ink"] * 3 + ["sketch"] * 4, "sketch"),
    ],
)
async def test_an_order_that_came_to_nothing_five_times_is_not_made_again(
    world, fallback, tried, follows
):
    listing(world, [])
    world.catalog.fallback, world.catalog.tried = fallback, tried
    await soon(under_way(world, UNCLEAR, late=-1).run())
    [edge] = world.catalog.edges
    assert edge.settle.HasField("absent")
    assert edge.settle.absent.next.model_key == (follows or "")


async def test_what_no_list_tells_is_given_up_with_its_reason_when_its_time_is_over(world):
    listing(world, [seam.Ticket("t1", alike=True, unsure=True)])
    world.catalog.held = {"t1"}
    await soon(under_way(world, UNCLEAR, late=3600).run())
    edge = world.catalog.edges[-1]
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
    work = under_way(world, RUNNING, -50, lambda: shop.now, held=1000)
    work.tell(moves.CancelAsked())
    await soon(work.run())
    assert await soon(world.catalog.written.get()) == "end"
    assert (shop.cancels, shop.now - NOW < 30) == (3, True)


async def test_who_ends_sends_no_order_whose_answer_he_could_not_wait_for(world):
    vendors, now = world.worker.tools.vendors, asyncio.get_running_loop().time()
    vendors["sketch"] = replace(vendors["sketch"], terms=Terms(askable=True, conclusive=False))
    work = errand(world, now, now + 60)
    work.tell(moves.StopAsked())
    await soon(work.run())
    assert (world.catalog.written.get_nowait(), world.shop.asked) == ("release", 0)
