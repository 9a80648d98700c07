"""A slow provider's purchases never take all of a worker's room."""

from hypothesis import given
from hypothesis import strategies as st

from services.generator.room import Room

NAMES = ("far", "sketch", "any")


def test_a_queue_may_take_all_but_what_is_the_others_part():
    room = Room(60, NAMES)
    while room.left_for("far"):
        room.take("far")
    assert (room.left, room.left_for("sketch"), room.left_for("any")) == (20, 10, 10)
    for _ in range(10):
        room.take("sketch")
    assert (room.left_for("far"), room.left_for("sketch"), room.left_for("any")) == (0, 0, 10)
    room.give_back("far")
    assert (room.left_for("far"), room.left_for("sketch")) == (1, 1)  # it is anybody's


def test_how_many_of_a_jobs_purchases_fit():
    room = Room(12, NAMES)
    assert room.fitting(["far"] * 20) == 8
    assert room.fitting(["sketch", "far", "sketch"]) == 3
    for _ in range(8):
        room.take("far")
    assert room.fitting(["sketch", "far", "sketch"]) == 1
    assert room.fitting([]) == 0


def test_a_worker_of_one_place_works():
    room = Room(1, NAMES)
    assert room.fitting(["far"]) == 1
    room.take("far")
    assert (room.left, room.left_for("sketch")) == (0, 0)


@given(st.integers(1, 40), st.lists(st.sampled_from(NAMES), max_size=80))
def test_nobody_takes_the_room_of_others_and_all_of_it_can_be_used(most, wanted):
    room, taken = Room(most, NAMES), dict.fromkeys(NAMES, 0)
    for name in wanted:
        if room.left_for(name):
            room.take(name)
            taken[name] += 1
    assert sum(taken.values()) <= most
    for name in NAMES:
        assert taken[name] + room.left_for(name) >= min(most, most // 6)
