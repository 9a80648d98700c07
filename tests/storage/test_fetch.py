"""The guarded download where all goes well, and what each kind of trouble means."""

import asyncio
import gzip
import tracemalloc
from datetime import UTC, datetime, timedelta

import pytest

from chassis.errors import Denied, Missing, Unavailable
from services.storage.imports import fault
from services.storage.lane import Lane
from services.storage.sources import Failed, Forbidden, Gone, Link
from tests.storage.pictures import picture
from tests.storage.vendor import FILES, OTHER_PUBLIC, PUBLIC, http, moved, says, vendor_host

PNG = picture()
SVG = b'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 64 48"><path d="M0 0h9"/></svg>'
NOW, HOUR = datetime(2026, 11, 25, 12, tzinfo=UTC), timedelta(hours=1)
SPARED = 3 * 3600  # seconds
HEADLESS = "HTTP/1.1 200 OK\r\nContent-Type: image/png\r\n"


@pytest.fixture
async def vendor():
    async with vendor_host() as host:
        yield host


async def test_the_judged_address_is_dialed_and_the_url_names_the_host(vendor):
    vendor.names = {"files.replicate.delivery": [[OTHER_PUBLIC, PUBLIC]]}
    vendor.refusing = {OTHER_PUBLIC}
    vendor.scripts = {"/a/b.png?sig=x%20y": http(PNG)}
    assert await vendor.get(f"{FILES}/a/b.png?sig=x%20y#part") == PNG
    assert vendor.resolved == ["files.replicate.delivery"]
    assert vendor.dialed == [(OTHER_PUBLIC, 443), (PUBLIC, 443)]
    assert vendor.named == ["files.replicate.delivery"]
    assert b"".join(vendor.requests) == (
        b"GET /a/b.png?sig=x%20y HTTP/1.1\r\nHost: files.replicate.delivery\r\n"
        b"Accept: image/*\r\nAccept-Encoding: identity\r\nConnection: close\r\n\r\n"
    )


@pytest.mark.parametrize("certificate", ["stranger.pem", "expired.pem", None])
async def test_a_host_that_cannot_prove_its_name_is_asked_nothing(certificate):
    async with vendor_host(certificate) as vendor:
        vendor.scripts = {"/a": http(PNG)}
        with pytest.raises(Failed, match=r"cannot be reached|too long"):
            await vendor.get(f"{FILES}/a", vendor.fetch(patience=1))
        assert vendor.requests == []


@pytest.mark.parametrize(
    "url", ["HTTPS://REPLICATE.DELIVERY:443/a", "https://replicate.delivery/a"]
)
async def test_the_name_itself_and_what_is_below_it_are_on_the_list(vendor, url):
    vendor.scripts = {"/a": http(PNG)}
    assert await vendor.get(url) == PNG


@pytest.mark.parametrize(
    "script",
    [
        http(PNG),
        http(PNG, content_type="text/html"),  # the bytes tell
        http(PNG, content_type=""),
        http(PNG, content_encoding="identity"),
        says(f"{HEADLESS}\r\n".encode() + PNG),  # no length: the picture has an end of its own
        says(
            f"{HEADLESS}Transfer-Encoding: chunked\r\n\r\n{len(PNG):x};a=b\r\n".encode()
            + PNG
            + b"\r\n0\r\nX-Trailer: y\r\n\r\n"
        ),
    ],
    ids=["plain", "odd type", "no type", "identity", "to the end of the connection", "chunked"],
)
async def test_a_picture_comes_however_it_is_framed(vendor, script):
    vendor.scripts = {"/a": script}
    assert await vendor.get(f"{FILES}/a") == PNG


@pytest.mark.parametrize("encoding", ["gzip", "GZIP", "x-gzip"])
async def test_gzip_that_nobody_asked_for_is_unpacked_since_it_was_paid_for(vendor, encoding):
    large = picture(size=(800, 600))
    for content in (PNG, large):
        vendor.scripts = {"/a": http(gzip.compress(content), content_encoding=encoding)}
        assert await vendor.get(f"{FILES}/a") == content


@pytest.mark.parametrize(
    ("content", "content_type"),
    [
        (SVG, "image/svg+xml"),
        (SVG, "text/plain"),
        (b"<?xml?>broken<svg ", "image/svg+xml"),
        (b"\0\0\0\x1cftypavif\0\0\0\0avifmif1" + b"\xff" * 99, "image/avif"),
        (b"\0\0\0\x1cftypavif\0\0\0\0avifmif1" + b"\xff" * 99, "application/octet-stream"),
        (PNG[:-9], "image/png"),
    ],
    ids=["svg", "svg as text", "odd svg", "avif", "avif as bytes", "half, and so announced"],
)
async def test_what_may_be_a_picture_is_kept_also_where_we_cannot_read_it(
    vendor, content, content_type
):
    vendor.scripts = {"/a": http(content, content_type=content_type)}
    assert await vendor.get(f"{FILES}/a") == content


