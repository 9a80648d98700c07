"""Uploads and imports: one file, one link, its notes, and nothing half."""

import asyncio
import base64
import hashlib
import json

import pytest

from chassis.errors import DataLoss, Exhausted, Invalid, Missing, Precondition
from imagestudio.catalog.v1 import ledger_pb2
from imagestudio.storage.v1 import storage_service_pb2 as pb
from services.storage.incoming import MAX_BYTES
from tests.storage.client import ANNA, BERT, OTHER, PURCHASE, link_of
from tests.storage.conftest import running
from tests.storage.pictures import picture, png_claiming


def sha256(content):
    return hashlib.sha256(content).hexdigest()


def kept(folder, shelf="files"):
    return sorted(path.name for path in (folder / shelf).rglob("*") if path.is_file())


def leftovers(folder):
    return [*kept(folder), *kept(folder, "receipts"), *(folder / "tmp").iterdir()]


async def test_a_reference_is_kept_recorded_and_read_back(client, catalog, folder):
    content = picture("JPEG", (300, 200))
    answer = await client.upload(content, sha256=sha256(content), media_type="image/jpeg")
    asset = answer.asset

    assert asset.name == f"assets/{sha256(content)}"
    assert (asset.size.width, asset.size.height, asset.size_bytes) == (300, 200, len(content))
    assert (asset.media_type, asset.readable, asset.state) == ("image/jpeg", True, 1)
    assert asset.thumbnail_path == f"{asset.path}/thumbnail"
    record = catalog.files[ANNA, sha256(content)]
    assert (record.link, record.size_bytes) == (asset.path.removeprefix("/i/"), len(content))
    for name in (asset.name, link_of(asset)):
        header, found = await client.download(name)
        assert found == content
        assert (header.media_type, header.sha256) == ("image/jpeg", sha256(content))
        assert await client.get(name) == asset


async def test_identical_bytes_of_one_user_are_one_file_also_at_once(client, folder):
    content = picture()
    answers = await asyncio.gather(*(client.upload(content) for _ in range(8)))
    assert sorted(answer.deduplicated for answer in answers) == [False] + [True] * 7
    assert len({answer.asset.path for answer in answers}) == 1
    assert len(kept(folder)) == 2  # the file and its note


async def test_the_same_bytes_of_another_user_are_another_file(clients, folder):
    content = picture()
    annas = await clients(user_id=ANNA).upload(content)
    berts = await clients(user_id=BERT).upload(content)
    assert annas.asset.path != berts.asset.path
    assert not berts.deduplicated
    assert len(kept(folder)) == 4


async def test_a_picture_comes_out_of_its_receipt(client, folder, catalog):
    content = picture("PNG", (500, 400))
    text = base64.b64encode(content)
    answer = b'{"data":[{"b64_json":"' + text + b'"}]}'
    receipt = await client.put_receipt(answer)
    assert (receipt.ticket, receipt.size_bytes) == (f"receipt:{PURCHASE}", len(answer))
    assert receipt.sha256 == sha256(answer)

    start = answer.index(text)
    said = {"job": "jobs/12", "model": "sketch", "prompt": "a líghthouse \N{WATER WAVE}"}
    known = ledger_pb2.Provenance(ticket="t1", outputs=4, image={"seed": 2**53 + 1})
    more = {"output_index": 3, "expected_sha256": sha256(content), "provenance": known, **said}
    imported = await client.import_(start, start + len(text), **more)

    assert (await client.download(link_of(imported.asset)))[1] == content
    note = json.loads(next((folder / "files").rglob("*.json")).read_text())
    assert note.pop("created_at").endswith("+00:00")
    assert note == said | {
        "version": 1,
        "image_hash": sha256(content),
        "link": imported.asset.path.removeprefix("/i/"),
        "media_type": "image/png",
        "size_bytes": len(content),
        "width": 500,
        "height": 400,
        "readable": True,
        "user_id": ANNA,
        "purchase_id": PURCHASE,
        "output_index": 3,
        "prepared": "",
        "provenance": {"ticket": "t1", "outputs": 4, "image": {"seed": str(2**53 + 1)}},
    }
    assert not catalog.files  # its KeepEdge records it


