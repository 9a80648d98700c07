"""The breaker by itself: what opens it, who tries, and what closes it."""

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from services.catalog.breaker import (
    CLOSED,
    HALF_OPEN,
    MEMORY,
    OPEN,
    PAUSES,
    PROBE,
    Breaker,
    Sign,
    Verdict,
    ask,
    hear,
)
from services.generator.providers import answered, google, openai, recraft, replicate

NOW = datetime(2026, 11, 22, 7, 0, tzinfo=UTC)
EMPTY = {"reason": "PROVIDER_BALANCE_EMPTY", "message": "add credit", "code": 9, "metadata": {}}


def after(signs: str, found: Breaker | None = None, *, apart: float = 1.0) -> Breaker:
    """How it stands after so many answers, + or -, some seconds apart, the last of them now."""
    found = found or Breaker()
    for number, sign in enumerate(signs):
        now = NOW - timedelta(seconds=apart * (len(signs) - number - 1))
        found = hear(found, f"p{number}", Sign.WELL if sign == "+" else Sign.FAILS, now)
    return found


def opened(times: int = 1) -> Breaker:
    found = after("-----")
    for _ in range(times - 1):
        _verdict, found = ask(found, "probe", found.retry_at)
        found = hear(found, "probe", Sign.FAILS, NOW)
    return found


def test_five_failures_among_the_last_twenty_open_it():
    assert after("----").state == CLOSED
    assert after("-----").state == OPEN
    assert after("++-+++-++-+++-+++-").state == OPEN  # not quite a third
    assert after("-+++++" * 20).state == CLOSED  # never more than four of twenty


def test_what_was_long_before_counts_no_more():
    assert after("----+" * 4, apart=MEMORY.total_seconds() + 1).state == CLOSED
    assert after("----", apart=MEMORY.total_seconds() - 1).recent == "----"


def test_how_well_it_goes_is_not_written_again_and_again():
    well = after("+" * 20)
    assert hear(well, "p", Sign.WELL, NOW + timedelta(seconds=1)) is well
    assert hear(well, "p", Sign.WELL, NOW + MEMORY / 2).heard_at == NOW + MEMORY / 2
    assert hear(well, "p", Sign.FAILS, NOW).recent.endswith("+-")


def test_while_it_is_open_all_wait_and_then_one_tries():
    found = opened()
    assert ask(found, "a", found.retry_at - timedelta(milliseconds=1)) == (Verdict.WAIT, found)
    verdict, trying = ask(found, "a", found.retry_at)
    assert (verdict, trying.state, trying.probe) == (Verdict.GO, HALF_OPEN, "a")
    assert ask(trying, "b", found.retry_at) == (Verdict.WAIT, trying)


def test_what_comes_of_the_probe_decides_and_what_comes_of_others_does_not():
    _verdict, trying = ask(opened(), "a", NOW + PAUSES[0])
    for sign in Sign:
        assert hear(trying, "sent before", sign, NOW) is trying
    assert hear(trying, "a", Sign.WELL, NOW).state == CLOSED
    assert hear(trying, "a", Sign.FAILS, NOW).state == OPEN
    assert hear(opened(), "sent before", Sign.WELL, NOW).state == OPEN


def test_each_failed_probe_makes_the_next_pause_longer_to_an_end():
    pauses = [opened(times).retry_at - NOW for times in range(1, 8)]
    assert pauses == [*PAUSES, PAUSES[-1], PAUSES[-1]]
    _verdict, trying = ask(opened(4), "a", opened(4).retry_at)
    closed = hear(trying, "a", Sign.WELL, NOW)
    assert after("-----", closed).retry_at == NOW + PAUSES[0]


def test_after_the_probe_it_is_on_trial_until_twenty_in_a_row_were_taken():
    _verdict, trying = ask(opened(2), "a", NOW + PAUSES[1])
    closed = hear(trying, "a", Sign.WELL, NOW)
    assert closed.on_trial
    assert closed.well == 1
    assert after("+" * 18, closed).on_trial
    assert not after("+" * 19, closed).on_trial
    assert after("+++-" + "+" * 19, closed).on_trial
    assert not after("+++-" + "+" * 20, closed).on_trial
    assert not after("----+" * 3).on_trial  # it was never open


def test_a_probe_that_told_nothing_or_was_never_heard_of_leaves_it_to_the_next():
    _verdict, trying = ask(opened(), "a", NOW + PAUSES[0])
    untold = hear(trying, "a", Sign.NOTHING, NOW + PAUSES[0])
    assert ask(untold, "b", NOW + PAUSES[0])[1].probe == "b"
    assert ask(trying, "b", trying.retry_at - timedelta(seconds=1))[0] is Verdict.WAIT
    verdict, again = ask(trying, "b", trying.retry_at)
    assert (verdict, again.probe, again.retry_at) == (Verdict.GO, "b", trying.retry_at + PROBE)
    assert hear(again, "a", Sign.WELL, NOW) is again  # the one that was given up


def test_who_takes_nothing_of_ours_is_left_at_once_and_those_who_ask_end():
    found = hear(Breaker(), "a", Sign.REFUSES_US, NOW, EMPTY)
    assert (found.state, found.refusal, found.retry_at) == (OPEN, EMPTY, NOW + PAUSES[0])
    assert hear(found, "sent with it", Sign.REFUSES_US, NOW, EMPTY) is found  # one opening
    assert ask(found, "b", NOW)[0] is Verdict.NEVER
    _verdict, trying = ask(found, "c", NOW + PAUSES[0])
    assert ask(trying, "d", NOW + PAUSES[0])[0] is Verdict.WAIT  # perhaps it was mended
    assert hear(trying, "c", Sign.WELL, NOW).state == CLOSED
    assert hear(trying, "c", Sign.REFUSES_US, NOW, EMPTY).refusal == EMPTY
    assert hear(trying, "c", Sign.FAILS, NOW).refusal is None


STEPS = st.lists(
    st.tuples(st.sampled_from(["ask", *Sign]), st.integers(0, 9), st.floats(0, 90)), max_size=60
)


@given(STEPS)
def test_there_is_never_a_second_probe_before_the_first_is_heard_of_or_given_up(steps):
    found, now, out, probes = Breaker(), NOW, set(), {}
    for what, number, seconds in steps:
        now += timedelta(seconds=seconds)
        name = f"p{number}"
        if what == "ask":
            verdict, next_ = ask(found, name, now)
            if verdict is Verdict.GO and found.state != CLOSED:
                assert all(now >= until for until in probes.values())
                probes = {name: next_.retry_at}
            if verdict is Verdict.GO:
                found, _ = next_, out.add(name)
            continue
        found = hear(found, name, what, now, EMPTY if what is Sign.REFUSES_US else None)
        probes.pop(name, None)
        assert (found.state == HALF_OPEN) == (found.probe is not None)
        assert (found.state == CLOSED) == (found.retry_at is None)


def test_a_probe_is_given_up_only_when_no_order_can_be_under_way_any_more():
    longest = max(vendor.BUY for vendor in (openai, google, recraft, replicate))
    assert PROBE.total_seconds() > longest + answered.PREPARING