async def test_three_redirects_are_followed_each_judged_and_dialed_anew(vendor):
    vendor.names = {"cdn.replicate.delivery": [[OTHER_PUBLIC]]}
    vendor.scripts = {
        "/a": moved("b?c", 302),
        "/b?c": moved("https://cdn.replicate.delivery/d", 308),
        "/d": moved("//files.replicate.delivery/e", 301),
        "/e": http(PNG),
    }
    assert await vendor.get(f"{FILES}/a") == PNG
    assert vendor.paths == ["/a", "/b?c", "/d", "/e"]
    files, cdn = "files.replicate.delivery", "cdn.replicate.delivery"
    assert vendor.resolved == [files, files, cdn, files]
    assert [address for address, _port in vendor.dialed] == [PUBLIC, PUBLIC, OTHER_PUBLIC, PUBLIC]


async def test_the_lab_is_reached_by_its_own_origin_alone_and_never_in_public():
    async with vendor_host(None) as lab:
        lab.names = {"lab": [["172.18.0.5"], [PUBLIC]]}
        origin = f"http://127.0.0.1:{lab.port}"
        fetch = lab.fetch(lab_url=origin)
        lab.scripts = {"/replicate/a": moved("/b"), "/b": http(PNG)}
        assert await lab.get(f"{origin}/replicate/a", fetch) == PNG
        assert f"Host: 127.0.0.1:{lab.port}".encode() in lab.requests[0]
        assert lab.dialed == [("127.0.0.1", lab.port)] * 2
        for other in (f"http://127.0.0.1:{lab.port + 1}/b", f"http://localhost:{lab.port}/b",
                      f"https://127.0.0.1:{lab.port}/b", "http://127.0.0.1/b"):  # fmt: skip
            lab.scripts["/c"] = moved(other)
            for url in (other, f"{origin}/c"):
                with pytest.raises(Forbidden):
                    await lab.get(url, fetch)
        with pytest.raises(Forbidden):
            await lab.get(f"{origin}/b", lab.fetch())
        assert {port for _address, port in lab.dialed} == {lab.port}
        named = f"http://lab:{lab.port}"  # in a container; then somebody's name server lies
        assert await lab.get(f"{named}/b", lab.fetch(lab_url=named)) == PNG
        assert lab.dialed.pop() == ("172.18.0.5", lab.port)
        with pytest.raises(Forbidden):
            await lab.get(f"{named}/b", lab.fetch(lab_url=named))
        assert PUBLIC not in {address for address, _port in lab.dialed}


async def test_a_vendor_cannot_redirect_to_the_lab(vendor):
    vendor.scripts = {"/a": moved("http://127.0.0.1:7900/b")}
    with pytest.raises(Forbidden) as refusal:
        await vendor.get(f"{FILES}/a", vendor.fetch(lab_url="http://127.0.0.1:7900"))
    assert (refusal.value.rule, len(vendor.dialed)) == ("redirect", 1)


async def test_a_large_picture_passes_through_a_small_memory(vendor):
    block, blocks = b"\0\xab" * 32_768, 800  # 50 MB

    async def large(writer):
        writer.write(f"{HEADLESS}Content-Length: {len(block) * blocks}\r\n\r\n".encode())
        for _ in range(blocks):
            writer.write(block)
            await writer.drain()

    vendor.scripts, size = {"/a": large}, 0
    fetch = vendor.fetch()
    tracemalloc.start()
    try:
        async for piece in fetch.pictured(Link(f"{FILES}/a", "replicate", None)):
            size += len(piece)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert size == len(block) * blocks
    assert peak < 8_000_000


