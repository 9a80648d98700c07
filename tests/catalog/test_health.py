"""How a provider does, shared through a real PostgreSQL: one probe, one allowance, one refusal."""

import asyncio
import uuid

import pytest
from google.protobuf.duration_pb2 import Duration

from chassis import errors
from imagestudio.catalog.v1 import edge_pb2, ledger_pb2, ledger_service_pb2
from services.catalog import admit, database, endings, permits, spending, workers
from services.catalog.breaker import PAUSES
from services.catalog.database import connect
from services.catalog.ledger import Change
from services.catalog.sweeper import Sweeper
from tests.catalog.purchases import (
    admitted,
    asking,
    claim,
    end,
    make_ledger,
    taken,
    ticket,
    unclear,
)
from tests.catalog.signs import (
    FAILS,
    PATIENCE,
    REFUSES,
    beat,
    broken,
    known,
    outcomes,
    over,
    stands,
    told,
)

CLAIMED, NO_PERMIT = 1, 3
EMPTY = errors.to_status(
    errors.Precondition("PROVIDER_BALANCE_EMPTY", "Add credit there.", metadata={"provider": "far"})
)


@pytest.fixture
async def ledger(pools):
    await workers.beat(pools.ledger, beat("w1"), PATIENCE)
    return make_ledger(pools.ledger)[0]


@pytest.fixture
async def other(database_url):
    """The ledger of another replica, with connections of its own."""
    pools = await database.open_pools(database_url)
    yield make_ledger(pools.ledger)[0]
    await pools.close()


@pytest.fixture
async def sql(database_url):
    connection = await connect(database_url, "studio_ledger")
    yield connection
    await connection.close()


async def test_orders_that_fail_open_it_and_those_after_them_wait(pools, user, ledger):
    await broken(ledger, pools.ledger, user)
    [waiting] = await admitted(pools.ledger, user, provider="far")
    assert await outcomes(ledger, waiting) == [NO_PERMIT]
    assert (await stands(pools)).state == ledger_pb2.BREAKER_STATE_OPEN
    elsewhere = await admitted(pools.ledger, user, provider="sketch")
    assert await outcomes(ledger, *elsewhere) == [CLAIMED]


async def test_an_order_that_never_left_uses_up_nothing_that_its_provider_still_takes(
    pools, user, ledger
):
    first, withheld, waiting = await admitted(pools.ledger, user, 3, provider="far")
    await taken(ledger, claim(first), told(ticket(first, 1), left=1))
    assert await outcomes(ledger, withheld, waiting) == [CLAIMED, NO_PERMIT]
    back = edge_pb2.Edge(purchase_id=withheld, fence=1, release=edge_pb2.ReleaseEdge())
    await taken(ledger, back)
    assert await outcomes(ledger, waiting, withheld) == [CLAIMED, NO_PERMIT]


async def test_of_all_replicas_exactly_one_order_tries(pools, user, ledger, other, sql):
    await broken(ledger, pools.ledger, user)
    for _ in range(5):
        await over(sql)
        mine = await admitted(pools.ledger, user, 10, provider="far")
        theirs = await admitted(pools.ledger, user, 10, provider="far")
        both = await asyncio.gather(
            *(outcomes(ledger, each) for each in mine), *(outcomes(other, each) for each in theirs)
        )
        winners = [
            each for each, [said] in zip(mine + theirs, both, strict=True) if said == CLAIMED
        ]
        assert len(winners) == 1
        await taken(ledger, told(unclear(winners[0], 1), FAILS))


async def test_a_probe_that_is_bought_closes_it_and_the_others_may_leave(pools, user, sql, ledger):
    await broken(ledger, pools.ledger, user)
    ids = await admitted(pools.ledger, user, 3, provider="far")
    await over(sql)
    assert await outcomes(ledger, *ids) == [CLAIMED, NO_PERMIT, NO_PERMIT]
    await taken(ledger, told(ticket(ids[0], 1)))
    assert (await stands(pools)).state == ledger_pb2.BREAKER_STATE_CLOSED
    assert await outcomes(ledger, *ids[1:]) == [CLAIMED, CLAIMED]


async def test_a_probe_whose_worker_dies_leaves_it_to_the_next(pools, user, sql, ledger):
    await broken(ledger, pools.ledger, user)
    first, second = await admitted(pools.ledger, user, 2, provider="far")
    await over(sql)
    assert await outcomes(ledger, first, second) == [CLAIMED, NO_PERMIT]

    def dies(batch):
        endings.orphan(batch, batch.purchases[first], alone=False)

    await ledger.change([Change(first, "fail", dies)])
    assert await outcomes(ledger, second) == [CLAIMED]


