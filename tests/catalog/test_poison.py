"""Work that raises each time it is taken up, whole on a real PostgreSQL: the fifth is the last."""

import asyncio

import pytest

from services.catalog.database import as_ledger
from services.catalog.endings import MAX_TRIES
from services.generator import provider as seam
from tests.catalog.conftest import run_as_owner
from tests.catalog.inbox import alarms
from tests.catalog.purchases import admitted, claim, park, taken, ticket
from tests.catalog.served import served
from tests.generator.own_worker import hired
from tests.generator.scripted_ledger import Shop


class Defective(Shop):
    """One whose answers about *poison* raise what no adapter may raise; others have failed."""

    def __init__(self, poison: str) -> None:
        super().__init__()
        self.poison, self.raised = poison, 0

    async def follow(self, found, /):
        if found.reference == self.poison:
            self.raised += 1
            raise ZeroDivisionError("a defect that one answer brings out")
        yield seam.Ended(charged=False, reason="the vendor failed")


async def states(pools, *ids):
    query = "SELECT purchase_id, state, tries FROM purchases WHERE purchase_id = ANY ($1::uuid[])"
    async with as_ledger(pools.ledger) as connection:
        rows = {row["purchase_id"]: row for row in await connection.fetch(query, list(ids))}
    return [(rows[each]["state"], rows[each]["tries"]) for each in ids]


async def until(pools, purchase_id, state):
    async with asyncio.timeout(45):
        while (await states(pools, purchase_id))[0][0] != state:
            await asyncio.sleep(0.02)


async def running(ledger, pool, user, reference=None):
    """A purchase that is under way at the vendor, and that nobody has."""
    [made] = await admitted(pool, user, reserve=500)
    await taken(ledger, claim(made, "w0"), ticket(made, 1, reference), park(made, 1))
    return made


@pytest.mark.parametrize("company", [0, 3])
async def test_what_raises_each_time_is_set_aside_at_the_fifth_and_the_queue_goes_on(
    pools, user, ledger, database_url, company
):
    poison = await running(ledger, pools.ledger, user, "poison")
    others = [await running(ledger, pools.ledger, user) for _ in range(company)]
    await run_as_owner(database_url, "UPDATE purchases SET deadline = now() - interval '1 s'")
    before, shop = alarms("quarantined"), Defective("poison")
    async with served(pools.ledger, ledger, patience=3) as peer, hired(peer, shop) as worker:
        await until(pools, poison, "quarantined")
        for each in others:
            await until(pools, each, "ended")
        me = worker.worker_id
        following = await running(ledger, pools.ledger, user)  # the same worker takes it up
        await until(pools, following, "ended")
        assert worker.worker_id == me
    assert shop.raised == MAX_TRIES
    assert await states(pools, poison, following, *others) == [
        ("quarantined", MAX_TRIES), ("ended", 0), *[("ended", 0)] * company,
    ]  # fmt: skip
    assert alarms("quarantined") == before + 1
    await prove_told(pools, poison)


async def prove_told(pools, poison):
    """Its job has ended and says so; what it may have cost counts, and its evidence is there."""
    async with as_ledger(pools.ledger) as connection:
        row = await connection.fetchrow(
            "SELECT p.charged, p.cost, p.reserved, p.error::text AS error, j.state, ARRAY("
            " SELECT kind FROM job_events e WHERE e.job_id = j.job_id ORDER BY sequence) AS kinds"
            " FROM purchases p JOIN image_jobs j USING (job_id) WHERE purchase_id = $1",
            poison,
        )
    assert (row["charged"], row["cost"], row["reserved"]) == ("unknown", 500, 0)
    assert row["state"] == "failed"
    assert row["kinds"][-2:] == ["purchase_ended", "completed"]
    assert "ZeroDivisionError" in row["error"]
