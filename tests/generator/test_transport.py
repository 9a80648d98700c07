"""The shipped transport against real sockets: what proves that nothing was sent."""

import asyncio
import contextlib
import contextvars
import dataclasses
import email.utils
import socket
import ssl
import struct
import zlib
from datetime import UTC, datetime
from pathlib import Path

import httpx
import pytest

from imagestudio.catalog.v1 import edge_pb2
from services.generator import provider as seam
from services.generator import signs
from services.generator.provider import (
    Allowance,
    Order,
    ProviderError,
    Refused,
    Unavailable,
    Unclear,
)
from services.generator.providers import transport
from services.generator.providers.account import Account
from services.generator.providers.replicate import Replicate
from tests.generator.memory_pictures import no_files
from tests.generator.scripted_wire import ID, OURS, SLUG

WORDS = {"prompt": "a lighthouse " * 50_000}  # long enough to hang up in the middle
VENDOR = Path(__file__).parents[1] / "storage" / "tls" / "vendor.pem"
ORDER = Order(purchase_id=ID, slug=SLUG, inputs=WORDS, give_up_after=300, account=OURS)


def provider(http):
    return Replicate(http=http, files=no_files(http), hook=None, usual={}, whose=Account(OURS))


async def test_a_client_reads_no_certificates_but_those_of_its_session(monkeypatch, tmp_path):
    """What httpx reads of them by itself it would take from here, and end."""
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "none"))
    async with transport.client("https://vendor.test", {}) as http:
        assert http.base_url == "https://vendor.test"


