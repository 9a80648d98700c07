"""The ledger on a real PostgreSQL: edges, guards, events, money, owners."""

import asyncio

import pytest

from chassis import errors
from chassis.errors import Exhausted, Exists, Precondition
from imagestudio.type.v1 import cost_pb2
from services.catalog import admit, cancel, edges, reading, saving
from services.catalog.database import as_ledger
from services.catalog.ledger import Change, read
from tests.catalog.books import bought, job_of, kinds_of, log_of, spending
from tests.catalog.conftest import run_as_owner
from tests.catalog.purchases import (
    absent,
    admitted,
    asking,
    claim,
    drawn,
    end,
    fail,
    found,
    keep,
    make_ledger,
    next_attempt,
    park,
    refused,
    taken,
    ticket,
    unclear,
)


async def test_a_purchase_goes_its_whole_way_and_ends_its_job(pools, user, ledger):
    [purchase_id] = await admitted(pools.ledger, user)

    fence = await bought(ledger, purchase_id)
    await taken(ledger, keep(purchase_id, fence))

    assert (await job_of(pools, purchase_id))["state"] == "succeeded"
    log = await log_of(pools, purchase_id)
    assert [event.WhichOneof("event") for event in log] == [
        *("accepted", "queued", "purchased", "image_kept", "completed")
    ]
    assert log[3].image_kept.url.startswith("https://studio.test/i/")
    assert log[4].completed.job.images[0].variant == log[3].image_kept.variant


async def test_how_far_many_logs_have_come_is_told_at_once(pools, user, ledger):
    [short] = await admitted(pools.ledger, user)
    [long] = await admitted(pools.ledger, user)
    await bought(ledger, long)
    jobs = [(await job_of(pools, each))["job_id"] for each in (long, short)]
    found = await reading.positions(pools.ledger, [jobs[0], 10**12, jobs[1]])
    assert found.last_sequences == [3, 0, 2]


async def test_no_more_logs_are_told_of_than_a_call_may_name(pools):
    with pytest.raises(Precondition):
        await reading.positions(pools.ledger, range(1, reading.MOST_JOBS + 2))


async def test_a_completed_job_is_told_as_it_is_read(pools, user, ledger):
    """What comes from memory (a lone image, nothing failed) and what is read look alike."""
    [lone] = await admitted(pools.ledger, user)
    first, second, refused_ = await admitted(pools.ledger, user, 3)
    for purchase_id in (lone, first, second):
        await taken(ledger, keep(purchase_id, await bought(ledger, purchase_id)))
    await taken(ledger, claim(refused_), end(refused_, 1, "REFUSED"))
    for purchase_id, failures in ((lone, 0), (first, 1)):
        told = (await log_of(pools, purchase_id))[-1].completed.job
        job_id = (await job_of(pools, purchase_id))["job_id"]
        read = await cancel.cancel(pools.ledger, make_ledger(pools.ledger)[1], job_id, user)
        for image in told.images:
            image.url = image.url.removeprefix("https://studio.test")
            image.thumbnail_url = image.thumbnail_url.removeprefix("https://studio.test")
        for job in (told, read):
            job.ClearField("update_time")
            job.ClearField("end_time")  # the same moment by two clocks
        assert told == read
        assert len(told.failures) == failures


async def test_all_edges_of_a_life_may_come_in_one_batch(pools, user, ledger):
    [purchase_id] = await admitted(pools.ledger, user)
    await taken(
        ledger,
        *(claim(purchase_id), ticket(purchase_id, 1), drawn(purchase_id, 1), keep(purchase_id, 1)),
    )
    assert (await job_of(pools, purchase_id))["state"] == "succeeded"


async def test_two_last_keeps_at_once_complete_a_job_once(pools, user, ledger):
    ids = await admitted(pools.ledger, user, 8)
    other, _news = make_ledger(pools.ledger)  # a second catalog on the same database
    fences = [await bought(ledger, purchase_id) for purchase_id in ids]
    await asyncio.gather(
        *(
            taken((ledger, other)[index % 2], keep(purchase_id, fence))
            for index, (purchase_id, fence) in enumerate(zip(ids, fences, strict=True))
        )
    )
    kinds = await kinds_of(pools, ids[0])
    assert kinds.count("completed") == 1
    assert kinds.count("image_kept") == 8
    assert kinds[-1] == "completed"


