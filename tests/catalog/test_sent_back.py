"""How often an order came back unbought, whole on a real PostgreSQL."""

from datetime import timedelta

import pytest
from google.protobuf.duration_pb2 import Duration

from chassis import errors
from imagestudio.catalog.v1 import edge_pb2
from services.catalog.database import as_ledger
from tests.catalog.conftest import run_as_owner
from tests.catalog.purchases import admitted, claim, make_ledger, taken


@pytest.fixture
def ledger(pools):
    return make_ledger(pools.ledger)[0]


@pytest.fixture
async def made(pools, user):
    [made] = await admitted(pools.ledger, user, reserve=500)
    return made


async def back(ledger, made, reason="PROVIDER_RATE_LIMITED", *, counted=True, seconds=0):
    """Claim it and send it back; return what its claim told."""
    [claimed] = await taken(ledger, claim(made))
    error = errors.to_status(errors.Exhausted(reason, "a call too many"))
    delay = Duration(seconds=seconds)
    step = edge_pb2.ReleaseEdge(error=error, sent_back=counted, delay=delay)
    await taken(ledger, edge_pb2.Edge(purchase_id=made, fence=claimed.fence, release=step))
    return claimed


async def warnings(pools):
    async with as_ledger(pools.ledger) as connection:
        return await connection.fetchval("SELECT count(*) FROM job_events WHERE kind = 'warning'")


async def test_whoever_claims_it_is_told_how_often_it_came_back_and_since_when(
    pools, ledger, made, database_url
):
    assert [(await back(ledger, made)).sent_back for _ in range(3)] == [0, 1, 2]
    await run_as_owner(
        database_url,
        "UPDATE purchases SET sent_back_since = sent_back_since - interval '1 hour'",
    )
    claimed = await back(ledger, made)
    since = claimed.sent_back_time.ToDatetime()
    waited = claimed.purchase.send_time.ToDatetime() - since
    assert timedelta(hours=1) <= waited < timedelta(hours=1, minutes=5)
    assert errors.from_status(claimed.purchase.error).reason == "PROVIDER_RATE_LIMITED"


async def test_who_waits_is_told_once(pools, ledger, made):
    for expected in (0, 0, 1, 1, 1):
        await back(ledger, made)
        assert await warnings(pools) == expected


async def test_who_waits_for_long_is_told_at_once_and_once(pools, ledger, made, database_url):
    for _ in range(4):
        await back(ledger, made, seconds=300)
        assert await warnings(pools) == 1
        await run_as_owner(database_url, "UPDATE purchases SET not_before = NULL")


async def test_another_reason_begins_anew_and_what_was_never_tried_counts_for_nothing(ledger, made):
    for _ in range(2):
        await back(ledger, made)
    await back(ledger, made, "PROVIDER_UNAVAILABLE", counted=False)  # its worker ended
    assert (await back(ledger, made, "PROVIDER_UNAVAILABLE")).sent_back == 2
    assert (await back(ledger, made)).sent_back == 1
