"""The machine's decisions that cost or save money, one by one; the simulation has the rest."""

from dataclasses import replace

import pytest

from services.generator import keeping, moves, purchase, settling
from services.generator.standing import Stage, Terms

SKETCH = Terms(askable=True, interruptible=True)
LISTED = Terms(askable=True, lag=120.0, cancelable=True)
BLIND = Terms(askable=False)
WRITTEN = moves.Committed(moves.Ticketed("p1"), "p1")
FORGETFUL = Terms(askable=True, conclusive=False)  # it has what came whole, and nothing else


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


def ended(done):
    return done[-1].step.ending, done[-1].step.charged


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


def test_what_may_not_be_sent_ends_uncharged_with_the_reason_and_another_model_is_tried():
    refused = ("add credit", "PROVIDER_BALANCE_EMPTY")
    _state, effects = purchase.refuse(LISTED, *refused, canceling=False)
    ended = moves.Ended("REFUSED", False, refused[1], refused[0], retry=True)
    assert effects == (moves.Commit(ended),)
    _state, (commit,) = purchase.refuse(LISTED, *refused, canceling=True)
    assert (commit.step.ending, commit.step.reason) == ("CANCELED", "JOB_CANCELED")


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


def test_a_picture_is_kept_once_it_is_stored_behind_the_edge_of_its_outputs():
    """That edge may still be on its way: who waited for it would take a call more for each job."""
    events = [moves.Bought("p1"), moves.Finished(2)]
    stage, done = after(LISTED, *events)
    assert "Kept" not in steps(done)
    stage, done = after(LISTED, *events, moves.Stored(1))
    assert (stage, steps(done)) == (Stage.DRAWN, ["Ticketed", "Brought", "Kept"])
    late = after(LISTED, *events, moves.Committed(moves.Brought()), moves.Stored(1))
    assert (late[0], steps(late[1])) == (stage, steps(done))


def test_where_the_outputs_edge_is_not_taken_that_of_a_picture_decides_nothing():
    """The ledger refuses it behind the other; that there was one says nothing of the picture."""
    events = [moves.Bought("p1"), moves.Finished(1), moves.Stored(0)]
    no, neither = moves.Rejected(moves.Brought(), "no"), moves.Rejected(moves.Kept(0), "not drawn")
    stage, done = after(LISTED, *events, no, neither)
    assert (stage, steps(done)) == (Stage.LEAVING, ["Ticketed", "Brought", "Kept", "Failed"])


def test_where_the_ledger_does_not_take_the_last_edge_it_is_let_go_of_all_the_same():
    events = [moves.Bought("p1"), WRITTEN, moves.Closed(None, "no")]
    _stage, done = after(LISTED, *events)
    no = moves.Rejected(done[-1].step, "another holds the ticket")
    stage, done = after(LISTED, *events, moves.Rejected(moves.Ticketed("p1"), "no"), no)
    assert (stage, steps(done)) == (Stage.LEAVING, ["Ticketed", "Ended", "Failed"])
    for answer in (moves.Committed(done[-1].step), moves.Rejected(done[-1].step, "no")):
        assert after(LISTED, *events, no, answer) == (Stage.GONE, done)


def test_what_has_ended_is_told_once_its_ticket_is_written():
    """Without it an equal order would take it, and be bought again for what it bought itself."""
    events = [moves.Bought("p1"), moves.Closed(False, "no")]
    stage, done = after(LISTED, *events)
    assert (stage, steps(done)) == (Stage.RUNNING, ["Ticketed"])
    stage, done = after(LISTED, *events, WRITTEN)
    assert (stage, steps(done)) == (Stage.LEAVING, ["Ticketed", "Ended"])
    stage, done = after(LISTED, *events, moves.Rejected(moves.Ticketed("p1"), "no"))
    assert (stage, steps(done)) == (Stage.LEAVING, ["Ticketed", "Failed"])  # it is looked up


def test_another_owner_stops_everything():
    stage, done = after(LISTED, moves.Bought("p1"), moves.Superseded(), moves.Finished(1))
    assert (stage, steps(done)) == (Stage.GONE, ["Ticketed"])


