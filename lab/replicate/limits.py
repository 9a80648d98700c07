"""Rates: a bucket of calls that fills again by the lab's clock."""

import math
from dataclasses import dataclass
from datetime import datetime


@dataclass(slots=True)
class Bucket:
    """Lets *a_minute* calls through, all at once if they come so; None: as many as come."""

    a_minute: int | None
    tokens: float
    at: datetime

    def take(self, now: datetime) -> int | None:
        """Take one call; seconds to wait where there is none left."""
        if self.a_minute is None:
            return None
        passed = max(0.0, (now - self.at).total_seconds())  # a reset turns the clock back
        gained = passed * self.a_minute / 60
        self.tokens, self.at = min(float(self.a_minute), self.tokens + gained), now
        if self.tokens < 1:
            return math.ceil((1 - self.tokens) * 60 / self.a_minute)
        self.tokens -= 1
        return None

    def headers(self) -> dict[str, str]:
        """What is left, and the seconds until the bucket is full."""
        if self.a_minute is None:
            return {}
        missing = (self.a_minute - self.tokens) * 60 / self.a_minute
        return {
            "ratelimit-remaining": str(int(self.tokens)),
            "ratelimit-reset": str(math.ceil(missing)),
        }


def full(a_minute: int | None, now: datetime) -> Bucket:
    """A bucket that nobody has taken from."""
    return Bucket(a_minute, float(a_minute or 0), now)
