"""A watch on the wire: from any point on, without news, after the end, and beyond the log."""

import asyncio
import contextlib
import os
import signal

import pytest

from chassis import identity
from chassis.beside import Beside
from chassis.bus import Bus
from chassis.errors import Invalid, Unavailable
from imagestudio.catalog.v1 import ledger_service_pb2, ledger_service_pb2_grpc
from imagestudio.type.v1 import job_event_pb2
from services.generator.hub import Hub
from services.generator.rounds import Rounds
from services.generator.sequence import Sequence
from services.generator.watch import Watch
from tests.generator.closing import left_open
from tests.generator.wire import serving
from tests.nats import nats, nats_url, running_nats
from tests.ports import free_port

__all__ = ["nats", "nats_url"]
NEVER = 10_000.0  # seconds: not within a test
NAME = "imagestudio.catalog.v1.LedgerService"


class Log(ledger_service_pb2_grpc.LedgerServiceServicer):
    """A job's log that grows by `add`; a page has two events."""

    def __init__(self) -> None:
        self.events: list[job_event_pb2.JobEvent] = []
        self.reads = self.looks = 0
        self.away = self.confused = False  # for one look
        self.read = asyncio.Event()

    def add(self, *, last: bool = False) -> job_event_pb2.JobEvent:
        event = job_event_pb2.JobEvent(sequence=len(self.events) + 1, job="jobs/7")
        (event.completed if last else event.queued).SetInParent()
        self.events.append(event)
        return event

    async def ReadPositions(self, request, context):
        self.looks += 1
        if self.away:
            self.away = False
            raise Unavailable("SERVICE_UNAVAILABLE", "the catalog starts")
        if self.confused:
            self.confused = False
            return ledger_service_pb2.ReadPositionsResponse(last_sequences=[1, 2, 3])
        return ledger_service_pb2.ReadPositionsResponse(
            last_sequences=[len(self.events) if job == "jobs/7" else 0 for job in request.jobs]
        )

    async def ReadEvents(self, request, context):
        self.reads += 1
        after = request.after_sequence
        if after > len(self.events):
            raise Invalid("REQUEST_INVALID", "the log has not come so far")
        self.read.set()
        ended = bool(self.events) and self.events[-1].HasField("completed")
        return ledger_service_pb2.ReadEventsResponse(
            events=self.events[after : after + 2], last_sequence=len(self.events), ended=ended
        )


@contextlib.asynccontextmanager
async def watching(url: str, *, reachable: bool):
    log, bus = Log(), Bus(url, "test")
    identity.current.set(identity.Caller(1))

    def add(server):
        ledger_service_pb2_grpc.add_LedgerServiceServicer_to_server(log, server)

    connected = asyncio.Event()

    async def on_connect() -> None:
        connected.set()

    bus.on_connect.append(on_connect)
    await bus.start()
    if reachable:
        await connected.wait()
    async with serving(NAME, add) as peer:
        stub = ledger_service_pb2_grpc.LedgerServiceStub(peer.channel)
        watch = Watch(Hub(bus), peer, stub)
        rounds = Rounds(watch.hub, peer, stub)
        beside = Beside()
        beside.start(rounds.run())
        while reachable and not rounds._hears:
            await asyncio.sleep(0)
        yield log, watch, bus, rounds
        await beside.close()
    await bus.close()


@pytest.fixture
async def alone():
    async with watching("nats://127.0.0.1:1", reachable=False) as found:
        yield found


@pytest.fixture
async def connected(nats_url):
    async with watching(nats_url, reachable=True) as found:
        yield found


async def numbers(events) -> list[int]:
    return [event.sequence async for event in events]


@pytest.mark.parametrize("after", [0, 1, 4, 5])
async def test_the_log_is_told_from_any_point_to_its_end(alone, after):
    log, watch, _bus, _rounds = alone
    for number in range(5):
        log.add(last=number == 4)
    assert await numbers(watch.events("jobs/7", after)) == list(range(after + 1, 6))


async def test_beyond_the_log_is_refused(alone):
    log, watch, _bus, _rounds = alone
    log.add()
    with pytest.raises(Invalid):
        await numbers(watch.events("jobs/7", 2))


@pytest.mark.parametrize(("away", "confused"), [(False, False), (True, False), (False, True)])
async def test_without_news_the_log_is_read_again(alone, away, confused):
    log, watch, _bus, _rounds = alone
    log.add()
    log.away, log.confused = away, confused
    told = asyncio.create_task(numbers(watch.events("jobs/7", 0)))
    await log.read.wait()
    log.add(last=True)
    assert await asyncio.wait_for(told, 60) == [1, 2]


async def test_events_that_were_just_written_are_told_without_reading(connected):
    log, watch, bus, _rounds = connected
    known = [log.add(), log.add()]
    events = watch.events("jobs/7", 0, known)
    assert [(await anext(events)).sequence for _ in known] == [1, 2]
    told = asyncio.ensure_future(numbers(events))
    await asyncio.sleep(0)
    await bus.publish("news.job.7", log.add(last=True).SerializeToString())
    assert await told == [3]
    assert log.reads == 0


async def test_what_is_there_at_once_is_told_together_and_nothing_after_the_end(connected):
    log, watch, _bus, _rounds = connected
    events = watch.together("jobs/7", 0, [log.add(), log.add()])
    assert [each.sequence for each in await anext(events)] == [1, 2]
    news = [log.add(), log.add(last=True), log.add()]
    [listener] = watch.hub._listeners[7]
    for each in news:
        listener.put(each)
    rest = [[each.sequence for each in found] async for found in events]
    assert (rest, log.reads) == ([[3, 4]], 0)