def inside(start, stop, raw="", purchase_id=PURCHASE, **more):
    source = f"receipt:{purchase_id}#{start}-{stop}{raw}"
    return pb.ImportAssetRequest(source_uri=source, purchase_id=purchase_id, **more)


async def test_the_pictures_that_a_receipt_names_are_kept_with_it(client, folder):
    pictures = [picture("PNG", (50, 40)), picture("JPEG", (30, 20))]
    text = base64.b64encode(pictures[0])
    answer = b"index" + text + pictures[1]
    ends = 5 + len(text), len(answer)
    named = [inside(5, ends[0]), inside(*ends, ";raw", output_index=1)]

    kept_with_it = (await client.put_receipt(answer, pictures=named)).pictures
    assert [(await client.download(link_of(each.asset)))[1] for each in kept_with_it] == pictures
    notes = [json.loads(path.read_text()) for path in (folder / "files").rglob("*.json")]
    assert sorted((each["purchase_id"], each["output_index"]) for each in notes) == [
        (PURCHASE, 0),
        (PURCHASE, 1),
    ]
    for _ in range(2):  # who had no answer sends it again, or imports them
        again = (await client.put_receipt(answer, pictures=named)).pictures
        assert [each.asset for each in again] == [each.asset for each in kept_with_it]
        assert (await client.import_(5, ends[0])).asset == kept_with_it[0].asset
    assert len(kept(folder)) == 4


@pytest.mark.parametrize(
    "named",
    [
        inside(0, 9999, ";raw"),
        inside(0, 4),  # no base64
        inside(0, 4, ";raw", OTHER),
        pb.ImportAssetRequest(source_uri="https://example.com/a.png", purchase_id=PURCHASE),
    ],
    ids=lambda named: named.source_uri[-20:],
)
async def test_a_receipt_is_safe_whatever_becomes_of_the_pictures_in_it(client, folder, named):
    answer = b"{  }"
    await client.put_receipt(b"another's", OTHER)
    receipt = await client.put_receipt(answer, pictures=[inside(0, 4, ";raw"), named])
    assert (receipt.sha256, len(receipt.pictures)) == (sha256(answer), 0)
    assert len(kept(folder, "receipts")) == 4


async def test_the_same_picture_bought_again_adds_a_note_and_no_file(client, folder):
    content = picture()
    for purchase_id, index in [(PURCHASE, 0), (PURCHASE, 0), (PURCHASE, 1), (OTHER, 0), (OTHER, 0)]:
        answer = await client.upload(content, purchase_id, output_index=index)
    assert answer.deduplicated
    notes = [json.loads(path.read_text()) for path in (folder / "files").rglob("*.json")]
    paid = sorted((note["purchase_id"], note["output_index"]) for note in notes)
    assert paid == [(PURCHASE, 0), (PURCHASE, 1), (OTHER, 0)]
    assert len(kept(folder)) == 4


async def test_a_damaged_file_is_healed_by_the_same_bytes(client, folder):
    content = picture()
    asset = (await client.upload(content)).asset
    file = next((folder / "files").rglob(asset.path.removeprefix("/i/")))
    file.write_bytes(content[:100])
    with pytest.raises(DataLoss) as damage:
        await client.download(link_of(asset))
    assert damage.value.reason == "HASH_MISMATCH"
    assert (await client.upload(content)).deduplicated
    assert (await client.download(link_of(asset)))[1] == content


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"<html><script>alert(1)</script></html>", "IMAGE_UNREADABLE"),
        (picture()[:-1], "IMAGE_UNREADABLE"),
        (png_claiming(0, 7), "IMAGE_UNREADABLE"),
        (png_claiming(65_535, 65_535), "IMAGE_TOO_LARGE"),
        (png_claiming(16_385, 1), "IMAGE_TOO_LARGE"),
        (png_claiming(10_000, 5_001), "IMAGE_TOO_LARGE"),
    ],
)
async def test_what_is_no_fit_picture_is_refused_to_people_and_kept_where_it_was_paid_for(
    client, catalog, folder, content, reason
):
    with pytest.raises(Invalid) as refusal:
        await client.upload(content)
    assert refusal.value.reason == reason
    assert leftovers(folder) == []
    assert not catalog.files

    bought = await client.upload(content, PURCHASE)
    assert bought.asset.readable == (reason == "IMAGE_TOO_LARGE")
    header, found = await client.download(link_of(bought.asset))
    assert found == content
    assert header.media_type in ("image/png", "application/octet-stream")


