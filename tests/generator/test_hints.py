"""Hints: a wait that is cut short, and what comes early, late, twice or for nobody."""

import asyncio

import pytest

from chassis.bus import Bus
from services.generator.hints import Hints

LONG = 3600.0  # seconds that no test waits


@pytest.fixture
def hints():
    return Hints(Bus("nats://127.0.0.1:1", "nobody is there"), most=3)


async def soon(waiting):
    """Fail rather than hang."""
    return await asyncio.wait_for(waiting, 60)


async def begun(*waits):
    tasks = [asyncio.create_task(wait) for wait in waits]
    await asyncio.sleep(0)
    return tasks


async def test_a_hint_wakes_all_who_wait_for_it_and_nobody_else(hints):
    first, second, other = await begun(
        hints.wait("p1", LONG), hints.wait("p1", LONG), hints.wait("p2", LONG)
    )
    hints.hint("p1")
    await soon(asyncio.gather(first, second))
    assert not other.done()
    other.cancel()


async def test_a_hint_just_before_the_wait_is_not_lost_and_counts_once(hints):
    hints.hint("p1")
    await soon(hints.wait("p1", LONG))
    [waiting] = await begun(hints.wait("p1", LONG))
    assert not waiting.done()
    waiting.cancel()


async def test_a_wait_without_a_hint_ends_by_itself(hints):
    await soon(hints.wait("p1", 0.01))
    assert not hints._waiting


async def test_hints_for_nobody_are_forgotten_the_oldest_first(hints):
    for number in (1, 2, 3, 1, 4):  # 1 came again: it is new
        hints.hint(f"p{number}")
    assert list(hints._early) == ["p3", "p1", "p4"]


async def test_without_nats_a_hint_wakes_this_replica_at_least(hints):
    [waiting] = await begun(hints.wait("p1", LONG))
    await hints.tell("replicate", "p1")
    await soon(waiting)


async def test_a_hint_is_heard_by_every_replica_and_once(nats_url):
    buses = [Bus(nats_url, f"replica {number}") for number in range(2)]
    replicas = [Hints(bus) for bus in buses]
    ready = [asyncio.Event() for _ in buses]
    for bus, replica, event in zip(buses, replicas, ready, strict=True):
        replica.start()
        bus.on_connect.append(_setting(event))
        await bus.start()
        await soon(event.wait())
    waits = await begun(*(replica.wait("p1", LONG) for replica in replicas))
    await replicas[0].tell("replicate", "p1")
    await soon(asyncio.gather(*waits))
    assert not any(replica._early for replica in replicas)
    for bus in buses:
        await bus.close()


def _setting(event):
    async def set_it():
        event.set()

    return set_it
