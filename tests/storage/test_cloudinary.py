"""Cloudinary by the wire: names, signatures, parts, proofs, and what each answer means."""

import asyncio
import hashlib
import random
import tracemalloc
from datetime import UTC, datetime
from email.utils import format_datetime

import pytest

from chassis.settings import Secret
from services.storage.cdn import Account, Busy, Refused
from services.storage.cdns.cloudinary import THUMBNAIL, Cloudinary, session
from tests.storage import cdn_suite
from tests.storage.cdn_suite import LINK
from tests.storage.scripted_cdn import CLOUD, KEY, SECRET, cut, page, says

CONTENT = random.Random(1).randbytes(300_000)


@pytest.fixture
async def adapter(cdn):
    """Makes adapters that speak to the scripted one over the session that we ship."""
    made = []

    def make(secret=SECRET, **options):
        account = Account(key=KEY, secret=Secret(secret), cloud=CLOUD)
        options = {"base": cdn.base, **options}
        made.append(Cloudinary(http=session(), account=account, **options))
        return made[-1]

    yield make
    for each in made:
        await each.close()


def file(content=CONTENT, **more):
    return cdn_suite.file(content, **more)


class TestTheScriptedOneKeepsTheSuite(cdn_suite.CdnSuite):
    """So that what the other tests here say of it is worth something."""

    @pytest.fixture
    async def adapter(self, adapter):
        return adapter(chunk=100_000)

    @pytest.fixture
    def held(self, cdn):
        return lambda: {name: asset.sha256 for name, asset in cdn.assets.items()}


async def test_the_bytes_go_there_once_under_the_files_own_name(cdn, adapter):
    found = await adapter().publish(file())
    assert cdn.assets[LINK].sha256 == hashlib.sha256(CONTENT).hexdigest()
    [upload] = cdn.uploads
    fields = dict(upload.fields)
    assert fields.pop("timestamp").isdecimal()
    assert len(fields.pop("signature")) == 64  # SHA-256, verified by their own function
    assert fields == {
        "public_id": LINK,
        "asset_folder": "image_gen/7",
        "display_name": "flux_12_3",
        "unique_filename": "0",
        "overwrite": "0",
        "eager": THUMBNAIL,
        "api_key": KEY,
    }
    assert (upload.filename, upload.media_type, upload.size) == (LINK, "image/png", len(CONTENT))
    assert "Transfer-Encoding" not in upload.headers
    assert found.url == f"{cdn.base}/{CLOUD}/image/upload/v1001/{LINK}.png"
    assert found.thumbnail_url == found.url.replace("/upload/", f"/upload/{THUMBNAIL}/")


async def test_awkward_words_are_signed_as_they_are_sent(cdn, adapter):
    await adapter().publish(file(display_name="a&b=c|d é \N{WATER WAVE}"))
    assert cdn.assets[LINK].fields["display_name"] == "a&b=c|d é \N{WATER WAVE}"


async def test_again_is_the_same_copy_and_its_hash_is_compared(cdn, adapter):
    first = await adapter().publish(file())
    again = await adapter().publish(file())
    assert again == first  # the preview, too, though an existing one's is not told
    assert (len(cdn.assets), cdn.assets[LINK].version) == (1, 1001)
    assert [upload.fields["overwrite"] for upload in cdn.uploads] == ["0", "0"]


async def test_what_has_that_name_and_other_bytes_is_written_over_once(cdn, adapter):
    other = CONTENT[:-1] + bytes([CONTENT[-1] ^ 1])
    await adapter().publish(file(other))
    found = await adapter().publish(file())
    assert cdn.assets[LINK].sha256 == hashlib.sha256(CONTENT).hexdigest()
    assert found.url.endswith(f"/v1002/{LINK}.png")
    assert [upload.fields["overwrite"] for upload in cdn.uploads] == ["0", "0", "1"]


@pytest.mark.parametrize("lie", [{"etag": "0" * 32}, {"bytes": 7}, {"etag": None}], ids=str)
async def test_a_copy_that_is_not_proven_is_none(cdn, adapter, lie):
    cdn.lies = lie
    with pytest.raises(Refused, match="differs"):
        await adapter().publish(file())
    assert [upload.fields["overwrite"] for upload in cdn.uploads] == ["0", "1"]


@pytest.mark.parametrize(
    "lie",
    [
        {"url": "https://res.cloudinary.com/studio/image/upload/v1/another.png"},
        {"url": f"ftp://127.0.0.1/{LINK}"},
        {"url": f"https://replicate.delivery/{LINK}"},  # https where we speak http: not asked for
        {"url": None},
        {"eager": [{"url": "http://127.0.0.1/another"}]},
    ],
    ids=str,
)
async def test_a_url_that_is_not_the_files_own_is_not_taken(cdn, adapter, lie):
    cdn.lies = lie
    with pytest.raises(Refused, match="names no http URL"):
        await adapter().publish(file())


async def test_without_a_preview_in_the_answer_it_is_made_when_first_asked_for(cdn, adapter):
    cdn.eager = False
    found = await adapter().publish(file())
    assert found.thumbnail_url == found.url.replace("/upload/", f"/upload/{THUMBNAIL}/")


