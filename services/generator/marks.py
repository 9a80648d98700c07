"""The points before and after each edge's commit at which a test may kill the process."""

from chassis import faults
from services.generator import moves


def before(step: moves.Step) -> None:
    """Pass the point before *step* is committed."""
    match step:
        case moves.Ticketed():
            faults.point("ticket.before_commit")
        case moves.Brought():
            faults.point("drawn.before_commit")
        case moves.Kept():
            faults.point("keep.before_commit")
        case moves.Published():
            faults.point("publish.before_commit")
        case moves.Lost():
            faults.point("lose.before_commit")
        case moves.Ended():
            faults.point("end.before_commit")
        case _:
            _before_it_waits(step)


def after(step: moves.Step) -> None:
    """Pass the point after *step* was committed."""
    match step:
        case moves.Ticketed():
            faults.point("ticket.after_commit")
        case moves.Brought():
            faults.point("drawn.after_commit")
        case moves.Kept():
            faults.point("keep.after_commit")
        case moves.Published():
            faults.point("publish.after_commit")
        case moves.Lost():
            faults.point("lose.after_commit")
        case moves.Ended():
            faults.point("end.after_commit")
        case _:
            _after_it_waits(step)


def _before_it_waits(step: moves.Step) -> None:
    """As `before`, for what is doubted, settled or let go of."""
    match step:
        case moves.Doubted():
            faults.point("unclear.before_commit")
        case moves.Found() | moves.Absent() | moves.Unknowable():
            faults.point("settle.before_commit")
        case moves.Released():
            faults.point("release.before_commit")
        case moves.Failed():
            faults.point("fail.before_commit")
        case moves.Parked():
            faults.point("park.before_commit")


def _after_it_waits(step: moves.Step) -> None:
    """As `after`, for what is doubted, settled or let go of."""
    match step:
        case moves.Doubted():
            faults.point("unclear.after_commit")
        case moves.Found() | moves.Absent() | moves.Unknowable():
            faults.point("settle.after_commit")
        case moves.Released():
            faults.point("release.after_commit")
        case moves.Failed():
            faults.point("fail.after_commit")
        case moves.Parked():
            faults.point("park.after_commit")
