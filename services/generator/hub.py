"""One NATS subscription for each job that is watched here, however many watch it."""

import asyncio
import contextvars
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field

from google.protobuf.message import DecodeError
from nats.aio.msg import Msg
from nats.aio.subscription import Subscription

from chassis.bus import Bus
from imagestudio.type.v1 import job_event_pb2
from services.generator.sequence import Mailbox, Sequence


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
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._arrived.wait()


@dataclass(slots=True, eq=False)
class _Channel:
    listeners: set[Listener] = field(default_factory=set)
    ready: "asyncio.Task[Subscription | None] | None" = None


@dataclass(slots=True)
class Hub:
    """Hands the news and the live progress of jobs to their listeners."""

    bus: Bus
    closed: bool = False
    _channels: dict[int, _Channel] = field(default_factory=dict)

    @property
    def connected(self) -> bool:
        """Whether news can come at all."""
        return self.bus.connected

    @property
    def jobs(self) -> list[int]:
        """The jobs that are watched here."""
        return list(self._channels)

    def close(self) -> None:
        """Wake every watcher, that he may watch elsewhere: this process ends."""
        self.closed = True
        for channel in self._channels.values():
            for listener in channel.listeners:
                listener.wake()

    @asynccontextmanager
    async def listen(self, job_id: int, sequence: Sequence) -> AsyncIterator[Listener]:
        """Give a listener that hears all that is published from now on."""
        channel = self._channels.setdefault(job_id, _Channel())
        listener = Listener(sequence)
        channel.listeners.add(listener)
        try:
            await self._subscribed(job_id, channel)
            yield listener
        finally:
            channel.listeners.discard(listener)
            if not channel.listeners and self._channels.get(job_id) is channel:
                del self._channels[job_id]
                self._end(channel)

    async def _subscribed(self, job_id: int, channel: _Channel) -> None:
        """Subscribe once; again where NATS was not there before."""
        if channel.ready and channel.ready.done() and channel.ready.result() is None:
            channel.ready = None
        if channel.ready is None:

            async def heard(message: Msg) -> None:
                _hand_out(message, channel)

            work = self.bus.subscribe(f"*.job.{job_id}", heard)
            channel.ready = asyncio.create_task(work, context=contextvars.Context())
        await asyncio.shield(channel.ready)

    async def heal(self) -> None:
        """Subscribe to the jobs for which that failed before."""
        for job_id, channel in tuple(self._channels.items()):
            if self.connected and channel.listeners:
                await self._subscribed(job_id, channel)

    def notice(self, job_id: int, last: int) -> None:
        """Let who listens to a job know that its log has come to the event *last*."""
        if channel := self._channels.get(job_id):
            for listener in channel.listeners:
                listener.notice(last)

    def _end(self, channel: _Channel) -> None:
        if channel.ready is None:
            return

        def unsubscribe(ready: "asyncio.Task[Subscription | None]") -> None:
            subscription = None if ready.cancelled() else ready.result()
            if subscription is not None and self.connected:
                task = asyncio.ensure_future(subscription.unsubscribe())
                _ending.add(task)
                task.add_done_callback(_forget)

        channel.ready.add_done_callback(unsubscribe)


_ending: "set[asyncio.Future[None]]" = set()


def _forget(task: "asyncio.Future[None]") -> None:
    _ending.discard(task)
    if not task.cancelled():
        task.exception()  # NATS went meanwhile: its subscriptions went with it


def _hand_out(message: Msg, channel: _Channel) -> None:
    event = job_event_pb2.JobEvent()
    try:
        event.ParseFromString(message.data)
    except DecodeError:
        return
    for listener in tuple(channel.listeners):
        listener.put(event)
