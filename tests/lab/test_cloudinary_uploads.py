"""Cloudinary's official client uploads to the lab, and reads what came of it."""

import base64
import hashlib
import io
import random
import re

import pytest
from cloudinary import api, exceptions, uploader, utils
from PIL import Image

from tests import patient
from tests.lab.cloudinary_client import configured, picture, size_of


@pytest.fixture(autouse=True)
def client(lab, monkeypatch):
    with configured(lab, monkeypatch):
        yield


def md5(content: bytes) -> str:
    return hashlib.md5(content).hexdigest()


def test_a_file_comes_back_byte_for_byte(lab, tmp_path):
    content = picture()
    (tmp_path / "a cat.png").write_bytes(content)
    told = uploader.upload(tmp_path / "a cat.png", public_id="pets/cat", asset_folder="pets")
    assert (told["width"], told["height"], told["format"]) == (320, 200, "png")
    assert (told["bytes"], told["etag"]) == (len(content), md5(content))
    assert (told["public_id"], told["asset_folder"]) == ("pets/cat", "pets")
    assert (told["display_name"], told["original_filename"]) == ("cat", "a cat")
    assert (told["resource_type"], told["type"]) == ("image", "upload")
    assert "existing" not in told
    assert "overwritten" not in told
    assert told["request_id"]
    assert (
        told["secure_url"]
        == f"{lab.url}/cloudinary/lab/image/upload/v{told['version']}/pets/cat.png"
    )
    served = patient.get(told["secure_url"])
    assert served.content == content
    assert served.headers["etag"] == f'"{told["etag"]}"'


def test_what_the_cdn_holds_is_told_to_the_test(lab):
    content = picture()
    told = uploader.upload(content, public_id="x", asset_folder="f", display_name="Mine")
    assert lab.assets() == [
        {
            "public_id": "x",
            "sha256": hashlib.sha256(content).hexdigest(),
            "bytes": len(content),
            "url": told["url"],
            "asset_folder": "f",
            "display_name": "Mine",
        }
    ]


def test_answers_are_signed():
    told = uploader.upload(picture(), public_id="signed/one")
    assert utils.verify_api_response_signature(
        told["public_id"], told["version"], told["signature"]
    )


def test_bytes_streams_and_data_uris():
    content = picture(40, 30)
    plain = uploader.upload(content)
    stream = uploader.upload(io.BytesIO(content), filename="from a stream.png")
    data = uploader.upload(f"data:image/png;base64,{base64.encodebytes(content).decode()}")
    assert {told["etag"] for told in (plain, stream, data)} == {md5(content)}
    assert len({told["public_id"] for told in (plain, stream, data)}) == 3
    assert all(re.fullmatch(r"[a-z0-9]{20}", told["public_id"]) for told in (plain, stream, data))
    assert stream["original_filename"] == "from a stream"


def test_a_url_is_fetched_from_loopback():
    first = uploader.upload(picture())
    again = uploader.upload(first["url"], public_id="copied")
    assert again["etag"] == first["etag"]
    assert again["original_filename"] == first["public_id"]


def test_the_picture_that_clients_test_with_is_there():
    told = uploader.upload("http://cloudinary.com/images/old_logo.png")
    assert (told["width"], told["height"]) == (241, 51)
    assert told["original_filename"] == "old_logo"


@pytest.mark.parametrize(
    "url",
    ["http://example.com/a.png", "https://127.0.0.1/a.png", "http://localhost.evil.test/a.png",
     "http://10.0.0.1/a.png", "ftp://127.0.0.1/a.png"],
)  # fmt: skip
def test_nothing_else_is_fetched(url):
    with pytest.raises(exceptions.BadRequest, match="the lab fetches from loopback alone"):
        uploader.upload(url)


def test_a_url_that_leads_nowhere(lab):
    with pytest.raises(exceptions.BadRequest, match=r"Error in loading .* - 404"):
        uploader.upload(f"{lab.url}/cloudinary/lab/image/upload/none.png")


def test_tags_and_context_travel_escaped():
    context = {"caption": "a|b=c", "hash": "1", "ü": "\\"}
    told = uploader.upload(picture(), tags=["two", "one", "two"], context=context)
    assert told["tags"] == ["one", "two"]
    assert told["context"] == {"custom": {"caption": "a|b=c", "hash": "1", "ü": "\\"}}


