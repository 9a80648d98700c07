"""Tickets that no purchase holds, on a real PostgreSQL: adopted or told, and never for nothing."""

import asyncio
import uuid
from datetime import UTC, datetime, timedelta

import pytest

from chassis.errors import Invalid
from imagestudio.catalog.v1 import ledger_pb2, ledger_service_pb2
from services.catalog import strays, webhooks, workers
from services.catalog.cancel import cancel
from services.catalog.strays import UNKNOWN
from tests.catalog.inbox import PRICE, Desk, Find, adopt, alarms, bring, follow
from tests.catalog.purchases import (
    absent,
    admitted,
    claim,
    end,
    fail,
    found,
    make_ledger,
    refused,
    taken,
    ticket,
    unclear,
)

Listed = ledger_service_pb2.ListedTicket


@pytest.fixture
def desk(pools):
    return Desk(pools.ledger)


async def running(desk, user, count=1):
    ids = await admitted(desk.pool, user, count, reserve=PRICE)
    for number, each in enumerate(ids):
        first = "t1" if number == 0 else f"t1.{number}"
        await taken(desk.ledger, claim(each), ticket(each, 1, first))
    return ids


async def test_a_second_order_of_a_running_purchase_is_kept_for_the_same_job(desk, user):
    [one] = await running(desk, user)
    before = alarms()
    await taken(desk.ledger, adopt(one))
    assert alarms() == before + 1
    assert await desk.money() == (0, 2 * PRICE)  # it is reserved above any cap
    await bring(desk, one, 1)
    job = await desk.row("SELECT state, open_purchases FROM image_jobs")
    assert tuple(job) == ("running", 1)  # it waits for the second one
    await follow(desk, await desk.twin())
    assert await desk.money() == (2 * PRICE, 0)
    job = await desk.row("SELECT state, open_purchases, last_version FROM image_jobs")
    assert tuple(job) == ("succeeded", 0, 2)
    told = await desk.kinds()
    assert told[-6:] == [
        "purchased", "purchased", "warning", "image_kept", "image_kept", "completed"
    ]  # fmt: skip


async def test_the_same_stray_is_adopted_once_by_however_many(desk, user):
    [one] = await running(desk, user)
    before = alarms()
    ledgers = [make_ledger(desk.pool)[0] for _ in range(3)]
    edges = [taken(ledgers[number % 3], adopt(one)) for number in range(9)]
    await asyncio.gather(*edges)
    await taken(desk.ledger, adopt(one, "t1"))  # its own
    rows = await desk.fetch("SELECT ticket, attempt FROM purchases ORDER BY attempt")
    assert [tuple(row) for row in rows] == [("t1", 1), ("t2", 2)]
    assert alarms() == before + 1


async def test_what_comes_when_the_job_has_ended_is_kept_and_told_in_the_feed(desk, user):
    [one] = await running(desk, user)
    await bring(desk, one, 1)
    log = await desk.fetch("SELECT * FROM job_events ORDER BY sequence")
    was = await desk.row("SELECT state, ended_at, last_sequence FROM image_jobs")
    assert was["state"] == "succeeded"
    await taken(desk.ledger, adopt(one))
    assert await desk.money() == (PRICE, PRICE)
    twin = await desk.twin()
    await follow(desk, twin)
    assert await desk.fetch("SELECT * FROM job_events ORDER BY sequence") == log
    assert await desk.row("SELECT state, ended_at, last_sequence FROM image_jobs") == was
    assert await desk.money() == (2 * PRICE, 0)
    variants = await desk.fetch("SELECT version_number, purchase_id FROM image_variants")
    assert sorted(tuple(row) for row in variants) == [(1, one), (2, twin)]
    ended, *late = await desk.feed()
    assert ended.WhichOneof("event") == "completed"
    assert [each.WhichOneof("event") for each in late] == ["purchased", "warning", "image_kept"]
    assert {each.job for each in late} == {ended.job}
    assert late[1].warning.reason == "ORDER_DOUBLED"
    assert late[2].image_kept.version_number == 2


@pytest.mark.parametrize("charged", ["NO", "YES", "UNKNOWN"])
async def test_a_second_order_that_brings_nothing_costs_what_its_provider_says(desk, user, charged):
    [one] = await running(desk, user)
    await bring(desk, one, 1)
    await taken(desk.ledger, adopt(one))
    twin = await desk.twin()
    await taken(desk.ledger, claim(twin), end(twin, 1, charged=charged))
    assert await desk.money() == (PRICE if charged == "NO" else 2 * PRICE, 0)
    assert (await desk.feed())[-1].WhichOneof("event") == "purchase_ended"
    assert (await desk.row("SELECT state FROM image_jobs"))["state"] == "succeeded"


