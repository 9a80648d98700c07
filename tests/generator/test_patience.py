"""A kept picture waits for its CDN ever longer, and never for ever."""

import pytest
from google.protobuf.timestamp_pb2 import Timestamp

from chassis import errors
from services.generator.patience import after

SENT = Timestamp(seconds=1_000)
BUSY = errors.Unavailable("CDN_UNAVAILABLE", "busy")


@pytest.mark.parametrize(
    ("age", "wait"), [(-5, 1), (0, 1), (2, 1), (10, 5), (600, 300), (1800, 900), (700_000, 900)]
)
def test_it_waits_half_its_age_from_a_second_to_a_quarter_of_an_hour(age, wait):
    assert after(BUSY, SENT, 1_000 + age) == wait


def test_what_the_cdn_asks_for_is_waited_within_bounds():
    for asked, wait in ((30.0, 30.0), (3_600.0, 900.0)):
        busy = errors.Unavailable("CDN_UNAVAILABLE", "busy", retry_after=asked)
        assert after(busy, SENT, 1_004) == wait


@pytest.mark.parametrize(
    "fault",
    [
        errors.Precondition("CDN_REFUSED", "a wrong secret"),
        errors.Precondition("CDN_NOT_CONFIGURED", "none"),
        errors.DataLoss("HASH_MISMATCH", "damaged"),
    ],
    ids=repr,
)
def test_what_somebody_must_change_first_is_tried_slowly(fault):
    assert after(fault, SENT, 1_001) == 900
