"""Faults survive the wire with all that they say."""

import pytest
from google.rpc import status_pb2

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