@pytest.mark.parametrize("found_by", ["stray", "look-up"])
async def test_a_quarantined_twin_counts_what_it_may_have_cost(desk, user, found_by):
    [one] = await admitted(desk.pool, user, reserve=PRICE)
    await taken(desk.ledger, claim(one))
    if found_by == "stray":
        await taken(desk.ledger, ticket(one, 1, "t1"), adopt(one))
    else:
        await taken(desk.ledger, unclear(one, 1), found(one, 1, "t1", "t2"))
    assert await desk.money() == (0, 2 * PRICE)
    twin = await desk.twin()
    await desk.fetch("UPDATE purchases SET deadline = now() - interval '1 hour'")
    for number in range(5):
        await desk.fetch("UPDATE purchases SET not_before = NULL")
        await taken(desk.ledger, claim(twin), fail(twin, number + 1))
    row = await desk.row("SELECT state, cost, charged FROM purchases WHERE purchase_id = $1", twin)
    assert tuple(row) == ("quarantined", PRICE, "unknown")
    assert await desk.money() == (PRICE, PRICE)


@pytest.mark.parametrize("state", ["planned", "void", "ended", "kept", "quarantined"])
async def test_the_second_order_of_a_purchase_in_any_other_state_is_adopted(desk, user, state):
    [one] = await admitted(desk.pool, user, reserve=PRICE)
    if state == "void":
        await taken(desk.ledger, claim(one), unclear(one, 1), absent(one, 1))
    elif state == "ended":
        await taken(desk.ledger, claim(one), end(one, 1, "REFUSED"))
    elif state == "kept":
        await taken(desk.ledger, claim(one), ticket(one, 1, "t1"))
        await bring(desk, one, 1)
    elif state == "quarantined":
        await desk.fetch("UPDATE purchases SET tries = 4")
        await taken(desk.ledger, claim(one), fail(one, 1))
    was = await desk.money()
    await taken(desk.ledger, adopt(one))
    await follow(desk, await desk.twin())
    counted = state == "quarantined"  # for want of a ticket: it was its own all along
    assert await desk.money() == (was[0] + PRICE * (not counted), was[1])
    assert (await desk.row("SELECT count(*) FROM image_variants"))[0] == 1 + (state == "kept")


@pytest.mark.parametrize("state", ["sending", "unclear"])
async def test_what_may_be_its_own_is_left_to_its_own_answer(desk, user, state):
    [one] = await admitted(desk.pool, user)
    await taken(desk.ledger, claim(one))
    if state == "unclear":
        await taken(desk.ledger, unclear(one, 1))
    assert await refused(desk.ledger, adopt(one)) == "STATE_CONFLICT"
    assert not (await desk.store(one, "t2")).stray
    assert await desk.find() == set()
    later = ticket(one, 1, "t1") if state == "sending" else found(one, 1, "t1")
    await taken(desk.ledger, later)
    assert await desk.find() == {("t2", one)}


async def test_a_stray_without_a_ticket_or_below_nothing_is_refused(desk, user):
    [one] = await running(desk, user)
    assert await refused(desk.ledger, adopt(one, "")) == "REQUEST_INVALID"
    assert await refused(desk.ledger, adopt(one, reserve=-1)) == "REQUEST_INVALID"


async def test_a_canceled_job_has_its_second_order_followed_and_canceled(desk, user):
    [one] = await running(desk, user)
    [job] = await desk.row("SELECT job_id FROM image_jobs")
    await cancel(desk.pool, desk.news, job, user)
    await taken(desk.ledger, adopt(one))
    twin = await desk.twin()
    [owned] = await taken(desk.ledger, claim(twin))
    assert owned.cancel_requested
    await taken(desk.ledger, end(twin, 1, "CANCELED", "YES"), end(one, 1, "CANCELED", "YES"))
    assert await desk.money() == (2 * PRICE, 0)
    assert (await desk.row("SELECT state FROM image_jobs"))["state"] == "canceled"


async def test_a_twin_holds_a_permit_while_it_runs(desk, user):
    limit = ledger_pb2.ProviderLimit(provider="sketch", max_in_flight=10)
    beat = ledger_service_pb2.HeartbeatRequest(worker_id="w1", limits=[limit])
    await workers.beat(desk.pool, beat, 3.0)
    [one] = await running(desk, user)
    await taken(desk.ledger, adopt(one))
    assert (await desk.row("SELECT in_use FROM permits"))[0] == 2
    await follow(desk, await desk.twin())
    assert (await desk.row("SELECT in_use FROM permits"))[0] == 1


# -- finding them


async def test_a_webhook_of_nobodys_ticket_is_told_to_be_judged_until_somebody_holds_it(desk, user):
    [one] = await running(desk, user)
    assert not (await desk.store(one, "t1")).stray
    assert (await desk.store(one, "t2")).stray
    assert (await desk.store(one, "t2")).stray  # its next webhook
    assert await desk.find() == {("t2", one)}
    await taken(desk.ledger, adopt(one))
    assert not (await desk.store(one, "t2")).stray
    assert await desk.find() == set()
    rows = await desk.fetch("SELECT DISTINCT standing FROM webhook_inbox")
    assert [row["standing"] for row in rows] == ["heard"]


