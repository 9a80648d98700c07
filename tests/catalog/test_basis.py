"""What a cost is told to be: what the provider counted, or our price list's word."""

import pytest

from imagestudio.type.v1 import cost_pb2
from services.catalog.completion import failure_message
from services.catalog.jobs import Jobs
from tests.catalog.books import log_of
from tests.catalog.purchases import admitted, claim, drawn, end, keep, taken, ticket

ESTIMATED, METERED = cost_pb2.COST_BASIS_ESTIMATED, cost_pb2.COST_BASIS_METERED


@pytest.mark.parametrize(
    ("told", "shown"),
    [(ESTIMATED, ESTIMATED), (METERED, METERED)],
)
async def test_an_image_costs_what_was_counted_or_estimated(pools, user, ledger, told, shown):
    [made] = await admitted(pools.ledger, user, 1)
    brought = drawn(made, 1, count=2, cost=90_000, ordered=3)
    brought.drawn.cost.basis = told
    await taken(ledger, claim(made), ticket(made, 1), brought, keep(made, 1, 0))
    await taken(ledger, keep(made, 1, 1))
    log = await log_of(pools, made)
    kept = [event.image_kept.cost.basis for event in log if event.HasField("image_kept")]
    assert kept == [shown, shown]
    job = log[-1].completed.job
    assert [image.cost.basis for image in job.images] == [shown, shown]
    assert [failure.cost.basis for failure in job.failures] == [shown]
    assert job.cost.basis == ESTIMATED  # of a sum nobody has written down how much was counted
    read = await Jobs(pools.user).get(user, job.name)
    assert [failure_message(row) for row in read.failures] == list(job.failures)


@pytest.mark.parametrize(
    ("charged", "told", "shown"),
    [
        ("YES", ESTIMATED, ESTIMATED),
        ("YES", METERED, METERED),
        ("UNKNOWN", ESTIMATED, ESTIMATED),
        ("NO", ESTIMATED, METERED),
    ],
)
async def test_what_brought_no_image_costs_so_too(pools, user, ledger, charged, told, shown):
    [made] = await admitted(pools.ledger, user, 1)
    over = end(made, 1, charged=charged)
    over.end.cost.usd_micros, over.end.cost.basis = 4000, told
    await taken(ledger, claim(made), ticket(made, 1), over)
    [failure] = (await log_of(pools, made))[-1].completed.job.failures
    assert (failure.cost.basis, failure.cost.usd_micros) == (shown, 0 if charged == "NO" else 4000)