def test_the_public_id_comes_from_the_file_where_asked_for(tmp_path):
    path = tmp_path / "my photo.png"
    path.write_bytes(picture())
    exact = uploader.upload(path, use_filename=True, unique_filename=False)
    assert exact["public_id"] == "my_photo"
    random_too = uploader.upload(path, use_filename=True, folder="deep/er")
    assert re.fullmatch(r"deep/er/my_photo_[a-z0-9]{6}", random_too["public_id"])
    assert random_too["asset_folder"] == "deep/er"


@pytest.mark.parametrize("public_id", ["/a", "a/", "a//b", "a?b", "a#b", "x" * 256])
def test_ids_that_cannot_stand_in_a_url(public_id):
    with pytest.raises(exceptions.BadRequest, match="is invalid"):
        uploader.upload(picture(), public_id=public_id)


def test_a_name_to_display_has_no_slash():
    with pytest.raises(exceptions.BadRequest, match="Display name cannot contain slashes"):
        uploader.upload(picture(), display_name="black-forest/flux")


def test_without_overwriting_the_first_one_stays(lab):
    first, second = picture(seed=1), picture(seed=2)
    told = uploader.upload(first, public_id="once", overwrite=False, tags="a")
    again = uploader.upload(second, public_id="once", overwrite=False, tags="b")
    assert again["existing"] is True
    assert again | {"request_id": 0} == told | {"existing": True, "request_id": 0}
    assert patient.get(again["url"]).content == first
    assert len(lab.assets()) == 1


def test_overwriting_makes_a_new_version_of_the_same_asset():
    told = uploader.upload(
        picture(seed=1), public_id="twice", eager=[{"width": 9, "crop": "scale"}]
    )
    again = uploader.upload(picture(64, 64, seed=2), public_id="twice")
    assert again["overwritten"] is True
    assert again["version"] > told["version"]
    assert again["asset_id"] == told["asset_id"]
    assert size_of(patient.get(told["url"]).content) == (64, 64)
    assert size_of(patient.get(told["eager"][0]["url"]).content) == (9, 9)


def test_eager_images_are_there_at_once():
    told = uploader.upload(
        picture(),
        eager=[
            {"width": 64, "height": 64, "crop": "fill", "quality": "auto", "fetch_format": "auto"},
            {"width": 0.5, "crop": "scale", "format": "webp"},
        ],
    )
    fill, half = told["eager"]
    assert fill["transformation"] == "c_fill,f_auto,h_64,q_auto,w_64"
    assert (fill["width"], fill["height"], fill["format"]) == (64, 64, "png")
    assert (half["width"], half["height"], half["format"]) == (160, 100, "webp")
    for derived in (fill, half):
        served = patient.get(derived["secure_url"])
        assert len(served.content) == derived["bytes"]
        assert size_of(served.content) == (derived["width"], derived["height"])
    assert [each["transformation"] for each in api.resource(told["public_id"])["derived"]]


def test_an_eager_transformation_that_cannot_be_keeps_the_upload_out(lab):
    with pytest.raises(exceptions.BadRequest, match="Invalid transformation component - c_spin"):
        uploader.upload(picture(), eager="c_spin,w_9")
    assert lab.assets() == []


def test_an_incoming_transformation_changes_what_is_kept():
    told = uploader.upload(picture(), width=100, crop="limit", format="jpg")
    assert (told["width"], told["height"], told["format"]) == (100, 62, "jpg")
    assert size_of(patient.get(told["url"]).content) == (100, 62)


def test_a_perceptual_hash_only_where_asked_for():
    assert re.fullmatch(r"[0-9a-f]{16}", uploader.upload(picture(), phash=True)["phash"])
    assert "phash" not in uploader.upload(picture())


def test_raw_files_keep_their_extension():
    told = uploader.upload(b"some text", resource_type="raw", filename="notes.txt")
    assert told["public_id"].endswith(".txt")
    assert "width" not in told
    served = patient.get(told["url"])
    assert (served.content, served.headers["content-type"]) == (b"some text", "text/plain")


def test_auto_tells_images_from_other_files():
    assert uploader.upload(picture(), resource_type="auto")["resource_type"] == "image"
    assert uploader.upload(b"text", resource_type="auto")["resource_type"] == "raw"


