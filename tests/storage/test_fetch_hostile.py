"""The guarded download under attack by what comes over the wire."""

import asyncio
import gzip
import socket
import struct
import tracemalloc
from contextlib import aclosing

import pytest
import uvloop

from services.generator import deeds
from services.storage.fetch import MOST, PATIENCE
from services.storage.sources import Failed, Forbidden, Gone, Link, Trouble
from services.storage.wire import BLOCK
from tests.storage.pictures import picture
from tests.storage.vendor import (
    FILES,
    endlessly,
    http,
    moved,
    pictured,
    says,
    slowly,
    stopped,
    taking_its_time,
    vendor_host,
)

PNG = picture()
OK = b"HTTP/1.1 200 OK\r\nContent-Type: image/png\r\n"
LENGTH = f"Content-Length: {len(PNG)}\r\n".encode()


@pytest.fixture
async def vendor():
    async with vendor_host() as host:
        yield host


def drip(head: bytes):
    async def script(writer):
        writer.write(head)
        await endlessly(writer, b"x", 0.005)

    return script


async def silent(_writer):
    await asyncio.Event().wait()


@pytest.mark.parametrize(
    "script",
    [
        silent,
        drip(b"HTTP/1.1 200 OK\r\nX-Slow: "),
        drip(OK + b"Content-Length: 100000\r\n\r\n"),
        drip(OK + b"\r\n"),
        drip(OK + b"Transfer-Encoding: chunked\r\n\r\n5;"),
    ],
    ids=["silence", "header drip", "body drip", "endless drip", "chunk drip"],
)
async def test_a_drip_is_cut_by_the_deadline_over_everything(vendor, script):
    vendor.scripts = {"/a": script}
    with pytest.raises(Failed, match="too long"):
        await vendor.get(f"{FILES}/a", vendor.fetch(patience=0.4))


@pytest.mark.parametrize("head", [b"HTTP/1.1 200 OK\r\nX-Slow: ", OK + b"\r\n"], ids=repr)
async def test_a_drip_is_cut_long_before_that_deadline_since_it_brings_too_little(vendor, head):
    vendor.scripts = {"/a": drip(head)}
    with pytest.raises(Failed, match="too slowly"):
        await vendor.get(f"{FILES}/a", vendor.fetch(patience=50, window=0.4, least=10_000))


async def test_a_slow_one_is_told_of_and_goes_on(vendor):
    slow = asyncio.Event()

    async def script(writer):
        writer.write(OK + LENGTH + b"\r\n" + PNG[:1000])
        await writer.drain()
        await slow.wait()
        writer.write(PNG[1000:])

    vendor.scripts = {"/a": script}
    fetch, link = vendor.fetch(window=0.1, least=0), Link(f"{FILES}/a", "replicate", None)
    async with asyncio.timeout(60), aclosing(fetch.pictured(link, slow.set)) as pieces:
        assert b"".join([piece async for piece in pieces]) == PNG


async def test_silence_and_a_resolver_without_an_answer_are_cut_as_soon(vendor):
    fetch = vendor.fetch(patience=50, window=0.4)
    vendor.scripts = {"/a": silent}
    with pytest.raises(Failed, match="too slowly"):
        await vendor.get(f"{FILES}/a", fetch)

    async def never(_host):
        await asyncio.Event().wait()

    vendor.resolve = never
    with pytest.raises(Failed, match="too long"):
        await vendor.get(f"{FILES}/a", vendor.fetch(patience=500, window=0.1))


async def test_a_slow_line_that_goes_on_bringing_a_picture_is_not_cut(vendor):
    fetch = vendor.fetch(window=0.5, least=1000)
    windows, large = 3, picture(size=(800, 600))
    step = len(large) // (10 * windows) + 1
    assert step * 10 > 2 * fetch.least

    head = OK + f"Content-Length: {len(large)}\r\n\r\n".encode()
    vendor.scripts = {"/a": slowly(head, large, step, fetch.window / 10)}
    assert await vendor.get(f"{FILES}/a", fetch) == large


