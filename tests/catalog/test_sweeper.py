"""Owners, heartbeats and the sweeper, on a real PostgreSQL."""

import asyncio
from datetime import UTC, datetime, timedelta

import pytest
from google.protobuf.duration_pb2 import Duration

from imagestudio.catalog.v1 import ledger_service_pb2
from imagestudio.type.v1 import job_event_pb2
from services.catalog import endings, workers
from services.catalog.database import as_ledger, connect
from services.catalog.sweeper import Sweeper
from services.catalog.vigil import Vigil
from tests.catalog.purchases import (
    absent,
    admitted,
    beat,
    claim,
    drawn,
    keep,
    make_ledger,
    next_attempt,
    park,
    refused,
    taken,
    ticket,
    unclear,
)

PATIENCE = 3.0


@pytest.fixture
async def studio(pools, database_url):
    """A ledger, what it announces, and a sweep to call by hand."""
    ledger, news = make_ledger(pools.ledger)
    sweeper = Sweeper(connect=None, ledger=ledger, news=news, patience=PATIENCE)
    sweeper.vigil = Vigil(timedelta(0))  # kept for long enough
    connection = await connect(database_url, "studio_ledger")

    async def sweep():
        news.bus.announced.clear()
        await sweeper.bury(connection)
        await sweeper.sweep(connection)
        await news.close()
        return [purchase_id for _subject, purchase_id in news.bus.announced]

    async def until_next():
        return await sweeper.bury(connection)

    sweep.next, sweep.er = until_next, sweeper
    yield ledger, sweep, connection
    await connection.close()


async def silence(connection, worker):
    await connection.execute(
        "UPDATE workers SET heartbeat_at = heartbeat_at - interval '10 s' WHERE worker_id = $1",
        worker,
    )


async def left_alone(connection):
    await connection.execute("UPDATE purchases SET created_at = created_at - interval '5 s'")


async def test_what_nobody_takes_is_announced_after_its_first_moment(pools, user, studio):
    _ledger, sweep, connection = studio
    ids = await admitted(pools.ledger, user, 2)
    assert await sweep() == []
    await left_alone(connection)
    assert sorted(await sweep()) == sorted(ids)


async def test_a_silent_workers_purchases_go_to_others_and_it_can_write_no_more(
    pools, user, studio
):
    ledger, sweep, connection = studio
    running, sending = await admitted(pools.ledger, user, 2)
    await workers.beat(pools.ledger, beat("w1"), PATIENCE)
    await taken(ledger, claim(running), claim(sending))
    await taken(ledger, ticket(running, 1), drawn(running, 1))
    assert await sweep() == []

    await silence(connection, "w1")
    assert sorted(await sweep()) == sorted([running, sending])

    assert await refused(ledger, keep(running, 1)) == "FENCE_STALE"
    states = await connection.fetch("SELECT state FROM purchases ORDER BY ordinal")
    assert [row["state"] for row in states] == ["drawn", "unclear"]
    answer = await workers.beat(
        pools.ledger, ledger_service_pb2.HeartbeatRequest(worker_id="w1"), PATIENCE
    )
    assert not answer.alive
    [owned] = await taken(ledger, claim(running, "w2"))
    await taken(ledger, keep(running, owned.fence))


async def test_however_much_a_dead_worker_had_one_sweep_gives_all_of_it_away(pools, user, studio):
    ledger, sweep, connection = studio
    ids = [each for _ in range(21) for each in await admitted(pools.ledger, user, 30)]
    await workers.beat(pools.ledger, beat("w1"), PATIENCE)
    for start in range(0, len(ids), 300):
        await taken(ledger, *(claim(each) for each in ids[start : start + 300]))
    await taken(ledger, *(ticket(each, 1) for each in ids[:300]))
    await silence(connection, "w1")
    assert sorted(await sweep()) == sorted(ids)
    assert await connection.fetchval("SELECT count(owner) + sum(tries) FROM purchases") == 0


@pytest.mark.parametrize(("silent", "most"), [(0.0, 1.0), (2.8, 0.2), (10.0, 1.0)])
async def test_the_next_look_comes_when_the_next_worker_may_be_dead(pools, studio, silent, most):
    _ledger, sweep, connection = studio
    await workers.beat(pools.ledger, beat("w1"), PATIENCE)
    await connection.execute(
        "UPDATE workers SET heartbeat_at = heartbeat_at - $1::interval", timedelta(seconds=silent)
    )
    assert 0 < await sweep.next() <= most


async def test_after_an_outage_all_is_swept_at_once_but_the_silent(pools, database_url, user):
    """They had nobody to tell that they live; who said goodbye is known to be gone."""
    ledger, news = make_ledger(pools.ledger)
    silent, *gone = await admitted(pools.ledger, user, 3)
    await workers.beat(pools.ledger, beat("silent"), PATIENCE)
    await taken(ledger, claim(silent, "silent"))
    sweeper = Sweeper(
        connect=lambda: connect(database_url, "studio_ledger"),
        ledger=ledger,
        news=news,
        patience=10_000.0,  # so that it is not over within this test
        pause=0.01,
    )
    for ago in (12_000, 6_000, 0):  # what was watched before the outage does not count
        sweeper.vigil.looks(datetime.now(UTC) - timedelta(seconds=ago))
    async with as_ledger(pools.ledger) as connection:
        await connection.execute("UPDATE workers SET heartbeat_at = now() - interval '1 day'")

    sweeping = asyncio.create_task(sweeper.run())
    try:
        for each in gone:  # one after the other: by then it was looked for the dead, too
            await taken(ledger, claim(each, "gone"))
            while (await owners(pools))[each] is not None:
                assert not sweeping.done()
        assert (await owners(pools))[silent] == "silent"
    finally:
        sweeping.cancel()


