"""How long a kept picture waits until the CDN is asked again: for ever, and ever less often."""

import time

from google.protobuf.timestamp_pb2 import Timestamp

from chassis import errors

_SHORTEST, _LONGEST = 1.0, 900.0  # seconds
_PASSING = (errors.Unavailable, errors.Late, errors.Exhausted)


def after(fault: errors.Fault, sent: Timestamp, now: float | None = None) -> float:
    """
    Seconds to wait after *fault* with a picture that was ordered at *sent*.

    Half of its age, or what the CDN asks for; the longest where somebody must first change
    something, as a wrong secret.
    """
    if not isinstance(fault, _PASSING):
        return _LONGEST
    age = (time.time() if now is None else now) - sent.ToMicroseconds() / 1e6
    return min(_LONGEST, max(_SHORTEST, age / 2, fault.retry_after or 0.0))