async def test_a_large_file_goes_in_parts_each_under_a_signature_of_its_own(cdn, adapter):
    ticks = iter(range(1, 100))
    now = datetime.now(UTC).timestamp()
    await adapter(chunk=100_000, clock=lambda: now + next(ticks)).publish(file())
    assert cdn.assets[LINK].sha256 == hashlib.sha256(CONTENT).hexdigest()
    spans = [upload.headers["Content-Range"] for upload in cdn.uploads]
    assert spans == [
        "bytes 0-99999/300000", "bytes 100000-199999/300000", "bytes 200000-299999/300000",
    ]  # fmt: skip
    assert len({upload.headers["X-Unique-Upload-Id"] for upload in cdn.uploads}) == 1
    assert len({upload.fields["signature"] for upload in cdn.uploads}) == 3


async def test_only_what_is_too_large_for_one_call_goes_in_parts(cdn, adapter):
    await adapter(chunk=len(CONTENT)).publish(file())
    assert "Content-Range" not in cdn.uploads[0].headers


@pytest.mark.parametrize("chunk", [20_000_000, 100_000_000], ids=["in parts", "whole"])
async def test_a_large_file_is_never_whole_in_memory(cdn, adapter, chunk):
    block, size = bytes(262_144), 64 * 1024 * 1024

    async def read(start, stop):
        for at in range(start, stop, len(block)):
            yield block[: stop - at]

    md5 = hashlib.md5(bytes(size)).hexdigest()
    tracemalloc.start()
    try:
        await adapter(chunk=chunk).publish(file(b"", size=size, md5=md5, read=read))
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert cdn.assets[LINK].size == size
    assert peak < 8 * 1024 * 1024


@pytest.mark.parametrize("status", [408, 420, 423, 425, 429, 500, 502, 503, 504])
async def test_what_passes_is_busy(cdn, adapter, status):
    cdn.script = [says(status, "later")]
    with pytest.raises(Busy, match=f"{status} later"):
        await adapter().publish(file())
    await adapter().publish(file())


@pytest.mark.parametrize("status", [400, 401, 403, 404, 409, 413, 302])
async def test_what_somebody_must_change_is_refused_and_says_why(cdn, adapter, status):
    cdn.script = [says(status, "File size too large", Location="/elsewhere")]
    with pytest.raises(Refused, match=f"{status} File size too large"):
        await adapter().publish(file())
    assert len(cdn.uploads) == 1


@pytest.mark.parametrize("status", [200, 502])
async def test_a_proxys_page_is_no_answer(cdn, adapter, status):
    cdn.script = [page(status)]
    with pytest.raises(Busy):
        await adapter().publish(file())


@pytest.mark.parametrize(
    ("headers", "wait"),
    [
        ({"Retry_After": "17"}, 17.0),
        ({"X_FeatureRateLimit_Reset": "Sun, 22 Nov 2026 12:00:30 GMT"}, 30.0),
        ({"Retry_After": "Sun, 22 Nov 2026 11:00:00 GMT"}, 0.0),
        ({"Retry_After": "soon"}, None),
        ({}, None),
    ],
    ids=str,
)
async def test_how_long_to_wait_is_heard(cdn, adapter, headers, wait):
    now = datetime(2026, 11, 22, 12, tzinfo=UTC)
    assert format_datetime(now, usegmt=True) == "Sun, 22 Nov 2026 12:00:00 GMT"
    cdn.script = [says(420, **headers)]
    with pytest.raises(Busy) as busy:
        await adapter(clock=now.timestamp).publish(file())
    assert busy.value.retry_after == wait


async def test_a_lost_answer_is_busy_and_the_next_call_finds_what_was_uploaded(cdn, adapter):
    cdn.lost = 1
    with pytest.raises(Busy):
        await adapter().publish(file())
    await adapter().publish(file())
    assert (len(cdn.assets), cdn.assets[LINK].version) == (1, 1001)


async def test_a_connection_that_is_reset_is_busy(cdn, adapter):
    cdn.script = [cut]
    with pytest.raises(Busy):
        await adapter().publish(file())


async def test_who_never_answers_is_given_up(cdn, adapter):
    never = asyncio.Event()

    async def hang(_request):
        await never.wait()

    cdn.script = [hang]
    with pytest.raises(Busy, match="TimeoutError"):
        await adapter(patience=0.2).publish(file(CONTENT[:1000]))
    never.set()


async def test_nobody_there_is_busy(adapter):
    with pytest.raises(Busy):
        await adapter(base="http://127.0.0.1:1").publish(file())


async def test_a_wrong_secret_is_refused_and_never_told(cdn, adapter):
    wrong = "a-secret-with-a-typo"
    cdn.script = [None, says(401, f"String to sign - 'public_id={LINK}{wrong}'")]
    for _ in range(2):
        with pytest.raises(Refused, match="401") as refused:
            await adapter(wrong).publish(file())
        assert wrong not in str(refused.value) + repr(adapter(wrong))
    assert not cdn.assets
