"""A receipt that storage of ours cannot be asked for: its purchase waits, however late it is."""

import pytest

from services.generator import provider as seam
from tests.generator.errands import shop_elsewhere, under_way
from tests.generator.hired import soon
from tests.generator.scripted_ledger import RUNNING, UNCLEAR, Listing

DAYS = 250_000.0  # seconds
AWAY = seam.Unread("storage does not answer", retry_after=7)


class Unasked(Listing):
    """One whose receipts nobody can read just now."""

    async def look_up(self, order, /):
        raise AWAY


@pytest.mark.parametrize("state", [RUNNING, UNCLEAR], ids=["running", "unclear"])
async def test_while_storage_is_away_nothing_is_given_up(world, state):
    shop = Unasked(set())
    shop.sights = [AWAY]
    shop_elsewhere(world, shop, conclusive=False)
    await soon(under_way(world, state, DAYS).run())
    [edge] = world.catalog.edges
    assert edge.park.delay.seconds == 7
