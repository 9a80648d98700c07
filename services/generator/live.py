"""
Live progress: told to whoever watches, stored by nobody, lost where nobody listens.

The newest of each purchase is told ten times a second at most, and less often where very
many are under way, so that watching never costs more than drawing.
"""

import asyncio
import time
from dataclasses import dataclass, field
from typing import NamedTuple

from chassis.bus import Bus
from imagestudio.type.v1 import job_event_pb2

_INTERVAL = 0.1  # seconds between two of the same purchase
_MOST = 400  # messages a second, of all purchases together


class _Seen(NamedTuple):
    """Cheap to make, since most are replaced by a newer one before they are told."""

    job: str
    model: str
    fraction: float | None
    at: int  # nanoseconds


@dataclass(slots=True)
class Live:
    """Publishes on `live.job.{job}`."""

    bus: Bus
    _newest: dict[str, _Seen] = field(default_factory=dict)
    _wake: asyncio.Event = field(default_factory=asyncio.Event)
    _teller: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin to tell."""
        self._teller = asyncio.create_task(self._run())

    async def close(self) -> None:
        """End."""
        if self._teller:
            self._teller.cancel()
            await asyncio.gather(self._teller, return_exceptions=True)

    def progress(self, job: str, purchase_id: str, model: str, fraction: float | None) -> None:
        """Tell how far a purchase is, 0 to 1; returns at once."""
        self._newest[purchase_id] = _Seen(job, model, fraction, time.time_ns())
        self._wake.set()

    async def _run(self) -> None:
        while True:
            await self._wake.wait()
            self._wake.clear()
            told, self._newest = self._newest, {}
            for purchase_id, seen in told.items():
                number, event = seen.job.rpartition("/")[2], _event(purchase_id, seen)
                await self.bus.publish(f"live.job.{number}", event.SerializeToString())
            await asyncio.sleep(max(_INTERVAL, len(told) / _MOST))


def _event(purchase_id: str, seen: _Seen) -> job_event_pb2.JobEvent:
    progress = job_event_pb2.JobEvent.Progress(purchase_id=purchase_id, model=seen.model)
    if seen.fraction is not None:
        progress.fraction = seen.fraction
    event = job_event_pb2.JobEvent(job=seen.job, progress=progress)
    event.event_time.FromNanoseconds(seen.at)
    return event
