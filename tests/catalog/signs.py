"""What tests of a provider's health say to the ledger, and ask it."""

from datetime import timedelta

from imagestudio.catalog.v1 import edge_pb2, ledger_pb2, ledger_service_pb2
from services.catalog import workers
from tests.catalog.purchases import admitted, claim, drawn, taken, ticket, unclear

PATIENCE = 3.0
WELL, FAILS, REFUSES = (
    edge_pb2.PROVIDER_SIGN_WELL,
    edge_pb2.PROVIDER_SIGN_FAILS,
    edge_pb2.PROVIDER_SIGN_REFUSES_US,
)


def beat(worker, **more):
    limit = ledger_pb2.ProviderLimit(provider="far", watched=True, lookup_possible=True, **more)
    return ledger_service_pb2.HeartbeatRequest(worker_id=worker, limits=[limit])


def told(edge, sign=WELL, left=None, seconds=60.0, refusal=None):
    edge.heard.sign = sign
    if left is not None:
        edge.heard.allowance.orders_left = left
        edge.heard.allowance.renewal.FromMilliseconds(round(seconds * 1000))
    if refusal:
        edge.heard.refusal.CopyFrom(refusal)
    return edge


async def outcomes(ledger, *ids):
    return [result.outcome for result in await ledger.apply([claim(each) for each in ids])]


async def known(ledger, pool, user):
    """Have it answer once, and say nothing of how many orders it takes."""
    [first] = await admitted(pool, user, provider="far")
    await taken(ledger, claim(first), told(ticket(first, 1)), drawn(first, 1))


async def broken(ledger, pool, user):
    """Have five orders end in doubt."""
    await known(ledger, pool, user)
    ids = await admitted(pool, user, 5, provider="far")
    await taken(ledger, *map(claim, ids))
    await taken(ledger, *(told(unclear(each, 1), FAILS) for each in ids))


async def over(sql, seconds=60):
    """Let the pause pass."""
    await sql.execute(
        "UPDATE permits SET retry_at = retry_at - $1::interval", timedelta(seconds=seconds)
    )


async def offered(ledger):
    """How many purchases have been announced since this was asked last."""
    await ledger._news.close()
    count = len(ledger._news.bus.announced)
    ledger._news.bus.announced.clear()
    return count


async def stands(pools):
    answer = await workers.beat(
        pools.ledger, ledger_service_pb2.HeartbeatRequest(worker_id="w1"), PATIENCE
    )
    [found] = answer.providers
    return found
