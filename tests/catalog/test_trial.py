"""A provider that is well again gets what has waited one by one, at a pace, and not all at once."""

import asyncio
from datetime import timedelta

import pytest

from services.catalog import permits, workers
from services.catalog.database import connect
from services.catalog.news import _FIRST, PACE
from services.catalog.queries import SQL
from services.catalog.sweeper import Sweeper
from tests.catalog.purchases import admitted, claim, end, make_ledger, taken, ticket, unclear
from tests.catalog.signs import FAILS, PATIENCE, beat, broken, outcomes, over, told

CLAIMED, NO_PERMIT = 1, 3


class Paces:
    """Takes the place of the wait between two orders: *then* is done with what was announced."""

    def __init__(self, news):
        self.news, self.then, self.seen = news, None, []
        news.pause = self.pause

    async def pause(self, seconds):
        assert seconds == PACE
        announced = [purchase_id for _subject, purchase_id in await self.told()]
        self.seen.append(announced)
        if self.then:
            await self.then(announced)

    async def told(self):
        await self.news._beside.ended()
        announced = self.news.bus.announced.copy()
        self.news.bus.announced.clear()
        return announced

    async def over(self):
        """Wait until nobody waits for a pace; return what was announced at each."""
        await self.news._beside.ended()
        await self.news._rationing.ended()
        seen, self.seen = self.seen, []
        assert await self.told() == []  # nothing leaves beside
        return seen


@pytest.fixture
async def ledger(pools):
    await workers.beat(pools.ledger, beat("w1"), PATIENCE)
    return make_ledger(pools.ledger)[0]


@pytest.fixture
async def sql(database_url):
    connection = await connect(database_url, "studio_ledger")
    yield connection
    await connection.close()


@pytest.fixture
async def paces(ledger):
    """Whoever hears of an order claims it at once."""
    paces = Paces(ledger._news)

    async def claimed(announced):
        assert await outcomes(ledger, *announced) == [CLAIMED]

    paces.then = claimed
    return paces


async def on_trial(ledger, pool, user, sql, count, left=None, most=0):
    """Have the probe be taken while *count* others wait; return these in their order."""
    await broken(ledger, pool, user)
    await sql.execute("UPDATE permits SET max_in_flight = $1", most)
    [probe] = await admitted(pool, user, provider="far")
    ids = await admitted(pool, user, count, provider="far")
    await over(sql)
    await ledger._news.close()
    ledger._news.bus.announced.clear()
    await taken(ledger, claim(probe), told(ticket(probe, 1), left=left))
    return sorted(ids)


@pytest.mark.parametrize(
    ("stands", "outcome"),
    [
        ("sending = 5", NO_PERMIT),
        ("in_use = 3, max_in_flight = 3", NO_PERMIT),
        ("in_use = 3, max_in_flight = 4", CLAIMED),
        ("max_per_minute = 1, tokens = 0, refilled_at = clock_timestamp()", NO_PERMIT),
        ("max_per_minute = 1, tokens = 1, refilled_at = clock_timestamp()", CLAIMED),
        ("orders_left = 0, renewed_at = now() + interval '1 h'", NO_PERMIT),
        ("orders_left = 1, renewed_at = now() + interval '1 h'", CLAIMED),
        (
            "orders_left = 9, renewed_at = now() - interval '1 s', sending = 4",
            NO_PERMIT,
        ),
        ("orders_left = 0, renewed_at = now() - interval '1 s', sending = 3", CLAIMED),
    ],
)
async def test_on_trial_is_announced_what_a_claim_would_take_and_nothing_else(
    pools, user, ledger, sql, stands, outcome
):
    [waiting] = await on_trial(ledger, pools.ledger, user, sql, 1)
    await ledger._news.close()
    await sql.execute(f"UPDATE permits SET {stands}")
    found = await sql.fetchrow(SQL.next_on_trial, "far", _FIRST, permits.UNTOLD)
    assert (found is not None) == (outcome == CLAIMED)
    assert await outcomes(ledger, waiting) == [outcome]


async def test_who_was_refused_is_told_again_by_the_next_answer(pools, user, ledger, sql, paces):
    async def outdone(announced):  # new orders took the room before it came
        await sql.execute("UPDATE permits SET sending = sending + 5")
        assert await outcomes(ledger, *announced) == [NO_PERMIT]

    paces.then, served = outdone, paces.then
    [first] = await on_trial(ledger, pools.ledger, user, sql, 1)
    assert await paces.over() == [[first]]
    paces.then = served
    [new] = await admitted(pools.ledger, user, provider="far")
    await sql.execute("UPDATE permits SET sending = 0")
    await taken(ledger, claim(new), told(ticket(new, 1)))
    assert await paces.over() == [[first]]


