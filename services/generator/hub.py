"""
One NATS subscription for all jobs that are watched here, however many watch them.

A subscription for each job would cost more than the news of the jobs that nobody watches
here: those are dropped unread.
"""

import asyncio
import contextvars
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from nats.aio.msg import Msg
from nats.aio.subscription import Subscription

from chassis.bus import Bus
from imagestudio.type.v1 import job_event_pb2
from services.generator.sequence import Mailbox, Sequence

_SUBJECTS = "*.job.*"  # news and live


@dataclass(slots=True, eq=False)
class Listener:
    """One watcher's mailbox, and what wakes it; *sequence* tells how far he is."""

    sequence: Sequence
    mailbox: Mailbox = field(default_factory=Mailbox)
    _newest: int = 0  # what the log has come to, as far as is known
    _arrived: asyncio.Event = field(default_factory=asyncio.Event)

    def put(self, event: job_event_pb2.JobEvent) -> None:
        """Add an event and wake the watcher."""
        self.mailbox.put(event)
        self._arrived.set()

    @property
    def behind(self) -> bool:
        """Whether the log has something that the mailbox has not."""
        return self.mailbox.overflowed or self._newest > self.sequence.last

    def notice(self, last: int) -> None:
        """Learn that the log has come to the event *last*."""
        self._newest = last
        if self.behind:
            self._arrived.set()

    def wake(self) -> None:
        """Wake the watcher without an event."""
        self._arrived.set()

    async def wait(self, seconds: float) -> None:
        """Wait until something is there, for *seconds* at most."""
        if self.behind or not self.mailbox.empty():
            return
        self._arrived.clear()
        timer = asyncio.get_running_loop().call_later(seconds, self._arrived.set)
        try:
            await self._arrived.wait()
        finally:
            timer.cancel()


@dataclass(slots=True)
class Hub:
    """Hands the news and the live progress of jobs to their listeners."""

    bus: Bus
    closed: bool = False
    _listeners: dict[int, set[Listener]] = field(default_factory=dict)  # by job
    _ready: "asyncio.Task[Subscription | None] | None" = None

    @property
    def connected(self) -> bool:
        """Whether news can come at all."""
        return self.bus.connected

    @property
    def jobs(self) -> list[int]:
        """The jobs that are watched here."""
        return list(self._listeners)

    def close(self) -> None:
        """Wake every watcher, that he may watch elsewhere: this process ends."""
        self.closed = True
        for listeners in self._listeners.values():
            for listener in listeners:
                listener.wake()

    @asynccontextmanager
    async def listen(self, job_id: int, sequence: Sequence) -> AsyncIterator[Listener]:
        """Give a listener that hears all that is published from now on."""
        listener = Listener(sequence)
        self._listeners.setdefault(job_id, set()).add(listener)
        try:
            await self.subscribe()
            yield listener
        finally:
            self._listeners[job_id].discard(listener)
            if not self._listeners[job_id]:
                del self._listeners[job_id]

    async def subscribe(self) -> None:
        """Subscribe once; again where NATS was not there before. It renews itself later."""
        if self._ready and self._ready.done() and self._ready.result() is None:
            self._ready = None
        if self._ready is None:
            work = self.bus.subscribe(_SUBJECTS, self._heard)
            self._ready = asyncio.create_task(work, context=contextvars.Context())
        await asyncio.shield(self._ready)

    def notice(self, job_id: int, last: int) -> None:
        """Let who listens to a job know that its log has come to the event *last*."""
        for listener in self._listeners.get(job_id, ()):
            listener.notice(last)

    async def _heard(self, message: Msg) -> None:
        """Hand out an event; what is none raises, and the client of NATS goes on."""
        listeners = self._listeners.get(int(message.subject.rpartition(".")[2]))
        if listeners:
            event = job_event_pb2.JobEvent.FromString(message.data)
            for listener in listeners:
                listener.put(event)
