"""What is known of an order that raised: whether it may have cost anything, and what then."""

import math

from chassis import logs
from services.generator import moves, signs
from services.generator import provider as seam

_RETRY = 2.0  # seconds until a provider is tried again that names no time
_RATE_LIMITED = 3600.0  # seconds of nothing but 429, after which another model draws, if any may
_LIMITED = "PROVIDER_RATE_LIMITED"
_OVER_LIMIT = 300.0  # seconds between two orders that are more than the account may ever have
_UNHANDED = 300.0  # seconds that an input image may not get there, before it is given up
log = logs.get()


def told(error: Exception, *, another: bool) -> moves.Event:
    """
    Say what a purchase that raised may have cost; what proves nothing is doubtful.

    *another* model may draw in its place; where none may, no 429 ends it.
    """
    match error:
        case seam.ContentRefused():
            return moves.Declined(str(error), content=True)
        case seam.NoCredit() | seam.NotKnown():
            return moves.Declined(str(error), reason=signs.reason_of(error))
        case seam.OverLimit():
            return _over_limit(str(error), another=another)
        case seam.Refused():
            return moves.Declined(str(error))
        case seam.Unavailable(retry_after=wait):
            return _sent_back(error, wait or _RETRY, another=another)
        case seam.Unclear():
            log.warning("a purchase is unclear", error=str(error))
            why = str(error)
        case _:
            log.error("an adapter raised what it must not", exc_info=error)
            why = moves.defect(error)
    return moves.Doubtful(why)


def _over_limit(why: str, *, another: bool) -> moves.Event:
    """Another model draws; where none may it waits, until its limit is raised or it is canceled."""
    if another:
        return moves.Declined(why, reason=_LIMITED)
    return moves.NeverSent(why, _OVER_LIMIT, _LIMITED, back=True)


def _sent_back(error: seam.Unavailable, delay: float, *, another: bool) -> moves.NeverSent:
    """What certainly bought nothing; a vendor that is away is waited for, however long it is."""
    why = str(error)
    longest = _RATE_LIMITED if another else math.inf
    match error:
        case seam.Busy():
            return moves.NeverSent(why, delay, _LIMITED, back=True, patience=longest)
        case seam.Unhanded():
            return moves.NeverSent(why, delay, "PROVIDER_FAILED", back=True, patience=_UNHANDED)
    return moves.NeverSent(why, delay, back=not isinstance(error, seam.Unsent))
