"""
A job's events from any point to the end, whatever dies on the way.

A generator that goes away ends a call and not the job: the watch is taken up again
after the last event, at whichever generator answers. Gap-free, nothing twice.
"""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import aclosing

from chassis.errors import Fault, Unavailable, was_cut
from gateway.services import Services
from imagestudio.generator.v1.generator_service_pb2 import (
    GenerateImagesRequest,
    WatchGenerationRequest,
)
from imagestudio.type.v1.job_event_pb2 import JobEvent

FIRST = 12.0  # seconds for the first event of a new job
QUIET = 25.0  # seconds: a living generator says something every 10
GIVE_UP = 60.0  # seconds without any event until the client shall come back by itself
_PAUSE = 0.2  # seconds before a call is made again, growing to a second

Open = Callable[[], AsyncIterator[JobEvent]]


def generate(services: Services, request: GenerateImagesRequest) -> AsyncIterator[JobEvent]:
    """Start a job and follow it; *request* has a request_id, so that it may be sent again."""

    async def open_() -> AsyncIterator[JobEvent]:
        answers = services.generator.stream("GenerateImages", request)
        async with aclosing(answers):
            async for answer in answers:
                yield answer.event

    return _follow(services, open_, after=0)


def watch(services: Services, name: str, after: int) -> AsyncIterator[JobEvent]:
    """Follow the job *name* after the event *after*."""
    return _follow(services, _watching(services, name, after), after=after)


async def opened(events: AsyncIterator[JobEvent]) -> tuple[JobEvent, AsyncIterator[JobEvent]]:
    """Wait for the first event; return it, and all events with it again in front."""
    try:
        async with asyncio.timeout(FIRST):
            first = await anext(events)
    except (TimeoutError, StopAsyncIteration):
        raise _silent() from None

    async def whole() -> AsyncIterator[JobEvent]:
        async with aclosing(events):  # type: ignore[type-var]
            yield first
            async for event in events:
                yield event

    return first, whole()


def _watching(services: Services, name: str, after: int) -> Open:
    request = WatchGenerationRequest(name=name, after_sequence=after)

    async def open_() -> AsyncIterator[JobEvent]:
        answers = services.generator.stream("WatchGeneration", request)
        async with aclosing(answers):
            async for answer in answers:
                yield answer.event

    return open_


async def _follow(services: Services, open_: Open, *, after: int) -> AsyncIterator[JobEvent]:
    now = asyncio.get_running_loop().time
    name, last, heard, pause = "", after, now(), _PAUSE
    while True:
        try:
            async with aclosing(open_()) as events:  # type: ignore[type-var]
                async for event in _living(events):
                    name, heard, pause = event.job or name, now(), _PAUSE
                    if 0 < event.sequence <= last:
                        continue
                    if event.sequence > last + 1:
                        break  # a gap: read on from before it
                    last = max(last, event.sequence)
                    yield event
                    if event.HasField("completed"):
                        return
                else:
                    return
        except Fault as fault:
            if not was_cut(fault) or now() - heard > GIVE_UP:
                raise
        await asyncio.sleep(pause)
        pause = min(1.0, pause * 2)
        open_ = _watching(services, name, last) if name else open_


async def _living(events: AsyncIterator[JobEvent]) -> AsyncIterator[JobEvent]:
    """Yield *events*; one that is silent for too long is as good as dead."""
    while True:
        try:
            async with asyncio.timeout(QUIET):
                event = await anext(events)
        except StopAsyncIteration:
            return
        except TimeoutError:
            raise _silent() from None
        yield event


def _silent() -> Fault:
    return Unavailable(
        "SERVICE_UNAVAILABLE",
        "The generator does not answer; try again in a moment.",
        metadata={"service": "generator"},
        retry_after=1.0,
    )
