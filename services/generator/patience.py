"""How long to wait for a picture's source and for its CDN: ever less often, the longer it lasts."""

import time

from google.protobuf.timestamp_pb2 import Timestamp

from chassis import errors

_SHORTEST, _LONGEST = 1.0, 900.0  # seconds
_SOURCE = 60.0  # seconds at most until a source is tried again: its link dies within the hour
PASSING = (errors.Unavailable, errors.Late, errors.Exhausted)  # as well as ever, later on


def after(fault: errors.Fault, sent: Timestamp, now: float | None = None) -> float:
    """
    Seconds to wait after *fault* with a picture that was ordered at *sent*.

    Half of its age, or what the CDN asks for; the longest where somebody must first change
    something, as a wrong secret.
    """
    if not isinstance(fault, PASSING):
        return _LONGEST
    age = (time.time() if now is None else now) - sent.ToMicroseconds() / 1e6
    return min(_LONGEST, max(_SHORTEST, age / 2, fault.retry_after or 0.0))


def at_source(
    fault: errors.Fault, sent: Timestamp, expires: Timestamp, now: float | None = None
) -> float:
    """
    Seconds to wait after *fault* with a source that dies at *expires*; unset is unknown.

    An eighth of the order's age, so that a source which says no is not asked thousands of
    times; no more than half of what is left, if any is, and no less than storage asks for.
    """
    now = time.time() if now is None else now
    age = now - (sent.ToMicroseconds() / 1e6 or now)
    left = expires.ToMicroseconds() / 1e6 - now
    if left <= 0:  # nobody knows, or it went on beyond its time
        left = 2 * _SOURCE
    return max(fault.retry_after or _SHORTEST, min(_SOURCE, age / 8, left / 2))