@pytest.mark.parametrize(
    ("trouble", "left", "kind", "reason", "retry_after"),
    [
        (Gone(404, passing=True), 3600, Unavailable, "PROVIDER_UNAVAILABLE", 2.0),
        (Gone(404, passing=True), 0, Missing, "SOURCE_EXPIRED", None),
        (Gone(404, passing=True), None, Missing, "SOURCE_EXPIRED", None),
        (Gone(410), 3600, Missing, "SOURCE_EXPIRED", None),
        (Gone(410), None, Missing, "SOURCE_EXPIRED", None),
        (Gone(403, passing=True), 3600, Unavailable, "PROVIDER_UNAVAILABLE", 2.0),
        (Gone(403, passing=True), 0, Missing, "SOURCE_EXPIRED", None),
        (Gone(403, passing=True), None, Missing, "SOURCE_EXPIRED", None),
        (Failed("no"), 3600, Unavailable, "PROVIDER_UNAVAILABLE", 2.0),
        (Failed("no", 30), 3600, Unavailable, "PROVIDER_UNAVAILABLE", 30.0),
        (Failed("no", 9999), 3600, Unavailable, "PROVIDER_UNAVAILABLE", 60.0),
        (Failed("no", 30), 20, Unavailable, "PROVIDER_UNAVAILABLE", 10.0),  # once more in time
        (Failed("no", 30), 0.5, Unavailable, "PROVIDER_UNAVAILABLE", 1.0),
        (Failed("no"), None, Unavailable, "PROVIDER_UNAVAILABLE", 2.0),
        (Failed("no"), 0, Unavailable, "PROVIDER_UNAVAILABLE", 2.0),  # our clock may be wrong
        (Failed("no", 30), 1 - SPARED, Unavailable, "PROVIDER_UNAVAILABLE", 30.0),
        (Failed("no"), -SPARED, Missing, "SOURCE_EXPIRED", None),
        (Gone(404, passing=True, date=NOW), 0, Missing, "SOURCE_EXPIRED", None),
        (Gone(404, passing=True, date=NOW - HOUR), -3500, Unavailable, "PROVIDER_UNAVAILABLE", 2.0),
        (Gone(404, passing=True, date=NOW - HOUR), -3600, Missing, "SOURCE_EXPIRED", None),
        (Gone(404, passing=True, date=NOW + 9 * HOUR), 1, Unavailable, "PROVIDER_UNAVAILABLE", 1.0),
        (Gone(404, passing=True, date=NOW - 9 * HOUR), -SPARED, Missing, "SOURCE_EXPIRED", None),
        (Gone(410, date=NOW - HOUR), -1, Missing, "SOURCE_EXPIRED", None),
        (Forbidden("url", "no"), 3600, Denied, "SOURCE_FORBIDDEN", None),
        (Forbidden("host", "no", passing=True), 3600, Denied, "SOURCE_FORBIDDEN", 2.0),
        (Forbidden("address", "no", passing=True), 3600, Denied, "SOURCE_FORBIDDEN", 2.0),
        (Forbidden("address", "no", passing=True), None, Denied, "SOURCE_FORBIDDEN", None),
        (Forbidden("address", "no", passing=True), -1, Denied, "SOURCE_FORBIDDEN", 2.0),
        (Forbidden("address", "no", passing=True), -SPARED, Missing, "SOURCE_EXPIRED", None),
        (Forbidden("url", "no"), -1, Denied, "SOURCE_FORBIDDEN", None),
    ],
)
def test_trouble_is_final_or_worth_another_try(trouble, left, kind, reason, retry_after):
    expires = None if left is None else NOW + timedelta(seconds=left)
    found = fault(trouble, Link(f"{FILES}/a?token=hush", "replicate", expires), NOW)
    assert (type(found), found.reason, found.retry_after) == (kind, reason, retry_after)
    assert str(trouble) in found.message
    assert "hush" not in found.message + str(found.metadata)


async def test_who_expires_first_goes_first_and_who_does_not_know_before_all():
    lane, order, may_go = Lane(2), [], asyncio.Event()

    async def go(name, expires):
        async with lane.turn(expires):
            order.append(name)
            await may_go.wait()

    hours = [(name, NOW + timedelta(hours=name)) for name in (9, 8, 3, 5, 4)]
    going = [asyncio.create_task(go(*each)) for each in [*hours, (0, None), (1, None)]]
    await asyncio.sleep(0)
    assert order == [9, 8]
    going[4].cancel()  # four will not wait any more
    may_go.set()
    ends = await asyncio.gather(*going, return_exceptions=True)
    assert [type(end) for end in ends if end] == [asyncio.CancelledError]
    assert order == [9, 8, 0, 1, 3, 5]


async def test_who_steps_aside_lets_the_next_in_once_as_far_as_there_is_room():
    lane, order, may_go = Lane(1, 2), [], asyncio.Event()

    async def go(name):
        async with lane.turn(None) as step_aside:
            order.append(name)
            step_aside()
            step_aside()
            await may_go.wait()

    going = [asyncio.create_task(go(name)) for name in range(5)]
    for _ in range(9):
        await asyncio.sleep(0)
    assert order == [0, 1, 2]  # two beside the lane, and one in it
    may_go.set()
    await asyncio.wait_for(asyncio.gather(*going), 60)
    assert order == [0, 1, 2, 3, 4]
    assert (lane._free, lane._beside) == (1, 2)


async def test_a_place_that_is_given_to_somebody_who_leaves_goes_on_to_the_next():
    lane, done = Lane(1), []

    async def go(name):
        async with lane.turn(None):
            done.append(name)

    async with lane.turn(None):
        leaving, waiting = asyncio.create_task(go("leaving")), asyncio.create_task(go("waiting"))
        await asyncio.sleep(0)
    leaving.cancel()  # its place is on its way already
    await asyncio.wait([leaving, waiting], timeout=60)
    await asyncio.wait_for(go("later"), 60)
    assert done == ["waiting", "later"]
