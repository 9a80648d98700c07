"""Since when others know of an order that no list shows: told to who claims it, late enough."""

from datetime import UTC, datetime, timedelta

import pytest
from google.protobuf.duration_pb2 import Duration

from chassis import errors
from services.catalog import workers
from tests.catalog.conftest import run_as_owner
from tests.catalog.purchases import (
    admitted,
    beat,
    claim,
    make_ledger,
    park,
    taken,
    ticket,
    unclear,
)

THEIRS = datetime(2026, 11, 22, 7, 10, tzinfo=UTC)  # the provider's clock says so
LAG = 120  # seconds, where no worker has told one


@pytest.fixture
def ledger(pools):
    return make_ledger(pools.ledger)[0]


@pytest.fixture
async def made(pools, user):
    [made] = await admitted(pools.ledger, user)
    return made


@pytest.fixture
def later(database_url):
    """Has the database's clock go on by seconds, as far as one unclear purchase can tell."""

    async def go_on(seconds: int) -> None:
        ago = f"- interval '{seconds} seconds'"
        await run_as_owner(
            database_url,
            f"UPDATE purchases SET unlisted_at = unlisted_at {ago}, not_before = not_before {ago}",
        )

    return go_on


async def lost(ledger, made):
    """Lose its answer, and let go of it."""
    [claimed] = await taken(ledger, claim(made))
    doubted = unclear(made, claimed.fence)
    doubted.unclear.lookup_lag.FromMilliseconds(0)
    await taken(ledger, doubted, park(made, claimed.fence))


def unlisted(made, fence, at=THEIRS):
    edge = park(made, fence)
    edge.park.unlisted_time.FromDatetime(at)
    return edge


async def looked_for(ledger, made, at=THEIRS):
    """Claim it, find nothing, and say when; return what its claim told."""
    [claimed] = await taken(ledger, claim(made))
    await taken(ledger, unlisted(made, claimed.fence, at))
    return told(claimed)


def told(claimed):
    since = claimed.unlisted_time
    return since.ToDatetime(UTC) if claimed.HasField("unlisted_time") else None


async def claimed_anew(ledger, made):
    [claimed] = await taken(ledger, claim(made, "another"))
    return told(claimed)


async def test_who_claims_it_a_lag_later_is_told_since_when_others_know_of_it(ledger, made, later):
    await lost(ledger, made)
    assert await looked_for(ledger, made) is None
    await later(LAG)
    assert await claimed_anew(ledger, made) == THEIRS


async def test_one_wrong_date_proves_nothing_until_the_lag_is_over_by_our_clock(
    ledger, made, later
):
    await lost(ledger, made)
    await looked_for(ledger, made)
    await later(LAG - 60)
    assert await claimed_anew(ledger, made) is None


async def test_the_lag_is_the_one_that_the_workers_tell(ledger, made, later, pools):
    told_lag = beat("w1", lookup_lag=Duration(seconds=10 * LAG))
    await workers.beat(pools.ledger, told_lag, 3.0)
    await lost(ledger, made)
    await looked_for(ledger, made)
    await later(10 * LAG - 60)
    assert await looked_for(ledger, made) is None
    await later(60)
    assert await claimed_anew(ledger, made) == THEIRS


async def test_the_first_word_stays(ledger, made, later):
    await lost(ledger, made)
    await looked_for(ledger, made)
    await later(60)
    await looked_for(ledger, made, THEIRS + timedelta(seconds=60))
    await later(60)
    assert await claimed_anew(ledger, made) == THEIRS


async def test_a_word_that_is_ahead_of_the_providers_clock_is_said_anew(ledger, made, later):
    await lost(ledger, made)
    await looked_for(ledger, made, THEIRS + timedelta(days=1))
    await later(60)
    await looked_for(ledger, made)
    await later(60)
    assert await looked_for(ledger, made, THEIRS) is None
    await later(60)
    assert await claimed_anew(ledger, made) == THEIRS


async def test_a_word_that_is_ahead_of_the_databases_clock_is_said_anew(
    ledger, made, later, database_url
):
    await lost(ledger, made)
    await looked_for(ledger, made)
    await run_as_owner(database_url, "UPDATE purchases SET unlisted_at = now() + interval '1 day'")
    now = THEIRS + timedelta(minutes=5)
    await looked_for(ledger, made, now)
    await later(LAG)
    assert await claimed_anew(ledger, made) == now


async def test_an_old_owner_says_nothing(ledger, made, later):
    await lost(ledger, made)
    [old] = await taken(ledger, claim(made))
    await taken(ledger, park(made, old.fence))
    await taken(ledger, claim(made, "another"))
    [result] = await ledger.apply([unlisted(made, old.fence)])
    assert errors.from_status(result.status).reason == "FENCE_STALE"
    await taken(ledger, park(made, old.fence + 1))
    await later(LAG)
    assert await claimed_anew(ledger, made) is None


async def test_of_what_was_bought_no_list_is_told(ledger, made, later):
    [claimed] = await taken(ledger, claim(made))
    await taken(ledger, ticket(made, claimed.fence, "t1"), unlisted(made, claimed.fence))
    await later(LAG)
    assert await claimed_anew(ledger, made) is None


async def test_an_order_that_leaves_anew_was_not_looked_for_yet(ledger, made, later, database_url):
    """An older one's word would prove at once that this one was not bought."""
    await lost(ledger, made)
    await looked_for(ledger, made)
    await run_as_owner(database_url, "UPDATE purchases SET state = 'planned', sent_at = NULL")
    await later(LAG)
    [claimed] = await taken(ledger, claim(made))
    assert told(claimed) is None
    await taken(ledger, unclear(made, claimed.fence), park(made, claimed.fence))
    await later(LAG)
    assert await claimed_anew(ledger, made) is None
