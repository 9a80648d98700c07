"""
Whatever a purchase does outside, and each edge of it, can be killed before and after.

That nothing is lost or doubled there is shown at each of these points by the stack's own test.
"""

from typing import get_args

import pytest

from services.generator import marks, moves
from tests.system.crash_scenarios import SCENARIOS
from tests.system.points import FOUND

EFFECTS = {
    moves.Buy: ("buy.before_send", "buy.after_send"),
    moves.Interrupt: (),  # a task of our own ends
    moves.Follow: ("follow.before", "follow.after"),
    moves.CancelThere: ("canceling.before_call", "canceling.after_call"),
    moves.Store: ("import.before", "import.after"),
    moves.Publish: ("publish.before_call", "publish.after_call"),
    moves.LookUp: ("lookup.before", "lookup.after"),
    moves.Commit: (),  # an edge of `marks`
}
ALONE = {
    "answer.begun",  # nothing but a receipt has begun
    "language.before_call",
    "language.after_answer",  # the call ends with its answer
    "language.after_settle",  # its other half is `spending.before_settle`
    "listing.after_turn",  # a turn that is taken twice is a list that is read twice
    "preview.came",  # what shows it has the picture
    "storage.fetch.before_dial",
    "storage.fetch.after_body",  # the call ends with its body
    "storage.shelves.before_note_rename",  # the rename is before the folder's sync, as
    "storage.shelves.after_note_sync",  # the note's bytes are before the rename
    "storage.shelves.after_folder_sync",
    "storage.shelves.after_removal_sync",
    "storage.shelves.after_extra_folder_sync",
    "sweep.before_orphans",  # two reads and a write, of which each is a transaction
    "sweep.before_announce",
}
FAMILIES = {
    "admit", "answer", "buy", "cancel", "canceling", "claim", "drawn", "end", "fail", "follow",
    "heartbeat", "import", "keep", "language", "ledger", "listing", "lookup", "lose", "numbering",
    "park", "preview", "publish", "receipt", "reference", "release", "settle", "spending",
    "storage.assets", "storage.fetch", "storage.folder", "storage.imports", "storage.journal",
    "storage.keep", "storage.publish", "storage.shelves", "stray", "strays", "sweep", "ticket",
    "unclear", "upload", "webhook",
}  # fmt: skip


def test_every_point_has_a_name_of_its_own():
    assert len(FOUND) == len(set(FOUND))


def test_every_family_of_points_is_there():
    assert {name.rpartition(".")[0] for name in FOUND} == FAMILIES


@pytest.mark.parametrize("effect", get_args(moves.Effect))
def test_every_effect_has_a_point_before_and_after(effect):
    assert set(EFFECTS[effect]) <= set(FOUND)


@pytest.mark.parametrize("step", get_args(moves.Step))
def test_every_edge_has_a_point_before_and_after(step):
    assert {f"{marks.NAMES[step]}.{when}_commit" for when in ("before", "after")} <= set(FOUND)


def test_every_point_has_its_other_half():
    def other(name: str) -> str:
        before, after = name.replace("before", "after"), name.replace("after", "before")
        return before if before != name else after

    halves = {name for name in FOUND if other(name) != name and other(name) in FOUND}
    assert set(FOUND) - halves == ALONE


def test_no_scenario_is_for_a_point_that_is_gone():
    families = {name.partition(".")[0] for name in FOUND}
    assert set(SCENARIOS) <= families | set(FOUND)
