"""An answer that nobody else can hear: who sent the order hears it, and others leave it a place."""

import asyncio

import pytest

from services.generator import provider as seam
from tests.generator.errands import errand, listing, shop_elsewhere, under_way
from tests.generator.hired import soon
from tests.generator.scripted_ledger import ID, NOW, UNCLEAR, Slow


async def test_one_that_was_taken_for_dead_hears_an_answer_that_nobody_else_could(world):
    """It writes nothing under its new name, and then looks for the receipt like anybody."""
    shop, catalog = Slow(), world.catalog
    shop_elsewhere(world, shop, conclusive=False)
    world.worker.take(ID, "sketch")
    await soon(shop.came.wait())
    first = catalog.workers[0]
    catalog.alive, catalog.fence, catalog.owner = False, catalog.fence + 1, "another"
    while catalog.workers[-1] == first or not world.worker.room:
        await asyncio.sleep(0)
    assert (catalog.claims, world.worker.room) == (1, 9)  # it has its place still
    shop.go.set()
    assert await soon(catalog.written.get()) == "ticket"
    assert catalog.edges[0].fence == catalog.fence - 1
    async with asyncio.timeout(60):
        while catalog.claims == 1:
            await asyncio.sleep(0)
    assert shop.asked == 1


async def test_an_order_that_had_not_left_does_not_leave_under_another_name(world):
    now = asyncio.get_running_loop().time()
    shop_elsewhere(world, world.shop, conclusive=False)
    work = errand(world, now, now + 60)
    assert not work.is_unheard
    running = asyncio.create_task(work.run())
    await soon(world.shop.came.wait())
    assert work.is_unheard
    running.cancel()


@pytest.mark.parametrize(("late", "awaited"), [(-1, True), (1, False)])
async def test_what_another_sent_is_awaited_until_its_deadline(world, late, awaited):
    shop = listing(world, ())
    await soon(under_way(world, UNCLEAR, late).run())
    assert [order.awaited for order in shop.looked_for] == [awaited]


async def test_what_is_looked_up_is_dated_by_the_databases_clock(world):
    shop, ahead = listing(world, ()), NOW + 7200
    await soon(under_way(world, UNCLEAR, -1, lambda: ahead).run())
    assert [order.asked.timestamp() for order in shop.looked_for] == [ahead]


async def test_of_our_own_order_we_know_that_nobody_hears_more(world):
    shop, now = listing(world, ()), asyncio.get_running_loop().time()
    shop.answer = seam.Unclear("cut")
    await soon(errand(world, now, now + 60).run())
    assert [order.awaited for order in shop.looked_for] == [False]
