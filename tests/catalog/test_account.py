"""The account that an order left under stays with it, whoever claims it later."""

from chassis import errors
from imagestudio.catalog.v1 import edge_pb2
from tests.catalog.conftest import run_as_owner
from tests.catalog.purchases import admitted, claim, make_ledger, taken, unclear


async def claimed(ledger, made, account):
    edge = claim(made)
    edge.claim.account = account
    [found] = await taken(ledger, edge)
    return found


async def test_whoever_claims_it_later_is_told_the_account_that_it_left_under(pools, user):
    ledger, _ = make_ledger(pools.ledger)
    [made] = await admitted(pools.ledger, user)
    first = await claimed(ledger, made, "user/us")
    assert first.account == "user/us"
    lost = unclear(made, first.fence)
    lost.unclear.lookup_lag.FromMilliseconds(0)
    await taken(ledger, lost)
    park = edge_pb2.ParkEdge()
    park.delay.FromMilliseconds(0)
    await taken(ledger, edge_pb2.Edge(purchase_id=made, fence=first.fence, park=park))
    assert (await claimed(ledger, made, "user/others")).account == "user/us"


async def test_of_what_a_copy_knew_as_planned_the_account_is_taken_to_be_the_present_one(
    pools, user, database_url
):
    ledger, _ = make_ledger(pools.ledger)
    [made] = await admitted(pools.ledger, user)
    copied = "UPDATE purchases SET state = 'unclear', restored = true"
    await run_as_owner(database_url, copied)
    assert (await claimed(ledger, made, "user/us")).account == "user/us"
    await run_as_owner(database_url, "UPDATE purchases SET owner = NULL")
    assert (await claimed(ledger, made, "user/others")).account == "user/us"


async def test_of_what_a_copy_knew_as_sent_nobody_guesses_the_account(pools, user, database_url):
    """It had not told which it was; another's list proves nothing of it."""
    ledger, _ = make_ledger(pools.ledger)
    [made] = await admitted(pools.ledger, user)
    await claimed(ledger, made, "")
    copied = "UPDATE purchases SET state = 'unclear', restored = true, owner = NULL"
    await run_as_owner(database_url, copied)
    assert (await claimed(ledger, made, "user/others")).account == ""


async def test_an_order_that_leaves_again_leaves_under_the_account_of_then(pools, user):
    ledger, _ = make_ledger(pools.ledger)
    [made] = await admitted(pools.ledger, user)
    first = await claimed(ledger, made, "user/us")
    busy = errors.to_status(errors.Exhausted("PROVIDER_RATE_LIMITED", "a call too many"))
    release = edge_pb2.ReleaseEdge(error=busy)
    await taken(ledger, edge_pb2.Edge(purchase_id=made, fence=first.fence, release=release))
    assert (await claimed(ledger, made, "user/others")).account == "user/others"
