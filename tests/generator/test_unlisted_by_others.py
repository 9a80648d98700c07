"""What is known of a lost order outlives the process that knows it, by the provider's clock."""

import asyncio
from datetime import UTC, datetime, timedelta

import pytest

from services.generator import provider as seam
from services.generator.settling import APART
from tests.generator.test_unlisted import LAG, lagging, settled

THEIRS = datetime(2026, 11, 22, 7, 10, tzinfo=UTC)  # the provider's clock says so
ENOUGH = timedelta(seconds=LAG + APART)
LONG = timedelta(minutes=30)  # from the first page of a list, which counts, to its last


def told_by_others(world, shop, *, read: datetime | None, since: datetime | None = THEIRS) -> None:
    """Have others know of it *since* then, and the list be *read* now, by the provider's clock."""
    world.catalog.unlisted = since.timestamp() if since else None
    shop.began, shop.ended = read, read and read + LONG


async def test_who_finds_nothing_leaves_word_of_when_that_was_by_the_providers_clock(world):
    shop, _ = lagging(world)
    shop.began, shop.ended = THEIRS - LONG, THEIRS
    park = (await settled(world)).park
    assert (park.unlisted_time.ToDatetime(UTC), park.delay.seconds) == (THEIRS, LAG)


async def test_who_is_told_no_date_leaves_no_word(world):
    lagging(world)
    assert not (await settled(world)).park.HasField("unlisted_time")


async def test_a_list_that_is_read_a_lag_after_others_knew_of_it_is_proof_to_whom_it_is_new(world):
    shop, _ = lagging(world)
    told_by_others(world, shop, read=THEIRS + ENOUGH)
    assert (await settled(world)).settle.HasField("absent")
    assert shop.listed == 1


async def test_an_equal_orders_prediction_is_no_more_of_a_proof(world):
    shop, _ = lagging(world, seam.Ticket("t1", alike=True))
    world.catalog.held = {"t1"}
    told_by_others(world, shop, read=THEIRS + ENOUGH - timedelta(seconds=1))
    assert (await settled(world)).HasField("park")
    told_by_others(world, shop, read=THEIRS + ENOUGH)
    assert (await settled(world)).settle.HasField("absent")


@pytest.mark.parametrize("early", [1, APART])
async def test_two_servers_clocks_may_be_apart_and_one_waits_for_what_is_left(world, early):
    shop, _ = lagging(world)
    told_by_others(world, shop, read=THEIRS + ENOUGH - timedelta(seconds=early))
    assert (await settled(world)).park.delay.seconds == early


@pytest.mark.parametrize("read", [None, THEIRS - timedelta(hours=1)], ids=["no date", "set back"])
async def test_a_clock_that_tells_nothing_proves_nothing_and_keeps_nobody_longer(world, read):
    shop, clock = lagging(world)
    told_by_others(world, shop, read=read)
    assert (await settled(world)).park.delay.seconds == LAG
    clock.now += LAG
    assert (await settled(world)).settle.HasField("absent")


async def test_what_others_know_of_is_no_proof_against_what_a_list_shows(world):
    shop, _ = lagging(world, seam.Ticket("t1"))
    told_by_others(world, shop, read=THEIRS + ENOUGH)
    work = asyncio.create_task(settled(world))
    assert await asyncio.wait_for(world.catalog.written.get(), 60) == "settle"
    assert list(world.catalog.edges[-1].settle.found.tickets) == ["t1"]
    work.cancel()


async def test_an_hour_ahead_at_first_is_no_longer_wait_than_ones_own(world):
    shop, _ = lagging(world)
    told_by_others(world, shop, read=THEIRS, since=THEIRS + timedelta(hours=1))
    assert (await settled(world)).park.delay.seconds == LAG