async def test_one_of_many_claimers_wins(pools, user):
    [purchase_id] = await admitted(pools.ledger, user)
    ledgers = [make_ledger(pools.ledger)[0] for _ in range(6)]
    answers = await asyncio.gather(
        *(led.apply([claim(purchase_id, f"w{n}")]) for n, led in enumerate(ledgers))
    )
    assert sorted(answer[0].outcome for answer in answers) == [1, 2, 2, 2, 2, 2]


async def test_an_edge_again_changes_nothing(pools, user, ledger):
    [purchase_id] = await admitted(pools.ledger, user, reserve=500)
    await taken(ledger, claim(purchase_id))
    for edge in (
        ticket(purchase_id, 1),
        drawn(purchase_id, 1, cost=300),
        keep(purchase_id, 1),
    ):
        await taken(ledger, edge)
        await taken(ledger, edge)
    assert (await kinds_of(pools, purchase_id)).count("image_kept") == 1
    assert await spending(pools, user) == (300, 0)


async def test_an_old_fence_changes_nothing(pools, user, ledger):
    [purchase_id] = await admitted(pools.ledger, user)
    fence = await bought(ledger, purchase_id)
    await taken(ledger, park(purchase_id, fence))
    [again] = await taken(ledger, claim(purchase_id, "w2"))
    assert again.fence == fence + 1
    assert await refused(ledger, keep(purchase_id, fence)) == "FENCE_STALE"
    await taken(ledger, keep(purchase_id, again.fence))


async def test_an_edge_from_another_state_changes_nothing(pools, user, ledger):
    [purchase_id] = await admitted(pools.ledger, user)
    assert await refused(ledger, ticket(purchase_id, 0)) == "STATE_CONFLICT"
    await taken(ledger, claim(purchase_id))
    assert await refused(ledger, drawn(purchase_id, 1)) == "STATE_CONFLICT"
    assert await refused(ledger, keep(purchase_id, 1)) == "STATE_CONFLICT"
    assert await refused(ledger, end(purchase_id, 1, charged="UNKNOWN")) == "STATE_CONFLICT"


async def test_a_refused_edge_hinders_no_other_of_its_batch(pools, user, ledger):
    one, two = await admitted(pools.ledger, user, 2)
    await taken(ledger, claim(one), claim(two))
    results = await ledger.apply(
        [ticket(one, 1, "same"), ticket(two, 1, "same"), drawn(one, 1), keep(one, 1)]
    )
    assert [result.status.code for result in results] == [0, 9, 0, 0]
    assert "provider_ticket" in results[1].status.message


async def test_what_is_reserved_becomes_what_it_cost(pools, user, ledger):
    ids = await admitted(pools.ledger, user, 3, reserve=40_000)
    assert await spending(pools, user) == (0, 120_000)
    fence = await bought(ledger, ids[0], count=3, cost=31_000)
    for index in range(3):
        await taken(ledger, keep(ids[0], fence, index))
    await taken(ledger, claim(ids[1]))
    await taken(ledger, end(ids[1], 1, "REFUSED"))
    assert await spending(pools, user) == (31_000, 40_000)
    await taken(ledger, claim(ids[2]), ticket(ids[2], 1))
    await taken(ledger, end(ids[2], 1, "FAILED", "UNKNOWN"))
    assert await spending(pools, user) == (71_000, 0)  # what may be charged counts as spent
    async with as_ledger(pools.ledger) as connection:
        costs = await connection.fetch("SELECT cost FROM image_variants WHERE user_id = $1", user)
    assert sorted(row["cost"] for row in costs) == [10_333, 10_333, 10_334]  # they sum exactly
    job = await job_of(pools, ids[0])
    assert (job["state"], job["cost"]) == ("partially_succeeded", 71_000)


async def test_what_cost_though_nothing_was_reserved_counts_under_the_cap(pools, user, ledger):
    [purchase_id] = await admitted(pools.ledger, user, reserve=0)
    fence = await bought(ledger, purchase_id, cost=40_000)
    await taken(ledger, keep(purchase_id, fence))
    assert await spending(pools, user) == (40_000, 0)


@pytest.mark.parametrize(
    ("cost", "estimate", "told"),
    [
        (1100, 1000, []),
        (900, 1000, []),
        (1101, 1000, ["It cost 0.001101 USD, and 0.001000 was the estimate."]),
        (899, 1000, ["It cost 0.000899 USD, and 0.001000 was the estimate."]),
        (1, 0, ["It cost 0.000001 USD, and 0.000000 was the estimate."]),
        (0, 0, []),
        (5000, None, []),
    ],
)
async def test_a_cost_off_by_more_than_a_tenth_is_told(pools, user, ledger, cost, estimate, told):
    [purchase_id] = await admitted(pools.ledger, user)
    await taken(ledger, claim(purchase_id), ticket(purchase_id, 1))
    await taken(ledger, drawn(purchase_id, 1, cost=cost, estimate=estimate))
    warnings = [e.warning for e in await log_of(pools, purchase_id) if e.HasField("warning")]
    assert [warning.message for warning in warnings] == told
    assert {(w.reason, w.purchase_id) for w in warnings} <= {("COST_DIFFERS", purchase_id)}


