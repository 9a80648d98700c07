"""Who may do what: a user, another user, a person without the scope, nobody, a service."""

import asyncio
import base64

import pytest

from chassis.errors import (
    Denied,
    Invalid,
    Missing,
    OutOfRange,
    Precondition,
    Unauthenticated,
)
from imagestudio.storage.v1 import storage_service_pb2 as pb
from tests.storage.client import BERT, PURCHASE, Client, link_of
from tests.storage.conftest import running
from tests.storage.pictures import picture


async def test_a_person_sends_sees_and_deletes_what_is_his(clients, catalog):
    anna = clients(key="isk_anna")
    asset = (await anna.upload(picture())).asset
    assert await anna.get(asset.name) == asset
    assert (await anna.download(asset.name))[1] == picture()
    await anna.delete(asset.name)
    with pytest.raises(Missing):
        await anna.get(link_of(asset))
    with pytest.raises(Missing):
        await anna.delete(asset.name)
    await anna.delete(asset.name, allow_missing=True)
    assert not catalog.files


async def test_whoever_has_a_link_may_view_and_nobody_else(clients):
    asset = (await clients(key="isk_anna").upload(picture())).asset
    for other in (clients(key="isk_bert"), clients(user_id=BERT), clients(user_id=0)):
        assert (await other.download(link_of(asset)))[1] == picture()
        assert await other.get(link_of(asset)) == asset
        with pytest.raises((Missing, Unauthenticated)):
            await other.download(asset.name)
        with pytest.raises((Missing, Unauthenticated)):
            await other.delete(asset.name)
        with pytest.raises(Missing):
            await other.delete(link_of(asset))
    assert await clients().get(asset.name) == asset


@pytest.mark.parametrize("key", ["isk_nobody", "", "isk_anna isk_anna"])
async def test_who_is_not_known_may_nothing(clients, key):
    nobody = clients(key=key)
    for call in (
        nobody.get("links/" + "a" * 26),
        nobody.download("links/" + "a" * 26),
        nobody.upload(picture()),
        nobody.delete("assets/" + "a" * 64),
        nobody.room(),
    ):
        with pytest.raises(Unauthenticated):
            await call


async def test_a_scope_that_is_missing_is_said(clients):
    asset = (await clients(key="isk_writer").upload(picture())).asset
    reader, writer = clients(key="isk_reader"), clients(key="isk_writer")
    for call, scope in (
        (reader.upload(picture()), "write"),
        (reader.delete(asset.name), "write"),
        (writer.get(asset.name), "read"),
        (writer.download(asset.name), "read"),
    ):
        with pytest.raises(Denied) as refusal:
            await call
        assert (refusal.value.reason, refusal.value.metadata) == ("SCOPE_MISSING", {"scope": scope})
    assert (await reader.download(asset.name))[1] == picture()


async def test_what_is_for_services_is_denied_to_people(clients):
    await clients().put_receipt(base64.b64encode(picture()))
    anna = clients(key="isk_anna")
    for call in (
        anna.put_receipt(b"{}"),
        anna.import_(0, 8),
        anna.upload(picture(), PURCHASE),
        anna.download(f"receipts/{PURCHASE}"),
        anna.room(),
    ):
        with pytest.raises(Denied) as refusal:
            await call
        assert refusal.value.reason == "SERVICE_ONLY"


async def test_a_service_that_speaks_for_nobody_keeps_nothing(clients):
    with pytest.raises(Unauthenticated):
        await clients(user_id=0).upload(picture(), PURCHASE)


async def test_a_credential_is_asked_for_once_a_second(clients, catalog):
    anna = clients(key="isk_anna")
    for _ in range(5):
        with pytest.raises(Missing):
            await anna.get("links/" + "a" * 26)
    assert catalog.asked in (["api_key_hash"], ["api_key_hash"] * 2)


async def test_without_authentication_everybody_is_the_local_user(tmp_path, catalog):
    async with running(tmp_path / "open", catalog.target, AUTH="none") as (_, target):
        nobody, anybody = Client(target, key=""), Client(target, key="whatever")
        asset = (await nobody.upload(picture())).asset
        assert await anybody.get(asset.name) == asset
        assert set(catalog.asked) == {"subject"}
        await nobody.close()
        await anybody.close()


async def test_what_was_bought_or_is_in_use_is_never_deleted(client, catalog):
    bought = (await client.upload(picture(seed=1), PURCHASE)).asset
    used = (await client.upload(picture(seed=2))).asset
    sent_then_bought = (await client.upload(picture(seed=3))).asset
    await client.upload(picture(seed=3), PURCHASE)
    catalog.used.add(used.name.removeprefix("assets/"))
    for asset in (bought, used, sent_then_bought):
        with pytest.raises(Precondition) as refusal:
            await client.delete(asset.name)
        assert refusal.value.reason == "ASSET_IN_USE"
        assert await client.get(link_of(asset)) == asset


async def test_what_is_sent_again_while_it_is_deleted_is_there_afterwards(client, catalog):
    """Else "you had these bytes before" would be said of bytes that are about to go."""
    name = (await client.upload(picture())).asset.name
    catalog.may_forget.clear()
    deleting = asyncio.create_task(client.delete(name))
    await catalog.forgetting.wait()
    sending = asyncio.create_task(client.upload(picture()))
    await client.upload(picture(seed=2))  # who came later is through: it could have been wrong
    catalog.may_forget.set()
    await deleting
    asset = (await sending).asset
    assert (await client.download(asset.name))[1] == picture()
    assert len(catalog.files) == 2


async def test_any_offset_reads_the_rest(client):
    content = picture(size=(400, 300))
    name = link_of((await client.upload(content)).asset)
    for offset in (0, 1, 65_536, len(content) - 1, len(content)):
        header, found = await client.download(name, offset)
        assert found == content[offset:]
        assert header.size_bytes == len(content)
    with pytest.raises(OutOfRange):
        await client.download(name, len(content) + 1)
    with pytest.raises(Invalid):
        await client.download(name, -1)


@pytest.mark.parametrize("name", ["", "links/../../x", "receipts/x", "assets/" + "A" * 64, "🖼" * 9])
async def test_a_name_behind_which_there_is_nothing_is_missing(client, name):
    for call in (client.get(name), client.download(name), client.delete(name)):
        with pytest.raises(Missing) as missing:
            await call
        assert missing.value.reason == "RESOURCE_UNKNOWN"


async def test_a_receipt_has_no_thumbnail_and_is_no_asset(client):
    await client.put_receipt(b"{}")
    with pytest.raises(Invalid):
        await client.download(f"receipts/{PURCHASE}", thumbnail=True)
    for call in (client.get(f"receipts/{PURCHASE}"), client.delete(f"receipts/{PURCHASE}")):
        with pytest.raises(Missing):
            await call


async def test_every_call_has_a_row_here_or_fails():
    calls = {method.name for method in pb.DESCRIPTOR.services_by_name["StorageService"].methods}
    assert calls == {
        *("ImportAsset", "UploadAsset", "PutReceipt", "DownloadAsset"),
        *("GetAsset", "GetRoom", "PublishAsset", "RecordVariants", "DeleteAsset"),
        "PrepareReference",
    }, "a new call: say above who may make it"
