"""Pictures from URLs into the vault, over the wire: kept whole, or not at all and said why."""

import asyncio
import base64
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from urllib.parse import quote

import pytest

from chassis.errors import Denied, Invalid, Missing, Unavailable
from services.storage.compose import vault_at
from services.storage.imports import Imports
from services.storage.incoming import Claim
from services.storage.keep import Keep, Origin
from services.storage.lane import Lanes
from services.storage.names import Links
from services.storage.receipts import Receipts
from services.storage.room import Room
from services.storage.sources import Link
from services.storage.trial import Trial
from services.storage.turns import Turns
from tests.storage.client import PURCHASE, link_of
from tests.storage.pictures import decoded, picture, svg
from tests.storage.test_keeping import leftovers, sha256
from tests.storage.vendor import http, says, vendor_host

PNG = picture()
SOON = datetime.now(UTC) + timedelta(hours=1)
OVER = datetime.now(UTC) - timedelta(seconds=1)
EARLIER, LATER = (
    format_datetime(OVER + each * timedelta(hours=1), usegmt=True) for each in (-1, 1)
)


@pytest.fixture
def client(fetching):
    return fetching


async def test_a_picture_comes_from_its_url_with_its_hash(client, lab):
    lab.scripts = {"/a": http(PNG)}
    imported = await client.fetch(f"{client.lab}/a", expected_sha256=sha256(PNG))
    assert imported.asset.name == f"assets/{sha256(PNG)}"
    assert (await client.download(link_of(imported.asset)))[1] == PNG
    assert (await client.fetch(f"{client.lab}/a")).deduplicated


async def test_an_svg_is_kept_as_one_and_shown_small_as_a_placeholder(client, lab):
    lab.scripts = {"/a": http(svg(), content_type="image/svg+xml")}
    asset = (await client.fetch(f"{client.lab}/a")).asset
    assert (asset.media_type, asset.readable) == ("image/svg+xml", True)
    assert (asset.size.width, asset.size.height) == (64, 48)
    header, small = await client.download(link_of(asset), thumbnail=True)
    assert (header.media_type, decoded(small).size) == ("image/webp", (512, 512))


async def test_an_svg_that_nobody_paid_for_is_refused(client, folder):
    with pytest.raises(Invalid) as refusal:
        await client.upload(svg())
    assert refusal.value.reason == "IMAGE_UNREADABLE"
    assert leftovers(folder) == []


@asynccontextmanager
async def imports_into(folder, lab, lanes, **options):
    """Imports of a storage that fetches from *lab* as the *options* of `Fetch` say."""
    vault = vault_at(f"file://{folder}")
    await vault.open()
    turns, room = Turns(), Room(vault.free, 0, Trial(vault.probe))
    keep = Keep(vault=vault, links=Links(b"key"), room=room, turns=turns, catalog=None)
    receipts = Receipts(vault=vault, room=room, turns=turns)
    fetch = lab.fetch(f"http://127.0.0.1:{lab.port}", **options)
    yield Imports(keep=keep, receipts=receipts, fetch=fetch, lanes=lanes)
    await vault.close()


async def test_nobody_waits_for_the_slow_ones_of_the_same_vendor(folder):
    others_through, width = asyncio.Event(), 2

    async def slow(writer):
        head, rest = f"HTTP/1.1 200 OK\r\nContent-Length: {len(PNG)}\r\n\r\n", PNG[1000:]
        writer.write(head.encode() + PNG[:1000])
        await writer.drain()
        await others_through.wait()
        writer.write(rest)

    async with vendor_host(None) as lab:
        url, lanes = f"http://127.0.0.1:{lab.port}", Lanes(width, width)
        lab.scripts = {"/fast": http(PNG), "/slow": slow}
        async with imports_into(folder, lab, lanes, window=0.1, least=0) as imports:

            def take(path):
                link = Link(url + path, "recraft", SOON)
                return imports.take(link, Origin(user_id=1, purchase_id=PURCHASE), Claim())

            dragging = [asyncio.create_task(take("/slow")) for _ in range(width)]
            await asyncio.sleep(0)
            async with asyncio.timeout(60):
                await take("/fast")
                others_through.set()
                for kept in await asyncio.gather(*dragging):
                    assert kept.note.image_hash == sha256(PNG)


async def test_of_many_those_are_fetched_first_whose_sources_die_first(folder):
    lanes, may_go = Lanes(1), asyncio.Event()
    lane = lanes.of("recraft")

    async def held_back(writer):
        await may_go.wait()
        await http(PNG)(writer)

    async with vendor_host(None) as lab:
        url = f"http://127.0.0.1:{lab.port}"
        lab.scripts = {"/0": held_back, "/9": http(PNG), "/1": http(PNG), "/5": http(PNG)}
        lab.scripts["/7"] = http(PNG)
        async with imports_into(folder, lab, lanes) as imports:

            async def take(hours, provider="recraft"):
                link = Link(f"{url}/{hours}", provider, SOON + timedelta(hours=hours))
                await imports.take(link, Origin(user_id=1, purchase_id=PURCHASE), Claim())

            taking = []
            for waiting, hours in enumerate((0, 9, 1, 5)):
                taking.append(asyncio.create_task(take(hours)))
                async with asyncio.timeout(60):
                    while len(lane._waiting) < waiting:
                        await asyncio.sleep(0)
            await asyncio.wait_for(take(7, "replicate"), 60)  # of another vendor: it waits for none
            may_go.set()
            await asyncio.wait_for(asyncio.gather(*taking), 60)
        assert lab.paths == ["/0", "/7", "/1", "/5", "/9"]


