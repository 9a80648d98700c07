"""Look-ups that find what equal orders bought, on a real PostgreSQL: each has one, none two."""

import asyncio
from collections import Counter

import pytest
from google.rpc import code_pb2, status_pb2

from services.catalog.database import as_ledger
from services.catalog.news import ALARMS
from tests.catalog.purchases import (
    Edge,
    absent,
    admitted,
    claim,
    drawn,
    edge_pb2,
    end,
    fail,
    found,
    keep,
    make_ledger,
    next_attempt,
    refused,
    taken,
    ticket,
    unclear,
)


def doubled():
    return ALARMS.labels("doubled")._value.get()


async def lost(ledger, *ids):
    """Claim each and lose the answer; their fence is 1."""
    for purchase_id in ids:
        await taken(ledger, claim(purchase_id), unclear(purchase_id, 1))


async def rows_of(pools):
    async with as_ledger(pools.ledger) as connection:
        rows = await connection.fetch("SELECT * FROM purchases ORDER BY ordinal, attempt")
    return [(row["state"], row["ticket"]) for row in rows]


@pytest.mark.parametrize("jobs", [1, 4])
async def test_equal_orders_whose_answers_were_lost_adopt_one_each(pools, user, jobs):
    before = doubled()
    ids = [each for _ in range(jobs) for each in await admitted(pools.ledger, user, 12 // jobs)]
    ledgers = [make_ledger(pools.ledger)[0] for _ in range(3)]
    await lost(ledgers[0], *ids)
    tickets = [f"t{number}" for number in range(12)]
    edges = [found(each, 1, *tickets, alike=True) for each in ids]
    await asyncio.gather(*(taken(ledgers[n % 3], edge) for n, edge in enumerate(edges)))
    for edge in edges:
        await taken(ledgers[0], edge)  # said again, after an answer that was lost
    rows = await rows_of(pools)
    assert Counter(state for state, _ticket in rows) == {"running": 12}
    assert sorted(each for _state, each in rows) == sorted(tickets)
    assert doubled() == before
    for each in ids:
        await taken(ledgers[0], drawn(each, 1), keep(each, 1))


async def test_what_equal_orders_leave_over_may_be_anybodys_and_raises_the_alarm(
    pools, user, ledger
):
    before = doubled()
    one, two = await admitted(pools.ledger, user, 2)
    await lost(ledger, one, two)
    await taken(ledger, found(one, 1, "t1", "t2", "t3", alike=True))
    assert await rows_of(pools) == [("running", "t1"), ("unclear", None)]  # three for two
    assert doubled() == before + 1
    await taken(ledger, found(two, 1, "t1", "t2", "t3", alike=True))
    assert sorted(await rows_of(pools)) == [("running", "t1"), ("running", "t2")]
    assert doubled() == before + 2


async def test_one_batch_leaves_its_orders_a_ticket_each(pools, user, ledger):
    one, two = await admitted(pools.ledger, user, 2)
    await lost(ledger, one, two)
    tickets = ("t1", "t2", "t3")
    await taken(ledger, *(found(each, 1, *tickets, alike=True) for each in (one, two)))
    assert sorted(await rows_of(pools)) == [("running", "t1"), ("running", "t2")]


async def test_what_bears_the_orders_name_is_left_to_no_equal_one(pools, user, ledger):
    one, two = await admitted(pools.ledger, user, 2)
    await lost(ledger, one, two)
    await taken(ledger, found(one, 1, "t1", "t2"))
    assert sorted(await rows_of(pools), key=str) == [
        *(("running", "t1"), ("running", "t2"), ("unclear", None))
    ]


async def test_where_others_hold_all_nothing_changes_and_it_may_be_absent(pools, user, ledger):
    one, two = await admitted(pools.ledger, user, 2)
    await lost(ledger, one, two)
    await taken(ledger, found(one, 1, "t1", alike=True))
    [left] = await taken(ledger, found(two, 1, "t1", alike=True))
    assert (left.ticket, left.fence) == ("", 1)
    assert await rows_of(pools) == [("running", "t1"), ("unclear", None)]
    await taken(ledger, absent(two, 1, next_attempt()))
    assert [state for state, _ in await rows_of(pools)] == ["running", "void", "planned"]


async def test_an_order_still_under_way_is_left_what_may_be_its_own(pools, user, ledger):
    one, two = await admitted(pools.ledger, user, 2)
    await taken(ledger, claim(two))
    await lost(ledger, one)
    await taken(ledger, found(one, 1, "t1", "t2", alike=True))
    assert await rows_of(pools) == [("running", "t1"), ("sending", None)]
    await taken(ledger, ticket(two, 1, "t2"))


async def test_who_had_his_ticket_adopted_takes_the_equal_orders(pools, user, ledger):
    one, two = await admitted(pools.ledger, user, 2)
    await taken(ledger, claim(two))
    await lost(ledger, one)
    await taken(ledger, found(one, 1, "t2", "t1", alike=True))
    assert await refused(ledger, ticket(two, 1, "t2")) == "STATE_CONFLICT"
    await taken(ledger, fail(two, 1), claim(two))
    await taken(ledger, found(two, 2, "t2", "t1", alike=True))
    assert await rows_of(pools) == [("running", "t2"), ("running", "t1")]


async def test_a_ticket_of_an_order_that_ended_without_one_is_adopted(pools, user, ledger):
    one, two = await admitted(pools.ledger, user, 2)
    await lost(ledger, one, two)
    step = edge_pb2.SettleEdge(not_askable=edge_pb2.SettleEdge.NotAskable())
    await taken(ledger, Edge(purchase_id=one, fence=1, settle=step))
    await taken(ledger, found(two, 1, "t1", "t2", alike=True))
    assert await rows_of(pools) == [("ended", None), ("running", "t1")]


async def test_whose_own_the_list_may_not_show_takes_nothing_that_may_be_an_equal_orders(
    pools, user, ledger
):
    """The other one's list begins later: with its ticket gone, that would prove an absence."""
    earlier, later = await admitted(pools.ledger, user, 2)
    await lost(ledger, earlier, later)
    edge = found(earlier, 1, "t2", alike=True, unproven=True)
    [left] = await taken(ledger, edge)
    assert (left.ticket, left.fence) == ("", 1)
    assert await rows_of(pools) == [("unclear", None)] * 2
    await taken(ledger, found(later, 1, "t2", alike=True))
    [left] = await taken(ledger, edge)
    assert left.ticket == ""
    assert await rows_of(pools) == [("unclear", None), ("running", "t2")]


async def test_whose_own_the_list_may_not_show_leaves_an_order_under_way_its_answer(
    pools, user, ledger
):
    earlier, later = await admitted(pools.ledger, user, 2)
    await taken(ledger, claim(later))
    await lost(ledger, earlier)
    await taken(ledger, found(earlier, 1, "t2", alike=True, unproven=True))
    await taken(ledger, ticket(later, 1, "t2"))
    assert await rows_of(pools) == [("unclear", None), ("running", "t2")]


@pytest.mark.parametrize(("orders", "tickets"), [(1, ["t1"]), (2, ["t1", "t2"])])
async def test_whose_own_the_list_may_not_show_takes_what_no_equal_order_can_miss(
    pools, user, ledger, orders, tickets
):
    one, *others = await admitted(pools.ledger, user, orders)
    await lost(ledger, one, *others)
    [owned] = await taken(ledger, found(one, 1, *tickets, alike=True, unproven=True))
    assert owned.ticket == "t1"
    for other in others:
        [owned] = await taken(ledger, found(other, 1, *tickets, alike=True, unproven=True))
        assert owned.ticket == "t2"


async def canceling(pools, purchase_id):
    async with as_ledger(pools.ledger) as connection:
        await connection.execute(
            "UPDATE image_jobs SET state = 'canceling' WHERE job_id ="
            " (SELECT job_id FROM purchases WHERE purchase_id = $1)",
            purchase_id,
        )


async def due(pools):
    async with as_ledger(pools.ledger) as connection:
        await connection.execute("UPDATE purchases SET not_before = NULL")


async def test_what_is_to_be_canceled_waits_until_an_equal_order_has_what_may_be_its_own(
    pools, user, ledger
):
    [wanted], [unwanted] = [await admitted(pools.ledger, user) for _ in range(2)]
    await lost(ledger, wanted, unwanted)
    await canceling(pools, unwanted)
    edge = found(unwanted, 1, "t1", alike=True)
    [left] = await taken(ledger, edge)
    assert (left.ticket, left.owner) == ("", "")
    assert await rows_of(pools) == [("unclear", None)] * 2
    # It may have bought that one: who looked it up may not take it for absent.
    assert await refused(ledger, absent(unwanted, 1)) == "FENCE_STALE"
    assert await refused(ledger, edge) == "FENCE_STALE"
    [answer] = await ledger.apply([claim(unwanted)])
    assert answer.outcome == 4  # not due
    await taken(ledger, found(wanted, 1, "t1", alike=True))
    await due(pools)
    [owned] = await taken(ledger, claim(unwanted))
    await taken(ledger, found(unwanted, owned.fence, "t1", alike=True))
    await taken(ledger, absent(unwanted, owned.fence))
    assert sorted(await rows_of(pools), key=str) == [("running", "t1"), ("void", None)]


async def test_what_is_to_be_canceled_takes_what_no_wanted_order_is_left_to_take(
    pools, user, ledger
):
    """The wanted one bought nothing: what there is was bought by the other, and is followed."""
    [wanted], [unwanted] = [await admitted(pools.ledger, user) for _ in range(2)]
    await lost(ledger, unwanted)
    await taken(ledger, claim(wanted))
    await canceling(pools, unwanted)
    await taken(ledger, found(unwanted, 1, "t1", alike=True))
    assert await rows_of(pools) == [("sending", None), ("unclear", None)]
    await taken(ledger, end(wanted, 1, "REFUSED"))
    await due(pools)
    [owned] = await taken(ledger, claim(unwanted))
    [after] = await taken(ledger, found(unwanted, owned.fence, "t1", alike=True))
    assert after.ticket == "t1"
    assert await rows_of(pools) == [("ended", None), ("running", "t1")]


async def test_where_two_are_left_one_is_taken_by_what_is_to_be_canceled(pools, user, ledger):
    [wanted], [unwanted] = [await admitted(pools.ledger, user) for _ in range(2)]
    await lost(ledger, wanted, unwanted)
    await canceling(pools, unwanted)
    await taken(ledger, found(unwanted, 1, "t1", "t2", alike=True))  # one for each
    assert sorted(await rows_of(pools), key=str) == [("running", "t1"), ("unclear", None)]


async def test_two_that_are_to_be_canceled_do_not_wait_for_each_other(pools, user, ledger):
    one, two = [(await admitted(pools.ledger, user))[0] for _ in range(2)]
    await lost(ledger, one, two)
    await canceling(pools, one)
    await canceling(pools, two)
    await taken(ledger, found(one, 1, "t1", alike=True))
    await taken(ledger, found(two, 1, "t1", alike=True), absent(two, 1))
    assert await rows_of(pools) == [("running", "t1"), ("void", None)]


async def test_what_bears_its_name_is_taken_by_what_is_to_be_canceled(pools, user, ledger):
    [wanted], [unwanted] = [await admitted(pools.ledger, user) for _ in range(2)]
    await lost(ledger, wanted, unwanted)
    await canceling(pools, unwanted)
    await taken(ledger, found(unwanted, 1, "t1"))
    assert sorted(await rows_of(pools), key=str) == [("running", "t1"), ("unclear", None)]


@pytest.mark.parametrize(("charged", "cost"), [("NO", 0), ("UNKNOWN", 700)])
async def test_a_second_match_that_fails_is_followed_by_none_and_counts_what_it_may_cost(
    pools, user, ledger, charged, cost
):
    [one] = await admitted(pools.ledger, user, reserve=500)
    await lost(ledger, one)
    await taken(ledger, found(one, 1, "t1", "t2"))
    async with as_ledger(pools.ledger) as connection:
        twin = await connection.fetchval("SELECT purchase_id FROM purchases WHERE ticket = 't2'")
    [owned] = await taken(ledger, claim(twin))
    failed = end(twin, owned.fence, charged=charged)
    if charged == "NO":
        failed.end.next.CopyFrom(next_attempt())
    else:
        failed.end.cost.usd_micros = cost
    await taken(ledger, failed)
    assert sorted(await rows_of(pools)) == [("ended", "t2"), ("running", "t1")]
    async with as_ledger(pools.ledger) as connection:
        assert await connection.fetchval("SELECT spent FROM spending") == cost


async def blocked(pools):
    """Wait until somebody waits for a transaction that is open."""
    while True:
        async with as_ledger(pools.ledger) as connection:
            if await connection.fetchval("SELECT count(*) FROM pg_locks WHERE NOT granted"):
                return


async def test_who_loses_a_ticket_to_another_job_looks_through_the_rest(pools, user, ledger):
    """Twice in a row: whoever finds it again alone may lose again."""
    first, second, third = [(await admitted(pools.ledger, user))[0] for _ in range(3)]
    await lost(ledger, first, second, third)
    adopting = None
    hold = "UPDATE purchases SET state = 'running', ticket = $2 WHERE purchase_id = $1"
    async with as_ledger(pools.ledger) as one, as_ledger(pools.ledger) as two:
        await one.execute(hold, first, "t1")
        await two.execute(hold, second, "t2")
        edge = found(third, 1, "t1", "t2", "t3", alike=True)
        adopting = asyncio.create_task(taken(ledger, edge))
        await blocked(pools)
        await one.execute("COMMIT; BEGIN")
        await blocked(pools)
    [settled] = await adopting
    assert settled.ticket == "t3"


async def test_the_same_ticket_found_twice_is_one(pools, user, ledger):
    [one] = await admitted(pools.ledger, user)
    await lost(ledger, one)
    await taken(ledger, found(one, 1, "t1", "t1"))
    assert await rows_of(pools) == [("running", "t1")]


async def test_what_nobody_could_tell_in_time_ends_with_the_reason(pools, user, ledger):
    [one] = await admitted(pools.ledger, user, reserve=500)
    await lost(ledger, one)
    error = status_pb2.Status(code=code_pb2.UNKNOWN, message="nobody could tell in time")
    step = edge_pb2.SettleEdge(not_askable=edge_pb2.SettleEdge.NotAskable(error=error))
    await taken(ledger, Edge(purchase_id=one, fence=1, settle=step))
    async with as_ledger(pools.ledger) as connection:
        row = await connection.fetchrow("SELECT * FROM purchases")
        event = await connection.fetchval(
            "SELECT payload FROM job_events WHERE kind = 'purchase_ended'"
        )
    assert (row["state"], row["ending"], row["charged"]) == ("ended", "unclear", "unknown")
    assert row["cost"] == 500
    assert row["error"]["message"] == "No answer came; nobody could tell in time"
    assert b"No answer came; nobody could tell in time" in event