async def test_a_storage_that_was_stopped_itself_does_not_blame_the_source(vendor):
    fetch = vendor.fetch(window=0.2, least=1000)
    vendor.scripts = {"/a": stopped(OK + LENGTH + b"\r\n", PNG, 2 * fetch.window)}
    assert await vendor.get(f"{FILES}/a", fetch) == PNG


def test_who_waits_for_a_download_waits_for_its_turn_too_as_long_as_a_link_lives():
    link = 3600
    assert link >= 2 * PATIENCE
    assert link + PATIENCE <= deeds._IMPORT_TIMEOUT


async def test_who_reads_slowly_does_not_blame_the_source(vendor):
    content = PNG + bytes(4 * BLOCK)
    vendor.scripts = {"/a": http(content)}
    fetch = vendor.fetch(window=0.1, least=1000)
    async with asyncio.timeout(60), aclosing(pictured(fetch, f"{FILES}/a")) as pieces:
        found = await anext(pieces)
        await taking_its_time(4 * fetch.window)
        async for piece in pieces:
            found += piece
    assert found == content


async def test_the_deadline_counts_over_all_redirects_and_the_resolver(vendor):
    fetch = vendor.fetch(patience=0.4)
    vendor.scripts = {"/a": moved("/b"), "/b": moved("/c"), "/c": silent}
    with pytest.raises(Failed, match="too long"):
        await vendor.get(f"{FILES}/a", fetch)

    async def never(_host):
        await asyncio.Event().wait()

    vendor.resolve = never
    with pytest.raises(Failed, match="too long"):
        await vendor.get(f"{FILES}/a", vendor.fetch(patience=0.1))


async def reset(writer):
    writer.write(OK + LENGTH + b"\r\n" + PNG[:1000])
    await writer.drain()
    linger = struct.pack("ii", 1, 0)
    writer.transport.get_extra_info("socket").setsockopt(
        socket.SOL_SOCKET, socket.SO_LINGER, linger
    )
    writer.transport.abort()


async def endless(writer):
    writer.write(OK + b"\r\n")
    await endlessly(writer, b"\0\xff" * 32_768)


async def endless_trailers(writer):
    writer.write(OK + b"Transfer-Encoding: chunked\r\n\r\n1\r\n\xff\r\n0\r\nX: ")
    await endlessly(writer, b"x" * 65_536)


def chunked(*more: bytes) -> bytes:
    return OK + b"Transfer-Encoding: chunked\r\n" + b"".join(more)