async def test_the_same_edge_again_is_heard_once(pools, user, ledger, sql):
    await known(ledger, pools.ledger, user)
    ids = await admitted(pools.ledger, user, 2, provider="far")
    await taken(ledger, *map(claim, ids))
    for _ in range(9):
        await taken(ledger, *(told(unclear(each, 1), FAILS) for each in ids))
    assert await sql.fetchval("SELECT recent FROM permits") == "+--"
    assert await sql.fetchval("SELECT sending FROM permits") == 0


class Ear:
    """A bus that remembers under which id something was announced: the same is dropped."""

    connected = False

    def __init__(self):
        self.said = []

    async def announce(self, subject, payload, *, once, headers=None):
        self.said.append((payload.decode(), once))
        return True


async def test_what_waits_is_announced_once_more_when_it_may_go_and_not_in_vain(
    pools, user, ledger, sql
):
    [waiting] = await admitted(pools.ledger, user, provider="far")
    await broken(ledger, pools.ledger, user)
    await sql.execute("UPDATE purchases SET created_at = created_at - interval '5 s'")
    news = ledger._news
    news.bus = ear = Ear()
    sweeper = Sweeper(connect=None, ledger=ledger, news=news, patience=PATIENCE)

    async def sweep():
        ear.said.clear()
        await sweeper.sweep(sql)
        await news.close()
        return {once.rpartition(":")[0] for purchase_id, once in ear.said if purchase_id == waiting}

    assert await sweep() == set()
    await over(sql)
    first = await sweep()
    assert len(first) == 1
    await over(sql, seconds=1)  # another pause has passed
    assert await sweep() not in (set(), first)


async def test_what_is_over_a_vendors_own_limit_is_not_announced_either(pools, user, ledger, sql):
    first, waiting = await admitted(pools.ledger, user, 2, provider="far")
    await taken(ledger, claim(first), told(ticket(first, 1), left=0))
    await sql.execute("UPDATE purchases SET created_at = created_at - interval '5 s'")

    async def due():
        request = ledger_service_pb2.HeartbeatRequest(worker_id="w1", room=9, providers=["far"])
        answer = await workers.beat(pools.ledger, request, PATIENCE)
        return [each.purchase_id for each in answer.due_purchases]

    assert await due() == []
    await sql.execute("UPDATE permits SET renewed_at = clock_timestamp()")
    assert await due() == [waiting]


# -- What it says of its rates


async def test_who_has_never_answered_is_asked_little_at_first(pools, user, ledger):
    ids = await admitted(pools.ledger, user, permits.UNTOLD + 3, provider="far")
    assert (await outcomes(ledger, *ids)).count(CLAIMED) == permits.UNTOLD
    await taken(ledger, told(ticket(ids[0], 1)))  # it says nothing of a limit
    await ledger._news.close()
    assert len(ledger._news.bus.announced) == 3
    assert await outcomes(ledger, *ids[permits.UNTOLD :]) == [CLAIMED] * 3


async def test_who_has_only_failed_has_not_answered_yet(pools, user, ledger, sql):
    ids = await admitted(pools.ledger, user, permits.UNTOLD + 3, provider="far")
    assert (await outcomes(ledger, *ids)).count(CLAIMED) == permits.UNTOLD
    await taken(ledger, told(unclear(ids[0], 1), FAILS))
    assert await outcomes(ledger, *ids[permits.UNTOLD :]) == [CLAIMED, NO_PERMIT, NO_PERMIT]
    assert await sql.fetchval("SELECT heard_at FROM permits WHERE provider = 'far'")


async def test_no_more_orders_leave_than_it_says_also_from_another_replica(
    pools, user, ledger, other, sql
):
    ids = await admitted(pools.ledger, user, 9, provider="far")
    assert await outcomes(ledger, *ids[:3]) == [CLAIMED] * 3
    await taken(ledger, told(ticket(ids[0], 1), left=4))  # of which two are on their way
    assert await outcomes(other, *ids[3:6]) == [CLAIMED, CLAIMED, NO_PERMIT]
    assert await outcomes(ledger, *ids[5:]) == [NO_PERMIT] * 4
    await taken(ledger, told(ticket(ids[1], 1), left=3))  # three are on their way
    assert await outcomes(other, ids[5]) == [NO_PERMIT]
    await sql.execute("UPDATE permits SET renewed_at = clock_timestamp()")
    assert (await outcomes(ledger, *ids[5:])).count(CLAIMED) == permits.UNTOLD - 3


async def test_who_says_no_more_of_a_limit_has_none(pools, user, ledger, sql):
    first, *ids = await admitted(pools.ledger, user, 9, provider="far")
    await taken(ledger, claim(first), told(ticket(first, 1), left=0))
    await sql.execute("UPDATE permits SET renewed_at = clock_timestamp()")
    assert (await outcomes(ledger, *ids)).count(CLAIMED) == permits.UNTOLD
    await taken(ledger, told(ticket(ids[0], 1)))
    assert await outcomes(ledger, *ids[4:]) == [CLAIMED] * 4