@pytest.mark.parametrize(
    ("script", "expires", "kind", "reason"),
    [
        (http(b"{}", "404 Not Found"), SOON, Unavailable, "PROVIDER_UNAVAILABLE"),
        (http(b"{}", "404 Not Found"), OVER, Missing, "SOURCE_EXPIRED"),
        (http(b"{}", "404 Not Found"), None, Missing, "SOURCE_EXPIRED"),
        (http(b"{}", "410 Gone"), SOON, Missing, "SOURCE_EXPIRED"),
        (http(PNG, "503 Busy", retry_after="7"), SOON, Unavailable, "PROVIDER_UNAVAILABLE"),
        (http(PNG, "503 Busy", retry_after="7"), None, Unavailable, "PROVIDER_UNAVAILABLE"),
        (http(PNG, "503 Busy", retry_after="7"), OVER, Unavailable, "PROVIDER_UNAVAILABLE"),
        (http(b"<html>busy</html>"), SOON, Unavailable, "PROVIDER_UNAVAILABLE"),
        (http(b"<html>busy</html>"), OVER, Unavailable, "PROVIDER_UNAVAILABLE"),
        (http(b"", "404 Not Found", date=EARLIER), OVER, Unavailable, "PROVIDER_UNAVAILABLE"),
        (http(b"", "404 Not Found", date=LATER), OVER, Missing, "SOURCE_EXPIRED"),
        (http(b"", "404 Not Found", date="yesterday"), OVER, Missing, "SOURCE_EXPIRED"),
        (says(b"HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n"), SOON, Unavailable,
         "PROVIDER_UNAVAILABLE"),
        (http(b"", "302 Found", location="https://example.com/"), SOON, Denied, "SOURCE_FORBIDDEN"),
    ],
)  # fmt: skip
async def test_what_is_not_kept_leaves_nothing_and_says_what_helps(
    client, lab, folder, script, expires, kind, reason
):
    lab.scripts = {"/a?sig=hush": script}
    with pytest.raises(kind) as trouble:
        await client.fetch(f"{client.lab}/a?sig=hush", source_expire_time=expires)
    assert trouble.value.reason == reason
    assert (trouble.value.retry_after is None) == (kind is Missing)
    assert "hush" not in repr(trouble.value.message) + repr(trouble.value.metadata)
    assert leftovers(folder) == []


@pytest.mark.parametrize(
    ("url", "provider", "rule"),
    [
        ("https://replicate.delivery:444/a", "replicate", "port"),
        ("http://replicate.delivery/a", "replicate", "scheme"),
        ("https://token@replicate.delivery/a", "replicate", "url"),
    ],
)
async def test_a_url_that_may_never_be_fetched_is_denied_for_good(client, url, provider, rule):
    with pytest.raises(Denied) as refusal:
        await client.fetch(url, provider=provider, source_expire_time=SOON)
    assert (refusal.value.reason, refusal.value.retry_after) == ("SOURCE_FORBIDDEN", None)
    assert refusal.value.metadata["rule"] == rule
    assert "token" not in refusal.value.message + str(refusal.value.metadata)


@pytest.mark.parametrize(
    ("url", "provider"),
    [
        ("https://example.com/a", "replicate"),
        ("https://replicate.delivery/a", ""),
        ("https://replicate.delivery/a", "recraft"),
    ],
)
@pytest.mark.parametrize("expires", [SOON, None])
async def test_a_host_off_the_list_may_be_on_it_while_the_link_lives(
    client, url, provider, expires
):
    with pytest.raises(Denied) as refusal:
        await client.fetch(url, provider=provider, source_expire_time=expires)
    assert refusal.value.reason == "SOURCE_FORBIDDEN"
    assert refusal.value.metadata["rule"] == "host"
    assert (refusal.value.retry_after is None) == (expires is None)


@pytest.mark.parametrize("kind", ["image/png", "IMAGE/svg+xml;charset=utf-8"])
@pytest.mark.parametrize("escaped", [False, True])
async def test_a_picture_that_its_url_holds_is_kept(client, kind, escaped):
    text = base64.b64encode(PNG).decode()
    url = f"data:{kind};base64,{quote(text, safe='') if escaped else text}"
    asset = (await client.fetch(url, source_expire_time=OVER)).asset
    assert asset.media_type == "image/png"
    assert (await client.download(link_of(asset)))[1] == PNG


@pytest.mark.parametrize(
    "url", ["data:text/html;base64,PGI+", "data:image/png,x", "data:image/png;base64,é"]
)
async def test_a_data_url_without_a_picture_is_denied_for_good(client, url):
    with pytest.raises(Denied) as refusal:
        await client.fetch(url, source_expire_time=SOON)
    assert (refusal.value.metadata["rule"], refusal.value.retry_after) == ("url", None)


async def test_an_import_without_a_source_is_invalid(client):
    with pytest.raises(Invalid):
        await client.fetch("")