@pytest.mark.parametrize("name", ["PNG", "JPEG", "WEBP", "GIF", "AVIF", "BMP", "TIFF"])
def test_formats_have_cloudinarys_names(name):
    told = uploader.upload(picture(64, 48, name))
    assert told["format"] == {"JPEG": "jpg", "TIFF": "tif"}.get(name, name.lower())
    assert told["url"].endswith(f".{told['format']}")
    assert size_of(patient.get(told["url"]).content) == (64, 48)


@pytest.mark.parametrize("content", [b"no image", picture()[:-500]])
def test_what_is_no_whole_image_is_refused(content, lab):
    with pytest.raises(exceptions.BadRequest, match="Invalid image file"):
        uploader.upload(content)
    assert lab.assets() == []


def test_videos_are_not_read():
    with pytest.raises(exceptions.BadRequest, match="Unsupported video format or file"):
        uploader.upload(b"\x00\x00\x00\x18ftypmp42", resource_type="video")


def test_only_allowed_formats():
    with pytest.raises(exceptions.BadRequest, match="format png not allowed"):
        uploader.upload(picture(), allowed_formats=["jpg", "gif"])
    told = uploader.upload(picture(), allowed_formats=["jpg"], format="jpg")
    assert told["format"] == "jpg"


def test_the_plan_has_a_maximum(lab):
    content = picture()
    lab.vendor("cloudinary", image_max_bytes=len(content) - 1)
    text = rf"File size too large\. Got {len(content)}\. Maximum is {len(content) - 1}\."
    with pytest.raises(exceptions.BadRequest, match=text):
        uploader.upload(content)
    lab.vendor("cloudinary", image_max_bytes=len(content))
    uploader.upload(content)


def test_an_instant_one_reads_heads_and_makes_eager_images_when_they_are_looked_at(lab):
    content = picture()
    with pytest.raises(exceptions.BadRequest, match="Invalid image file"):
        uploader.upload(content[:-100])
    lab.vendor("cloudinary", instant=True)
    assert uploader.upload(content[:-100])["bytes"] == len(content) - 100
    with pytest.raises(exceptions.BadRequest, match="Invalid image file"):
        uploader.upload(b"no image")
    steps = [{"raw_transformation": "c_limit,f_webp,h_64,w_64"}, {"width": 9, "crop": "scale"}]
    told = uploader.upload(content, public_id="x", eager=steps)
    assert (told["width"], told["height"], told["format"]) == (320, 200, "png")
    assert [made["status"] for made in told["eager"]] == ["processing", "processing"]
    assert api.resource("x")["derived"] == []
    first, second = (patient.get(made["url"]) for made in told["eager"])
    assert size_of(first.content) == (64, 40)
    assert first.headers["content-type"] == "image/webp"
    assert size_of(second.content)[0] == 9
    assert [made["format"] for made in api.resource("x")["derived"]] == ["webp", "png"]


def test_large_files_come_in_chunks():
    image = Image.frombytes("RGB", (1400, 1400), random.Random(1).randbytes(1400 * 1400 * 3))
    file = io.BytesIO()
    image.save(file, "BMP")
    content = file.getvalue()
    told = uploader.upload_large(
        io.BytesIO(content), chunk_size=5_243_000, resource_type="image", filename="large.bmp"
    )
    assert (told["width"], told["height"], told["format"]) == (1400, 1400, "bmp")
    assert told["etag"] == md5(content)
    assert patient.get(told["url"]).content == content


def test_chunks_of_a_raw_file_keep_its_id():
    content = random.Random(2).randbytes(11_000_000)
    told = uploader.upload_large(
        io.BytesIO(content), chunk_size=5_242_880, public_id="big.bin", filename="big.bin"
    )
    assert (told["public_id"], told["bytes"]) == ("big.bin", len(content))
    assert told["etag"] == md5(content)


def test_chunks_have_a_minimum(lab):
    with pytest.raises(exceptions.BadRequest, match="Chunks must be at least 5242880 bytes"):
        uploader.upload_large(io.BytesIO(b"x" * 3000), chunk_size=1000, filename="x")
    assert lab.assets() == []


@pytest.mark.parametrize("algorithm", ["sha1", "sha256"])
def test_both_hashes_sign(algorithm):
    told = uploader.upload(picture(), signature_algorithm=algorithm, tags=["a&b", "c"])
    assert told["tags"] == ["a&b", "c"]
