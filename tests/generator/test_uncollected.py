"""What a purchase leaves behind: nothing that waits for the collector, which stops all to look."""

import asyncio
import gc
import weakref

from services.generator import provider as seam
from tests.generator.errands import errand
from tests.generator.hired import soon


async def test_the_work_on_a_purchase_is_forgotten_when_it_ends(world):
    world.shop.answer = seam.Ticket("t1")
    world.shop.sights = [seam.Ended(charged=True, reason="it failed")]
    now = world.worker.tools.clock()
    gc.disable()
    try:
        work = errand(world, now, now + 60)
        ended = weakref.ref(work)
        await soon(work.run())
        del work
        for _ in range(10):  # what was called off ends in the loop's next turns
            await asyncio.sleep(0)
        assert ended() is None
    finally:
        gc.enable()
