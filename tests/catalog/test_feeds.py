"""A user's feed, watched over gRPC: whole from any number on, live, and of that user alone."""

import asyncio
import os
import signal
from collections.abc import AsyncIterator
from contextlib import aclosing

import pytest

from chassis.bus import Bus
from chassis.errors import Denied, Invalid, Unauthenticated, Unavailable
from chassis.settings import read
from imagestudio.type.v1.job_event_pb2 import JobEvent
from services.catalog.compose import compose
from services.catalog.feeds import Feeds
from services.catalog.settings import Settings
from services.catalog.wakes import SUBJECT, Wakes
from tests.catalog.purchases import admitted, kept
from tests.catalog.shelf import PUBLIC, Person, Shelf
from tests.nats import running_nats
from tests.ports import free_port

SOON = 60.0  # seconds: long before the first heartbeat of a silence


async def draw(shelf: Shelf, owner: Person) -> None:
    """Have a job of *owner* completed: one entry of his feed."""
    [purchase] = await admitted(shelf.pools.ledger, owner.user_id)
    await kept(shelf.ledger, purchase)


async def take(events: AsyncIterator[JobEvent], count: int) -> list[JobEvent]:
    """Take *count* entries of a feed, without its heartbeats."""
    found = []
    async with asyncio.timeout(60):
        async for event in events:
            if not event.HasField("heartbeat"):
                found.append(event)
            if len(found) == count:
                return found
    raise AssertionError(f"only {found}")


async def test_it_begins_with_how_far_the_feed_is(shelf: Shelf) -> None:
    ann = await shelf.person()
    for length in range(2):
        async with aclosing(ann.watch(length)) as events:
            first = await anext(events)
        assert first.heartbeat.last_sequence == length
        assert first.sequence == 0
        await draw(shelf, ann)


async def test_taken_up_anywhere_the_rest_comes_without_gap_or_double(shelf: Shelf) -> None:
    ann = await shelf.person()
    for _ in range(4):
        await draw(shelf, ann)
    whole = await take(ann.watch(), 4)
    assert [event.sequence for event in whole] == [1, 2, 3, 4]
    assert all(event.HasField("event_time") and event.job for event in whole)
    for after in range(4):
        assert await take(ann.watch(after), 4 - after) == whole[after:]


async def test_what_is_committed_while_somebody_watches_comes_at_once(shelf: Shelf) -> None:
    ann = await shelf.person()
    async with aclosing(ann.watch()) as events:
        assert (await anext(events)).HasField("heartbeat")
        for number in (1, 2):
            await draw(shelf, ann)
            async with asyncio.timeout(SOON):
                event = await anext(events)
            assert (event.sequence, event.WhichOneof("event")) == (number, "completed")


async def test_two_users_never_see_each_others(shelf: Shelf) -> None:
    ann, bob = await shelf.person(), await shelf.person()
    async with aclosing(bob.watch()) as bobs:
        assert (await anext(bobs)).heartbeat.last_sequence == 0
        for owner in (ann, bob, ann):
            await draw(shelf, owner)
        [his] = await take(bobs, 1)
        hers = await take(ann.watch(), 2)
    jobs = {owner: await jobs_of(shelf, owner) for owner in (ann, bob)}
    assert [event.job for event in hers] == jobs[ann]
    assert [his.job] == jobs[bob]
    assert his.completed.job.user == f"users/{bob.user_id}"
    assert not his.completed.job.HasField("spec")
    assert (await anext(bob.watch(1))).heartbeat.last_sequence == 1


async def jobs_of(shelf: Shelf, owner: Person) -> list[str]:
    found = await shelf.run(
        "SELECT array_agg('jobs/' || job_id ORDER BY job_id) FROM image_jobs WHERE user_id = $1",
        owner.user_id,
    )
    return list(found)


