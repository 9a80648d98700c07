"""Cloudinary's official client changes what the lab holds: names, tags, context, or all of it."""

import pytest
from cloudinary import api, exceptions, uploader

from tests import patient
from tests.lab.cloudinary_client import configured, picture, size_of


@pytest.fixture(autouse=True)
def client(lab, monkeypatch):
    with configured(lab, monkeypatch):
        yield


def uploaded(public_id: str, **options) -> dict:
    return uploader.upload(picture(), public_id=public_id, **options)


def tags_of(public_id: str) -> list[str]:
    return api.resource(public_id).get("tags", [])


def test_explicit_adds_what_was_not_said_before():
    first = uploaded("a/b", tags="old")
    told = uploader.explicit(
        "a/b", type="upload", eager=[{"width": 32, "crop": "scale"}], tags="new",
        context={"k": "v"}, asset_folder="elsewhere", display_name="Renamed", phash=True,
    )  # fmt: skip
    assert told["etag"] == first["etag"]
    assert (told["tags"], told["context"]) == (["new"], {"custom": {"k": "v"}})
    assert (told["asset_folder"], told["display_name"]) == ("elsewhere", "Renamed")
    assert len(told["phash"]) == 16
    assert size_of(patient.get(told["eager"][0]["secure_url"]).content) == (32, 20)


def test_explicit_of_what_is_not_there():
    with pytest.raises(exceptions.NotFound, match="Resource not found - none"):
        uploader.explicit("none", type="upload")
    with pytest.raises(exceptions.BadRequest, match="Missing required parameter - type"):
        uploader.explicit("none")


def test_explicit_leaves_alone_what_it_does_not_name():
    uploaded("a", tags="kept", context={"k": "v"}, asset_folder="f")
    told = uploader.explicit("a", type="upload")
    assert (told["tags"], told["context"]) == (["kept"], {"custom": {"k": "v"}})
    assert told["asset_folder"] == "f"


def test_renaming_keeps_the_asset_and_frees_the_name():
    first = uploaded("before")
    told = uploader.rename("before", "after/wards")
    assert (told["asset_id"], told["etag"]) == (first["asset_id"], first["etag"])
    assert patient.get(told["url"]).content == picture()
    assert patient.get(first["url"]).status_code == 404
    assert api.resource("after/wards")["asset_id"] == first["asset_id"]


def test_renaming_does_not_overwrite_unasked():
    uploaded("a")
    uploader.upload(picture(seed=2), public_id="b")
    with pytest.raises(exceptions.BadRequest, match=r"to_public_id \(b\) already exists"):
        uploader.rename("a", "b")
    uploader.rename("a", "b", overwrite=True)
    assert [each["public_id"] for each in api.resources()["resources"]] == ["b"]
    assert patient.get(api.resource("b")["url"]).content == picture()


def test_renaming_what_is_not_there():
    with pytest.raises(exceptions.NotFound, match="Resource not found - none"):
        uploader.rename("none", "some")


def test_destroying_twice(lab):
    url = uploaded("gone")["url"]
    assert uploader.destroy("gone", invalidate=True)["result"] == "ok"
    assert uploader.destroy("gone")["result"] == "not found"
    assert patient.get(url).status_code == 404
    assert lab.assets() == []


def test_a_raw_file_is_destroyed_by_its_kind():
    uploader.upload(b"x", resource_type="raw", public_id="x.bin")
    assert uploader.destroy("x.bin")["result"] == "not found"
    assert uploader.destroy("x.bin", resource_type="raw")["result"] == "ok"


def test_tags_are_added_removed_and_replaced():
    uploaded("a", tags="one")
    uploaded("b")
    assert uploader.add_tag("two,three", ["a", "b", "none"])["public_ids"] == ["a", "b"]
    assert (tags_of("a"), tags_of("b")) == (["one", "three", "two"], ["three", "two"])
    uploader.remove_tag("two", ["a"])
    assert tags_of("a") == ["one", "three"]
    uploader.replace_tag("only", "b")
    assert tags_of("b") == ["only"]
    uploader.remove_all_tags(["a", "b"])
    assert (tags_of("a"), tags_of("b")) == ([], [])


def test_a_place_for_news_is_not_under_the_signature_of_tags():
    uploaded("a")
    uploader.add_tag("t", ["a"], notification_url="https://example.com/news?a=b&c=d")
    assert tags_of("a") == ["t"]


def test_context_is_added_and_removed():
    uploaded("a", context={"one": "1", "two": "2"})
    assert uploader.add_context({"two": "zwei|=", "three": "3"}, ["a"])["public_ids"] == ["a"]
    expected = {"one": "1", "two": "zwei|=", "three": "3"}
    assert api.resource("a")["context"] == {"custom": expected}
    uploader.remove_all_context(["a"])
    assert "context" not in api.resource("a")


@pytest.mark.parametrize(
    "call",
    [
        lambda **wrong: uploader.upload(picture(), **wrong),
        lambda **wrong: uploader.explicit("a", type="upload", **wrong),
        lambda **wrong: uploader.rename("a", "b", **wrong),
        lambda **wrong: uploader.destroy("a", **wrong),
        lambda **wrong: uploader.add_tag("t", ["a"], **wrong),
        lambda **wrong: uploader.add_context({"k": "v"}, ["a"], **wrong),
    ],
    ids=["upload", "explicit", "rename", "destroy", "tags", "context"],
)
def test_every_call_is_signed(lab, call):
    uploaded("a")
    before = lab.assets()
    with pytest.raises(exceptions.AuthorizationRequired, match="Invalid Signature") as caught:
        call(api_secret="wrong")
    assert "wrong" not in str(caught.value)
    with pytest.raises(exceptions.AuthorizationRequired, match="Unknown API key other"):
        call(api_key="other")
    with pytest.raises(exceptions.AuthorizationRequired, match="Invalid cloud_name elsewhere"):
        call(cloud_name="elsewhere")
    assert lab.assets() == before
    assert tags_of("a") == []


def test_unsigned_uploads_need_a_preset_and_the_lab_has_none():
    with pytest.raises(exceptions.BadRequest, match="Upload preset must be specified"):
        uploader.upload(picture(), unsigned=True)
    with pytest.raises(exceptions.BadRequest, match="Upload preset not found"):
        uploader.unsigned_upload(picture(), "mine")
