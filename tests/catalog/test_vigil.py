"""A silence counts where nothing that holds up the sweeper could hold up the living."""

from datetime import UTC, datetime, timedelta
from itertools import accumulate

import pytest

from services.catalog.vigil import Vigil

START = datetime(2026, 1, 1, tzinfo=UTC)


def looks(*pauses: float) -> list[bool]:
    """What a vigil of 3 s says at looks that follow each other in so many seconds."""
    vigil = Vigil(timedelta(seconds=3))
    times = accumulate((timedelta(seconds=each) for each in pauses), initial=START)
    return [vigil.looks(each) for each in times]


def test_nobody_is_dead_before_a_whole_patience_was_watched_through():
    assert looks(1, 1, 1, 1) == [False, False, False, True, True]


@pytest.mark.parametrize("gap", [2.1, 4.2, 60, -10])  # frozen, asleep, or the clock was set
def test_a_gap_begins_the_vigil_anew(gap):
    assert looks(1, 1, 1, gap, 1, 1, 1) == [False] * 3 + [True] + [False] * 3 + [True]


def test_what_is_not_longer_than_the_living_may_miss_is_no_gap():
    assert looks(1, 1, 2, 2, 2) == [False] * 3 + [True] * 3


def test_it_can_be_begun_anew():
    vigil = Vigil(timedelta(0))
    assert vigil.looks(START)
    vigil = Vigil(timedelta(seconds=1))
    assert [vigil.looks(START + timedelta(seconds=each / 2)) for each in range(3)][-1]
    vigil.begin_anew()
    assert not vigil.looks(START + timedelta(seconds=1.5))