async def owners(pools):
    async with as_ledger(pools.ledger) as connection:
        rows = await connection.fetch("SELECT purchase_id::text, owner FROM purchases")
    return {row["purchase_id"]: row["owner"] for row in rows}


async def test_an_unclear_purchase_waits_for_the_listings_lag(pools, user, studio):
    ledger, sweep, connection = studio
    [purchase_id] = await admitted(pools.ledger, user)
    lag = Duration(seconds=120)
    await workers.beat(pools.ledger, beat("w1", lookup_lag=lag), PATIENCE)
    await taken(ledger, claim(purchase_id))
    await silence(connection, "w1")
    assert await sweep() == []
    assert (await ledger.apply([claim(purchase_id, "w2")]))[0].outcome == 4  # not due
    await connection.execute("UPDATE purchases SET not_before = now()")
    assert await sweep() == [purchase_id]


@pytest.mark.parametrize("kept", [True, False])
async def test_a_silence_that_nobody_watched_is_no_death(pools, user, studio, kept):
    ledger, sweep, connection = studio
    [purchase_id] = await admitted(pools.ledger, user)
    await workers.beat(pools.ledger, beat("w1"), PATIENCE)
    await taken(ledger, claim(purchase_id))
    await silence(connection, "w1")
    if not kept:
        sweep.er.vigil = Vigil(timedelta(seconds=PATIENCE))
    assert await sweep() == [purchase_id] * kept
    assert bool(await connection.fetchval("SELECT count(*) FROM workers")) is not kept


async def test_a_worker_that_leaves_is_followed_at_once(pools, user, studio):
    ledger, sweep, _connection = studio
    [purchase_id] = await admitted(pools.ledger, user)
    await workers.beat(pools.ledger, beat("w1"), PATIENCE)
    await taken(ledger, claim(purchase_id), ticket(purchase_id, 1), park(purchase_id, 1))
    leaving = ledger_service_pb2.HeartbeatRequest(worker_id="w1", leaving=True)
    await workers.beat(pools.ledger, leaving, PATIENCE)
    assert await sweep() == [purchase_id]


async def test_dying_alone_with_a_purchase_counts_as_a_try(pools, user, studio):
    ledger, sweep, connection = studio
    [purchase_id] = await admitted(pools.ledger, user)
    for number in range(5):
        worker = f"w{number}"
        await workers.beat(pools.ledger, beat(worker), PATIENCE)
        await taken(ledger, claim(purchase_id, worker))
        await connection.execute("UPDATE purchases SET deadline = now()")
        await silence(connection, worker)
        await sweep()
    row = await connection.fetchrow("SELECT state, tries, charged FROM purchases")
    assert tuple(row) == ("quarantined", 5, "unknown")


@pytest.mark.parametrize("possible", [True, False])
async def test_a_lost_answer_can_be_asked_for_once_more_when_five_have_died_of_it(
    pools, user, studio, possible
):
    """Not before its deadline, when all can be told: each look may kill one more."""
    ledger, sweep, connection = studio
    [purchase_id] = await admitted(pools.ledger, user)

    async def die(worker):
        request = beat(worker)
        request.limits[0].lookup_possible = possible
        await workers.beat(pools.ledger, request, PATIENCE)
        await taken(ledger, claim(purchase_id, worker))
        await silence(connection, worker)
        await sweep()

    for number in range(5):
        await die(f"w{number}")
    row = "SELECT state, tries, not_before IS NOT DISTINCT FROM deadline FROM purchases"
    if possible:
        assert tuple(await connection.fetchrow(row)) == ("unclear", 5, True)
        await connection.execute("UPDATE purchases SET not_before = now(), deadline = now()")
        await die("w5")
    assert tuple(await connection.fetchrow(row))[:2] == ("quarantined", 5 + possible)


async def test_a_lost_answer_that_may_lie_in_its_receipt_is_set_aside_for_no_lone_deaths(
    pools, user, studio
):
    """Storage may be away for longer than its deadline; only when that is long over it ends."""
    ledger, sweep, connection = studio
    [purchase_id] = await admitted(pools.ledger, user)

    async def die(worker):
        request = beat(worker)
        request.limits[0].lookup_in_receipts = True
        await workers.beat(pools.ledger, request, PATIENCE)
        await taken(ledger, claim(purchase_id, worker))
        await silence(connection, worker)
        await sweep()

    row = "SELECT state, tries, not_before > deadline FROM purchases"
    await die("w0")
    for number in range(1, 7):
        await connection.execute("UPDATE purchases SET not_before = now(), deadline = now()")
        await die(f"w{number}")
    assert tuple(await connection.fetchrow(row)) == ("unclear", 7, True)
    long_ago = {"sent_at": endings.KEPT_AT, "not_before": endings.KEPT_AT}
    for name, ago in long_ago.items():
        await connection.execute(f"UPDATE purchases SET {name} = now() - $1::interval", ago)
    await die("w7")
    assert (await connection.fetchrow(row))["state"] == "quarantined"


