"""
Watching a job: its log from any point on, then the live tail, to `completed`.

The log is the truth and the news only quickens: at a gap the log is read again, and so it
is where the rounds say that it has gone on. Whoever stops watching stops nothing else.
"""

import asyncio
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import aclosing
from dataclasses import dataclass

from chassis.channel import Peer
from chassis.errors import Unavailable
from imagestudio.catalog.v1 import ledger_service_pb2, ledger_service_pb2_grpc
from imagestudio.type.v1 import job_event_pb2
from services.generator.hub import Hub, Listener
from services.generator.identifiers import number_of
from services.generator.sequence import Sequence as Progress
from services.generator.sequence import Verdict

SILENCE = 10.0  # seconds until a heartbeat
_PAGE = 500
_TIMEOUT = 10.0  # seconds
Event = job_event_pb2.JobEvent


@dataclass(slots=True)
class Watch:
    """Reads the log by *catalog*, hears the news by *hub*."""

    hub: Hub
    catalog: Peer
    ledger: "ledger_service_pb2_grpc.LedgerServiceAsyncStub"

    async def events(
        self, job: str, after: int, known: Iterable[Event] = ()
    ) -> AsyncIterator[Event]:
        """
        Yield the events of *job* after number *after*, and the live ones between them.

        *known* are durable events that were just written, from the first on; with them
        the log is not read at once. Invalid where the log has not come to *after*.
        """
        async with aclosing(self.together(job, after, known)) as found:  # type: ignore[type-var]
            async for events in found:
                for event in events:
                    yield event

    async def together(
        self, job: str, after: int, known: Iterable[Event] = ()
    ) -> AsyncIterator[Sequence[Event]]:
        """Yield the same, what is there at once together; see `events`."""
        progress = Progress(after)
        async with self.hub.listen(number_of(job), progress) as listener:
            watcher = _Watcher(self, job, progress, listener)
            if told := [event for event in known if progress.judge(event) is Verdict.TELL]:
                yield told
            stream = watcher.tail() if progress.last > after else watcher.all()
            async with aclosing(stream):  # type: ignore[type-var]
                async for events in stream:
                    last = next((n for n, e in enumerate(events, 1) if e.HasField("completed")), 0)
                    yield events[:last] if last else events
                    if last:
                        return


@dataclass(slots=True)
class _Watcher:
    """One watcher on its way through one log."""

    watch: Watch
    job: str
    sequence: Progress
    listener: Listener
    ended: bool = False

    async def all(self) -> AsyncIterator[Sequence[Event]]:
        """The log so far, then the tail."""
        async for events in self.log():
            yield events
        if not self.ended:
            async for events in self.tail():
                yield events

    async def log(self) -> AsyncIterator[Sequence[Event]]:
        """What the log has and was not told yet."""
        while True:
            request = ledger_service_pb2.ReadEventsRequest(
                job=self.job, after_sequence=self.sequence.last, page_size=_PAGE
            )
            watch = self.watch
            read = watch.ledger.ReadEvents
            answer = await watch.catalog.insist(read, request, timeout=_TIMEOUT)
            if told := [e for e in answer.events if self.sequence.judge(e) is Verdict.TELL]:
                yield told
            if self.sequence.last >= answer.last_sequence or not answer.events:
                self.ended = answer.ended
                return

    async def tail(self) -> AsyncIterator[Sequence[Event]]:
        """What is news; a heartbeat where nothing is. Ends with the log."""
        loop = asyncio.get_running_loop()
        spoke = loop.time()
        while not self.ended:
            await self.listener.wait(max(0.0, spoke + SILENCE - loop.time()))
            if self.watch.hub.closed:
                raise _ending()
            async with aclosing(self.news()) as news:  # type: ignore[type-var]
                async for events in news:
                    spoke = loop.time()
                    yield events
            if loop.time() - spoke >= SILENCE:
                spoke = loop.time()
                yield [self._heartbeat()]

    async def news(self) -> AsyncIterator[Sequence[Event]]:
        """What lies in the mailbox, and what is found missing before it."""
        box, told = self.listener.mailbox, list[Event]()
        while (event := box.take()) is not None:
            verdict = self.sequence.judge(event)
            if verdict is Verdict.TELL:
                told.append(event)
            elif verdict is Verdict.READ:
                if told:
                    yield told
                    told = []
                async for missed in self.log():
                    yield missed
        if told:
            yield told
        if self.listener.behind:
            box.overflowed = False
            async for missed in self.log():
                yield missed

    def _heartbeat(self) -> Event:
        beat = job_event_pb2.JobEvent.Heartbeat(last_sequence=self.sequence.last)
        event = job_event_pb2.JobEvent(job=self.job, heartbeat=beat)
        event.event_time.GetCurrentTime()
        return event


def _ending() -> Unavailable:
    return Unavailable(
        "SERVICE_UNAVAILABLE",
        "This generator ends; watch again after the last event, at any other.",
        metadata={"service": "generator"},
        retry_after=0.2,
    )
