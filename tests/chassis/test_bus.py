"""The bus on a real NATS: news, work, and both after NATS was killed and wiped."""

import asyncio
import os
import shutil
import signal
from contextlib import asynccontextmanager
from urllib.parse import urlsplit

import pytest
from nats.aio.client import Client
from nats.errors import OutboundBufferLimitError

from chassis.bus import Bus
from tests.nats import nats, nats_url, running_nats
from tests.ports import free_port

__all__ = ["nats", "nats_url"]


async def connected(url, name="tests", client=Client):
    bus = Bus(url, name, _client=client())
    ready = asyncio.Event()

    async def tell():
        ready.set()

    bus.on_connect.append(tell)
    await bus.start()
    await asyncio.wait_for(ready.wait(), 30)
    return bus


@pytest.fixture
async def bus(nats_url):
    found = await connected(nats_url)
    yield found
    await found.close()


async def test_news_reach_who_listens(bus):
    heard = asyncio.Queue()
    await bus.subscribe("news.job.1", heard.put)
    await bus.publish("news.job.1", b"hello")
    assert (await heard.get()).data == b"hello"


@asynccontextmanager
async def dawdling(nats_url):
    """A way to NATS that passes on what is sent behind a PING only while it is `fast`."""
    nats, fast, ways = urlsplit(nats_url), asyncio.Event(), set()
    fast.set()

    async def sent(reader, writer):
        while line := await reader.readline():
            writer.write(line)
            if line == b"PING\r\n":
                await fast.wait()

    async def told(reader, writer):
        while some := await reader.read(65536):
            writer.write(some)

    async def serve(reader, writer):
        answers, orders = await asyncio.open_connection(nats.hostname, nats.port)
        ways.update((writer, orders))
        await asyncio.gather(sent(reader, orders), told(answers, writer))

    async with await asyncio.start_server(serve, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        yield nats._replace(netloc=f"{nats.netloc.rpartition(':')[0]}:{port}").geturl(), fast
        for way in ways:
            way.close()


async def test_who_has_subscribed_hears_the_next_news(bus, nats_url):
    """nats-py's flush sends its PING before what it is to confirm: the answer proves nothing."""
    heard = asyncio.Queue()
    async with dawdling(nats_url) as (url, fast):
        listener = await connected(url)
        fast.clear()
        assert await listener.subscribe("news.job.2", heard.put)
        await bus.publish("news.job.2", b"hello")
        assert (await asyncio.wait_for(heard.get(), 60)).data == b"hello"
        fast.set()
        await listener.close()


class Choked(Client):
    """Has lost its server with as much pending as it takes, the first time that it asks."""

    asked = 0

    async def publish(self, subject, *given, **more):
        self.asked += subject.startswith("_INBOX.")
        if self.asked == 1:
            raise OutboundBufferLimitError
        await super().publish(subject, *given, **more)


async def test_who_could_not_subscribe_and_asks_again_hears_all_once(bus, nats_url):
    heard, choked = asyncio.Queue(), Choked()
    listener = await connected(nats_url, client=lambda: choked)
    choked.asked = 0  # whatever it asked to connect
    refused = await listener.subscribe("news.job.3", heard.put)
    taken = await listener.subscribe("news.job.3", heard.put)
    told = []
    for word in (b"first", b"last"):
        await bus.publish("news.job.3", word)
        told.append((await asyncio.wait_for(heard.get(), 60)).data)
    await listener.close()
    assert (refused, taken is None) == (None, False)
    assert told == [b"first", b"last"]


async def test_a_connection_that_ends_is_none_to_who_asks_for_as_long_as_there_is_one(bus):
    """Else he would ask for ever, without a pause in which the end could come."""
    heard, go_on = asyncio.Event(), asyncio.Event()

    async def dawdle(_message):
        heard.set()
        await go_on.wait()

    ending = await connected(bus.url)
    await ending.subscribe("news.job.4", dawdle)
    await bus.publish("news.job.4", b"hello")
    await heard.wait()
    closing = asyncio.create_task(ending.close())
    while not ending._client.is_draining:
        await asyncio.sleep(0)
    was_connected = ending.connected
    heard_more = await ending.subscribe("news.job.5", dawdle)
    go_on.set()
    await closing
    assert not was_connected
    assert heard_more is None


async def test_work_said_twice_is_queued_once_and_gone_when_done(bus):
    await bus.consume("work.first")
    for _ in range(2):
        assert await bus.announce("work.first", b"p1", once="p1:0", headers={"traceparent": "t"})
    [work] = await bus.pull("work.first", 10, wait=60)
    assert work.data == b"p1"
    assert work.headers["traceparent"] == "t"
    await work.ack_sync()
    assert await bus.pull("work.first", 10, wait=0.1) == []


async def test_all_work_that_waits_is_taken_at_once_and_nothing_is_waited_for(bus):
    await bus.consume("work.much")
    sent = [f"p{number}".encode() for number in range(5)]
    for one in sent:
        assert await bus.announce("work.much", one, once=f"much {one}")
    [first] = await bus.pull("work.much", 1, wait=60)
    some = await bus.pull_rest("work.much", 2)
    others = await bus.pull_rest("work.much", 100)
    assert [found.data for found in (first, *some, *others)] == sent
    for found in (first, *some, *others):
        await found.ack_sync()
    assert await bus.pull_rest("work.much", 100) == []
    assert await bus.pull_rest("work.nobody-consumes", 100) == []
    assert await bus.pull_rest("work.much", 0) == []


async def test_without_nats_nothing_raises():
    bus = Bus(f"nats://127.0.0.1:{free_port()}", "tests")
    await bus.start()
    await bus.publish("news.job.1", b"lost")
    assert not await bus.announce("work.sketch", b"p1", once="p1")
    assert await bus.subscribe("news.job.1", None) is None
    assert await bus.pull("work.sketch", 1, wait=0.01) == []
    assert await bus.pull_rest("work.sketch", 1) == []
    await bus.close()


async def test_a_nats_that_was_killed_and_wiped_is_used_again(tmp_path):
    port = free_port()
    with running_nats(tmp_path, port) as first:
        bus = await connected(first.url)
        await bus.consume("work.sketch")
        await bus.announce("work.sketch", b"p1", once="p1")
    shutil.rmtree(first.store)
    again = asyncio.Event()

    async def tell():
        again.set()

    bus.on_connect.append(tell)
    with running_nats(tmp_path, port):
        await asyncio.wait_for(again.wait(), 120)
        assert await bus.announce("work.sketch", b"p2", once="p2")
        [work] = await bus.pull("work.sketch", 10, wait=60)
        assert work.data == b"p2"
        await work.ack()
        await bus.close()


async def test_who_pulls_from_a_nats_that_is_killed_is_told_when_there_is_another(tmp_path):
    port = free_port()
    with running_nats(tmp_path, port) as first:
        bus = await connected(first.url)
        await bus.consume("work.sketch")
        pulling = asyncio.create_task(bus.pull("work.sketch", 1, wait=10_000))
        while not bus._asked:
            await asyncio.sleep(0)
        os.kill(first.pid, signal.SIGKILL)
    with running_nats(tmp_path, port):
        assert await asyncio.wait_for(pulling, 120) == []
        await bus.close()


async def test_who_listens_hears_news_though_the_queue_cannot_be_made(tmp_path):
    """A disk that is too slow for it is no matter of theirs; here nobody answers for it at all."""
    with running_nats(tmp_path, free_port(), queues=False) as news_alone:
        told, heard = await connected(news_alone.url, "told"), asyncio.Queue()
        await told.subscribe("$JS.API.>", asyncio.Queue().put)
        bus, again = Bus(news_alone.url, "hears"), asyncio.Event()

        async def fails() -> None:
            raise TimeoutError

        async def listen() -> None:
            await bus.subscribe("news.job.1", heard.put)
            again.set()

        for number in range(30):  # of which each would wait as long as the queue has done
            await bus.consume(f"work.slow{number}")
        bus.on_connect += [fails, listen]
        await bus.start()
        await asyncio.wait_for(again.wait(), 15)
        await told.publish("news.job.1", b"hello")
        assert (await asyncio.wait_for(heard.get(), 60)).data == b"hello"
        assert not await told.announce("work.slow", b"p1", once="slow")
        await bus.close()
        await told.close()


async def test_a_queue_that_is_not_there_is_made_by_whoever_wants_work_of_it(tmp_path):
    with running_nats(tmp_path, free_port()) as server:
        bus = await connected(server.url)
        await bus.consume("work.gone")
        await bus._jetstream.delete_stream("WORK")
        assert await bus.pull("work.gone", 1, wait=2) == []
        assert await bus.announce("work.gone", b"p1", once="gone")
        [work] = await bus.pull("work.gone", 1, wait=60)
        assert work.data == b"p1"
        await bus.close()


@pytest.mark.parametrize("pending", [0, 7], ids=["nothing", "megabytes"])
async def test_a_nats_that_stands_still_keeps_nobody_from_ending(tmp_path, pending):
    with running_nats(tmp_path, free_port()) as server:
        bus = await connected(server.url)
        await bus.subscribe("news.>", asyncio.Queue().put)
        os.kill(server.pid, signal.SIGSTOP)
        try:
            for _ in range(pending):
                await bus.publish("news.job.1", b" " * 1_000_000)
            await asyncio.wait_for(bus.close(), 25)  # of itself it would be 30
        finally:
            os.kill(server.pid, signal.SIGCONT)
