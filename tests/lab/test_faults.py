"""Each kind of fault at the socket, and whether what it spoils was charged."""

import threading
import time

import httpx
import pytest

from tests import patient
from tests.lab.replicate_client import CUT, replicate

CREATE = {"vendor": "replicate", "where": "create"}


def charged(lab, count):
    """Poll until *count* charges are there; a drawing ends after its answer is lost."""
    give_up = time.monotonic() + 120
    while len(lab.ledger()) != count and time.monotonic() < give_up:
        pass
    return len(lab.ledger()) == count


def test_dropped_before_it_is_read_nothing_is_made_and_nothing_charged(lab, api):
    lab.faults([CREATE | {"kind": "drop_before"}])
    with pytest.raises(CUT):
        api.create()

    assert api.listed() == []
    assert lab.ledger() == []
    assert lab.requests()["replicate"]["create"] == 1


def test_dropped_after_it_was_made_it_is_charged(lab, api):
    lab.faults([CREATE | {"kind": "drop_after"}])
    with pytest.raises(CUT):
        api.create()

    assert len(api.listed()) == 1
    assert charged(lab, 1)


@pytest.mark.parametrize("code", [402, 418, 429, 500, 503])
def test_a_status_says_that_nothing_was_made(lab, api, code):
    lab.faults([CREATE | {"kind": f"status:{code}"}])
    answer = api.create()

    assert answer.status_code == code
    assert answer.headers["content-type"].startswith("application/problem+json")
    assert answer.json()["status"] == code
    assert api.listed() == []


def test_one_that_hangs_is_made_at_once_and_answered_late(lab, api):
    lab.faults([CREATE | {"kind": "hang:3600"}])
    answers = []
    with replicate(lab) as other:
        thread = threading.Thread(target=lambda: answers.append(other.create()))
        thread.start()
        assert charged(lab, 1)
        assert not answers
        lab.advance(3600)
        thread.join(120)

    assert [answer.status_code for answer in answers] == [201]


def test_a_reset_lets_go_of_one_that_hangs(lab, api):
    lab.faults([CREATE | {"kind": "hang:3600"}])
    with replicate(lab) as other:
        thread = threading.Thread(target=other.create)
        thread.start()
        assert charged(lab, 1)
        lab.reset()
        thread.join(120)

    assert not thread.is_alive()


def test_delays_add_up_and_spoil_nothing(lab, api):
    lab.faults([CREATE | {"kind": "delay:60"}, CREATE | {"kind": "delay:40"}])
    begun = time.monotonic()

    assert api.create().status_code == 201
    assert time.monotonic() - begun >= 0.1


def test_one_that_is_truncated_promises_more_than_it_sends(lab, api):
    picture = api.drawn()["output"][0]
    whole = patient.get(picture).content
    lab.faults([{"vendor": "replicate", "where": "file", "kind": "truncate"}])
    got = []
    with patient.stream("GET", picture) as answer:
        with pytest.raises(httpx.RemoteProtocolError, match="without sending complete"):
            got.extend(answer.iter_bytes())
        assert answer.status_code == 200
        assert int(answer.headers["content-length"]) == len(whole)

    assert b"".join(got) == whole[: len(whole) // 2]


@pytest.mark.parametrize(("kind", "code"), [("html", 200), ("html:502", 502)])
def test_a_page_comes_in_place_of_data_and_yet_it_was_made(lab, api, kind, code):
    lab.faults([CREATE | {"kind": kind}])
    answer = api.create()

    assert answer.status_code == code
    assert answer.headers["content-type"].startswith("text/html")
    assert charged(lab, 1)


def test_a_duplicate_is_made_twice_and_charged_twice(lab, api):
    lab.faults([CREATE | {"kind": "duplicate"}])
    last = api.made()

    assert len(api.listed()) == 2
    assert api.listed()[0] == last["id"]
    assert charged(lab, 2)


def test_what_is_made_twice_may_lose_its_answer_too(lab, api):
    lab.faults([CREATE | {"kind": "duplicate"}, CREATE | {"kind": "drop_after"}])
    with pytest.raises(CUT):
        api.create()

    assert len(api.listed()) == 2
    assert charged(lab, 2)


def test_a_listing_that_lags_comes_to_know_of_it_later(lab, api):
    lab.faults([{"vendor": "replicate", "where": "list", "kind": "lag:30"}])
    made = api.made()

    assert api.listed() == []
    assert api.get(made)["id"] == made["id"]  # the listing alone is late
    lab.advance(30)
    assert api.listed() == [made["id"]]


def test_a_fault_strikes_only_where_it_is_meant(lab, api):
    lab.faults([{"vendor": "replicate", "where": "get", "kind": "status:500"}])

    assert api.create().status_code == 201
    assert lab.faults()[0]["struck"] == 0


def test_with_words_a_fault_strikes_only_where_they_are_said(lab, api):
    lab.faults([CREATE | {"kind": "status:503", "words": "a boat"}])
    assert api.create(prompt="a tower").status_code == 201
    assert api.create(prompt="a boat at sea").status_code == 503
    assert lab.faults()[0]["struck"] == 1


@pytest.mark.parametrize(
    ("fault", "why"),
    [
        (CREATE | {"kind": "html", "words": 7}, "words are 7, and no text"),
        ({"vendor": "replicate", "where": "get", "kind": "html", "words": "a"}, "not of get"),
    ],
)
def test_words_that_nobody_can_say_are_refused(lab, fault, why):
    with pytest.raises(AssertionError, match=why):
        lab.faults([fault])


def test_a_fault_ends_after_its_times(lab, api):
    lab.faults([CREATE | {"kind": "status:503", "times": 2}])

    assert [api.create().status_code for _ in range(4)] == [503, 503, 201, 201]
    assert lab.faults()[0]["struck"] == 2


def test_the_same_seed_strikes_the_same_calls(lab, api):
    def run(seed):
        lab.faults([CREATE | {"kind": "status:500", "rate": 0.5, "seed": seed}])
        return [api.create().status_code for _ in range(24)]

    first = run(7)
    assert run(7) == first
    assert run(8) != first
    assert {201, 500} == set(first)


def test_of_two_that_strike_the_first_does_harm(lab, api):
    lab.faults([CREATE | {"kind": "status:500", "times": 1}, CREATE | {"kind": "status:429"}])

    assert [api.create().status_code for _ in range(2)] == [500, 429]
