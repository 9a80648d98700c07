"""Rates: a bucket of calls that fills again by the lab's clock."""

import math
from dataclasses import dataclass
from datetime import datetime


@dataclass(slots=True)
class Bucket:
    """Lets *a_minute* calls through, *most* of them at once; None: as many as come."""

    a_minute: int | None
    most: int
    tokens: float
    at: datetime

    def take(self, now: datetime) -> int | None:
        """Take one call; seconds to wait where there is none left."""
        if self.a_minute is None:
            return None
        passed = max(0.0, (now - self.at).total_seconds())  # a reset turns the clock back
        gained = passed * self.a_minute / 60
        self.tokens, self.at = min(float(self.most), self.tokens + gained), now
        if self.tokens < 1:
            return math.ceil((1 - self.tokens) * 60 / self.a_minute)
        self.tokens -= 1
        return None

    def headers(self) -> dict[str, str]:
        """What is left, and the seconds until the bucket is full."""
        if self.a_minute is None:
            return {}
        missing = (self.most - self.tokens) * 60 / self.a_minute
        return {
            "ratelimit-remaining": str(int(self.tokens)),
            "ratelimit-reset": str(math.ceil(missing)),
        }


def checked(a_minute: object) -> None:
    """Raise ValueError where *a_minute* can be no vendor's orders a minute."""
    if a_minute is not None and (type(a_minute) is not int or a_minute < 1):
        raise ValueError(f"orders_per_minute is {a_minute!r}: give a number, or null for no limit")


def full(a_minute: int | None, now: datetime, burst: int | None = None) -> Bucket:
    """A bucket that nobody has taken from; without *burst* it holds a minute's calls."""
    most = burst or a_minute or 0
    return Bucket(a_minute, most, float(most), now)
