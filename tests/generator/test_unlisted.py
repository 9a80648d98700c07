"""That a list does not show an order proves something once it was known of for long enough, and
by a clock that nobody sets: the database's may have been set since the order left."""

import asyncio
from dataclasses import replace

from services.generator import provider as seam
from services.generator.reconcile import Seen
from services.generator.standing import Terms
from tests.generator.errands import errand, under_way
from tests.generator.hired import soon
from tests.generator.scripted_ledger import ID, UNCLEAR, Listing

LAG = 120.0


class Hands:
    """A clock that a test sets."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def lagging(world, *shows: seam.Ticket) -> tuple[Listing, Hands]:
    """Have the worker buy from one whose list lags, and tell the time to it."""
    shop, clock, vendors = Listing(set(), shows), Hands(), world.worker.tools.vendors
    terms = Terms(askable=True, lag=LAG)
    vendors["sketch"] = replace(vendors["sketch"], provider=shop, terms=terms)
    world.worker.tools.seen = Seen(clock)
    return shop, clock


async def settled(world) -> object:
    """What comes of an order that to the database has left an hour ago."""
    await soon(under_way(world, UNCLEAR, late=3600).run())
    return world.catalog.edges[-1]


async def test_the_first_list_proves_no_absence_to_whom_the_order_is_new(world):
    shop, clock = lagging(world)
    assert (await settled(world)).park.delay.seconds == LAG
    clock.now += LAG - 1
    assert (await settled(world)).park.delay.seconds == 1
    clock.now += 1
    assert (await settled(world)).settle.HasField("absent")
    assert shop.listed == 3


async def test_no_list_is_read_before_it_can_show_an_order(world):
    shop, _ = lagging(world)
    await soon(under_way(world, UNCLEAR, late=20 - world.catalog.limit).run())
    assert world.catalog.edges[-1].park.delay.seconds == LAG - 20
    assert shop.listed == 0


async def test_an_equal_orders_prediction_is_no_more_of_a_proof(world):
    _, clock = lagging(world, seam.Ticket("t1", alike=True))
    world.catalog.held = {"t1"}
    assert (await settled(world)).HasField("park")
    clock.now += LAG
    assert (await settled(world)).settle.HasField("absent")


class Growing(Listing):
    """Of two equal orders that were lost it lists the later one's too late for the first look."""

    async def look_up(self, order, /):
        looked = await super().look_up(order)
        self.shows = [seam.Ticket("t1", alike=True), seam.Ticket("t2", alike=True)]
        return looked


async def test_what_an_equal_order_took_meanwhile_it_may_have_left_one_of_its_own_for(world):
    _, clock = lagging(world)
    shop = Growing(set(), [seam.Ticket("t1", alike=True)])
    vendors = world.worker.tools.vendors
    vendors["sketch"] = replace(vendors["sketch"], provider=shop)
    world.worker.tools.seen.note(ID)
    clock.now += LAG
    world.catalog.held = {"t1"}
    work = asyncio.create_task(under_way(world, UNCLEAR, late=3600).run())
    assert [await soon(world.catalog.written.get()) for _ in range(2)] == ["settle", "settle"]
    assert list(world.catalog.edges[-1].settle.found.tickets) == ["t1", "t2"]
    assert await soon(shop.followed.get()) == "t2"
    work.cancel()


async def test_who_leaves_to_others_what_was_found_lets_go_and_reads_no_list_again(world):
    """It is due again some seconds later: who still had it in hand would drop that."""
    shop, clock = lagging(world, seam.Ticket("t1", alike=True))
    world.worker.tools.seen.note(ID)
    clock.now += LAG
    world.catalog.stands_back = True
    assert (await settled(world)).settle.HasField("found")
    assert (shop.listed, len(world.catalog.edges)) == (1, 1)


async def test_what_the_first_list_shows_is_taken_at_once(world):
    lagging(world, seam.Ticket("t1"))
    work = asyncio.create_task(under_way(world, UNCLEAR, late=3600).run())
    assert await soon(world.catalog.written.get()) == "settle"
    assert list(world.catalog.edges[-1].settle.found.tickets) == ["t1"]
    work.cancel()


async def test_who_sent_it_knows_of_it_from_the_moment_that_its_answer_was_lost(world):
    shop, clock = lagging(world)
    shop.answer = seam.Unclear("cut")
    now = asyncio.get_running_loop().time()
    await soon(errand(world, now, now + 60).run())
    assert [edge.WhichOneof("step") for edge in world.catalog.edges] == ["unclear", "park"]
    clock.now += LAG
    assert (await settled(world)).settle.HasField("absent")
    assert shop.listed == 1


def test_what_a_list_may_lack_for_hours_is_known_of_for_as_long():
    clock = Hands()
    seen, lag = Seen(clock), 7200.0
    assert seen.wait(ID, lag) == lag
    clock.now += 7000
    seen.note("another")
    assert seen.wait(ID, lag) == 200


def test_what_was_seen_last_an_hour_ago_is_forgotten():
    clock = Hands()
    seen = Seen(clock)
    assert seen.wait(ID, LAG) == LAG
    clock.now += 3599
    assert (seen.wait(ID, LAG), seen.wait("another", LAG)) == (0, LAG)
    clock.now += 2
    assert (seen.wait(ID, LAG), seen.wait("another", LAG)) == (LAG, LAG - 2)
