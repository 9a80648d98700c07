"""Many who look for lost orders share one listing, and none of them is in another's way."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextvars import ContextVar
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from services.generator.provider import Unclear
from services.generator.providers import lookups as lookups_of
from services.generator.providers.lookups import Lookups, Page

NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)
AS: ContextVar[int] = ContextVar("who looks")


def listing(size: int) -> tuple[Callable[[datetime], AsyncIterator[Any]], list[int]]:
    """A list of *size* pages, and the numbers of those that were read of it."""
    read = list[int]()

    async def pages(_since: datetime) -> AsyncIterator[Any]:
        for number in range(size):
            read.append(number)
            yield Page([{"id": f"p{number}"}])

    return pages, read


async def test_who_comes_while_a_listing_is_read_waits_for_one_that_begins_later():
    """What was bought since it began stands on none of its pages."""
    lookups, begun, goes_on = Lookups(), asyncio.Event(), asyncio.Event()
    began, seen = list[datetime](), list[Any]()

    async def pages(first):
        began.append(first)
        begun.set()
        await goes_on.wait()
        yield Page([{"id": f"p{len(began)}"}])

    async def take(found):
        seen.append(found.shown)

    one = asyncio.create_task(lookups.read(NOON, take, pages))
    await begun.wait()
    earlier = NOON - timedelta(hours=1)
    more = [asyncio.create_task(lookups.read(each, take, pages)) for each in (NOON, earlier)]
    await asyncio.sleep(0)
    goes_on.set()
    await asyncio.gather(one, *more)
    assert began == [NOON, earlier]
    assert seen == [[{"id": "p1"}], [{"id": "p2"}], [{"id": "p2"}]]


async def test_who_is_slow_about_a_page_holds_up_nobody_who_shares_it():
    """To know a picture again may take a download."""
    lookups, goes_on, seen = Lookups(), asyncio.Event(), dict[str, int]()
    pages, _ = listing(4)

    async def slow(_page):
        await goes_on.wait()
        seen["slow"] = seen.get("slow", 0) + 1

    async def quick(_page):
        seen["quick"] = seen.get("quick", 0) + 1

    waits = asyncio.create_task(lookups.read(NOON, slow, pages))
    await asyncio.wait_for(lookups.read(NOON, quick, pages), 60)
    await asyncio.wait_for(lookups.read(NOON, quick, pages), 60)  # nor who comes later
    assert seen == {"quick": 8}
    goes_on.set()
    await waits
    assert seen == {"quick": 8, "slow": 4}


async def test_who_is_slow_about_many_pages_looks_again_another_time():
    lookups, goes_on, seen = Lookups(patience=0.01), asyncio.Event(), list[Any]()
    pages, _ = listing(50)

    async def slow(_page):
        await goes_on.wait()

    async def quick(page):
        seen.append(page)

    waits = asyncio.create_task(lookups.read(NOON, slow, pages))
    await asyncio.wait_for(lookups.read(NOON, quick, pages), 60)
    await asyncio.wait_for(lookups.read(NOON, quick, pages), 60)  # nor who comes later
    assert len(seen) == 100
    goes_on.set()
    with pytest.raises(Unclear, match="takes long"):
        await waits


async def test_who_comes_while_one_who_is_slow_looks_alone_does_not_wait_for_him():
    lookups, goes_on, begun = Lookups(patience=0.01), asyncio.Event(), asyncio.Event()
    pages, read = listing(50)

    async def slow(_page):
        begun.set()
        await goes_on.wait()

    async def quick(_page):
        return

    waits = asyncio.create_task(lookups.read(NOON, slow, pages))
    await begun.wait()
    while len(read) <= lookups_of._AHEAD:
        await asyncio.sleep(0)
    await asyncio.wait_for(lookups.read(NOON, quick, pages), 60)
    goes_on.set()
    with pytest.raises(Unclear, match="takes long"):
        await waits


async def test_who_is_slow_and_in_nobodys_way_sees_all():
    lookups, seen = Lookups(patience=0), list[Any]()
    pages, _ = listing(20)

    async def slow(page):
        for _ in range(20):
            await asyncio.sleep(0)
        seen.append(page)

    await asyncio.wait_for(lookups.read(NOON, slow, pages), 60)
    assert len(seen) == 20


async def test_of_a_long_list_no_more_is_read_than_who_is_slow_can_take():
    lookups, goes_on, blocked = Lookups(), asyncio.Event(), asyncio.Event()
    pages, read = listing(100)

    async def slow(_page):
        blocked.set()
        await goes_on.wait()

    waits = asyncio.create_task(lookups.read(NOON, slow, pages))
    await blocked.wait()
    for _ in range(200):  # as far as it goes
        await asyncio.sleep(0)
    assert len(read) == lookups_of._AHEAD + 1
    goes_on.set()
    await asyncio.wait_for(waits, 60)
    assert len(read) == 100


@pytest.mark.parametrize("how", ["leaves", "fails"])
async def test_who_ends_before_he_has_taken_his_pages_keeps_nobody_waiting(how):
    lookups, goes_on, taken = Lookups(), asyncio.Event(), list[Any]()
    pages, _ = listing(50)

    async def slow(_page):
        await goes_on.wait()
        raise ValueError("illegible to him")

    async def quick(page):
        taken.append(page)

    ends = asyncio.create_task(lookups.read(NOON, slow, pages))
    looks = asyncio.create_task(lookups.read(NOON, quick, pages))
    while len(taken) < lookups_of._AHEAD:
        await asyncio.sleep(0)
    if how == "leaves":
        ends.cancel()
    goes_on.set()
    await asyncio.wait_for(looks, 60)
    assert len(taken) == 50
    with pytest.raises(asyncio.CancelledError if how == "leaves" else ValueError):
        await ends


async def test_a_list_at_which_nobody_looks_any_more_is_not_read_on():
    lookups = Lookups()
    pages, read = listing(50)

    async def take(_page):
        raise ValueError("illegible")

    looks = [lookups.read(NOON, take, pages) for _ in range(2)]
    assert len(await asyncio.gather(*looks, return_exceptions=True)) == 2
    for _ in range(200):
        await asyncio.sleep(0)
    assert len(read) < 50


async def test_who_has_seen_all_since_his_order_shares_no_failure_further_back():
    lookups, seen = Lookups(), dict[str, int]()

    async def pages(_since):
        for hours in range(10):
            yield Page([{"id": f"p{hours}", "created_at": str(NOON - timedelta(hours=hours))}])
        raise ValueError("too long")

    async def looking(name: str, hours: float) -> None:
        async def take(_page):
            seen[name] = seen.get(name, 0) + 1

        await lookups.read(NOON - timedelta(hours=hours), take, pages)

    looks = [looking("young", 0.5), looking("older", 2.5), looking("oldest", 100)]
    found = await asyncio.gather(*looks, return_exceptions=True)
    assert [type(each) for each in found] == [type(None), type(None), ValueError]
    assert seen == {"young": 2, "older": 4, "oldest": 10}


async def test_each_who_looks_does_so_as_his_own_user():
    """An input image is to be had by its user alone."""
    lookups, seen = Lookups(), list[tuple[int, int]]()
    pages, _ = listing(2)

    async def looking(user: int) -> None:
        async def take(_page):
            seen.append((user, AS.get()))

        AS.set(user)
        await lookups.read(NOON, take, pages)

    await asyncio.gather(*(asyncio.create_task(looking(user)) for user in (1, 2, 3)))
    assert sorted(seen) == [(1, 1), (1, 1), (2, 2), (2, 2), (3, 3), (3, 3)]
