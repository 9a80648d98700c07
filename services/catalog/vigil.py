"""
Whether a worker's silence is its own: what holds up the sweeper holds up heartbeats, too.

A database that freezes, a disk that does, a clock that leaps, a catalog that sleeps: all show in
the times at which the sweeper saw the database's clock.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta

_NOTHING = timedelta(0)


@dataclass(slots=True)
class Vigil:
    """
    Kept where each look follows the one before within two thirds of *patience*.

    The living beat every third of it, so that none of them looks silent for all of it then.
    """

    patience: timedelta
    _since: datetime | None = None
    _last: datetime | None = None

    def begin_anew(self) -> None:
        """Take nobody for dead before a whole *patience* was watched through."""
        self._since = self._last = None

    def looks(self, now: datetime) -> bool:
        """Look at *now*, the database's time; whether silence was watched for all of *patience*."""
        kept = self._last and _NOTHING <= now - self._last <= self.patience * 2 / 3
        self._last = now
        if not (kept and self._since):
            self._since = now
        return now - self._since >= self.patience
