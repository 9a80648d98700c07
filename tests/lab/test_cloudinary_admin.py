"""Cloudinary's official client reads and clears the lab by the Admin API, and builds its URLs."""

from datetime import UTC, datetime

import pytest
from cloudinary import api, exceptions, uploader, utils

from tests import patient
from tests.lab.cloudinary_client import configured, picture, size_of


@pytest.fixture(autouse=True)
def client(lab, monkeypatch):
    with configured(lab, monkeypatch):
        yield


def uploaded(*public_ids: str, **options) -> None:
    for public_id in public_ids:
        uploader.upload(picture(64, 48), public_id=public_id, **options)


def ids(told: dict) -> list[str]:
    return [each["public_id"] for each in told["resources"]]


def test_ping():
    assert api.ping() == {"status": "ok"}


def test_usage_tells_what_is_stored_and_the_largest_image(lab):
    uploaded("a", eager=[{"width": 9, "crop": "scale"}])
    lab.vendor("cloudinary", image_max_bytes=123_456)
    told = api.usage()
    assert told["resources"] == 1
    assert told["derived_resources"] == 1
    assert told["storage"]["usage"] > len(picture(64, 48))
    assert told["media_limits"]["image_max_size_bytes"] == 123_456


def test_the_newest_come_first_page_by_page():
    uploaded("a", "b", "c", "d", "e")
    first = api.resources(max_results=2)
    second = api.resources(max_results=2, next_cursor=first["next_cursor"])
    third = api.resources(max_results=2, next_cursor=second["next_cursor"])
    assert [ids(page) for page in (first, second, third)] == [["e", "d"], ["c", "b"], ["a"]]
    assert "next_cursor" not in third
    assert ids(api.resources(direction="asc", max_results=5)) == ["a", "b", "c", "d", "e"]


@pytest.mark.parametrize("size", [0, 501, "x"])
def test_a_page_has_a_size(size):
    with pytest.raises(exceptions.BadRequest, match="Invalid value for parameter max_results"):
        api.resources(max_results=size)


def test_listings_by_prefix_ids_tag_and_folder():
    uploaded("u1/a", "u1/b", asset_folder="one", tags="x,y")
    uploaded("u2/a", tags="y")
    uploader.upload(b"raw", resource_type="raw", public_id="u1/c.bin")
    assert ids(api.resources(type="upload", prefix="u1/")) == ["u1/b", "u1/a"]
    assert ids(api.resources_by_ids(["u2/a", "u1/a", "none"])) == ["u2/a", "u1/a"]
    assert ids(api.resources_by_tag("y", max_results=2)) == ["u2/a", "u1/b"]
    assert ids(api.resources_by_asset_folder("one")) == ["u1/b", "u1/a"]
    assert ids(api.resources(resource_type="raw")) == ["u1/c.bin"]
    assert api.tags()["tags"] == ["x", "y"]
    assert api.tags(prefix="x")["tags"] == ["x"]


def test_tags_and_context_only_where_asked_for():
    uploaded("a", tags="t", context={"k": "v"})
    (bare,) = api.resources()["resources"]
    assert "tags" not in bare
    assert "context" not in bare
    (full,) = api.resources(tags=True, context=True)["resources"]
    assert (full["tags"], full["context"]) == (["t"], {"custom": {"k": "v"}})


def test_one_asset_with_what_was_derived():
    told = uploader.upload(picture(), public_id="a/b", eager=[{"width": 32, "crop": "scale"}])
    found = api.resource("a/b")
    assert found["etag"] == told["etag"]
    assert (found["width"], found["height"], found["bytes"]) == (320, 200, told["bytes"])
    assert found["derived"] == told["eager"]
    with pytest.raises(exceptions.NotFound, match="Resource not found - none"):
        api.resource("none")


def test_deleting_by_ids_prefix_tag_and_all(lab):
    uploaded("a", "b/1", "b/2", "d")
    uploaded("c", tags="t")
    told = api.delete_resources(["a", "none"])
    assert told["deleted"] == {"a": "deleted", "none": "not_found"}
    assert told["deleted_counts"] == {"a": {"original": 1, "derived": 0}}
    assert api.delete_resources_by_prefix("b/")["deleted"] == {"b/1": "deleted", "b/2": "deleted"}
    assert api.delete_resources_by_tag("t")["deleted"] == {"c": "deleted"}
    assert [asset["public_id"] for asset in lab.assets()] == ["d"]
    assert api.delete_all_resources()["deleted"] == {"d": "deleted"}
    assert lab.assets() == []


def test_deleting_nothing_in_particular_deletes_nothing(lab):
    uploaded("a")
    with pytest.raises(exceptions.BadRequest, match="Missing required parameter - public_ids"):
        api.delete_resources([])
    assert len(lab.assets()) == 1


def test_key_and_secret_are_asked_for():
    with pytest.raises(exceptions.AuthorizationRequired, match="api_secret mismatch"):
        api.ping(api_secret="wrong")
    with pytest.raises(exceptions.AuthorizationRequired, match="unknown api_key"):
        api.ping(api_key="other")
    with pytest.raises(exceptions.AuthorizationRequired, match="Invalid cloud_name other"):
        api.ping(cloud_name="other")


def test_an_hour_has_so_many_admin_calls(lab):
    lab.vendor("cloudinary", admin_limit=2)
    first, second = api.ping(), api.ping()
    assert (first.rate_limit_allowed, first.rate_limit_remaining) == (2, 1)
    assert second.rate_limit_remaining == 0
    reset = datetime(*first.rate_limit_reset_at[:6], tzinfo=UTC)
    assert (reset.minute, reset.second) == (0, 0)
    with pytest.raises(exceptions.RateLimited, match="Limit of 2 api operations reached"):
        api.ping()
    uploaded("uploads are not limited")
    lab.advance(3600)
    assert api.ping().rate_limit_remaining == 1


def test_a_listing_may_lag(lab):
    uploaded("a")
    lab.faults([{"vendor": "cloudinary", "where": "list", "kind": "lag:60"}])
    assert ids(api.resources()) == []
    lab.advance(61)
    assert ids(api.resources()) == ["a"]


def test_the_urls_of_the_official_client_lead_to_the_picture():
    uploaded("pets/cat")
    plain, _ = utils.cloudinary_url("pets/cat", format="png")
    assert "/v1/" in plain
    assert patient.get(plain).content == picture(64, 48)
    url, _ = utils.cloudinary_url(
        "pets/cat", format="jpg",
        transformation=[{"width": 32, "height": 32, "crop": "fill"}, {"angle": 90}],
    )  # fmt: skip
    served = patient.get(url)
    assert served.headers["content-type"] == "image/jpeg"
    assert size_of(served.content) == (32, 32)


@pytest.mark.parametrize("long", [False, True])
def test_signed_urls(long):
    uploaded("pets/ä cat")
    options = {"sign_url": True, "long_url_signature": long, "width": 16, "crop": "scale"}
    url, _ = utils.cloudinary_url("pets/ä cat", format="png", **options)
    assert size_of(patient.get(url).content) == (16, 12)
    forged = patient.get(url.replace("w_16", "w_17"))
    assert forged.status_code == 401
    assert forged.headers["x-cld-error"].startswith("Invalid signature")


def test_what_is_authenticated_is_delivered_to_signed_urls_alone():
    uploaded("secret", type="authenticated")
    bare, _ = utils.cloudinary_url("secret", type="authenticated", format="png")
    signed, _ = utils.cloudinary_url("secret", type="authenticated", format="png", sign_url=True)
    assert patient.get(bare).status_code == 401
    assert patient.get(signed).content == picture(64, 48)
