"""The lab's clock: real time and an offset, so that an hour can pass at once."""

import asyncio
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta


@dataclass(eq=False, slots=True)
class _Wake:
    moment: datetime
    rung: asyncio.Future[None]
    alarm: asyncio.TimerHandle | None = None


@dataclass(eq=False, slots=True)
class Clock:
    """Tells the time and lets it pass; who waits for a moment wakes when it is skipped, too."""

    _offset: timedelta = timedelta()
    _waiting: set[_Wake] = field(default_factory=set)

    def now(self) -> datetime:
        """The lab's time, in UTC."""
        return datetime.now(UTC) + self._offset

    @property
    def ahead(self) -> float:
        """Seconds by which the lab is ahead of the real time."""
        return self._offset.total_seconds()

    def advance(self, seconds: float) -> None:
        """Let *seconds* pass at once."""
        self._offset += timedelta(seconds=seconds)
        for wake in self._waiting:
            self._set(wake)

    def reset(self) -> None:
        """Return to the real time; whoever waits wakes now."""
        self._offset = timedelta()
        for wake in self._waiting:
            _ring(wake)

    async def sleep(self, seconds: float) -> None:
        """Wait until *seconds* of the lab's time have passed."""
        if seconds > 0:
            await self.until(self.now() + timedelta(seconds=seconds))

    async def until(self, moment: datetime) -> None:
        """Wait until it is *moment*."""
        if moment <= self.now():
            return
        wake = _Wake(moment, asyncio.get_running_loop().create_future())
        self._waiting.add(wake)
        self._set(wake)
        try:
            await wake.rung
        finally:
            self._waiting.discard(wake)
            if wake.alarm:
                wake.alarm.cancel()

    def _set(self, wake: _Wake) -> None:
        if wake.alarm:
            wake.alarm.cancel()
        seconds = (wake.moment - self.now()).total_seconds()
        if seconds > 0:
            wake.alarm = asyncio.get_running_loop().call_later(seconds, _ring, wake)
        else:
            _ring(wake)


def _ring(wake: _Wake) -> None:
    if not wake.rung.done():
        wake.rung.set_result(None)