GZIP = gzip.compress(PNG)
BODY = f"{len(PNG):x}\r\n".encode() + PNG + b"\r\n"
ANSWERS = {
    "nothing": says(b""),
    "half a head": says(OK),
    "no body": says(OK + LENGTH + b"\r\n"),
    "short": says(OK + LENGTH + b"\r\n" + PNG[:-1]),
    "long": says(OK + LENGTH + b"\r\n" + PNG + b"x"),
    "long, and closed": says(OK + b"Connection: close\r\n" + LENGTH + b"\r\n" + PNG + b"x"),
    "two answers": says(OK + LENGTH + b"\r\n" + PNG + OK + LENGTH + b"\r\n" + PNG),
    "empty": http(b""),
    "half without a length": says(OK + b"\r\n" + PNG[:-9]),
    "half of its chunks": says(chunked(b"\r\n", BODY)),
    "half a chunk": says(chunked(b"\r\n", BODY[:-99])),
    "reset": reset,
    "999 MB": says(OK + b"Content-Length: 999000000\r\n\r\n" + PNG),
    "one more than is taken": says(OK + b"Content-Length: %d\r\n\r\n" % (MOST + 1)),
    "a length beyond all": says(OK + b"Content-Length: 99999999999999999999\r\n\r\n"),
    "a negative length": says(OK + b"Content-Length: -1\r\n\r\n" + PNG),
    "a length with a sign": says(OK + b"Content-Length: +%d\r\n\r\n" % len(PNG) + PNG),
    "two lengths": says(OK + LENGTH + b"Content-Length: 5\r\n\r\n" + PNG),
    "length and chunks": says(chunked(LENGTH, b"\r\n", BODY, b"0\r\n\r\n")),
    "chunks and length": says(OK + LENGTH + chunked(b"\r\n", BODY, b"0\r\n\r\n")[len(OK):]),
    "a chunk beyond all": says(chunked(b"\r\nFFFFFFFFFFFFFFFFF\r\n", PNG)),
    "gzip that is none": http(PNG, content_encoding="gzip"),
    "half of its gzip": http(GZIP[:-9], content_encoding="gzip"),
    "gzip of other bytes": http(GZIP[:-8] + bytes(4) + GZIP[-4:], content_encoding="gzip"),
    "more than its gzip": http(GZIP + b"x", content_encoding="gzip"),
    "gzip, then identity": http(GZIP + PNG, content_encoding="gzip"),
    "gzip of nothing": http(gzip.compress(b""), content_encoding="gzip"),
    "a page in gzip": http(gzip.compress(b"<html>no</html>"), content_encoding="gzip"),
    "br": http(PNG, content_encoding="br"),
    "gzip twice": http(gzip.compress(GZIP), content_encoding="gzip, gzip"),
    "gzip beside identity": says(
        OK + LENGTH + b"Content-Encoding: identity\r\nContent-Encoding: br\r\n\r\n" + PNG
    ),
    "gzip in transfer": says(
        OK + b"Transfer-Encoding: gzip, chunked\r\n\r\n" + BODY + b"0\r\n\r\n"
    ),
    "gzip to the end": says(OK + b"Transfer-Encoding: gzip\r\n\r\n" + PNG),
    "5 MB of headers": says(OK + b"X: " + b"x" * 5_000_000 + b"\r\n\r\n"),
    "many headers": says(OK + b"X: y\r\n" * 9_000 + LENGTH + b"\r\n" + PNG),
    "endless trailers": endless_trailers,
    "a folded header": says(OK + b"X: y\r\n z\r\n" + LENGTH + b"\r\n" + PNG),
    "bare line feeds": says(b"HTTP/1.1 200 OK\nContent-Length: 5\n\nabcde"),
    "another part": http(PNG, "206 Partial Content", content_range="bytes 5-9/99"),
    "h2": says(b"HTTP/1.1 101 Go\r\nUpgrade: h2c\r\nConnection: Upgrade\r\n\r\n" + PNG),
    "h2 frames": says(b"\0\0\x12\x04\0\0\0\0\0" * 9),
    "go on": says(b"HTTP/1.1 100 Continue\r\n\r\n"),
    "go on, then a picture": says(
        b"HTTP/1.1 100 Continue\r\n\r\n" + OK + LENGTH + b"\r\n" + PNG
    ),
    "no HTTP": says(b"SSH-2.0-OpenSSH_9.9\r\n"),
    "not found": http(b"no", "404 Not Found"),
    "gone": http(PNG, "410 Gone"),
    "not allowed": http(PNG, "403 Forbidden"),
    "not modified": http(b"", "304 Not Modified"),
    "no content": says(b"HTTP/1.1 204 No Content\r\n\r\n"),
    "a redirect to nowhere": http(b"", "302 Found"),
    "too many": http(PNG, "429 Too Many Requests", retry_after="7"),
    "broken": http(PNG, "500 Internal Server Error"),
    "busy": http(PNG, "503 Busy", retry_after="Wed, 21 Oct 2026 07:28:00 GMT"),
    "a page": http(b"<!doctype html><title>Error</title><svg/>"),
    "a page with a drawing": http(b"<html><svg xmlns='http://www.w3.org/2000/svg'/></html>"),
    "a page that says so": http(b"\xff\xfe\0<", content_type="text/html; charset=utf-16"),
    "an error": http(b'{"detail": "try again"}', content_type="application/json"),
    "an error as a picture": http(b'  {"detail": "try again"}'),
    "an error of XML": http(b"<?xml version='1.0'?><Error><Code>SlowDown</Code></Error>"),
    "words": http(b"upstream connect error", content_type="application/octet-stream"),
}  # fmt: skip


