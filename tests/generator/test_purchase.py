"""The machine's decisions that cost or save money, one by one; the simulation has the rest."""

import pytest

from services.generator import moves, purchase
from services.generator.purchase import Stage, Terms

SKETCH = Terms(askable=True, interruptible=True)
LISTED = Terms(askable=True, lag=120.0, cancelable=True)
BLIND = Terms(askable=False)


def after(terms, *events, canceling=False):
    """The stage and all that is to be done after *events* of a purchase that is sent."""
    state, effects = purchase.send(terms, canceling=canceling)
    done = list(effects)
    for event in events:
        state, effects = purchase.step(state, event)
        done += effects
    return state.stage, done


def steps(done):
    return [type(each.step).__name__ for each in done if isinstance(each, moves.Commit)]


def test_a_canceled_job_is_not_sent_at_all():
    stage, done = after(LISTED, canceling=True)
    assert moves.Buy() not in done
    assert (stage, steps(done)) == (Stage.LEAVING, ["Ended"])


@pytest.mark.parametrize("event", [moves.Doubtful("cut"), moves.Raised("a defect")], ids=repr)
def test_what_proves_nothing_is_unclear_and_never_sent_again(event):
    _stage, done = after(LISTED, event)
    assert steps(done) == ["Doubted", "Parked"]  # until the provider's list shows it
    _stage, done = after(BLIND, event)
    assert steps(done) == ["Doubted", "Unknowable"]
    assert done.count(moves.Buy()) == 1


def test_an_unclear_sketch_is_looked_up_at_once_but_after_the_doubt_is_committed():
    doubt = moves.Doubtful("cut")
    stage, done = after(SKETCH, doubt)
    assert (stage, moves.LookUp() in done) == (Stage.UNCLEAR, False)
    _stage, done = after(SKETCH, doubt, moves.Committed(moves.Doubted("cut")))
    assert done[-1] == moves.LookUp()


def test_only_what_certainly_never_left_goes_back():
    _stage, done = after(LISTED, moves.NeverSent("refused connection", 2.0))
    assert done[-1] == moves.Commit(moves.Released(2.0, "refused connection"))


def test_a_refusal_of_the_content_tries_no_other_model():
    _stage, done = after(LISTED, moves.Declined("nudity", content=True))
    assert (done[-1].step.reason, done[-1].step.retry) == ("CONTENT_REFUSED", False)
    _stage, done = after(LISTED, moves.Declined("too big"))
    assert done[-1].step.retry


def test_a_cancel_interrupts_only_what_is_free_until_it_is_done():
    _stage, done = after(SKETCH, moves.CancelAsked())
    assert done[-1] == moves.Interrupt()
    _stage, done = after(BLIND, moves.CancelAsked())
    assert done == [moves.Buy()]


def test_what_was_paid_for_is_kept_after_a_cancel():
    drawn, stored = moves.Committed(moves.Brought()), moves.Stored(0)
    stage, done = after(
        LISTED, moves.Bought("p1"), moves.CancelAsked(), moves.Finished(1), drawn, stored,
        moves.Committed(moves.Kept(0)),
    )  # fmt: skip
    assert moves.CancelThere("p1") in done
    assert (stage, steps(done)) == (Stage.GONE, ["Ticketed", "Brought", "Kept"])


def test_a_picture_is_kept_once_it_is_stored_and_its_purchase_settled():
    events = [moves.Bought("p1"), moves.Finished(2)]
    first = [*events, moves.Stored(1), moves.Committed(moves.Brought())]
    second = [*events, moves.Committed(moves.Brought()), moves.Stored(1)]
    for history in (first, second):
        assert "Kept" not in steps(after(LISTED, *history[:-1])[1])
        stage, done = after(LISTED, *history)
        assert (stage, steps(done)[-1]) == (Stage.DRAWN, "Kept")


def test_another_owner_stops_everything():
    stage, done = after(LISTED, moves.Bought("p1"), moves.Superseded(), moves.Finished(1))
    assert (stage, steps(done)) == (Stage.GONE, ["Ticketed"])


def test_a_worker_that_ends_gives_a_drawing_back():
    stage, done = after(SKETCH, moves.StopAsked(), moves.Declined("stopped"))
    assert (stage, done[-1].step) == (Stage.LEAVING, moves.Released(0, "stopped"))


def test_an_absence_is_tried_again_unless_nobody_wants_it_any_more():
    for canceling in (False, True):
        state, _ = purchase.resume_unclear(SKETCH, wait=0, canceling=canceling)
        _, effects = purchase.step(state, moves.LookedUp(()))
        assert effects == (moves.Commit(moves.Absent(again=not canceling)),)


def test_a_claim_whose_answer_was_lost_is_given_back():
    assert isinstance(purchase.orphaned(sending=True), moves.Released)
    assert purchase.orphaned(sending=False) == moves.Parked(0)