def test_a_worker_that_ends_gives_a_drawing_back():
    stage, done = after(SKETCH, moves.StopAsked(), moves.Declined("stopped"))
    assert (stage, done[-1].step) == (Stage.LEAVING, moves.Released(0, "stopped"))


def test_a_worker_that_ends_writes_down_what_it_has_bought():
    _stage, done = after(BLIND, moves.StopAsked(), moves.Bought("r1"))
    assert steps(done) == ["Ticketed", "Parked"]


def test_an_absence_is_tried_again_unless_nobody_wants_it_any_more():
    for canceling in (False, True):
        state, _ = settling.resume_unclear(SKETCH, wait=0, unlisted=0, canceling=canceling)
        _, effects = purchase.step(state, moves.LookedUp(()))
        assert effects == (moves.Commit(moves.Absent(again=not canceling)),)


def test_where_nothing_is_no_proof_it_may_have_been_bought_and_is_not_tried_again():
    state, effects = settling.resume_unclear(FORGETFUL, wait=0, unlisted=0, canceling=False)
    assert effects == (moves.LookUp(),)
    assert steps(purchase.step(state, moves.LookedUp(()))[1]) == ["Unknowable"]
    _, effects = purchase.step(state, moves.LookedUp(("receipt:1",)))
    assert steps(effects) == ["Found"]


def test_a_claim_whose_answer_was_lost_is_given_back():
    assert purchase.orphaned("lost", sending=True) == moves.Released(0, "lost")
    assert purchase.orphaned("lost", sending=False, delay=5) == moves.Parked(5)


def test_a_hint_has_it_looked_up_at_once_and_is_no_proof_of_an_absence():
    state, effects = settling.resume_unclear(LISTED, wait=90, unlisted=90, canceling=False)
    assert effects == (moves.Commit(moves.Parked(90)),)
    state, effects = settling.resume_unclear(
        LISTED, wait=90, unlisted=90, canceling=False, hinted=True
    )
    assert effects == (moves.LookUp(),)
    for unproven in ((), ("p1",)):
        looked = moves.LookedUp(unproven, alike=True)
        assert steps(purchase.step(state, looked)[1]) == ["Parked"]
    _, effects = purchase.step(state, moves.LookedUp(("p1",)))
    assert effects == (moves.Commit(moves.Found(("p1",))),)


def settled(*looks, ticket="", terms=LISTED, canceling=False):
    """What is done once the ledger has said whether *ticket* is its own of those found."""
    state, effects = settling.resume_unclear(terms, wait=0, unlisted=0, canceling=canceling)
    for looked in looks:
        assert effects == (moves.LookUp(),)
        state, effects = purchase.step(state, looked)
        if looked.tickets:
            found = moves.Found(looked.tickets, looked.alike)
            own = ticket if ticket in looked.tickets else ""
            state, effects = purchase.step(state, moves.Committed(found, own))
    return state, effects


def test_of_what_equal_orders_bought_it_follows_what_the_ledger_gives_it():
    looked = moves.LookedUp(("p1", "p2"), alike=True)
    state, effects = settled(looked, ticket="p2", canceling=True)
    assert (state.stage, state.ticket) == (Stage.RUNNING, "p2")
    assert effects == (moves.Follow("p2"), moves.CancelThere("p2"))


def test_where_others_hold_all_that_was_found_a_whole_list_proves_an_absence():
    looked = moves.LookedUp(("p1",), alike=True)
    _, effects = settled(looked, looked)
    assert effects == (moves.Commit(moves.Absent(again=True)),)
    _, effects = settled(looked, looked, canceling=True)
    assert effects == (moves.Commit(moves.Absent(again=False)),)
    for late, step in ((3599, "Parked"), (3600, "Unknowable")):
        blank = moves.OutOfSight("one shows nothing", 5, late)
        assert steps(settled(replace(looked, unproven=blank))[1]) == [step]