async def test_a_vendor_whose_certificate_nobody_signed_is_sent_nothing():
    asked = []

    async def read(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        asked.append(await reader.read())
        writer.close()

    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(VENDOR)
    async with await asyncio.start_server(read, "127.0.0.1", 0, ssl=tls) as server:
        port = server.sockets[0].getsockname()[1]
        async with transport.client(f"https://localhost:{port}", {}) as http:
            with pytest.raises(Unavailable):
                await provider(http).buy(ORDER, None, None)
    assert asked == []


@pytest.mark.parametrize("reset", [False, True], ids=["close", "reset"])
@pytest.mark.parametrize("share", [None, 0, 0.5, 1])  # of the body, read before hanging up
async def test_only_a_connection_never_made_proves_that_nothing_was_bought(share, reset):
    asked = []

    async def hang_up(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        asked.append(await reader.readuntil(b"\r\n\r\n"))
        length = int(asked[-1].lower().split(b"content-length: ")[1].split()[0])
        await reader.readexactly(int(length * share))
        if reset:
            now = struct.pack("ii", 1, 0)
            writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, now)
        writer.close()

    async with await asyncio.start_server(hang_up, "127.0.0.1", 0) as server:
        url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        if share is None:
            server.close()  # refuses
        async with transport.client(url, {}) as http:
            with pytest.raises(ProviderError) as failure:
                await provider(http).buy(ORDER, None, None)

    assert type(failure.value) is (Unavailable if share is None else Unclear)
    assert len(asked) == (0 if share is None else 1)


async def test_a_connection_that_is_never_made_in_time_proves_it_too():
    with socket.socket() as full:
        full.bind(("127.0.0.1", 0))
        full.listen(0)
        url = f"http://127.0.0.1:{full.getsockname()[1]}"
        crowd = [socket.socket() for _ in range(4)]
        for each in crowd:  # they fill the queue of those who wait to be let in
            each.setblocking(False)
            each.connect_ex(full.getsockname())
        async with transport.client(url, {}) as http:
            assert http.timeout.connect  # seconds; the order has as long, and need not here
            http.timeout = httpx.Timeout(None, connect=0.05)
            with pytest.raises(Unavailable) as failure:
                await provider(http).buy(ORDER, None, None)
            assert type(failure.value) is Unavailable  # it counts against the provider
        for each in crowd:
            each.close()


@contextlib.asynccontextmanager
async def crowded():
    """A client whose only connection is in use, its server, what ends that, and what was asked."""
    taken, gone, asked = asyncio.Event(), asyncio.Event(), list[bytes]()

    async def hold(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        asked.append(await reader.readuntil(b"\r\n\r\n"))
        taken.set()
        await gone.wait()
        writer.close()

    async with await asyncio.start_server(hold, "127.0.0.1", 0) as server:
        url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        async with transport.client(url, {}, connections=1) as http:
            holding = asyncio.create_task(http.get("/held"))
            await taken.wait()
            yield http, server, gone, asked
            holding.cancel()  # else aiohttp asks again where the server hangs up
            gone.set()
            await asyncio.gather(holding, return_exceptions=True)


async def test_that_all_our_connections_are_in_use_is_not_the_providers_failure():
    """The order waits for one in vain: it never left, and says nothing of how the provider does."""
    async with crowded() as (http, _server, _gone, asked):
        http.timeout = httpx.Timeout(None, connect=10, pool=0.1)
        with pytest.raises(Unavailable) as failure:
            await provider(http).buy(ORDER, None, None)
    assert type(failure.value) is seam.NotReady
    assert signs.of_error(failure.value, "replicate").sign == edge_pb2.PROVIDER_SIGN_UNSPECIFIED
    assert len(asked) == 1


async def test_who_waited_for_a_connection_and_is_then_refused_tells_of_the_provider():
    its = contextvars.copy_context()
    async with crowded() as (http, server, gone, _asked):
        buying = asyncio.create_task(provider(http).buy(ORDER, None, None), context=its)
        while not its.get(transport._queued):
            await asyncio.sleep(0)
        server.close()
        gone.set()
        with pytest.raises(Unavailable) as failure:
            await buying
    assert type(failure.value) is Unavailable
    assert signs.of_error(failure.value, "replicate").sign != edge_pb2.PROVIDER_SIGN_UNSPECIFIED


@pytest.mark.parametrize("zipped", [False, True], ids=["plain", "zipped"])
@pytest.mark.parametrize("spaces", [10, 160 << 20], ids=["short", "long"])
async def test_a_listing_takes_no_more_memory_than_an_honest_one_needs(zipped, spaces):
    body = b'{"results": [], "next": null' + b" " * spaces + b"}"
    sent, coding = (zlib.compress(body), b"deflate") if zipped else (body, b"identity")
    date = email.utils.formatdate(usegmt=True).encode()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        head = b"HTTP/1.1 200 OK\r\ndate: %b\r\ncontent-encoding: %b\r\ncontent-length: %d\r\n\r\n"
        writer.write(head % (date, coding, len(sent)))
        with contextlib.suppress(OSError):
            for start in range(0, len(sent), 1 << 20):
                writer.write(sent[start : start + (1 << 20)])
                await writer.drain()
        writer.close()

    order = dataclasses.replace(ORDER, asked=datetime.now(UTC))
    async with await asyncio.start_server(serve, "127.0.0.1", 0) as server:
        url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        async with transport.client(url, {}) as http:
            if spaces == 10:
                assert (await provider(http).look_up(order)).tickets == []
            else:
                with pytest.raises(Unclear, match="bytes"):
                    await provider(http).look_up(order)


async def test_a_kept_connection_that_dies_under_the_order_is_unclear_and_never_tried_again():
    """The server answers once, keeps the connection, and hangs up on what comes next."""
    orders = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            try:
                head = await reader.readuntil(b"\r\n\r\n")
            except asyncio.IncompleteReadError:
                break
            orders.append(head.split()[0])
            if orders[-1] == b"POST":
                break
            writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}")
        writer.close()

    async with await asyncio.start_server(serve, "127.0.0.1", 0) as server:
        url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        async with transport.client(url, {}) as http:
            await http.get("/")
            with pytest.raises(Unclear):
                await provider(http).buy(ORDER, None, None)
    assert orders == [b"GET", b"POST"]


async def test_the_token_does_not_go_where_a_redirect_points():
    asked = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        asked.append(await reader.readuntil(b"\r\n\r\n"))
        writer.write(b"HTTP/1.1 307 OK\r\nlocation: /elsewhere\r\ncontent-length: 0\r\n\r\n")
        await writer.drain()
        writer.close()

    async with await asyncio.start_server(serve, "127.0.0.1", 0) as server:
        url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/base"
        async with transport.client(url, {"Authorization": "Bearer r8_x"}) as http:
            with pytest.raises(Unclear):
                await provider(http).buy(ORDER, None, None)
    (head,) = asked
    assert head.startswith(f"POST /base/v1/models/{SLUG}/predictions ".encode())
    assert b"Bearer r8_x" in head


@pytest.mark.parametrize(
    ("reset", "seconds"),
    [("30", 30.0), ("1s", 1.0), ("0.5s", 0.5), ("20ms", 0.02), ("4m0s", 240.0), ("2m", 120.0),
     ("1h2m3.5s", 300.0), ("1m30s20ms", 90.02), ("", None), ("soon", None), ("5 s", None),
     ("1.2.3s", None), ("-1s", None)],
)  # fmt: skip
def test_a_rate_s_renewal_is_read_as_seconds_or_as_a_duration(reset, seconds):
    headers = {"x-ratelimit-remaining-requests": "7", "x-ratelimit-reset-requests": reset}
    expected = None if seconds is None else Allowance(7, seconds)
    assert transport.allowance(httpx.Response(200, headers=headers)) == expected


@pytest.mark.parametrize(
    ("left", "expected"),
    [("0", Allowance(0, 90.0)), ("3000", Allowance(7, 1.0)), ("?", Allowance(7, 1.0))],
)
def test_who_has_no_tokens_left_takes_no_more_calls_either(left, expected):
    headers = {
        "x-ratelimit-remaining-requests": "7", "x-ratelimit-reset-requests": "1s",
        "x-ratelimit-remaining-tokens": left, "x-ratelimit-reset-tokens": "1m30s",
    }  # fmt: skip
    assert transport.allowance(httpx.Response(200, headers=headers)) == expected


def left(requests: str, renewal: str, tokens: str, tokens_renewal: str) -> dict[str, str]:
    return {
        "x-ratelimit-remaining-requests": requests, "x-ratelimit-reset-requests": renewal,
        "x-ratelimit-remaining-tokens": tokens, "x-ratelimit-reset-tokens": tokens_renewal,
    }  # fmt: skip


TODAY, LATER = "Fri, 27 Nov 2026 23:59:50 GMT", "Sat, 28 Nov 2026 00:00:10 GMT"


@pytest.mark.parametrize(
    ("headers", "wait"),
    [
        (left("499", "120ms", "0", "6s"), 6.0),
        (left("499", "120ms", "150", "6s"), 6.0),
        (left("0", "30s", "100", "6s"), 30.0),
        (left("0", "1s", "90000", "8s"), 1.0),
        (left("0", "1s", "0", "8s"), 8.0),
        (left("499", "120ms", "0", "6s") | {"retry-after": "20"}, 20.0),
        ({"retry-after": LATER, "date": TODAY}, 20.0),
        ({"retry-after": TODAY, "date": LATER}, None),
        ({"retry-after": "Fri, 99 Nov 2026"}, None),
        ({}, None),
    ],
)
def test_a_call_too_many_waits_for_what_is_used_up(headers, wait):
    busy = transport.busy(httpx.Response(429, headers=headers))
    assert busy.retry_after == wait
    assert busy.allowance == (wait and Allowance(0, wait))


def test_a_date_is_told_by_our_clock_where_the_answer_has_none():
    after = "Thu, 28 Nov 2126 00:00:10 GMT"
    assert transport.busy(httpx.Response(429, headers={"retry-after": after})).retry_after == 300


SECRET = "AIza" + "Sy-Xx_9" * 5
KEYS = "Incorrect API key provided: sk-proj-****abcd. You can find your API key at https://o.test"


@pytest.mark.parametrize(
    ("status", "body", "why"),
    [
        (401, {"error": {"message": KEYS, "code": "invalid_api_key"}}, "401"),
        (401, {"detail": KEYS}, "401"),
        (400, {"error": {"message": "Too long.", "code": "too_long"}}, "400 Too long. (too_long)"),
        (400, {"error": {"message": "Too long.", "code": 400}}, "400 Too long."),
        (400, {"error": "Too long."}, "400 Too long."),
        (400, {"code": "invalid", "message": "Too long."}, "400 Too long. (invalid)"),
        (422, {"detail": "Too long.", "title": "x"}, "422 Too long."),
        (422, {"detail": [{"loc": "prompt"}]}, '422 [{"loc": "prompt"}]'),
        (400, {"error": {"message": 3}}, '400 {"error":{"message":3}}'),
        (400, {}, "400 {}"),
        (
            403,
            {"error": {"message": f"Consumer {SECRET} is suspended."}},
            "403 Consumer *** is suspended.",
        ),
        (502, f"<html>{SECRET}", '502 "<html>***"'),
    ],
)
def test_of_an_error_its_own_words_are_told_and_of_a_key_none(status, body, why):
    assert str(transport.error(Refused, httpx.Response(status, json=body))) == why


@pytest.mark.parametrize(
    ("said", "kind"),
    [
        (
            "Quota exceeded for metric: free_tier_requests, limit: 0, model: gemini-3",
            seam.OverLimit,
        ),
        ("Request too large for gpt-image-2: Limit 30000, Requested 50000", seam.OverLimit),
        ("Rate limit reached for images per min: Limit 0, Used 0, Requested 1.", seam.OverLimit),
        ("Rate limit reached for images per min: Limit 5, Used 5, Requested 1.", seam.Busy),
        ("Quota exceeded for metric: requests, limit: 0.5", seam.Busy),
        ("Quota exceeded for metric: requests, limit: 10", seam.Busy),
    ],
)
def test_a_limit_that_no_time_lifts_is_no_matter_of_waiting(said, kind):
    told = transport.busy(httpx.Response(429, json={"error": {"message": said}}))
    assert type(told) is kind