@pytest.mark.parametrize("in_receipts", [False, True])
async def test_only_a_provider_that_can_be_asked_is_said_to_be_asked(
    pools, user, studio, in_receipts
):
    ledger, sweep, connection = studio
    [died, lost] = await admitted(pools.ledger, user, 2)
    request = beat("w1")
    request.limits[0].lookup_in_receipts = in_receipts
    await workers.beat(pools.ledger, request, PATIENCE)
    await taken(ledger, claim(died), claim(lost))
    await taken(ledger, unclear(lost, 1))
    await silence(connection, "w1")
    await sweep()
    rows = await connection.fetch("SELECT payload FROM job_events WHERE kind = 'unclear'")
    told = [job_event_pb2.JobEvent.FromString(row["payload"]).unclear for row in rows]
    assert {each.purchase_id for each in told} == {died, lost}
    asked = [(each.lookup_possible, each.HasField("lookup_time")) for each in told]
    assert asked == [(not in_receipts, not in_receipts)] * 2


async def test_an_order_that_is_tried_anew_remembers_whom_it_killed(pools, user, studio):
    ledger, sweep, connection = studio
    [purchase_id] = await admitted(pools.ledger, user)
    for number in range(1, 6):
        dies, lives = f"dies-{number}", f"lives-{number}"
        await workers.beat(pools.ledger, beat(dies), PATIENCE)
        await taken(ledger, claim(purchase_id, dies))
        await silence(connection, dies)
        await sweep()
        assert await connection.fetchval("SELECT max(tries) FROM purchases") == number
        # Another one finds that nothing was ordered, and the order begins anew: four times.
        await connection.execute("UPDATE purchases SET not_before = NULL")
        [owned] = await taken(ledger, claim(purchase_id, lives))
        following = next_attempt()
        await taken(ledger, absent(purchase_id, owned.fence, following))
        purchase_id = following.purchase_id
    rows = await connection.fetch("SELECT state, charged FROM purchases ORDER BY attempt")
    assert [tuple(row) for row in rows] == [("void", "no")] * 5
    assert await connection.fetchval("SELECT state FROM image_jobs") == "failed"


async def test_dying_with_two_purchases_counts_for_neither(pools, user, studio):
    ledger, sweep, connection = studio
    ids = await admitted(pools.ledger, user, 2)
    await workers.beat(pools.ledger, beat("w1"), PATIENCE)
    await taken(ledger, *(claim(purchase_id) for purchase_id in ids))
    await silence(connection, "w1")
    await sweep()
    assert await connection.fetchval("SELECT sum(tries) FROM purchases") == 0


async def test_a_worker_that_hears_of_no_work_is_told_with_its_heartbeat(pools, user, studio):
    ledger, _sweep, connection = studio
    ids = await admitted(pools.ledger, user, 3)
    await admitted(pools.ledger, user, provider="another")

    async def due(**asked):
        request = ledger_service_pb2.HeartbeatRequest(worker_id="w1", **asked)
        answer = await workers.beat(pools.ledger, request, PATIENCE)
        return [(each.purchase_id, each.provider) for each in answer.due_purchases]

    await workers.beat(pools.ledger, beat("w1"), PATIENCE)
    assert await due(room=9, providers=["sketch"]) == []  # their first moment is their admitter's
    await left_alone(connection)
    assert await due(room=9, providers=["sketch"]) == [(each, "sketch") for each in sorted(ids)]
    assert len(await due(room=2, providers=["sketch"])) == 2
    assert await due(providers=["sketch"]) == []
    await taken(ledger, *(claim(each) for each in ids))
    assert await due(room=9, providers=["sketch"]) == []
    fence, bought = 1, ids[0]
    await taken(ledger, ticket(bought, fence), drawn(bought, fence), park(bought, fence))
    assert await due(room=9, providers=["any"]) == [(bought, "any")]


async def test_what_is_drawn_or_kept_is_announced_to_whom_it_may_concern(pools, user, studio):
    """Its provider's key may be gone."""
    ledger, sweep, connection = studio
    news = ledger._news
    [bought] = await admitted(pools.ledger, user)
    await taken(ledger, claim(bought), ticket(bought, 1), drawn(bought, 1))
    await silence(connection, "w1")
    await sweep()
    anybodys = [("work.any", bought)]
    assert news.bus.announced == anybodys
    await taken(ledger, claim(bought, "w2"), park(bought, 3))
    await news.close()
    assert news.bus.announced == anybodys * 2
    await taken(ledger, claim(bought, "w2"), keep(bought, 4, to_publish=True), park(bought, 4))
    await sweep()
    assert news.bus.announced == anybodys