def test_who_took_one_while_the_list_was_read_may_have_left_his_own_which_is_later():
    first, later = (moves.LookedUp(found, alike=True) for found in (("p1",), ("p1", "p2")))
    assert settled(first, later)[1] == (moves.LookUp(),)  # that was taken meanwhile, too
    assert steps(settled(first, later, later)[1]) == ["Absent"]
    state, _ = settled(first, later, ticket="p2")
    assert (state.stage, state.ticket) == (Stage.RUNNING, "p2")


def test_what_was_bought_by_name_and_is_anothers_is_never_absent():
    assert steps(settled(moves.LookedUp(("p1",)))[1]) == ["Failed"]


def test_what_nobody_can_tell_is_asked_for_an_hour_and_ends_with_its_charge_unknown():
    state, _ = settling.resume_unclear(LISTED, wait=0, unlisted=0, canceling=False)
    for late, step in ((-5, "Parked"), (3599, "Parked"), (3600, "Unknowable")):
        _, effects = purchase.step(state, moves.OutOfSight("inputs are blank", 5, late))
        assert steps(effects) == [step]
    assert effects[0].step.why.endswith("may have been charged: inputs are blank")


def drawing(*events, missing=3):
    """The stage and the steps after *events* of one with so many outputs to be stored."""
    state, done = keeping.resume_drawn(LISTED, frozenset(range(missing)), canceling=False)
    for event in events:
        state, effects = purchase.step(state, event)
        done += effects
    return state.stage, [each.step for each in done if isinstance(each, moves.Commit)]


FAILS_AT_ONCE = {
    "out of sight": (moves.Unstored(0, "no answer", 1.0), moves.Parked(7.0)),
    "a defect": (moves.Unstored(0, "a defect", defect=True), moves.Failed("a defect")),
    "no picture": (
        moves.Unstored(0, "no picture", defect=True, spoilt=True),
        moves.Failed("no picture", "IMAGE_UNREADABLE"),
    ),
    "not taken": (moves.Rejected(moves.Kept(0), "too large"), moves.Failed("too large")),
}


@pytest.mark.parametrize(("fails", "last"), FAILS_AT_ONCE.values(), ids=FAILS_AT_ONCE)
def test_an_output_that_fails_at_once_keeps_no_other_from_its_turn(fails, last):
    slow = (moves.Stored(1), moves.Unstored(2, "no answer", 7.0), moves.Committed(moves.Kept(1)))
    stage, steps = drawing(fails, *slow[:-1])
    assert (stage, steps) == (Stage.DRAWN, [moves.Kept(1)])
    assert drawing(fails, *slow) == (Stage.LEAVING, [moves.Kept(1), last])


def test_a_worker_that_ends_leaves_what_is_being_stored_to_others_at_once():
    """Storage may be away: who ended with it in hand would seem to have died of it."""
    failed, stored = moves.Unstored(0, "no answer", 3.0), moves.Stored(1)
    assert drawing(moves.StopAsked()) == (Stage.LEAVING, [moves.Parked(0)])
    assert drawing(stored, moves.StopAsked()) == (Stage.LEAVING, [moves.Kept(1), moves.Parked(0)])
    assert drawing(failed, moves.StopAsked()) == (Stage.LEAVING, [moves.Parked(3.0)])
    defect = moves.Unstored(0, "a defect", defect=True)
    assert drawing(defect, moves.StopAsked()) == (Stage.LEAVING, [moves.Failed("a defect")])


def test_where_the_ledger_takes_no_outputs_nothing_more_is_waited_for():
    no = moves.Rejected(moves.Brought(), "no")
    assert drawing(no) == (Stage.LEAVING, [moves.Failed("no")])


EXPIRED = ("EXPIRED", None)


def canceled_there(*events, terms=LISTED):
    return after(terms, moves.Bought("p1"), *events)[1].count(moves.CancelThere("p1"))


