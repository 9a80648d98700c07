"""Fewer images than were ordered are no whole success: it is told at once, and at the job's end."""

import pytest

from imagestudio.type.v1 import cost_pb2, job_pb2
from services.catalog.completion import failure_message
from services.catalog.jobs import Jobs
from tests.catalog.books import log_of
from tests.catalog.purchases import (
    admitted,
    claim,
    drawn,
    fail,
    keep,
    kept,
    publish,
    taken,
    ticket,
    warn,
)

WORDS = (
    "2 of the 3 images that were ordered came, for 0.090000 USD in all. "
    "What came is kept; ask again for what is missing."
)


async def short(pools, user, ledger, count=1):
    """Let the first of *count* purchases bring two of three images; the others wait."""
    made = await admitted(pools.ledger, user, count)
    brought = drawn(made[0], 1, count=2, cost=90_000, ordered=3)
    await taken(ledger, claim(made[0]), ticket(made[0], 1), brought, brought)
    return made


async def told(pools, made):
    """The job as its last event has it, and the warnings before."""
    log = await log_of(pools, made)
    warnings = [(e.warning.reason, e.warning.message) for e in log if e.HasField("warning")]
    return log[-1].completed.job, warnings


def prove_short(job, made, state=job_pb2.JOB_STATE_PARTIALLY_SUCCEEDED):
    assert job.state == state
    [failure] = job.failures
    assert (failure.purchase_id, failure.reason, failure.message) == (made, "IMAGES_MISSING", WORDS)
    assert (failure.charged, failure.cost.usd_micros) == (cost_pb2.CHARGED_YES, 90_000)


async def test_a_job_of_which_images_are_missing_has_succeeded_in_part(pools, user, ledger):
    [made] = await short(pools, user, ledger)
    await taken(ledger, keep(made, 1, 0), keep(made, 1, 1))
    job, warnings = await told(pools, made)
    assert warnings == [("IMAGES_MISSING", WORDS)]
    prove_short(job, made)
    assert (len(job.images), job.cost.usd_micros) == (2, 90_000)
    read = await Jobs(pools.user).get(user, job.name)
    assert [failure_message(row) for row in read.failures] == list(job.failures)


async def test_it_is_told_whatever_goes_wrong_between(pools, user, ledger):
    [made] = await short(pools, user, ledger)
    await taken(ledger, fail(made, 1))
    await taken(ledger, claim(made), fail(made, 2))
    await taken(ledger, claim(made), keep(made, 3, 0), keep(made, 3, 1))
    job, warnings = await told(pools, made)
    assert warnings == [("IMAGES_MISSING", WORDS)]
    prove_short(job, made)


async def test_it_is_told_where_what_came_waits_for_the_vault(pools, user, ledger):
    [made] = await short(pools, user, ledger)
    await taken(ledger, warn(made, 1), warn(made, 1, "DISK_FULL"))
    await taken(ledger, keep(made, 1, 0), keep(made, 1, 1))
    job, warnings = await told(pools, made)
    assert [reason for reason, _ in warnings] == [
        "IMAGES_MISSING",
        "VAULT_UNAVAILABLE",
        "DISK_FULL",
    ]
    prove_short(job, made)


async def test_edges_that_are_taken_again_hide_nothing_and_tell_nothing_twice(pools, user, ledger):
    [made] = await admitted(pools.ledger, user)
    brought = drawn(made, 1, count=2, cost=90_000, ordered=3)
    edges = warn(made, 1), ticket(made, 1), brought
    await taken(ledger, claim(made), *edges)
    await taken(ledger, *edges)
    await taken(ledger, keep(made, 1, 0), keep(made, 1, 1))
    job, warnings = await told(pools, made)
    assert [reason for reason, _ in warnings] == ["VAULT_UNAVAILABLE", "IMAGES_MISSING"]
    prove_short(job, made)


async def test_it_is_told_where_another_purchase_ends_the_job(pools, user, ledger):
    made, last = await short(pools, user, ledger, 2)
    await taken(ledger, keep(made, 1, 0), keep(made, 1, 1))
    await kept(ledger, last)
    job, _ = await told(pools, made)
    prove_short(job, made)
    assert len(job.images) == 3


async def test_it_is_told_of_what_the_cdn_has_meanwhile(pools, user, ledger):
    made, last = await short(pools, user, ledger, 2)
    await taken(ledger, *(keep(made, 1, each, to_publish=True) for each in (0, 1)))
    await taken(ledger, publish(made, 1, 0), publish(made, 1, 1))
    await kept(ledger, last)
    job, _ = await told(pools, made)
    prove_short(job, made)


@pytest.mark.parametrize("ordered", [0, 1, 2])
async def test_as_many_or_more_are_a_success(pools, user, ledger, ordered):
    [made] = await admitted(pools.ledger, user)
    await taken(ledger, claim(made), ticket(made, 1), drawn(made, 1, count=2, ordered=ordered))
    await taken(ledger, keep(made, 1, 0), keep(made, 1, 1))
    job, warnings = await told(pools, made)
    assert (job.state, warnings, len(job.failures)) == (job_pb2.JOB_STATE_SUCCEEDED, [], 0)
