"""The stream itself: what goes over the wire, when, and when it ends."""

import asyncio
import json
import re
from collections.abc import AsyncIterator

import pytest
from hypothesis import given
from hypothesis import strategies as some

from chassis.errors import Fault, Unavailable
from gateway import sse
from gateway.sse import EventStream, Frame, Streams, frame


class Client:
    """The other end of an ASGI call; *reads* lets writes through."""

    def __init__(self) -> None:
        self.messages, self.reads, self.left = [], asyncio.Event(), asyncio.Event()
        self.reads.set()
        self.wrote = asyncio.Event()

    async def receive(self):
        await self.left.wait()
        return {"type": "http.disconnect"}

    async def send(self, message):
        assert not self.left.is_set(), "sent after the client was gone"
        self.messages.append(message)
        self.wrote.set()
        await self.reads.wait()

    async def until(self, text: str) -> None:
        while text not in self.text:
            self.wrote.clear()
            await asyncio.wait_for(self.wrote.wait(), 60)

    @property
    def chunks(self) -> list[bytes]:
        return [message["body"] for message in self.messages if "body" in message]

    @property
    def text(self) -> str:
        return b"".join(self.chunks).decode()

    @property
    def headers(self) -> dict[str, str]:
        return {key.decode(): value.decode() for key, value in self.messages[0]["headers"]}


async def frames(*found: Frame | Exception, then: asyncio.Event | None = None):
    for one in found:
        if isinstance(one, Exception):
            raise one
        yield one
    if then:
        await then.wait()


def stream(source: AsyncIterator[Frame], streams: Streams | None = None, failed=None, **pace):
    return EventStream(source, streams or Streams(), failed or (lambda _: None), **pace)


def test_a_durable_event_has_an_id_and_a_live_one_has_none():
    assert frame("kept", {"a": 1}, 7).text == b'id: 7\nevent: kept\ndata: {"a":1}\n\n'
    assert frame("progress", {}).text == b"event: progress\ndata: {}\n\n"


@given(some.dictionaries(some.text(), some.text()), some.integers(0, 2**63 - 1))
def test_whatever_the_data_a_frame_is_one_frame(data, sequence):
    text = frame("kind", data, sequence).text.decode()
    fields = dict(line.split(": ", 1) for line in re.split(r"\r\n|\r|\n", text.rstrip("\n")))
    assert set(fields) - {"id"} == {"event", "data"}
    kept = {key.encode("utf-8", "replace"): value.encode("utf-8", "replace")
            for key, value in data.items()}  # fmt: skip
    found = {key.encode(): value.encode() for key, value in json.loads(fields["data"]).items()}
    assert found == kept


async def test_a_stream_is_neither_cached_nor_buffered_nor_measured_and_ends_with_its_source():
    client = Client()

    await stream(frames(frame("a", {}, 1), frame("b", {}, 2))).run(client.receive, client.send)

    assert client.headers["content-type"] == "text/event-stream; charset=utf-8"
    assert client.headers["cache-control"] == "no-store"
    assert client.headers["x-accel-buffering"] == "no"
    assert "content-length" not in client.headers
    assert client.text.startswith("retry: ")
    assert re.findall(r"id: (\d)", client.text) == ["1", "2"]
    assert client.messages[-1] == {"type": "http.response.body", "body": b""}


async def test_what_piled_up_goes_out_in_one_write_and_only_the_newest_of_a_topic():
    client, more = Client(), asyncio.Event()
    client.reads.clear()

    async def source():
        yield frame("first", {}, 1)
        await more.wait()
        for number in range(50):
            yield frame("progress", {"n": number}, topic="p")
        yield frame("second", {}, 2)
        client.reads.set()

    serving = asyncio.create_task(stream(source()).run(client.receive, client.send))
    await asyncio.wait_for(client.wrote.wait(), 60)
    more.set()
    await serving

    assert client.text.count("event: progress") == 1
    assert '"n":49' in client.text
    (last,) = [chunk for chunk in client.chunks if b"second" in chunk]
    assert b"progress" in last


async def test_a_client_that_does_not_read_stops_the_source_and_loses_nothing():
    client, taken = Client(), 0
    client.reads.clear()
    stuck = asyncio.Event()

    most = sse.BACKLOG // 100  # frames of a hundred bytes and some more

    async def source():
        nonlocal taken
        for number in range(1, 1001):
            taken = number
            if number == most // 2:
                stuck.set()
            yield frame("kept", {"": "x" * 100}, number)

    serving = asyncio.create_task(stream(source()).run(client.receive, client.send))
    await asyncio.wait_for(stuck.wait(), 60)
    for _ in range(10):
        await asyncio.sleep(0)
    assert taken <= most
    client.reads.set()
    await serving

    assert re.findall(r"id: (\d+)", client.text) == [str(n) for n in range(1, 1001)]


async def test_a_silence_is_broken_by_a_comment():
    client = Client()
    open_ = stream(frames(frame("a", {}, 1), then=asyncio.Event()), silence=0.01)
    serving = asyncio.create_task(open_.run(client.receive, client.send))

    await client.until("\n\n:\n\n")
    client.left.set()
    await serving


async def test_a_client_that_leaves_ends_the_source_and_is_sent_nothing_more():
    client, closed, streams = Client(), asyncio.Event(), Streams()

    async def source():
        try:
            yield frame("a", {}, 1)
            await asyncio.Event().wait()
        finally:
            closed.set()

    serving = asyncio.create_task(stream(source(), streams).run(client.receive, client.send))
    await client.until("event: a")
    client.left.set()
    await serving

    assert closed.is_set()
    assert not streams.open


async def test_when_the_process_stops_every_stream_says_come_back_and_ends():
    client, streams = Client(), Streams()
    open_ = stream(frames(frame("a", {}, 1), then=asyncio.Event()), streams)
    serving = asyncio.create_task(open_.run(client.receive, client.send))
    await client.until("event: a")

    streams.leave()
    await serving

    assert client.text.endswith("retry: 250\n\n")
    assert client.messages[-1] == {"type": "http.response.body", "body": b""}


async def test_a_stream_that_begins_while_the_process_stops_ends_at_once():
    client, streams = Client(), Streams()
    streams.leave()
    await stream(frames(then=asyncio.Event()), streams).run(client.receive, client.send)
    assert "retry: 250" in client.text


@pytest.mark.parametrize("last", [None, frame("error", {"code": "X"})])
async def test_a_fault_in_the_middle_is_told_or_the_client_just_comes_back(last):
    client, told = Client(), []

    def failed(fault: Fault) -> Frame | None:
        told.append(fault.reason)
        return last

    source = frames(frame("a", {}, 1), Unavailable("SERVICE_UNAVAILABLE", "x"))
    await stream(source, failed=failed).run(client.receive, client.send)

    assert told == ["SERVICE_UNAVAILABLE"]
    assert ("event: error" in client.text) == (last is not None)
    assert client.messages[-1] == {"type": "http.response.body", "body": b""}


async def test_a_client_that_takes_nothing_is_let_go():
    client, streams = Client(), Streams()
    client.reads.clear()

    async def send(message):
        if message["type"] == "http.response.body":
            await client.send(message)

    await stream(frames(then=asyncio.Event()), streams, stuck=0.01).run(client.receive, send)
    assert not streams.open
