"""What was paid for waits for the vault, and its job is told so: once, and nothing else changes."""

from tests.catalog.books import bought, job_of, kinds_of, log_of, purchase_of
from tests.catalog.purchases import (
    admitted,
    claim,
    drawn,
    fail,
    keep,
    park,
    refused,
    taken,
    ticket,
    warn,
    withheld,
)


async def test_a_job_is_told_once_however_often_it_is_said(pools, user, ledger):
    [purchase_id] = await admitted(pools.ledger, user)
    fence = (await taken(ledger, claim(purchase_id)))[0].fence
    for _ in range(2):
        await taken(ledger, warn(purchase_id, fence))
    await taken(ledger, ticket(purchase_id, fence))
    await taken(ledger, drawn(purchase_id, fence))
    await taken(ledger, warn(purchase_id, fence))
    await taken(ledger, park(purchase_id, fence))
    fence = (await taken(ledger, claim(purchase_id)))[0].fence
    await taken(ledger, warn(purchase_id, fence))

    assert (await kinds_of(pools, purchase_id)).count("warning") == 1
    [told] = [
        e.warning for e in await log_of(pools, purchase_id) if e.WhichOneof("event") == "warning"
    ]
    assert (told.reason, told.purchase_id) == ("VAULT_UNAVAILABLE", purchase_id)
    assert told.message == "An image waits to be kept: Mount its disk."

    await taken(ledger, warn(purchase_id, fence, "DISK_FULL"))  # that is another matter
    await taken(ledger, keep(purchase_id, fence))
    kinds = await kinds_of(pools, purchase_id)
    assert (kinds.count("warning"), kinds[-1]) == (2, "completed")
    assert (await job_of(pools, purchase_id))["state"] == "succeeded"


async def test_a_job_is_told_once_that_the_vault_keeps_its_order_back(pools, user, ledger):
    [purchase_id] = await admitted(pools.ledger, user)
    for _ in range(6):  # however often: that is no failed try
        [claimed] = await taken(ledger, claim(purchase_id))
        await taken(ledger, withheld(purchase_id, claimed.fence))
    warnings = [
        e.warning for e in await log_of(pools, purchase_id) if e.WhichOneof("event") == "warning"
    ]
    assert [told.message for told in warnings] == ["An order waits to be sent: Mount its disk."]
    assert (warnings[0].reason, warnings[0].purchase_id) == ("VAULT_UNAVAILABLE", purchase_id)
    await taken(ledger, keep(purchase_id, await bought(ledger, purchase_id)))
    assert await error_of(pools, purchase_id) is None
    assert (await job_of(pools, purchase_id))["state"] == "succeeded"


async def test_that_its_order_had_waited_hides_not_that_its_picture_does(pools, user, ledger):
    [purchase_id] = await admitted(pools.ledger, user)
    for reason in ("VAULT_UNAVAILABLE", "SERVICE_UNAVAILABLE", "VAULT_UNAVAILABLE"):
        [claimed] = await taken(ledger, claim(purchase_id))
        await taken(ledger, withheld(purchase_id, claimed.fence, reason))
    fence = await bought(ledger, purchase_id)
    await taken(ledger, warn(purchase_id, fence))
    log = await log_of(pools, purchase_id)
    told = [each.warning.message for each in log if each.WhichOneof("event") == "warning"]
    assert told == [
        "An order waits to be sent: Mount its disk.",
        "An image waits to be kept: Mount its disk.",
    ]


async def test_only_what_was_paid_for_waits_and_only_its_owner_says_so(pools, user, ledger):
    [purchase_id] = await admitted(pools.ledger, user)
    assert await refused(ledger, warn(purchase_id, 0)) == "STATE_CONFLICT"
    fence = await bought(ledger, purchase_id)
    assert await refused(ledger, warn(purchase_id, fence - 1)) == "FENCE_STALE"
    await taken(ledger, keep(purchase_id, fence))
    assert await refused(ledger, warn(purchase_id, fence)) == "STATE_CONFLICT"
    assert "warning" not in await kinds_of(pools, purchase_id)


async def test_who_fails_meanwhile_has_it_told_no_second_time(pools, user, ledger):
    [purchase_id] = await admitted(pools.ledger, user)
    fence = await bought(ledger, purchase_id)
    await taken(ledger, warn(purchase_id, fence), fail(purchase_id, fence))
    fence = (await taken(ledger, claim(purchase_id)))[0].fence
    await taken(ledger, warn(purchase_id, fence))
    assert (await kinds_of(pools, purchase_id)).count("warning") == 1


async def test_what_is_kept_in_the_end_has_no_error_of_the_vault(pools, user, ledger):
    [purchase_id] = await admitted(pools.ledger, user)
    fence = await bought(ledger, purchase_id)
    await taken(ledger, warn(purchase_id, fence), warn(purchase_id, fence, "DISK_FULL"))
    assert (await error_of(pools, purchase_id))["reason"] == "DISK_FULL"
    await taken(ledger, keep(purchase_id, fence))
    assert await error_of(pools, purchase_id) is None


async def error_of(pools, purchase_id):
    return (await purchase_of(pools, purchase_id))["error"]
