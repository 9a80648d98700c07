"""
Live progress: told to whoever watches, stored by nobody, lost where nobody listens.

The newest of each purchase is told ten times a second at most, and less often where very
many are under way, so that watching never costs more than drawing.
"""

import asyncio
from dataclasses import dataclass, field

from chassis.bus import Bus
from imagestudio.type.v1 import job_event_pb2

_INTERVAL = 0.1  # seconds between two of the same purchase
_MOST = 400  # messages a second, of all purchases together


@dataclass(slots=True)
class Live:
    """Publishes on `live.job.{job}`."""

    bus: Bus
    _newest: dict[str, job_event_pb2.JobEvent] = field(default_factory=dict)
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
        progress = job_event_pb2.JobEvent.Progress(purchase_id=purchase_id, model=model)
        if fraction is not None:
            progress.fraction = fraction
        event = job_event_pb2.JobEvent(job=job, progress=progress)
        event.event_time.GetCurrentTime()
        self._newest[purchase_id] = event
        self._wake.set()

    async def _run(self) -> None:
        while True:
            await self._wake.wait()
            self._wake.clear()
            told, self._newest = self._newest, {}
            for event in told.values():
                number = event.job.rpartition("/")[2]
                await self.bus.publish(f"live.job.{number}", event.SerializeToString())
            await asyncio.sleep(max(_INTERVAL, len(told) / _MOST))
