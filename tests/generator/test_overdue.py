"""What is overdue is so by two clocks: the database's may be set forward while orders are drawn."""

import asyncio
import math

import pytest

from imagestudio.type.v1 import cost_pb2, purchase_pb2
from services.generator import models, overdue
from services.generator import provider as seam
from services.generator.overdue import Held
from tests.generator.errands import errand, listing, under_way
from tests.generator.hired import soon
from tests.generator.scripted_ledger import ID, NOW, RUNNING, UNCLEAR

HOUR = 3600.0


async def test_an_order_that_is_overdue_is_given_up_with_its_charge_unknown(world):
    await soon(under_way(world, RUNNING, late=1).run())
    [edge] = world.catalog.edges
    assert edge.end.ending == purchase_pb2.PURCHASE_ENDING_EXPIRED
    assert edge.end.charged == cost_pb2.CHARGED_UNKNOWN
    assert edge.end.cost.usd_micros == models.EVERY[0].price
    assert edge.end.HasField("cost")  # a second match has no reservation to count in its place
    assert not edge.end.HasField("next")


@pytest.mark.parametrize(("ahead", "edge"), [(0, "park"), (61, "end")])
async def test_it_is_the_databases_clock_and_not_ours_that_tells_what_is_overdue(
    world, ahead, edge
):
    now = asyncio.get_running_loop().time()
    world.worker.tools.held.note(ID, now - 2 * world.catalog.limit)
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


async def test_a_database_whose_clock_is_set_forward_ends_no_order_that_is_drawn(world):
    world.shop.sights = [seam.Working(0.5), seam.Unclear("no answer")]
    await soon(under_way(world, RUNNING, late=2 * HOUR, held=world.catalog.limit - 1).run())
    assert [edge.WhichOneof("step") for edge in world.catalog.edges] == ["park"]


async def test_nor_one_of_which_nobody_can_tell_just_now(world):
    world.shop.sights = [seam.Unclear("no answer")]
    await soon(under_way(world, RUNNING, late=2 * HOUR, held=HOUR).run())
    assert [edge.WhichOneof("step") for edge in world.catalog.edges] == ["park"]


@pytest.mark.parametrize(("late", "edge"), [(7 * HOUR - 1, "park"), (7 * HOUR, "end")])
async def test_a_generator_that_is_new_again_and_again_keeps_none_for_ever(world, late, edge):
    world.shop.sights = [seam.Unclear("no answer")]
    await soon(under_way(world, RUNNING, late=late, held=0).run())
    assert [each.WhichOneof("step") for each in world.catalog.edges] == [edge]


async def test_nor_takes_it_the_place_of_an_answer_that_another_may_hear_yet(world):
    shop = listing(world, ())
    await soon(under_way(world, UNCLEAR, late=HOUR, held=0).run())
    assert [order.awaited for order in shop.looked_for] == [True]


async def test_what_was_set_down_is_known_of_since_it_was_first_in_hand(world):
    loop, catalog = asyncio.get_running_loop(), world.catalog
    now = loop.time()
    catalog.state, catalog.ticket = RUNNING, "t1"
    world.shop.sights = [seam.Unclear("no answer")]
    work = errand(world, now, now + 60)
    begun = loop.time()
    await soon(work.run())
    assert now <= world.worker.tools.held.since(ID, begun + HOUR) <= begun


def test_what_was_set_down_longest_ago_makes_room():
    held = Held()
    for number in range(10_001):
        held.note(str(number), 1.0)
    assert (held.since("0", 9.0), held.since("1", 9.0)) == (9.0, 1.0)


@pytest.mark.parametrize(("sent", "restored"), [(True, True), (False, False)])
async def test_what_a_copy_of_the_database_knew_has_its_deadline_alone(world, sent, restored):
    claim = world.catalog.purchase()
    claim.restored = restored
    if not sent:
        claim.purchase.ClearField("send_time")
    deadline = claim.purchase.deadline.ToMicroseconds() / 1e6
    assert overdue.late(claim, deadline + 5, held=0) == 5


async def test_what_has_no_deadline_is_never_late(world):
    claim = world.catalog.purchase()
    claim.purchase.ClearField("deadline")
    assert overdue.late(claim, NOW, held=HOUR) == -math.inf
