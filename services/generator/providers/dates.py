"""A provider's clock, by the dates of its answers: ours may be wrong, and money hangs on it."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from time import monotonic

import httpx

from services.generator.providers import transport


@dataclass(slots=True)
class Dates:
    """The date of the last answer, and when that came by *clock*, in seconds."""

    clock: Callable[[], float] = monotonic
    _told: tuple[datetime, float] | None = None

    def hear(self, answer: httpx.Response) -> None:
        """Take note of an answer that has just come."""
        date = transport.date(answer)
        self._told = (date, self.clock()) if date else None

    def now(self) -> datetime | None:
        """What its clock says. None where it told no date."""
        if self._told is None:
            return None
        date, heard = self._told
        return date + timedelta(seconds=self.clock() - heard)

    def around(self, seconds: float) -> tuple[datetime | None, datetime | None]:
        """
        When it was asked for its last answer, *seconds* before that came, and when it answered.

        The first is the earliest that it can have been, as what has come may have lain about.
        """
        if self._told is None:
            return None, None
        date, _heard = self._told
        return date - timedelta(seconds=seconds), date

    def behind(self, ours: datetime, since: float) -> timedelta | None:
        """
        How far its clock is behind ours, which was *ours* when *clock* said *since*.

        The time that an answer took to come counts as such. None where it told no date.
        """
        if self._told is None:
            return None
        date, heard = self._told
        return ours + timedelta(seconds=heard - since) - date