async def test_a_cap_admits_exactly_what_fits(pools, user):
    async def ask():
        try:
            await admit.admit(pools.ledger, asking(reserve=40_000), user, 1_000_000)
        except Exhausted as refusal:
            return 0 if refusal.reason == "SPEND_CAP_EXCEEDED" else 1
        return 1

    assert sum(await asyncio.gather(*(ask() for _ in range(100)))) == 25
    assert await spending(pools, user) == (0, 1_000_000)


@pytest.mark.parametrize("cap", [None, 40_000])
async def test_a_month_that_turns_in_the_middle_is_none_of_the_askers_business(
    pools, user, database_url, cap
):
    """The new month has no row yet when the money is to be taken from it."""
    await run_as_owner(
        database_url,
        "CREATE SEQUENCE made; GRANT USAGE ON SEQUENCE made TO PUBLIC",
        """CREATE FUNCTION turn() RETURNS trigger LANGUAGE plpgsql AS
           $$ BEGIN IF nextval('made') = 1 THEN RETURN NULL; END IF; RETURN NEW; END $$""",
        "CREATE TRIGGER turn BEFORE INSERT ON spending FOR EACH ROW EXECUTE FUNCTION turn()",
    )
    answer = await admit.admit(pools.ledger, asking(reserve=40_000), user, cap)
    assert not answer.replayed
    assert await spending(pools, user) == (0, 40_000)


async def test_the_same_request_is_the_same_job_and_another_is_refused(pools, user):
    request = asking(reserve=10)
    first, *others = await asyncio.gather(
        *(admit.admit(pools.ledger, request, user, None) for _ in range(5))
    )
    assert {answer.job.name for answer in others} == {first.job.name}
    assert sorted(answer.replayed for answer in (first, *others)) == [False, *[True] * 4]
    assert await spending(pools, user) == (0, 10)
    request.fingerprint = "b" * 64
    with pytest.raises(Exists, match="choose a new one"):
        await admit.admit(pools.ledger, request, user, None)


async def test_a_replay_passes_where_the_cap_is_used_up(pools, user):
    request = asking(reserve=10)
    first = await admit.admit(pools.ledger, request, user, 10)
    again = await admit.admit(pools.ledger, request, user, 10)
    assert again.replayed
    assert again.job.name == first.job.name


async def test_an_uncharged_end_may_be_followed_by_a_new_attempt(pools, user, ledger):
    [purchase_id] = await admitted(pools.ledger, user, reserve=50)
    following = next_attempt(reserve=30)
    await taken(ledger, claim(purchase_id))
    await taken(ledger, end(purchase_id, 1, "REFUSED", next_=following))
    assert await spending(pools, user) == (0, 30)
    fence = await bought(ledger, following.purchase_id, cost=20)
    await taken(ledger, keep(following.purchase_id, fence))
    assert (await job_of(pools, purchase_id))["state"] == "succeeded"


async def test_an_unclear_purchase_found_goes_on_and_a_second_match_is_adopted(pools, user, ledger):
    [purchase_id] = await admitted(pools.ledger, user)
    await taken(ledger, claim(purchase_id))
    await taken(ledger, unclear(purchase_id, 1))
    await taken(ledger, found(purchase_id, 1, "t1", "t2"))
    job = await job_of(pools, purchase_id)
    assert job["open_purchases"] == 2
    await taken(ledger, drawn(purchase_id, 1), keep(purchase_id, 1))
    async with as_ledger(pools.ledger) as connection:
        twin = await connection.fetchval("SELECT purchase_id FROM purchases WHERE ticket = 't2'")
    [owned] = await taken(ledger, claim(twin, "w2"))
    await taken(ledger, drawn(twin, owned.fence), keep(twin, owned.fence))
    kinds = await kinds_of(pools, purchase_id)
    assert kinds.count("image_kept") == 2
    assert (await job_of(pools, purchase_id))["state"] == "succeeded"