@pytest.mark.parametrize("after", [-1, 1, 2**62])
async def test_a_number_that_the_feed_has_not_is_refused(shelf: Shelf, after: int) -> None:
    ann = await shelf.person()
    with pytest.raises(Invalid, match="come to number 0") as no:
        await anext(ann.watch(after))
    assert list(no.value.fields) == ["after_sequence"]


async def test_it_takes_a_user_who_may_read(shelf: Shelf) -> None:
    ann = await shelf.person("", "generate", "write")
    with pytest.raises(Denied):
        await anext(ann.watch())
    with pytest.raises(Unauthenticated):
        await anext(shelf.nobody().watch())


async def test_a_key_that_is_revoked_is_told_nothing_more(shelf: Shelf) -> None:
    ann = await shelf.person()
    [key] = (await ann.ask("ListApiKeys")).api_keys
    async with aclosing(ann.watch()) as events, asyncio.timeout(60):
        assert (await anext(events)).HasField("heartbeat")
        await ann.ask("RevokeApiKey", name=key.name)
        await draw(shelf, ann)
        with pytest.raises(Unauthenticated, match="revoked"):
            await anext(events)


async def test_a_service_watches_on_for_whom_it_speaks(shelf: Shelf) -> None:
    ann = await shelf.person()
    async with aclosing(shelf.service(ann.user_id).watch()) as events:
        assert (await anext(events)).HasField("heartbeat")
        await draw(shelf, ann)
        [event] = await take(events, 1)
    assert event.HasField("completed")


async def test_more_than_a_page_comes_whole(shelf: Shelf) -> None:
    ann = await shelf.person()
    await shelf.run(
        "INSERT INTO user_feed (user_id, sequence, kind, payload) "
        "SELECT $1, n, 'completed', payload FROM generate_series(1, 1001) n, "
        "(SELECT $2::bytea AS payload) AS it",
        ann.user_id, JobEvent(job="jobs/1").SerializeToString(),
    )  # fmt: skip
    await shelf.run("UPDATE users SET feed_sequence = 1001 WHERE user_id = $1", ann.user_id)
    feeds = Feeds(shelf.pools.user, Wakes(), PUBLIC, silence=600)
    found = await take(feeds.watch(ann.user_id, 0), 1001)
    assert [event.sequence for event in found] == [*range(1, 1002)]


async def test_links_are_absolute(shelf: Shelf) -> None:
    ann = await shelf.person()
    event = JobEvent(job="jobs/1")
    event.image_published.url = "/i/abc"
    await shelf.run(
        "INSERT INTO user_feed (user_id, sequence, kind, payload) VALUES ($1, 1, 'x', $2)",
        ann.user_id, event.SerializeToString(),
    )  # fmt: skip
    await shelf.run("UPDATE users SET feed_sequence = 1 WHERE user_id = $1", ann.user_id)
    [found] = await take(ann.watch(), 1)
    assert found.image_published.url == f"{PUBLIC}/i/abc"


async def test_without_any_word_each_silence_ends_in_a_look(shelf: Shelf) -> None:
    """Another process commits, and NATS is gone."""
    ann = await shelf.person()
    deaf = Feeds(shelf.pools.user, Wakes(), PUBLIC, silence=0.05)
    async with aclosing(deaf.watch(ann.user_id, 0)) as events:
        beats = [await asyncio.wait_for(anext(events), 60) for _ in range(3)]
        assert all(beat.HasField("heartbeat") for beat in beats)
        await draw(shelf, ann)
        [event] = await take(events, 1)
        assert event.sequence == 1
        assert (await anext(events)).heartbeat.last_sequence == 1


