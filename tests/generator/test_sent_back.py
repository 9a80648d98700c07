"""An order that comes back unbought: sent ever less often, and not for ever."""

import math

import pytest

from services.generator import moves, purchase, unbought
from services.generator import provider as seam
from services.generator.purchase import FEW, LONGEST
from services.generator.standing import SentBack, Terms

BUSY, UNHANDED, AWAY = seam.Busy("429"), seam.Unhanded("slow"), seam.Unavailable("no connection")
HOUR = 3600.0


def after(
    error: seam.ProviderError, times: int, seconds: float, reason: str = "", *, another: bool = True
) -> moves.Step:
    """The last step of an order that raised *error*, and came back before."""
    event = unbought.told(error, another=another)
    before = SentBack(times, seconds, reason or getattr(event, "reason", ""))
    state, _effects = purchase.send(Terms(askable=True), canceling=False, sent_back=before)
    _state, [commit] = purchase.step(state, event)
    return commit.step


@pytest.mark.parametrize("error", [BUSY, UNHANDED, AWAY], ids=repr)
def test_it_is_sent_ever_less_often(error):
    steps = [after(error, times, 0.0) for times in range(12)]
    pauses = [step.delay for step in steps]
    assert all(step.back for step in steps)
    assert pauses == sorted(pauses)
    assert pauses[0] < 5
    assert pauses[-1] == LONGEST


def test_what_the_provider_asks_for_is_kept():
    assert after(seam.Busy("429", retry_after=500.0), 9, 0.0).delay == 500.0


@pytest.mark.parametrize(
    ("error", "seconds", "reason"),
    [(BUSY, HOUR, "PROVIDER_RATE_LIMITED"), (UNHANDED, 300.0, "PROVIDER_FAILED")],
    ids=repr,
)
def test_in_the_end_it_is_given_up_uncharged_and_another_model_draws(error, seconds, reason):
    ended = moves.Ended("REFUSED", False, reason, str(error), retry=True)
    assert after(error, FEW, seconds) == ended
    for times, since in ((FEW - 1, seconds), (FEW, seconds - 1)):
        assert type(after(error, times, since)) is moves.Released


def test_a_provider_that_is_away_is_waited_for():
    assert type(after(AWAY, 1000, 1000 * HOUR)) is moves.Released
    assert unbought.told(AWAY, another=True).patience == math.inf


def test_what_it_came_back_for_before_does_not_count():
    step = after(BUSY, 100, 100 * HOUR, "PROVIDER_UNAVAILABLE")
    assert (type(step), step.delay) == (moves.Released, 2.0)


def test_what_is_ours_alone_is_not_counted():
    step = after(seam.NotReady("storage is away"), 100, 100 * HOUR)
    assert (type(step), step.back) == (moves.Released, False)


@pytest.mark.parametrize("error", [BUSY, seam.OverLimit("limit: 0")], ids=repr)
def test_no_429_is_the_end_where_no_other_model_may_draw(error):
    step = after(error, 1000, 1000 * HOUR, another=False)
    assert (type(step), step.reason, step.back) == (moves.Released, "PROVIDER_RATE_LIMITED", True)
    assert LONGEST <= step.delay <= 300


def test_a_limit_that_no_time_lifts_is_a_refusal_where_another_model_may_draw():
    step = after(seam.OverLimit("limit: 0"), 0, 0.0)
    assert step == moves.Ended("REFUSED", False, "PROVIDER_RATE_LIMITED", "limit: 0", retry=True)
