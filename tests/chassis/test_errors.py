"""Faults survive the wire with all that they say."""

from urllib.parse import quote

import pytest
from google.protobuf import any_pb2
from google.rpc import error_details_pb2, status_pb2

from chassis import errors

KINDS = [kind for kind in errors.Fault.__subclasses__() if kind.__module__ == errors.__name__]


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_a_fault_comes_back_as_what_it_was(kind):
    said = kind(
        "SPEND_CAP_EXCEEDED",
        "Ask for less.",
        metadata={"cap_usd_micros": "5"},
        fields={"spec.count": "must be 1 to 32"},
        retry_after=1.5,
    )

    heard = errors.from_status(errors.to_status(said))

    assert type(heard) is kind
    assert (heard.reason, heard.message) == ("SPEND_CAP_EXCEEDED", "Ask for less.")
    assert (heard.metadata, heard.fields) == (said.metadata, said.fields)
    assert heard.retry_after == 1.5


def test_a_status_without_details_is_still_a_fault():
    heard = errors.from_status(status_pb2.Status(code=5, message="gone"))
    assert type(heard) is errors.Missing
    assert heard.reason == "NOT_FOUND"


@pytest.mark.parametrize("letter", ["x", "é", "😀"])
def test_a_fault_with_far_too_much_to_say_fits_into_the_trailers(letter):
    many = {f"parameters.{letter * 3000}{number}": letter * 3000 for number in range(500)}
    said = errors.Invalid("R", letter * 90_000, metadata={"field": letter * 9000}, fields=many)
    status = errors.to_status(said)
    assert len(quote(status.message)) + len(status.SerializeToString()) * 4 / 3 < 7500
    heard = errors.from_status(status)
    assert heard.message.endswith("…")
    assert 0 < len(heard.fields) <= 20


def test_what_is_short_in_letters_and_long_in_bytes_is_cut():
    said = errors.Invalid("R", "wrong", metadata={"field": "é" * 150})
    heard = errors.from_status(errors.to_status(said))
    assert len(heard.metadata["field"].encode()) <= 200


def test_details_are_packed_as_anybody_unpacks_them():
    status = errors.to_status(errors.Invalid("R", "wrong"))
    packed = any_pb2.Any()
    packed.Pack(error_details_pb2.ErrorInfo(reason="R", domain=errors.DOMAIN))
    assert list(status.details) == [packed]
