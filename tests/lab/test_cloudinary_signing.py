"""Signatures as the lab counts them, against Cloudinary's own vectors and its official client."""

from datetime import UTC, datetime, timedelta

import pytest
from cloudinary import utils

from lab.cloudinary import signing
from lab.cloudinary.refusals import Refusal

NOW = datetime(2026, 11, 25, 12, tzinfo=UTC)
SAMPLE = {"public_id": "sample_image", "timestamp": "1315060510"}
EAGER = SAMPLE | {"eager": "w_400,h_300,c_pad|w_260,h_200,c_crop"}
SMUGGLED = {"overwrite": "1", "public_id": "a&b", "tags": ["a", "b"], "timestamp": "1"}


@pytest.mark.parametrize(
    ("fields", "version", "expected"),
    [
        (SAMPLE, 2, "b4ad47fb4e25c7bf5f92a20089f9db59bc302313"),
        (SAMPLE, 2, "e3c44b54e67a3ecc918f5d7236ca5faa36250ea8a8cd6cbabfd2d6bb2453acac"),
        (EAGER, 2, "bfd09f95f331f558cbd1320e67aa8d488770583e"),
        (EAGER, 2, "cc927e1290f9e3ae4c1a741eda21a4630b4ce80f9ce0bc0296337d25cf40f91e"),
        (SMUGGLED, 2, "f8a2542fc23020b68a26ac386dc752b796ee2a12"),
        (SMUGGLED, 2, "7cd68f3bd730d24021f843ae98e4ee31941fb7adb08d4a30fd58afce5aaa015d"),
        (SMUGGLED, 1, "4bc4a97ccc091fdf81603c5e6af65f39951e04c5"),
        (
            {"public_id": "sample_image", "version": "1315060510"},
            1,
            "da0b06b01c07c62db129b77abe532ca8b7ffb118",
        ),
    ],
)
def test_signatures_are_cloudinarys(fields, version, expected):
    found = signing.signature(fields, "abcd", version=version, characters=len(expected))
    assert found == expected


def test_what_is_no_parameter_and_what_is_empty_is_not_signed():
    more = {"file": "x", "cloud_name": "lab", "resource_type": "image", "api_key": "k", "tags": ""}
    assert signing.string_to_sign(SAMPLE | more | {"signature": "s"}) == signing.string_to_sign(
        SAMPLE
    )


def test_an_ampersand_in_a_value_cannot_make_two_parameters_of_one():
    one = {"public_id": "a&tags=b", "timestamp": "1"}
    two = {"public_id": "a", "tags": "b", "timestamp": "1"}
    assert signing.signature(one, "abcd") != signing.signature(two, "abcd")


@pytest.mark.parametrize("algorithm", ["sha1", "sha256"])
def test_the_official_client_signs_the_same(algorithm):
    fields = {"context": r"k=a\|b&c", "tags": "x,y", "timestamp": "7", "public_id": "ü/ö"}
    signed = utils.api_sign_request(fields, "abcd", algorithm)
    assert signing.signature(fields, "abcd", characters=len(signed)) == signed


def checked(*, seconds_ago: int = 0, **changed: str) -> None:
    timestamp = str(int((NOW - timedelta(seconds=seconds_ago)).timestamp()))
    fields = {"public_id": "a", "timestamp": timestamp}
    fields["signature"] = signing.signature(fields, "abcd")
    signing.check(fields | changed, "abcd", NOW)


@pytest.mark.parametrize("seconds", [0, 3599, 3600, -3600])
def test_a_signature_is_good_for_an_hour(seconds):
    checked(seconds_ago=seconds)


@pytest.mark.parametrize("seconds", [3601, -3601])
def test_after_the_hour_it_is_stale(seconds):
    with pytest.raises(Refusal, match="Stale request - reported time is 2026-11-25 1") as caught:
        checked(seconds_ago=seconds)
    assert caught.value.status == 400


@pytest.mark.parametrize(
    "changed", [{"signature": "0" * 40}, {"signature": "é"}, {"public_id": "b"}, {"tags": "more"}]
)
def test_a_wrong_signature_is_answered_with_the_string_to_sign(changed):
    with pytest.raises(Refusal, match=r"^Invalid Signature \S+ String to sign - '.*'\.$") as caught:
        checked(**changed)
    assert caught.value.status == 401


def test_version_1_does_not_pass_for_version_2():
    fields = SMUGGLED | {"signature": signing.signature(SMUGGLED, "abcd", version=1)}
    with pytest.raises(Refusal, match="Invalid Signature"):
        signing.check(fields, "abcd", datetime.fromtimestamp(1, UTC))


def test_delivery_urls_are_signed_as_cloudinary_does():
    assert signing.signs_url("wlV5KXhE", "c_scale,w_10/img/abc.jpg", "abcd")
    assert not signing.signs_url("wlV5KXhE", "c_scale,w_11/img/abc.jpg", "abcd")
    assert not signing.signs_url("wlV5KXhF", "c_scale,w_10/img/abc.jpg", "abcd")
