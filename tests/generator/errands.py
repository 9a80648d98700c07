"""The work on one purchase of a scripted ledger, begun whenever the test says."""

import asyncio
from dataclasses import replace

from services.generator.buy import Errand
from services.generator.standing import Terms
from services.generator.vendor import Vendor
from tests.generator.scripted_ledger import ID, NOW, Listing, Shop


def errand(world, claimed_at: float, owned_until: float, now=lambda: NOW) -> Errand:
    """The work on a claim that the ledger gave us, begun whenever the test says."""
    world.catalog.owner, world.catalog.fence = world.worker.worker_id, 1
    claim, tools = world.catalog.purchase(), world.worker.tools
    until = {"owned_until": lambda: owned_until, "now": now}
    return Errand(tools, claim, claimed_at=claimed_at, **until)


def under_way(world, state, late: float, clock=lambda: NOW, *, held: float | None = None) -> Errand:
    """
    The work on what was sent by another, *late* seconds after its deadline.

    *held*: the seconds since this process has known of it, if not since it was sent.
    """
    world.catalog.state, world.catalog.ticket = state, "t1"
    sent = world.catalog.sent = world.catalog.limit + late
    now = asyncio.get_running_loop().time()
    world.worker.tools.held.note(ID, now - (sent if held is None else held))
    return errand(world, now, now + 60, clock)


def listing(world, shows) -> Listing:
    """Sold by one that tells of equal orders what it *shows*, without a lag."""
    made = Listing(set(), shows)
    terms = Terms(askable=True)
    vendor = Vendor(name="sketch", provider=made, terms=terms, time_limit=60)
    world.worker.tools.vendors["sketch"] = vendor
    return made


def shop_elsewhere(world, shop: Shop, **terms: bool) -> None:
    """Have the worker buy from *shop*, on *terms*."""
    name, vendors = "sketch", world.worker.tools.vendors
    vendors[name] = replace(vendors[name], provider=shop, terms=Terms(askable=True, **terms))
