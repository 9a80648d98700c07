"""What is found of an order when it had been given up: kept, and counted once."""

import pytest

from services.catalog.ledger import Change
from services.catalog.settlement import Verdict, settle
from tests.catalog.inbox import PRICE, Desk, adopt, alarms, follow
from tests.catalog.purchases import admitted, ended_unclear, taken


@pytest.mark.parametrize("settled", [None, "no", "yes"])
@pytest.mark.parametrize("cost", [PRICE, 7])
async def test_an_order_that_is_found_when_it_was_given_up_counts_once(pools, user, settled, cost):
    desk = Desk(pools.ledger)
    [one] = await admitted(desk.pool, user, reserve=PRICE)
    await ended_unclear(desk.ledger, one)
    row = "SELECT job_id, user_id FROM purchases WHERE purchase_id = $1"
    job_id, user_id = await desk.row(row, one)
    if settled:
        said = Verdict(user_id=user_id, job_id=job_id, purchase_id=one, charged=settled, cost=None)
        change = Change(one, "charge", lambda batch: settle(batch, said))
        [result] = await desk.ledger.change([change])
        assert not result.status.code
    before, alarmed = len(await desk.feed()), alarms()

    await taken(desk.ledger, adopt(one))
    assert await desk.money() == (0, PRICE)
    await taken(desk.ledger, adopt(one))  # once more, and nothing more
    await follow(desk, await desk.twin(), cost)

    assert await desk.money() == (cost, 0)
    charged = "SELECT charged, cost FROM purchases ORDER BY attempt"
    assert [tuple(row) for row in await desk.fetch(charged)] == [("no", 0), ("yes", cost)]
    doubled = settled == "no"  # by what is known, it was another that was not charged
    assert alarms() == alarmed + doubled
    late = (await desk.feed())[before:]
    kinds = [each.WhichOneof("event") for each in late]
    told = ["purchased", "warning"] if doubled else ["charge_settled", "purchased"]
    assert kinds == [*told, "image_kept"]

    await taken(desk.ledger, adopt(one, "t3"))  # a second one indeed
    assert alarms() == alarmed + doubled + 1
    assert await desk.money() == (cost, PRICE)