async def test_a_picture_of_the_largest_size_is_taken(client):
    assert (await client.upload(png_claiming(16_384, 3_051))).asset.readable


async def test_too_many_bytes_are_refused_before_they_come(client, folder):
    header = pb.UploadHeader(size_bytes=MAX_BYTES + 1)
    with pytest.raises(Invalid) as refusal:
        await client.upload_parts(header, [])
    assert refusal.value.reason == "IMAGE_TOO_LARGE"
    assert refusal.value.metadata == {"limit": str(MAX_BYTES), "unit": "bytes"}


@pytest.mark.parametrize(
    ("header", "parts"),
    [
        ({"size_bytes": 0}, []),
        ({"size_bytes": -1}, []),
        ({"size_bytes": 10}, [b"nine byte"]),
        ({"size_bytes": 10}, [b"eleven bytes"]),
        ({"size_bytes": 10, "sha256": "A" * 64}, [b"ten bytes."]),
        ({"size_bytes": 10, "output_index": -1}, [b"ten bytes."]),
        ({"size_bytes": 10, "purchase_id": "seven"}, [b"ten bytes."]),
    ],
)
async def test_a_header_that_lies_is_refused(client, folder, header, parts):
    with pytest.raises(Invalid) as refusal:
        await client.upload_parts(pb.UploadHeader(**header), parts)
    assert refusal.value.reason == "REQUEST_INVALID"
    assert refusal.value.fields
    assert leftovers(folder) == []


async def test_another_hash_or_type_than_announced_is_refused(client, folder):
    content = picture()
    with pytest.raises(DataLoss) as mismatch:
        await client.upload(content, PURCHASE, sha256="0" * 64)
    assert mismatch.value.metadata == {"expected": "0" * 64, "found": sha256(content)}
    with pytest.raises(Invalid, match="image/png"):
        await client.upload(content, media_type="image/jpeg")
    assert leftovers(folder) == []


async def test_a_stream_without_a_header_or_with_two_is_refused(client, folder):
    header = pb.UploadAssetRequest(header=pb.UploadHeader(size_bytes=3))
    chunk = pb.UploadAssetRequest(chunk=b"abc")
    for requests in ([], [chunk], [header, header], [header, pb.UploadAssetRequest()]):
        with pytest.raises(Invalid) as refusal:
            await client.ask(client.stub.UploadAsset, iter(requests))
        assert refusal.value.reason == "REQUEST_INVALID"
    assert leftovers(folder) == []


async def test_an_endless_upload_is_cut_where_it_passes_what_was_announced(client, folder):
    async def requests():
        yield pb.UploadAssetRequest(header=pb.UploadHeader(size_bytes=100_000))
        for _ in range(2):
            yield pb.UploadAssetRequest(chunk=b"x" * 65_536)
        await asyncio.Event().wait()  # it never says that this was all

    async with asyncio.timeout(60):
        with pytest.raises(Invalid) as refusal:
            await client.ask(client.stub.UploadAsset, requests())
    assert "more than" in refusal.value.message
    assert leftovers(folder) == []


async def test_an_upload_that_breaks_off_leaves_nothing(client, folder):
    at_half = asyncio.Event()

    async def requests():
        yield pb.UploadAssetRequest(header=pb.UploadHeader(size_bytes=10_000_000))
        for _ in range(80):
            yield pb.UploadAssetRequest(chunk=b"\x89" * 65_536)
        at_half.set()
        await asyncio.Event().wait()

    calling = asyncio.create_task(client.ask(client.stub.UploadAsset, requests()))
    await at_half.wait()
    calling.cancel()
    with pytest.raises(asyncio.CancelledError):
        await calling
    await client.room()  # the server has gone on
    assert kept(folder) == []


@pytest.mark.parametrize(
    ("start", "stop"), [(0, 8), (22, 25), (22, 27), (22, 99), (900, 904), (20, 28)]
)
async def test_a_range_that_is_no_base64_is_refused_and_the_receipt_stays(
    client, folder, start, stop
):
    await client.put_receipt(b'{"data":[{"b64_json":"' + base64.b64encode(b"ten bytes.") + b'"}]}')
    with pytest.raises(Invalid) as refusal:
        await client.import_(start, stop)
    assert refusal.value.fields.keys() == {"source_uri"}
    assert kept(folder) == []
    assert len(kept(folder, "receipts")) == 2


