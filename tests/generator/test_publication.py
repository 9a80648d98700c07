"""The machine's way to the CDN, decision by decision; the simulation has the rest."""

from services.generator import keeping, moves, purchase
from services.generator.standing import Stage, Terms

LISTED = Terms(askable=True, lag=120.0, cancelable=True)


def kept(*publishable, event=None):
    """A purchase of two outputs with both in the vault and their edges committed."""
    state, _effects = keeping.resume_drawn(LISTED, frozenset({0, 1}), canceling=False)
    done = []
    for index in (0, 1):
        for each in (
            moves.Stored(index, index in publishable),
            moves.Committed(moves.Kept(index, index in publishable)),
        ):
            state, effects = purchase.step(state, each)
            done += effects
    return state, done


def on(state, *events):
    done = []
    for event in events:
        state, effects = purchase.step(state, event)
        done += effects
    return state.stage, done


def test_only_what_the_cdn_takes_goes_there_once_no_output_is_left_to_keep():
    state, done = kept(1)
    assert done == [
        moves.Commit(moves.Kept(0, False)), moves.Commit(moves.Kept(1, True)), moves.Publish(1),
    ]  # fmt: skip
    assert state.stage is Stage.KEPT
    uploaded, committed = moves.Uploaded(1), moves.Committed(moves.Published(1))
    assert on(state, uploaded, committed) == (Stage.GONE, [moves.Commit(moves.Published(1))])
    assert kept()[0].stage is Stage.GONE


def test_one_that_fails_at_once_keeps_none_from_its_turn():
    state, _done = kept(0, 1)
    stage, done = on(state, moves.Unpublished(0, "too large", 900.0))
    assert (stage, done) == (Stage.KEPT, [])
    events = moves.Uploaded(1), moves.Committed(moves.Published(1))
    stage, done = on(state, moves.Unpublished(0, "too large", 900.0), *events)
    assert (stage, done[-1]) == (Stage.LEAVING, moves.Commit(moves.Parked(900.0)))


def test_a_stop_lets_go_of_a_publication_at_once_and_a_cancel_does_not_touch_it():
    state, _done = kept(0)
    assert on(state, moves.StopAsked()) == (Stage.LEAVING, [moves.Commit(moves.Parked(0))])
    assert on(state, moves.CancelAsked()) == (Stage.KEPT, [])


def test_who_stops_keeps_what_he_stores_and_begins_no_upload():
    state, _effects = keeping.resume_drawn(LISTED, frozenset({0}), canceling=False)
    stage, done = on(
        state, moves.StopAsked(), moves.Stored(0, True), moves.Committed(moves.Kept(0, True))
    )
    assert (stage, done[-1]) == (Stage.LEAVING, moves.Commit(moves.Parked(0)))


def test_what_was_kept_before_is_published_with_the_rest():
    state, effects = keeping.resume_drawn(LISTED, frozenset({1}), frozenset({0}), canceling=False)
    assert effects == (moves.Store(1),)
    _stage, done = on(state, moves.Stored(1), moves.Committed(moves.Kept(1)))
    assert done[-1] == moves.Publish(0)
    state, effects = keeping.resume_kept(LISTED, frozenset({0, 1}))
    assert (state.stage, effects) == (Stage.KEPT, (moves.Publish(0), moves.Publish(1)))


def test_a_publication_whose_edge_is_refused_or_that_raised_leaves_its_evidence():
    for event in (moves.Raised("a defect"), moves.Rejected(moves.Published(0), "no")):
        state, _done = kept(0)
        assert on(state, event)[1] == [moves.Commit(moves.Failed(event.why))]