async def test_who_waits_for_news_that_does_not_come_goes_on(alone):
    _log, watch, _bus, _rounds = alone
    async with watch.hub.listen(7, Sequence(0)) as listener:
        await asyncio.wait_for(listener.wait(0.01), 60)


async def test_a_watch_that_ends_closes_all_that_it_reads(connected):
    log, watch, _bus, _rounds = connected
    with left_open() as left:
        events = watch.together("jobs/7", 0, [log.add()])
        await anext(events)
        [listener] = watch.hub._listeners[7]
        for each in (log.add(), log.add(last=True)):
            listener.put(each)
        assert [len(found) async for found in events] == [2]
    assert left == []


async def test_news_is_told_at_once_and_a_gap_is_filled_from_the_log(connected):
    log, watch, bus, _rounds = connected
    log.add()
    events = watch.events("jobs/7", 0)
    assert (await anext(events)).sequence == 1
    told = asyncio.ensure_future(numbers(events))
    log.add()  # whose news is lost
    log.add()
    last = log.add(last=True)
    for _ in range(2):
        await bus.publish("news.job.7", last.SerializeToString())
    assert await told == [2, 3, 4]


async def test_news_that_was_lost_is_found_by_one_look_for_all_and_read_by_who_lacks_it(connected):
    log, watch, _bus, rounds = connected
    log.add()
    crowd = [watch.events("jobs/7", 0) for _ in range(5)]
    for events in crowd:
        await anext(events)
    told = [asyncio.ensure_future(numbers(events)) for events in crowd]
    for _ in range(3):
        await rounds.look()
    assert (log.reads, log.looks) == (5, 3)  # who has all of it reads nothing
    log.add()  # whose news is lost
    log.add(last=True)
    await rounds.look()
    assert await asyncio.gather(*told) == [[2, 3]] * 5
    assert (log.reads, log.looks) == (10, 4)


async def test_a_catalog_that_is_back_at_nats_has_everybody_look_at_once(connected):
    log, watch, bus, rounds = connected
    rounds.seldom = NEVER
    told = await missing_the_last(log, watch)
    await bus.publish("news.lost", b"")
    assert await asyncio.wait_for(told, 60) == [2]


async def test_who_is_back_at_nats_looks_at_once(tmp_path):
    port = free_port()
    with running_nats(tmp_path, port) as first:
        async with watching(first.url, reachable=True) as (log, watch, bus, rounds):
            rounds.seldom = NEVER
            told = await missing_the_last(log, watch)
            os.kill(first.pid, signal.SIGKILL)
            while bus.connected:
                await asyncio.sleep(0)
            with running_nats(tmp_path, port):
                assert await asyncio.wait_for(told, 60) == [2]


async def test_a_look_that_failed_is_made_again_soon(connected):
    log, watch, bus, rounds = connected
    rounds.seldom = NEVER
    told = await missing_the_last(log, watch)
    log.away = True
    await bus.publish("news.lost", b"")
    assert await asyncio.wait_for(told, 60) == [2]


async def missing_the_last(log, watch):
    """Watch a log whose last event is not in the news."""
    log.add()
    events = watch.events("jobs/7", 0)
    await anext(events)
    told = asyncio.ensure_future(numbers(events))
    await asyncio.sleep(0)
    log.add(last=True)
    return told


async def test_nobody_is_asked_where_nobody_watches(alone):
    log, _watch, _bus, rounds = alone
    await rounds.look()
    assert log.looks == 0


async def test_many_watchers_hear_the_same_news_and_the_last_leaves_nothing(connected):
    log, watch, bus, _rounds = connected
    log.add()
    crowd = [watch.events("jobs/7", 0) for _ in range(20)]
    for events in crowd:
        await anext(events)
    assert watch.hub.jobs == [7]
    told = [asyncio.ensure_future(numbers(events)) for events in crowd]
    await asyncio.sleep(0)
    await bus.publish("news.job.7", log.add(last=True).SerializeToString())
    assert await asyncio.gather(*told) == [[2]] * 20
    assert watch.hub.jobs == []


async def test_news_comes_as_soon_as_nats_is_there(nats_url):
    bus, connected = Bus(nats_url, "test"), asyncio.Event()

    async def on_connect() -> None:
        connected.set()

    bus.on_connect.append(on_connect)
    hub = Hub(bus)
    async with hub.listen(7, Sequence(0)) as listener:
        await bus.start()
        await connected.wait()
        await hub.subscribe()
        event = job_event_pb2.JobEvent(sequence=1, job="jobs/7")
        await bus.publish("news.job.7", event.SerializeToString())
        await listener.wait(60)
        assert listener.mailbox.take() == event
    await bus.close()


async def test_the_news_of_another_job_and_what_is_no_news_are_passed_over(connected):
    log, watch, bus, _rounds = connected
    log.add()
    events = watch.events("jobs/7", 0)
    assert (await anext(events)).sequence == 1
    told = asyncio.ensure_future(numbers(events))
    await asyncio.sleep(0)
    last = log.add(last=True).SerializeToString()
    for subject, payload in (
        *(
            ("news.job.8", last),
            ("news.job.x", last),
            ("news.job.7", b"no event"),
        ),
        *(("news.job.7", last),),
    ):
        await bus.publish(subject, payload)
    assert await told == [2]
    assert log.reads == 1


async def test_a_watcher_is_sent_elsewhere_where_the_process_ends(alone):
    log, watch, _bus, _rounds = alone
    log.add()
    told = asyncio.create_task(numbers(watch.events("jobs/7", 0)))
    await log.read.wait()
    watch.hub.close()
    with pytest.raises(Unavailable):
        await told
