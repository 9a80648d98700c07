"""The points before and after each edge's commit at which a test may kill the process."""

from chassis import faults
from services.generator import moves

NAMES: dict[type[moves.Step], str] = {
    moves.Ticketed: "ticket",
    moves.Brought: "drawn",
    moves.Kept: "keep",
    moves.Published: "publish",
    moves.Lost: "lose",
    moves.Ended: "end",
    moves.Doubted: "unclear",
    moves.Found: "settle",
    moves.Absent: "settle",
    moves.Unknowable: "settle",
    moves.Released: "release",
    moves.Failed: "fail",
    moves.Parked: "park",
}


def before(step: moves.Step) -> None:
    """Pass the point before *step* is committed."""
    faults.point(f"{NAMES[type(step)]}.before_commit")


def after(step: moves.Step) -> None:
    """Pass the point after *step* was committed."""
    faults.point(f"{NAMES[type(step)]}.after_commit")