async def test_an_import_without_its_receipt_is_missing(client):
    with pytest.raises(Missing):
        await client.import_(0, 8)


async def test_an_import_of_other_bytes_than_expected_keeps_nothing(client, folder):
    await client.put_receipt(base64.b64encode(b"ten bytes.ab"))
    with pytest.raises(DataLoss):
        await client.import_(0, 16, expected_sha256="0" * 64)
    assert kept(folder) == []


async def test_a_receipt_is_kept_once(client):
    answer = b"{}" * 500_000
    first = await client.put_receipt(answer)
    assert await client.put_receipt(answer) == first
    with pytest.raises(Precondition) as conflict:
        await client.put_receipt(answer + b" ")
    assert conflict.value.reason == "STATE_CONFLICT"
    header, found = await client.download(f"receipts/{PURCHASE}", 999_990)
    assert found == answer[999_990:]
    assert (header.size_bytes, header.media_type) == (1_000_000, "application/json")


async def test_of_two_receipts_at_once_one_is_kept_whole(client):
    answers = [bytes([65 + number]) * 200_000 for number in range(6)]
    done = await asyncio.gather(*map(client.put_receipt, answers), return_exceptions=True)
    won = [
        answer
        for answer, end in zip(answers, done, strict=True)
        if not isinstance(end, Precondition)
    ]
    assert len(won) == 1
    assert (await client.download(f"receipts/{PURCHASE}"))[1] == won[0]


async def test_a_receipt_without_its_end_leaves_nothing(client, folder):
    header = pb.PutReceiptRequest(
        header=pb.ReceiptHeader(purchase_id=PURCHASE, provider="openai", media_type="text/plain")
    )
    chunks = [pb.PutReceiptRequest(chunk=b"x" * 65_536)] * 40
    with pytest.raises(Invalid, match="broke before"):
        await client.ask(client.stub.PutReceipt, iter([header, *chunks]))
    with pytest.raises(Invalid, match="send the whole answer again"):
        await client.put_receipt(b"half an ans", size=12)
    assert leftovers(folder) == []


async def test_a_small_receipt_fits_into_one_message(client):
    header = pb.ReceiptHeader(purchase_id=PURCHASE, provider="openai")
    whole = pb.PutReceiptRequest(header=header, chunk=b"{}", end=pb.ReceiptEnd(size_bytes=2))
    kept = await client.ask(client.stub.PutReceipt, iter([whole]))
    assert (kept.size_bytes, kept.sha256) == (2, hashlib.sha256(b"{}").hexdigest())
    assert (await client.download(f"receipts/{PURCHASE}"))[1] == b"{}"


async def test_the_header_of_a_receipt_comes_first_and_once(client, folder):
    header = pb.PutReceiptRequest(header=pb.ReceiptHeader(purchase_id=PURCHASE), chunk=b"{}")
    end = pb.PutReceiptRequest(chunk=b"{}", end=pb.ReceiptEnd(size_bytes=4))
    for messages, problem in (([], "first"), ([end], "first"), ([header, header, end], "once")):
        with pytest.raises(Invalid, match=f"send it {problem}"):
            await client.ask(client.stub.PutReceipt, iter(messages))
    assert leftovers(folder) == []


async def test_below_the_reserve_only_what_was_paid_for_is_taken(tmp_path, catalog, clients):
    async with running(tmp_path / "low", catalog.target, DISK_RESERVE_MB="9999999999") as (
        _,
        target,
    ):
        client = type(clients())(target)
        with pytest.raises(Exhausted) as refusal:
            await client.upload(picture())
        assert refusal.value.reason == "DISK_FULL"
        assert int(refusal.value.metadata["free_bytes"]) > 0
        assert refusal.value.retry_after
        assert (await client.upload(picture(), PURCHASE)).asset.readable
        assert await client.put_receipt(b"{}", OTHER)
        room = await client.room()
        assert 0 < room.free_bytes < room.reserve_bytes
        await client.close()