async def test_another_process_is_heard_over_nats(shelf: Shelf, nats_url: str) -> None:
    ann, wakes = await shelf.person(), Wakes()
    ours, theirs = Bus(nats_url, "ours"), Bus(nats_url, "theirs")
    subscribed = asyncio.Event()
    wakes.hear(ours)

    async def ready() -> None:
        subscribed.set()

    ours.on_connect.append(ready)  # after what `hear` does there
    theirs.on_connect.append(ready)
    await ours.start()
    await asyncio.wait_for(subscribed.wait(), 60)
    subscribed.clear()
    await theirs.start()
    await asyncio.wait_for(subscribed.wait(), 60)
    with wakes.listen(ann.user_id) as mine, wakes.listen(ann.user_id + 1) as anothers:
        await theirs.publish(f"{SUBJECT}.{ann.user_id}", b"")
        assert await mine.wait(60)
        assert not await anothers.wait(0)
    await theirs.close()
    await ours.close()


async def test_a_nats_that_is_slow_at_first_is_heard_all_the_same(tmp_path) -> None:
    """It does not confirm the subscription in time, and there may be no other connect."""
    with running_nats(tmp_path, free_port()) as server:
        wakes, bus, ready = Wakes(), Bus(server.url, "ours"), asyncio.Event()

        async def tell() -> None:
            ready.set()

        bus.on_connect.append(tell)
        await bus.start()
        await asyncio.wait_for(ready.wait(), 60)
        bus.on_connect.clear()
        wakes.hear(bus)
        [connected] = bus.on_connect
        os.kill(server.pid, signal.SIGSTOP)
        hearing = asyncio.create_task(connected())
        await asyncio.wait([hearing], timeout=3)  # longer than it has to confirm
        os.kill(server.pid, signal.SIGCONT)
        await asyncio.wait_for(hearing, 60)
        with wakes.listen(7) as wake:
            await bus.publish(f"{SUBJECT}.7", b"")
            assert await wake.wait(60)
        await bus.close()


async def test_whoever_watches_looks_after_nats_was_away(shelf: Shelf, nats_url: str) -> None:
    wakes, bus = Wakes(), Bus(nats_url, "ours")
    wakes.hear(bus)
    with wakes.listen(7) as wake:
        assert not await wake.wait(0)
        [connected] = bus.on_connect
        await connected()
        assert await wake.wait(0)


async def test_who_waits_is_woken_at_the_end() -> None:
    wakes = Wakes()
    with wakes.listen(7) as wake:
        waiting = asyncio.create_task(wake.wait(600))
        await asyncio.sleep(0)
        assert not waiting.done()
        wakes.close()
        assert await asyncio.wait_for(waiting, 60)


async def test_every_commit_is_told_to_the_other_catalogs(shelf: Shelf) -> None:
    ann = await shelf.person()
    await draw(shelf, ann)
    await shelf.news.close()
    assert (f"{SUBJECT}.{ann.user_id}", b"") in shelf.news.bus.published


async def test_the_end_of_the_process_ends_a_watch_so_that_it_is_taken_up(shelf: Shelf) -> None:
    ann = await shelf.person()
    await draw(shelf, ann)
    events = ann.watch()
    await take(events, 1)
    shelf.news.wakes.close()
    with pytest.raises(Unavailable, match="watch on"):
        async with asyncio.timeout(SOON):
            await anext(events)
    late = Feeds(shelf.pools.user, shelf.news.wakes, PUBLIC)
    with pytest.raises(Unavailable):
        await take(late.watch(ann.user_id, 0), 2)


async def test_a_catalog_that_comes_to_nats_says_that_what_it_said_before_may_be_lost(
    database_url, nats_url
):
    heard, theirs, ready = asyncio.Event(), Bus(nats_url, "theirs"), asyncio.Event()

    async def hear(_message) -> None:
        heard.set()

    async def subscribe() -> None:
        await theirs.subscribe("news.lost", hear)
        ready.set()

    theirs.on_connect.append(subscribe)
    await theirs.start()
    await ready.wait()
    told = {"DATABASE_URL": database_url, "NATS_URL": nats_url, "SERVICE_SECRET": "s" * 32}
    catalog = await compose(read(Settings, told))
    await catalog.bus.start()
    await asyncio.wait_for(heard.wait(), 60)
    await catalog.close()
    await theirs.close()