def test_a_cancel_is_said_again_to_a_provider_that_still_draws():
    """The first may be lost on the way, and what goes on costs money."""
    asked = moves.CancelAsked()
    assert canceled_there(*map(moves.Drawing, range(-90, -20))) == 0
    assert canceled_there(asked, moves.Drawing(-90), moves.Drawing(-86)) == 1
    assert canceled_there(asked, moves.Drawing(-90), moves.Drawing(-85)) == 2
    assert canceled_there(asked, *map(moves.Drawing, range(-90, -79))) == 3
    assert canceled_there(asked, *map(moves.Drawing, range(-90, -79)), terms=BLIND) == 0
    assert canceled_there(*map(moves.Drawing, range(700, 711))) == 3


def test_what_is_overdue_is_canceled_there_and_given_up_a_minute_later():
    _stage, done = after(LISTED, moves.Bought("p1"), moves.Drawing(700), moves.Drawing(759.9))
    assert steps(done) == ["Ticketed"]
    stage, done = after(LISTED, moves.Bought("p1"), moves.Drawing(700), moves.Drawing(760))
    assert (stage, ended(done)) == (Stage.LEAVING, EXPIRED)
    _stage, done = after(LISTED, moves.Bought("p1"), moves.Drawing(0), moves.Finished(1))
    assert steps(done) == ["Ticketed", "Brought"]  # it was paid for


def test_what_cannot_be_canceled_there_is_given_up_at_its_deadline():
    stage, done = after(BLIND, moves.Bought("r1"), moves.Drawing(0))
    assert (stage, ended(done)) == (Stage.LEAVING, EXPIRED)


def test_what_nobody_can_see_is_given_up_an_hour_after_its_deadline():
    for late, step in ((-5, "Parked"), (3599, "Parked"), (3600, "Ended")):
        _stage, done = after(LISTED, moves.Bought("p1"), moves.OutOfSight("down", 2, late))
        assert steps(done) == ["Ticketed", step]
    assert ended(done) == EXPIRED
    state, _ = keeping.resume_drawn(LISTED, frozenset({0}), canceling=False)
    _, effects = purchase.step(state, moves.Unstored(0, "storage is down", 1))
    assert steps(effects) == ["Parked"]  # what is drawn waits for its own expiry


@pytest.mark.parametrize("late", [-5, 3599, 3600, 1e6])
def test_while_storage_of_ours_is_away_a_receipt_is_not_given_up(late):
    """The links of a vendor die within the hour; what is in our vault stays there."""
    away = moves.OutOfSight("storage is down", 2, late, ours=True)
    _stage, done = after(FORGETFUL, moves.Bought("receipt:1"), away)
    assert steps(done) == ["Ticketed", "Parked"]
    state, _ = settling.resume_unclear(FORGETFUL, wait=0, unlisted=0, canceling=False)
    assert steps(purchase.step(state, away)[1]) == ["Parked"]


@pytest.mark.parametrize(
    ("closed", "canceling", "ending", "reason", "retry"),
    [
        (moves.Closed(True, "", stopped=True), False, "EXPIRED", "PROVIDER_FAILED", False),
        (moves.Closed(False, "", stopped=True), False, "EXPIRED", "PROVIDER_FAILED", True),
        (moves.Closed(True, "", stopped=True), True, "CANCELED", "JOB_CANCELED", False),
        (moves.Closed(False, "", content=True), False, "FAILED", "CONTENT_REFUSED", False),
        (moves.Closed(False, ""), False, "FAILED", "PROVIDER_FAILED", True),
        (moves.Closed(False, ""), True, "CANCELED", "JOB_CANCELED", False),
        (moves.Closed(True, "", content=True, cost=12), False, "FAILED", "CONTENT_REFUSED", False),
    ],
    ids=repr,
)
def test_how_it_ended_there_says_what_is_written_and_tried(
    closed, canceling, ending, reason, retry
):
    asked = (moves.CancelAsked(),) if canceling else ()
    _stage, done = after(LISTED, moves.Bought("p1"), WRITTEN, *asked, closed)
    found = done[-1].step
    assert (found.ending, found.charged, found.reason) == (ending, closed.charged, reason)
    assert (found.retry, found.cost) == (retry, closed.cost)
