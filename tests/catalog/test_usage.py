"""What was spent and what the cap leaves, over gRPC."""

from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest

from chassis.errors import Denied, Invalid
from imagestudio.catalog.v1 import catalog_service_pb2 as pb
from imagestudio.catalog.v1 import usage_pb2
from tests.catalog.shelf import Person, Shelf

MODEL, PROJECT, USE_CASE, DAY = (usage_pb2.UsageGrouping.values())[1:]
NOW = datetime.now(UTC)


async def lines(person: Person, grouping: int, **fields: Any) -> list[tuple[str, int, int, int]]:
    report = await person.ask("GetUsage", group_by=grouping, **fields)
    assert report.total_usd_micros == report.language_usd_micros + sum(
        line.cost_usd_micros for line in report.lines
    )
    return [
        (line.key, line.image_count, line.purchase_count, line.cost_usd_micros)
        for line in report.lines
    ]


async def _spend(shelf: Shelf, owner: Person) -> None:
    spring = await shelf.job(owner, project="spring", use_case="ad")
    plain = await shelf.job(owner, created_at=NOW - timedelta(days=400))
    for ordinal, (state, charged, cost) in enumerate(
        [("kept", "yes", 300), ("ended", "unknown", 50), ("ended", "no", 0), ("sending", None, 0)]
    ):
        await shelf.purchase(
            owner, spring, ordinal=ordinal, state=state, charged=charged, cost=cost
        )
    await shelf.purchase(owner, spring, ordinal=9, model_key="flux", cost=1000)
    await shelf.purchase(owner, plain, model_key="flux", cost=7, period=date(2025, 1, 1))
    await shelf.variant(owner, spring, cost=300)
    await shelf.variant(owner, spring, model_key="flux", deleted_at=NOW)
    await shelf.variant(owner, spring, model_key="free")
    await shelf.run(
        "INSERT INTO language_calls (reservation_id, user_id, period, reserved, cost) "
        "VALUES (gen_random_uuid(), $1, now(), 9, 9)",
        owner.user_id,
    )


async def test_lines_are_by_what_was_asked_for(shelf: Shelf) -> None:
    ann, bob = await shelf.person(), await shelf.person()
    await _spend(shelf, ann)
    await _spend(shelf, bob)
    today = f"{NOW:%Y-%m-%d}"
    by_model = [("flux", 1, 1, 1000), ("sketch", 1, 2, 350), ("free", 1, 0, 0)]
    assert await lines(ann, MODEL) == await lines(ann, 0) == by_model
    assert await lines(ann, PROJECT) == [("spring", 3, 3, 1350)]
    assert await lines(ann, USE_CASE) == [("ad", 3, 3, 1350)]
    assert await lines(ann, DAY) == [(today, 3, 3, 1350)]
    report = await ann.ask("GetUsage")
    assert (report.language_usd_micros, report.total_usd_micros) == (9, 1359)
    with pytest.raises(Invalid):
        await lines(ann, 99)


async def test_language_calls_of_unknown_charge_are_told_beside_the_cap(shelf: Shelf) -> None:
    ann = await shelf.person()
    await shelf.run(
        "INSERT INTO language_calls (reservation_id, user_id, period, reserved, cost, charged) "
        "SELECT gen_random_uuid(), $1, date_trunc('month', now() AT TIME ZONE 'utc'), 9, 9, word "
        "FROM unnest(ARRAY['yes', 'unknown']) AS word",
        ann.user_id,
    )
    report = await ann.ask("GetUsage")
    assert (report.language_usd_micros, report.cap.unclear_usd_micros) == (18, 9)


async def test_a_time_bounds_the_report(shelf: Shelf) -> None:
    ann = await shelf.person()
    await _spend(shelf, ann)
    request = pb.GetUsageRequest(group_by=PROJECT)
    request.start_time.FromDatetime(NOW - timedelta(days=500))
    found = await ann.ask("GetUsage", request)
    assert [(line.key, line.cost_usd_micros) for line in found.lines] == [("spring", 1350), ("", 7)]
    request.end_time.FromDatetime(NOW - timedelta(days=300))
    found = await ann.ask("GetUsage", request)
    assert [(line.key, line.cost_usd_micros) for line in found.lines] == [("", 7)]


async def test_the_cap_is_this_months_with_what_is_spent_held_and_unclear(shelf: Shelf) -> None:
    ann = await shelf.person()
    await _spend(shelf, ann)
    await shelf.run(
        "INSERT INTO spending (user_id, period, cap, spent, reserved) "
        "VALUES ($1, date_trunc('month', now() AT TIME ZONE 'utc'), 5000, 1359, 20)",
        ann.user_id,
    )
    cap = (await ann.ask("GetUsage")).cap
    assert cap.period == f"{NOW:%Y-%m}"
    assert (cap.cap_usd_micros, cap.spent_usd_micros) == (5000, 1359)
    assert (cap.reserved_usd_micros, cap.unclear_usd_micros) == (20, 50)
    assert cap.period_end_time.ToDatetime().day == 1
    assert cap.period_end_time.ToDatetime(tzinfo=UTC) > NOW


async def test_a_cap_lasts_and_never_passes_the_servers(shelf: Shelf) -> None:
    ann, bob = await shelf.person(), await shelf.person()
    server = 50_000_000
    assert (await ann.ask("GetUsage")).cap.cap_usd_micros == server
    for wish in (0, 1000, server):
        cap = (await ann.ask("UpdateSpendCap", cap_usd_micros=wish)).cap
        assert cap.cap_usd_micros == (await ann.ask("GetUsage")).cap.cap_usd_micros == wish
    for wish in (-1, server + 1):
        with pytest.raises(Invalid) as failure:
            await ann.ask("UpdateSpendCap", cap_usd_micros=wish)
        assert list(failure.value.fields) == ["cap_usd_micros"]
    await ann.ask("UpdateSpendCap", cap_usd_micros=1000)
    assert (await bob.ask("GetUsage")).cap.cap_usd_micros == server
    await shelf.run("UPDATE spending SET period = '2025-01-01' WHERE user_id = $1", ann.user_id)
    assert (await ann.ask("GetUsage")).cap.cap_usd_micros == 1000  # of later months, too
    assert (await ann.ask("UpdateSpendCap")).cap.cap_usd_micros == server  # lifted


async def test_a_cap_is_set_beside_what_was_spent(shelf: Shelf) -> None:
    ann = await shelf.person()
    await shelf.run(
        "INSERT INTO spending (user_id, period, spent, reserved) "
        "VALUES ($1, date_trunc('month', now() AT TIME ZONE 'utc'), 700, 20)",
        ann.user_id,
    )
    cap = (await ann.ask("UpdateSpendCap", cap_usd_micros=10)).cap
    assert (cap.spent_usd_micros, cap.reserved_usd_micros, cap.cap_usd_micros) == (700, 20, 10)


async def test_the_cap_needs_its_scope(shelf: Shelf) -> None:
    person = await shelf.person("p", "read", "write", "generate", "keys")
    with pytest.raises(Denied) as failure:
        await person.ask("UpdateSpendCap", cap_usd_micros=1)
    assert failure.value.metadata == {"scope": "caps"}