async def test_an_unclear_purchase_proven_absent_is_tried_anew(pools, user, ledger):
    [purchase_id] = await admitted(pools.ledger, user, reserve=5)
    await taken(ledger, claim(purchase_id))
    await taken(ledger, unclear(purchase_id, 1))
    following = next_attempt(reserve=5)
    await taken(ledger, absent(purchase_id, 1, following))
    assert await spending(pools, user) == (0, 5)
    fence = await bought(ledger, following.purchase_id, cost=5)
    await taken(ledger, keep(following.purchase_id, fence))
    assert (await job_of(pools, purchase_id))["state"] == "succeeded"


async def test_one_proven_absent_that_nothing_follows_tells_so_and_what_was_answered(
    pools, user, ledger
):
    [purchase_id] = await admitted(pools.ledger, user, reserve=5)
    await taken(ledger, claim(purchase_id))
    doubted = unclear(purchase_id, 1)
    doubted.unclear.error.CopyFrom(
        errors.to_status(errors.Unavailable("PURCHASE_UNCLEAR", "HTTP 500: out of order"))
    )
    await taken(ledger, doubted, absent(purchase_id, 1))
    assert await spending(pools, user) == (0, 0)
    [failure] = (await log_of(pools, purchase_id))[-1].completed.job.failures
    assert (failure.charged, failure.reason) == (cost_pb2.CHARGED_NO, "PROVIDER_FAILED")
    assert "HTTP 500: out of order" in failure.message
    assert "nothing of it" in failure.message


async def test_the_fifth_failure_sets_a_purchase_aside(pools, user, ledger):
    [purchase_id] = await admitted(pools.ledger, user, reserve=9)
    await taken(ledger, claim(purchase_id))
    await taken(ledger, unclear(purchase_id, 1, possible=False))
    for fence in range(1, 6):
        if fence > 1:
            await taken(ledger, claim(purchase_id))
        await taken(ledger, fail(purchase_id, fence))
    job = await job_of(pools, purchase_id)
    assert job["state"] == "failed"
    assert await spending(pools, user) == (9, 0)
    completed = (await log_of(pools, purchase_id))[-1].completed
    assert completed.job.failures[0].charged == 3  # unknown


async def test_a_cancel_ends_what_was_not_claimed_and_keeps_what_was_paid(pools, user, ledger):
    one, two = await admitted(pools.ledger, user, 2, reserve=10)
    fence = await bought(ledger, one, cost=10)
    job_id = (await job_of(pools, one))["job_id"]
    _ledger, news = make_ledger(pools.ledger)
    job = await cancel.cancel(pools.ledger, news, job_id, user)
    assert job.state == 3  # canceling
    assert await spending(pools, user) == (10, 0)
    assert (await ledger.apply([claim(two)]))[0].outcome == 2  # taken
    await taken(ledger, keep(one, fence))
    assert (await job_of(pools, one))["state"] == "canceled"
    assert (await kinds_of(pools, one))[-1] == "completed"
    again = await cancel.cancel(pools.ledger, news, job_id, user)
    assert again.images[0].version_number == 1


async def test_a_cancel_before_any_claim_ends_the_job_at_once(pools, user):
    [purchase_id] = await admitted(pools.ledger, user)
    job_id = (await job_of(pools, purchase_id))["job_id"]
    _ledger, news = make_ledger(pools.ledger)
    job = await cancel.cancel(pools.ledger, news, job_id, user)
    assert job.state == 7  # canceled
    assert await kinds_of(pools, purchase_id) == [
        *("accepted", "queued", "purchase_ended", "completed")
    ]


async def test_the_sql_itself_refuses_a_change_from_another_fence(pools, user, ledger):
    """The second line: a row that changed without its job's lock is not written over."""
    [purchase_id] = await admitted(pools.ledger, user)
    await taken(ledger, claim(purchase_id))
    edge = ticket(purchase_id, 1)
    async with as_ledger(pools.ledger) as connection:
        batch = await read(connection, [Change(purchase_id, "ticket", lambda _batch: None)])
        before = {purchase_id: saving.state_of(batch.purchases[purchase_id])}
        edges.take(batch, edge)
        await connection.execute("UPDATE purchases SET fence = fence + 1")
        with pytest.raises(RuntimeError, match="without its job"):
            await saving.save(connection, batch, before, {})


async def test_what_no_column_takes_hinders_no_other_edge_of_its_batch(pools, user, ledger):
    [purchase_id] = await admitted(pools.ledger, user)
    strange = end(purchase_id, 1, "REFUSED")
    strange.end.error.message = "a provider said \x00 here"
    results = await ledger.apply([claim("no-uuid"), claim(purchase_id), strange])
    assert [result.status.code for result in results][1:] == [0, 0]
    assert results[0].status.code != 0
