"""A picture waits for its source and for its CDN ever longer, and never for ever."""

import pytest
from google.protobuf.timestamp_pb2 import Timestamp

from chassis import errors
from services.generator.patience import after, at_source

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


@pytest.mark.parametrize(
    ("age", "left", "asked", "wait"),
    [
        (0, 3600, 2.0, 2.0),
        (15, 3585, 2.0, 2.0),
        (80, 3520, 2.0, 10.0),
        (480, 3120, 2.0, 60.0),
        (3000, 600, 2.0, 60.0),
        (3000, 600, 45.0, 60.0),
        (30, 600, 45.0, 45.0),
        (3580, 20, 2.0, 10.0),  # once more in time
        (3599, 1, 1.0, 1.0),
        (-5, 3600, None, 1.0),
        (3000, None, 2.0, 60.0),
        (3700, -100, 2.0, 60.0),  # by a clock that may be wrong
    ],
)
def test_a_source_is_asked_ever_less_often_and_once_more_before_it_dies(age, left, asked, wait):
    no = errors.Unavailable("PROVIDER_UNAVAILABLE", "not there", retry_after=asked)
    now = 1_000 + age
    expires = Timestamp() if left is None else Timestamp(seconds=now + left)
    assert at_source(no, SENT, expires, now) == wait


def test_an_hour_of_no_is_not_thousands_of_questions():
    no = errors.Unavailable("PROVIDER_UNAVAILABLE", "not there", retry_after=2.0)
    at, asked = 1_010.0, 0
    while at < 4_600:
        at, asked = at + at_source(no, SENT, Timestamp(seconds=4_600), at), asked + 1
    assert asked < 120


def test_an_order_without_a_time_is_as_if_new():
    no = errors.Unavailable("PROVIDER_UNAVAILABLE", "not there", retry_after=2.0)
    assert at_source(no, Timestamp(), Timestamp(), 4_000) == 2.0
