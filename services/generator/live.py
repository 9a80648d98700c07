"""
Live progress: told to whoever watches, stored by nobody, lost where nobody listens.

The newest of each purchase is told ten times a second at most, and less often where very
many are under way, so that watching never costs more than drawing. Where a provider does
not say how far it is, the model's usual time does, and is named an estimate. An unfinished
picture is told small, one after the other; of those that wait a newer one takes the place.
"""

import asyncio
import math
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import NamedTuple

from chassis.beside import Beside
from chassis.bus import Bus
from imagestudio.type.v1 import job_event_pb2
from services.generator import glimpses
from services.generator import provider as seam

_MOST = 400  # messages a second, of all purchases together
_AT_USUAL = 1.8  # how steep an estimate is: 0.83 when the usual time is over
_MOST_PREVIEWS = 16  # purchases whose preview waits: they are large
_NEARLY = 0.99  # no estimate says that it is done


class _Seen(NamedTuple):
    """Cheap to make, since most are replaced by a newer one before they are told."""

    job: str
    model: str
    fraction: float
    at: int  # nanoseconds
    estimated: bool = False


class _Guess(NamedTuple):
    """A purchase whose provider says nothing; *began* by our monotonic clock."""

    job: str
    model: str
    typical: float
    began: float


class _Shown(NamedTuple):
    """A purchase's newest preview."""

    job: str
    model: str
    preview: seam.Preview
    at: int  # nanoseconds


@dataclass(slots=True)
class Live:
    """Publishes on `live.job.{job}`; *clock* counts seconds and never goes back."""

    bus: Bus
    clock: Callable[[], float] = time.monotonic
    interval: float = 0.1  # seconds between two of the same purchase
    guess_interval: float = 0.4  # seconds between two estimates of the same purchase
    most_guesses: float = 100  # a second, of all purchases together
    _newest: dict[str, _Seen] = field(default_factory=dict)
    _guesses: dict[str, _Guess] = field(default_factory=dict)
    _wake: asyncio.Event = field(default_factory=asyncio.Event)
    _shown: dict[str, _Shown] = field(default_factory=dict)
    _showing: asyncio.Event = field(default_factory=asyncio.Event)
    _beside: Beside = field(default_factory=Beside)
    _guessing: asyncio.Event = field(default_factory=asyncio.Event)

    def start(self) -> None:
        """Begin to tell."""
        for work in (self._run(), self._guess_all(), self._show_all()):
            self._beside.start(work)

    async def close(self) -> None:
        """End."""
        await self._beside.close()

    def progress(self, job: str, purchase_id: str, model: str, fraction: float) -> None:
        """Tell how far a purchase is, 0 to 1; returns at once."""
        self._guesses.pop(purchase_id, None)
        self._tell(purchase_id, _Seen(job, model, fraction, time.time_ns()))

    def guess(
        self, job: str, purchase_id: str, model: str, *, typical: float, elapsed: float
    ) -> None:
        """Estimate from now on how far one is that began *elapsed* seconds ago; returns at once."""
        if purchase_id not in self._guesses:
            began = self.clock() - max(0.0, elapsed)
            self._guesses[purchase_id] = _Guess(job, model, typical, began)
            self._estimate(purchase_id)
            self._guessing.set()

    def preview(self, job: str, purchase_id: str, model: str, seen: seam.Preview) -> None:
        """Show an unfinished picture; returns at once, and drops it where too many wait."""
        if purchase_id in self._shown or len(self._shown) < _MOST_PREVIEWS:
            self._shown[purchase_id] = _Shown(job, model, seen, time.time_ns())
            self._showing.set()

    def over(self, purchase_id: str) -> None:
        """Tell no more of a purchase; returns at once."""
        self._guesses.pop(purchase_id, None)
        self._shown.pop(purchase_id, None)

    def _tell(self, purchase_id: str, seen: _Seen) -> None:
        self._newest[purchase_id] = seen
        self._wake.set()

    def _estimate(self, purchase_id: str) -> None:
        job, model, typical, began = self._guesses[purchase_id]
        share = 1 - math.exp(-_AT_USUAL * (self.clock() - began) / max(typical, 0.1))
        seen = _Seen(job, model, min(share, _NEARLY), time.time_ns(), estimated=True)
        self._tell(purchase_id, seen)

    async def _guess_all(self) -> None:
        while True:
            if not self._guesses:
                self._guessing.clear()
            await self._guessing.wait()
            await asyncio.sleep(max(self.guess_interval, len(self._guesses) / self.most_guesses))
            for purchase_id in [*self._guesses]:
                self._estimate(purchase_id)

    async def _run(self) -> None:
        while True:
            await self._wake.wait()
            self._wake.clear()
            told, self._newest = self._newest, {}
            for purchase_id, seen in told.items():
                await self._publish(_event(purchase_id, seen))
            await asyncio.sleep(max(self.interval, len(told) / _MOST))

    async def _show_all(self) -> None:
        while True:
            if not self._shown:
                self._showing.clear()
            await self._showing.wait()
            if self._shown:
                purchase_id = next(iter(self._shown))
                shown = self._shown.pop(purchase_id)
                small = await asyncio.to_thread(glimpses.small, shown.preview.image)
                if small is not None:
                    await self._publish(_glimpse(purchase_id, shown, small))

    async def _publish(self, event: job_event_pb2.JobEvent) -> None:
        number = event.job.rpartition("/")[2]
        await self.bus.publish(f"live.job.{number}", event.SerializeToString())


def _glimpse(purchase_id: str, shown: _Shown, small: bytes) -> job_event_pb2.JobEvent:
    preview = job_event_pb2.JobEvent.Preview(
        purchase_id=purchase_id,
        model=shown.model,
        preview_index=shown.preview.number,
        content=small,
        media_type=glimpses.MEDIA_TYPE,
    )
    event = job_event_pb2.JobEvent(job=shown.job, preview=preview)
    event.event_time.FromNanoseconds(shown.at)
    return event


def _event(purchase_id: str, seen: _Seen) -> job_event_pb2.JobEvent:
    progress = job_event_pb2.JobEvent.Progress(
        purchase_id=purchase_id,
        model=seen.model,
        fraction=seen.fraction,
        estimated=seen.estimated,
    )
    event = job_event_pb2.JobEvent(job=seen.job, progress=progress)
    event.event_time.FromNanoseconds(seen.at)
    return event