async def test_a_429_holds_all_back_and_is_no_failure(pools, user, ledger, other, sql):
    await known(ledger, pools.ledger, user)
    ids = await admitted(pools.ledger, user, 8, provider="far")
    await outcomes(ledger, *ids[:6])
    for each in ids[:6]:
        step = edge_pb2.ReleaseEdge(delay=Duration(seconds=7))
        edge = edge_pb2.Edge(purchase_id=each, fence=1, release=step)
        await taken(ledger, told(edge, edge_pb2.PROVIDER_SIGN_UNSPECIFIED, left=0, seconds=7))
    assert await outcomes(other, ids[7]) == [NO_PERMIT]
    assert (await stands(pools)).state == ledger_pb2.BREAKER_STATE_CLOSED
    states = await sql.fetch("SELECT DISTINCT state FROM purchases WHERE ticket IS NULL")
    assert [row["state"] for row in states] == ["planned"]


# -- It takes nothing of ours


async def test_who_takes_nothing_of_ours_ends_what_is_planned_unsent_and_uncharged(
    pools, user, ledger, sql
):
    await known(ledger, pools.ledger, user)
    first, second, third, running = await admitted(pools.ledger, user, 4, provider="far")
    await taken(ledger, claim(first), claim(running), told(ticket(running, 1)))
    await taken(ledger, told(end(first, 1, "REFUSED"), REFUSES, refusal=EMPTY))
    found = await stands(pools)
    assert errors.from_status(found.refusal).reason == "PROVIDER_BALANCE_EMPTY"
    [result] = await ledger.apply([claim(second)])
    assert result.outcome == CLAIMED
    assert result.purchase.refusal.message == "Add credit there."
    await taken(ledger, end(second, 1, "REFUSED"))
    assert await sql.fetchrow("SELECT in_use, sending FROM permits") == (1, 0)
    await over(sql)
    [result] = await ledger.apply([claim(third)])
    assert not result.purchase.HasField("refusal")  # the probe is sent


async def refusing(ledger, pools, user):
    await known(ledger, pools.ledger, user)
    [first] = await admitted(pools.ledger, user, provider="far")
    await taken(ledger, claim(first), told(end(first, 1, "REFUSED"), REFUSES, refusal=EMPTY))


@pytest.mark.parametrize("reserve", [0, 40_000])
async def test_a_job_that_needs_who_takes_nothing_of_ours_is_refused_for_a_while(
    pools, user, ledger, sql, reserve
):
    await refusing(ledger, pools, user)
    request = asking(provider="far", reserve=reserve)
    request.providers_needed.append("far")
    with pytest.raises(errors.Precondition) as refused:
        await admit.admit(pools.ledger, request, user, None)
    assert (refused.value.reason, refused.value.message) == (
        "PROVIDER_BALANCE_EMPTY", "Add credit there.",
    )  # fmt: skip
    assert refused.value.metadata == {"provider": "far"}
    assert 0 < refused.value.retry_after <= PAUSES[0].total_seconds()
    with_another = asking(provider="far", reserve=reserve)  # may be drawn elsewhere
    await admit.admit(pools.ledger, with_another, user, None)
    await over(sql)
    await admit.admit(pools.ledger, request, user, None)


async def test_no_prompt_is_paid_for_where_its_images_are_not_sold(pools, user, ledger, sql):
    await refusing(ledger, pools, user)
    request = ledger_service_pb2.ReserveSpendingRequest(
        reservation_id=str(uuid.uuid4()), usd_micros=400, providers_needed=["far"]
    )
    with pytest.raises(errors.Precondition) as refused:
        await spending.reserve(pools.ledger, request, user, None)
    assert (refused.value.reason, refused.value.message) == (
        "PROVIDER_BALANCE_EMPTY", "Add credit there.",
    )  # fmt: skip
    assert await sql.fetchval("SELECT count(*) FROM language_calls") == 0
    await over(sql)
    await spending.reserve(pools.ledger, request, user, None)
    await refusing(ledger, pools, user)
    again = await spending.reserve(pools.ledger, request, user, None)
    assert again.replayed  # what is bought is told all the same


async def test_what_was_admitted_before_is_told_again_all_the_same(pools, user, ledger):
    request = asking(provider="far")
    request.providers_needed.append("far")
    first = await admit.admit(pools.ledger, request, user, None)
    await refusing(ledger, pools, user)
    again = await admit.admit(pools.ledger, request, user, None)
    assert (again.replayed, again.job.name) == (True, first.job.name)


async def test_a_new_start_may_have_other_credentials_and_is_tried_at_once(
    pools, user, ledger, sql
):
    await refusing(ledger, pools, user)
    await workers.beat(pools.ledger, beat("w2"), PATIENCE)
    [probe] = await admitted(pools.ledger, user, provider="far")
    [result] = await ledger.apply([claim(probe)])
    assert (result.outcome, result.purchase.HasField("refusal")) == (CLAIMED, False)