async def test_what_is_disowned_by_its_provider_is_no_more_asked_for_and_raises_the_alarm(
    desk, user
):
    one, two = await running(desk, user, 2)
    before = alarms("unknown")
    await desk.store(one, "t8")
    await desk.store(two, "t8")
    disowned = [Listed(ticket="t8", purchase_id=one)]
    assert await desk.find(disowned=disowned) == {("t8", two)}
    assert await desk.find(disowned=disowned) == {("t8", two)}
    assert alarms("unknown") == before + 1
    assert UNKNOWN.labels("sketch")._value.get() == 1
    assert len(await desk.fetch("SELECT FROM purchases")) == 2


async def test_what_a_list_has_is_noted_once_where_nobody_holds_it(desk, user):
    [one] = await running(desk, user)
    before, other = alarms("unknown"), str(uuid.uuid4())
    listed = [
        Listed(ticket="t1", purchase_id=one, ours=True),
        Listed(ticket="t2", purchase_id=one, ours=True),
        Listed(ticket="t3", purchase_id=one),  # by another address: PUBLIC_URL was changed
        Listed(ticket="t4", purchase_id=other, ours=True),
        Listed(ticket="t5", ours=True),
        Listed(ticket="t6", purchase_id=other),  # of another studio, on the same account
    ]
    for _ in range(2):
        assert await desk.find(*listed) == {("t2", one), ("t3", one)}
    assert alarms("unknown") == before + 2
    assert UNKNOWN.labels("sketch")._value.get() == 2
    rows = await desk.fetch("SELECT ticket FROM webhook_inbox ORDER BY ticket")
    assert [row["ticket"] for row in rows] == ["t2", "t3", "t4", "t5"]
    await desk.store(other, "t4")  # its webhooks, told late
    assert alarms("unknown") == before + 2


async def test_a_ticket_of_a_worker_that_came_too_late_needs_no_word_of_the_provider(desk, user):
    [one] = await admitted(desk.pool, user)
    await taken(desk.ledger, claim(one), unclear(one, 1), absent(one, 1))
    late = ticket(one, 0, "t1")
    await webhooks.heed_late(desk.pool, desk.news, [late], await desk.ledger.apply([late]))
    told = await strays.find(desk.pool, desk.news, Find(provider="sketch"))
    assert [(each.ticket, each.first_hand) for each in told] == [("t1", True)]
    await taken(desk.ledger, adopt(one, "t1"))
    assert await desk.find() == set()


async def test_a_stray_names_what_a_provider_needs_to_recognize_it(desk, user):
    [one] = await running(desk, user)
    await desk.store(one, "t2")
    [stray] = await strays.find(desk.pool, desk.news, Find(provider="sketch"))
    assert not stray.first_hand
    assert (stray.purchase.purchase.model, stray.purchase.spec.prompt) == ("sketch", "a lighthouse")
    assert stray.purchase.fingerprint == "f" * 64
    assert stray.purchase.purchase.HasField("send_time")


async def test_what_one_provider_says_of_anothers_purchase_is_not_believed(desk, user):
    [one] = await running(desk, user)
    await desk.fetch("UPDATE purchases SET provider = 'other'")
    before = alarms("unknown")
    assert not (await desk.store(one, "t2")).stray
    assert await desk.find(Listed(ticket="t3", purchase_id=one, ours=True)) == set()
    assert alarms("unknown") == before + 2


@pytest.mark.parametrize(
    "listed", [Listed(ticket=""), Listed(ticket="t", purchase_id="no-uuid")], ids=str
)
async def test_a_list_that_makes_no_sense_is_refused_whole(desk, listed):
    with pytest.raises(Invalid):
        await desk.find(Listed(ticket="t1", ours=True), listed)
    assert await desk.fetch("SELECT FROM webhook_inbox") == []


async def test_one_reads_a_list_at_a_time_from_where_the_last_one_ended(desk):
    first = await desk.turn()
    began = first.begin_time.ToDatetime(UTC)
    assert began - first.since_time.ToDatetime(UTC) == timedelta(days=1)
    assert not (await desk.turn()).HasField("since_time")
    again = await desk.turn(0)  # the first one has died on the way
    assert again.since_time == first.since_time
    await desk.find(read=again.begin_time)
    third = await desk.turn(0)
    since = third.since_time.ToDatetime(UTC)
    assert since == again.begin_time.ToDatetime(UTC) - timedelta(minutes=10)
    await desk.find(read=first.begin_time)  # who was slow takes nothing back
    assert (await desk.turn(0)).since_time.ToDatetime(UTC) == since
    assert datetime.now(UTC) - began < timedelta(minutes=1)
