"""PublishAsset on a storage that runs, against a scripted CDN."""

import asyncio
import base64
import hashlib
import json

import pytest

from chassis.errors import DataLoss, Denied, Invalid, Missing, Precondition, Unavailable
from chassis.settings import SettingsError, read
from imagestudio.storage.v1 import storage_service_pb2 as pb
from services.storage.settings import Settings
from tests.storage.client import ANNA, BERT, OTHER, PURCHASE, Client, link_of
from tests.storage.conftest import environment, running, with_cdn
from tests.storage.pictures import picture, svg
from tests.storage.scripted_cdn import SECRET, says


@pytest.fixture
async def published(folder, catalog, cdn):
    """A client of a storage with a CDN."""
    async with running(folder, catalog.target, **with_cdn(cdn)) as (_storage, target):
        client = Client(target)
        yield client
        await client.close()


async def paid(client, content, purchase_id=PURCHASE):
    return (await client.upload(content, purchase_id)).asset


async def test_a_kept_picture_is_published_from_the_vaults_own_bytes(published, cdn, folder):
    content = picture(size=(400, 300))
    kept = await paid(published, content)
    found = await published.publish(kept.name)
    link = kept.path.removeprefix("/i/")
    assert cdn.assets[link].sha256 == hashlib.sha256(content).hexdigest()
    assert cdn.assets[link].fields["display_name"] == "sketch_12_1"
    assert cdn.assets[link].fields["asset_folder"] == f"image_gen/{ANNA}"
    assert found.state == pb.ASSET_STATE_PUBLISHED
    assert found.cdn_url == f"{cdn.base}/studio/image/upload/v1001/{link}.png"
    assert link in found.cdn_thumbnail_url
    assert found.HasField("publish_time")
    assert (found.path, found.size_bytes) == (kept.path, kept.size_bytes)
    assert await published.get(kept.name) == found
    assert (await published.download(link_of(kept)))[1] == content  # for ever
    note = json.loads(next((folder / "files").rglob(f"{link}.cdn.json")).read_text())
    assert (note["cdn_url"], note["purchase_id"]) == (found.cdn_url, PURCHASE)


async def test_again_is_the_same_copy(published, cdn):
    kept = await paid(published, picture())
    first = await published.publish(kept.name)
    again = await published.publish(kept.name)
    assert (again.cdn_url, again.cdn_thumbnail_url) == (first.cdn_url, first.cdn_thumbnail_url)
    assert len(cdn.assets) == 1


@pytest.mark.parametrize("content", [b"what a vendor sold", svg()], ids=["nothing", "svg"])
async def test_a_picture_out_of_a_receipt_is_publishable_and_others_are_not(published, content):
    for sold, wanted in ((picture(), True), (content, False)):
        purchase_id = PURCHASE if wanted else OTHER
        text = base64.b64encode(sold)
        await published.put_receipt(text, purchase_id)
        answer = await published.import_(0, len(text), purchase_id)
        assert answer.publishable is wanted
    with pytest.raises(Precondition) as refused:
        await published.publish(answer.asset.name)
    assert refused.value.reason == "CDN_REFUSED"


async def test_without_a_cdn_nothing_is_publishable(client):
    text = base64.b64encode(picture())
    await client.put_receipt(text)
    answer = await client.import_(0, len(text))
    assert not answer.publishable
    with pytest.raises(Precondition) as refused:
        await client.publish(answer.asset.name)
    assert refused.value.reason == "CDN_NOT_CONFIGURED"


async def test_what_a_user_has_sent_never_leaves(published, cdn):
    sent = (await published.upload(picture())).asset
    with pytest.raises(Precondition) as refused:
        await published.publish(sent.name)
    assert (refused.value.reason, cdn.uploads) == ("CDN_REFUSED", [])
    await paid(published, picture())  # the same bytes, bought
    assert (await published.publish(sent.name)).cdn_url


SIDES = pytest.mark.parametrize("side", [200, 1000], ids=["small", "large"])


@SIDES
async def test_damaged_bytes_never_leave(published, cdn, folder, side):
    content = picture(size=(side, side))
    kept = await paid(published, content)
    file = next((folder / "files").rglob(kept.path.removeprefix("/i/")))
    file.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
    with pytest.raises(DataLoss) as damage:
        await published.publish(kept.name)
    assert (damage.value.reason, cdn.uploads) == ("HASH_MISMATCH", [])


