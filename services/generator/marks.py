"""The points before and after each edge's commit at which a test may kill the process."""

from chassis.faults import point
from services.generator import moves


def before(step: moves.Step) -> None:  # noqa: C901 - one case a step
    """Pass the point before *step* is committed."""
    match step:
        case moves.Ticketed():
            point("ticket.before_commit")
        case moves.Brought():
            point("drawn.before_commit")
        case moves.Kept():
            point("keep.before_commit")
        case moves.Lost():
            point("lose.before_commit")
        case moves.Ended():
            point("end.before_commit")
        case moves.Doubted():
            point("unclear.before_commit")
        case moves.Found() | moves.Absent() | moves.Unknowable():
            point("settle.before_commit")
        case moves.Released():
            point("release.before_commit")
        case moves.Failed():
            point("fail.before_commit")
        case moves.Parked():
            point("park.before_commit")


def after(step: moves.Step) -> None:  # noqa: C901 - one case a step
    """Pass the point after *step* was committed."""
    match step:
        case moves.Ticketed():
            point("ticket.after_commit")
        case moves.Brought():
            point("drawn.after_commit")
        case moves.Kept():
            point("keep.after_commit")
        case moves.Lost():
            point("lose.after_commit")
        case moves.Ended():
            point("end.after_commit")
        case moves.Doubted():
            point("unclear.after_commit")
        case moves.Found() | moves.Absent() | moves.Unknowable():
            point("settle.after_commit")
        case moves.Released():
            point("release.after_commit")
        case moves.Failed():
            point("fail.after_commit")
        case moves.Parked():
            point("park.after_commit")