KINDS = {
    "999 MB": Forbidden, "one more than is taken": Forbidden, "a redirect to nowhere": Forbidden,
    "not found": Gone, "gone": Gone, "not allowed": Gone,
}  # fmt: skip


@pytest.mark.parametrize("name", ANSWERS)
async def test_an_answer_that_is_not_a_whole_picture_is_never_taken(vendor, name):
    vendor.scripts = {"/a": ANSWERS[name]}
    with pytest.raises(KINDS.get(name, Failed)) as trouble:
        await vendor.get(f"{FILES}/a")
    assert "took too long" not in str(trouble.value)


def test_no_answer_is_taken_on_the_loop_that_we_ship_either():
    async def ask_all():
        async with vendor_host() as vendor:
            vendor.scripts = {"/good": http(PNG), **ANSWERS}
            assert await vendor.get(f"{FILES}/good") == PNG
            for name, script in ANSWERS.items():
                vendor.scripts = {"/a": script}
                with pytest.raises(KINDS.get(name, Failed)):
                    await vendor.get(f"{FILES}/a")
            vendor.scripts = {"/a": drip(OK + b"Content-Length: 100000\r\n\r\n")}
            with pytest.raises(Failed, match="too long"):
                await vendor.get(f"{FILES}/a", vendor.fetch(patience=0.4))

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(ask_all())


async def test_few_bytes_that_stand_for_very_many_are_cut_at_the_same_cap(vendor):
    bomb = gzip.compress(PNG[:100] + bytes(60_000_000))
    assert len(bomb) < 100_000
    vendor.scripts = {"/a": http(bomb, content_encoding="gzip")}
    tracemalloc.start()
    try:
        with pytest.raises(Forbidden) as refusal:
            await vendor.get(f"{FILES}/a", vendor.fetch(most=1_000_000))
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert (refusal.value.rule, refusal.value.passing) == ("size", True)
    assert peak < 8_000_000


async def test_an_endless_body_is_cut_at_the_cap_whatever_it_is_made_of(vendor):
    async def endless_chunks(writer):
        writer.write(chunked(b"\r\n"))
        await endlessly(writer, (b"1;" + b"x" * 200 + b"\r\n\0\r\n") * 100)

    vendor.scripts = {"/a": endless, "/b": endless_chunks}
    for path in vendor.scripts:
        with pytest.raises(Forbidden) as refusal:
            await vendor.get(f"{FILES}{path}", vendor.fetch(most=1_000_000))
        assert (refusal.value.rule, refusal.value.passing) == ("size", True)


@pytest.mark.parametrize(
    ("status", "passing"),
    [("404", True), ("410", False), ("401", True), ("403", True), ("429", True), ("500", True)],
)
async def test_what_is_gone_for_good_is_told_from_what_may_come_back(vendor, status, passing):
    vendor.scripts = {"/a": http(PNG, f"{status} No")}
    with pytest.raises(Trouble) as trouble:
        await vendor.get(f"{FILES}/a")
    assert trouble.value.passing == passing


async def test_what_a_vendor_says_of_when_to_come_back_is_heard(vendor):
    vendor.scripts = {"/a": ANSWERS["too many"], "/b": ANSWERS["busy"]}
    for path, wait in (("/a", 7.0), ("/b", None)):
        with pytest.raises(Failed) as trouble:
            await vendor.get(f"{FILES}{path}")
        assert trouble.value.retry_after == wait