async def test_a_place_that_becomes_free_on_trial_is_offered(pools, user, ledger, sql, paces):
    waiting = await on_trial(ledger, pools.ledger, user, sql, 3, most=3)
    assert await paces.over() == [[each] for each in waiting[:2]]
    await taken(ledger, told(ticket(waiting[0], 1)))
    assert await paces.over() == []  # it is under way still
    await taken(ledger, end(waiting[0], 1))
    assert await paces.over() == [[waiting[2]]]


@pytest.mark.parametrize("left", [None, 600])  # it says nothing of a limit, or of a wide one
async def test_after_the_probe_they_leave_one_by_one_and_two_for_each_that_is_taken(
    pools, user, ledger, sql, paces, left
):
    waiting = await on_trial(ledger, pools.ledger, user, sql, 40, left)
    out = []
    for most in (permits.UNTOLD + 1, 2, 2, 2):
        assert await paces.over() == [[each] for each in waiting[:most]]
        out, waiting = out + waiting[:most], waiting[most:]
        assert await outcomes(ledger, *waiting) == [NO_PERMIT] * len(waiting)
        await taken(ledger, told(ticket(out.pop(0), 1), left=left))
    assert await paces.over() == [[each] for each in waiting[:2]]
    await taken(ledger, told(unclear(out.pop(0), 1), FAILS))  # nobody comes in its place but one
    assert await paces.over() == [[waiting[2]]]


async def test_nothing_more_leaves_than_a_provider_on_trial_says_that_it_takes(
    pools, user, ledger, sql, paces
):
    waiting = await on_trial(ledger, pools.ledger, user, sql, 9, left=2)
    assert await paces.over() == [[each] for each in waiting[:2]]


async def test_an_answer_while_others_are_announced_has_all_looked_at_once_more(
    pools, user, ledger, sql, paces
):
    answers = [told(ticket("", 1))]

    async def late(announced):
        if len(paces.seen) == 3:  # who was announced first is still to be had
            [again] = answers
            again.purchase_id = waiting[1]
            assert await outcomes(ledger, waiting[1]) == [CLAIMED]
            await taken(ledger, again)

    paces.then = late
    waiting = await on_trial(ledger, pools.ledger, user, sql, 3)
    first, second, third = waiting
    assert await paces.over() == [[first], [second], [third], [first], [third]]


async def test_who_has_taken_twenty_in_a_row_after_the_probe_may_have_all(pools, user, ledger, sql):
    await broken(ledger, pools.ledger, user)
    await sql.execute(
        "UPDATE permits SET breaker = 'closed', retry_at = NULL, recent = repeat('+', 19)"
    )
    first, *ids = await admitted(pools.ledger, user, 40, provider="far")
    await taken(ledger, claim(first), told(ticket(first, 1)))
    assert await outcomes(ledger, *ids) == [CLAIMED] * len(ids)


async def test_what_a_provider_on_trial_would_not_get_yet_is_not_due(
    pools, user, ledger, sql, paces
):
    ids = await on_trial(ledger, pools.ledger, user, sql, 8)
    await sql.execute("UPDATE purchases SET created_at = created_at - interval '5 s'")

    async def due():
        rows = await sql.fetch(SQL.due_purchases, timedelta(seconds=1), 99, permits.UNTOLD)
        assert all(row["on_trial"] for row in rows if row["purchase_id"] in ids)
        return {row["purchase_id"] for row in rows} & set(ids)

    await paces.over()
    assert await due() == set()
    await sql.execute("UPDATE permits SET sending = sending - 1")
    assert await due() == set(ids[permits.UNTOLD + 1 :])


async def test_where_a_word_was_lost_the_sweep_sees_that_more_may_leave_and_keeps_the_pace(
    pools, user, ledger, sql, paces
):
    waiting = await on_trial(ledger, pools.ledger, user, sql, 9)
    left = waiting[len(await paces.over()) :]
    await sql.execute("UPDATE purchases SET created_at = created_at - interval '5 s'")
    await sql.execute("UPDATE purchases SET not_before = 'infinity' WHERE state = 'unclear'")
    await sql.execute("UPDATE permits SET sending = sending - 3")  # in another replica, now dead
    await Sweeper(connect=None, ledger=ledger, news=ledger._news).sweep(sql)
    assert await paces.over() == [[each] for each in left[:3]]


async def test_who_ends_waits_for_no_pace(pools, user, ledger, sql, paces):
    begun = asyncio.Event()

    async def for_ever(_announced):
        begun.set()
        await asyncio.Event().wait()

    paces.then = for_ever
    await on_trial(ledger, pools.ledger, user, sql, 3)
    async with asyncio.timeout(10):
        await begun.wait()
    await ledger._news.close()