@SIDES
@pytest.mark.parametrize("chunk", [100_000, 20_000_000], ids=["in parts", "whole"])
async def test_every_size_arrives_whole(folder, catalog, cdn, side, chunk):
    content = picture(size=(5 * side, side))
    async with running(folder, catalog.target, **with_cdn(cdn)) as (storage, target):
        storage.cdn.chunk = chunk if side < 1000 else 50 * chunk
        client = Client(target)
        kept = await paid(client, content)
        await client.publish(kept.name)
        await client.close()
    [asset] = cdn.assets.values()
    assert asset.sha256 == hashlib.sha256(content).hexdigest()
    assert len(cdn.uploads) == -(-len(content) // storage.cdn.chunk)


async def test_another_users_file_and_none_are_missing(published, cdn):
    kept = await paid(published, picture())
    published.user_id = BERT
    for name in (kept.name, link_of(kept), "assets/" + "0" * 64):
        with pytest.raises(Missing):
            await published.publish(name)
    assert not cdn.uploads


async def test_a_person_may_not_publish(published):
    kept = await paid(published, picture())
    published.key = "isk_anna"
    with pytest.raises(Denied) as denied:
        await published.publish(kept.name)
    assert denied.value.reason == "SERVICE_ONLY"


@pytest.mark.parametrize("shown", ["", "a" * 256, "two\nlines"])
async def test_a_name_for_people_is_one_line(published, shown):
    kept = await paid(published, picture())
    with pytest.raises(Invalid):
        await published.publish(kept.name, shown)


async def test_a_busy_cdn_says_when_and_a_refusal_why(published, cdn):
    kept = await paid(published, picture())
    cdn.script = [says(420, Retry_After="9"), says(400, "File size too large")]
    with pytest.raises(Unavailable) as busy:
        await published.publish(kept.name)
    assert (busy.value.reason, busy.value.retry_after) == ("CDN_UNAVAILABLE", 9.0)
    with pytest.raises(Precondition, match="File size too large") as refused:
        await published.publish(kept.name)
    assert refused.value.reason == "CDN_REFUSED"
    assert (await published.get(kept.name)).state == pb.ASSET_STATE_KEPT


async def test_only_a_few_are_under_way_at_once(published, cdn):
    kept = [await paid(published, picture(seed=seed)) for seed in range(24)]
    cdn.may_answer.clear()
    all_of_them = asyncio.gather(*(published.publish(each.name) for each in kept))
    async with asyncio.timeout(60):
        while cdn.under_way < 16:
            await published.get(kept[0].name)
    for each in kept:
        await published.get(each.name)  # the time in which more would come
    assert cdn.under_way == 16
    cdn.may_answer.set()
    assert len({each.cdn_url for each in await all_of_them}) == len(cdn.assets) == 24


@pytest.mark.parametrize(
    "url",
    [
        "https://1234:very-secret-indeed@studio",
        "cloudinary://1234:very-secret-indeed",
        "cloudinary://very-secret-indeed@studio",
        "cloudinary://1234:very-secret-indeed@studio?upload_prefix=http://x",
    ],
)
def test_a_malformed_account_is_named_and_never_told(url, tmp_path):
    with pytest.raises(SettingsError) as wrong:
        read(Settings, environment(tmp_path, "127.0.0.1:1", CLOUDINARY_URL=url))
    assert "cloudinary://KEY:SECRET@CLOUD" in str(wrong.value)
    assert "very-secret-indeed" not in str(wrong.value)


def test_an_account_is_read_and_its_secret_does_not_print(tmp_path):
    url = f"cloudinary://1234:{SECRET}@studio"
    found = read(Settings, environment(tmp_path, "127.0.0.1:1", CLOUDINARY_URL=url))
    assert (found.cloudinary.key, found.cloudinary.cloud) == ("1234", "studio")
    assert found.cloudinary.secret.reveal() == SECRET
    assert SECRET not in repr(found)
    assert found.cloudinary_base == "https://api.cloudinary.com"


@pytest.mark.parametrize(
    ("base", "fine"),
    [
        ("https://api-eu.cloudinary.com", True),
        ("http://127.0.0.1:7900/cloudinary/", True),
        ("http://localhost:7900", True),
        ("http://api.cloudinary.com", False),
        ("http://127.0.0.1.evil.test", False),
        ("ftp://127.0.0.1", False),
        ("https://me:pw@api.cloudinary.com", False),
        ("https://api.cloudinary.com/?x=1", False),
        ("api.cloudinary.com", False),
    ],
)
def test_plain_http_stays_on_this_machine(base, fine, tmp_path):
    given = environment(tmp_path, "127.0.0.1:1", CLOUDINARY_BASE_URL=base)
    if fine:
        assert read(Settings, given).cloudinary_base == base.rstrip("/")
    else:
        with pytest.raises(SettingsError, match="CLOUDINARY_BASE_URL is"):
            read(Settings, given)


def test_a_lab_elsewhere_may_be_reached_in_the_clear(tmp_path):
    lab = {"LAB_URL": "http://lab:7900", "CLOUDINARY_BASE_URL": "http://lab:7900/cloudinary"}
    found = read(Settings, environment(tmp_path, "127.0.0.1:1", **lab))
    assert found.cloudinary_base == lab["CLOUDINARY_BASE_URL"]
    other = lab | {"LAB_URL": "http://lab:790"}
    with pytest.raises(SettingsError, match="LAB_URL"):
        read(Settings, environment(tmp_path, "127.0.0.1:1", **other))


async def test_what_the_cdn_has_is_told_where_the_vault_takes_no_note_of_it(published, folder):
    kept = await paid(published, picture())
    (folder / "tmp").rmdir()  # nothing more can be written
    assert (await published.publish(kept.name)).cdn_url
