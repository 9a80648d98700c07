"""
A job's events from any point to the end, and a user's feed, whatever dies on the way.

A service that goes away ends a call and not the job: the watch is taken up again after
the last event, at whichever replica answers. Gap-free, nothing twice.
"""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import aclosing

from chassis.errors import Fault, Unavailable, was_cut
from gateway.services import Services
from imagestudio.catalog.v1.catalog_service_pb2 import WatchUserRequest
from imagestudio.generator.v1.generator_service_pb2 import (
    GenerateImagesRequest,
    WatchGenerationRequest,
)
from imagestudio.type.v1.job_event_pb2 import JobEvent
from imagestudio.type.v1.job_pb2 import JobSpec

FIRST = 12.0  # seconds for the first event of a new job
PREPARING = 55.0  # seconds for it where input images or a better prompt come before
QUIET = 25.0  # seconds: a living service says something every 10
GIVE_UP = 60.0  # seconds without any event until the client shall come back by itself
_PAUSE = 0.05  # seconds before a call is made again, growing to a second

Message = tuple[JobEvent, ...]  # what came at once
Open = Callable[[], AsyncIterator[Message]]
Again = Callable[[str, int], Open]  # for a job and the last event of it that was told


def patience(spec: JobSpec) -> float:
    """Seconds in which a job of *spec* must have begun."""
    may_be_rewritten = spec.smart_prompt or (not spec.HasField("smart_prompt") and spec.preset)
    return PREPARING if spec.references or may_be_rewritten else FIRST


def generate(services: Services, request: GenerateImagesRequest) -> AsyncIterator[JobEvent]:
    """Start a job and follow it; *request* has a request_id, so that it may be sent again."""

    async def open_() -> AsyncIterator[Message]:
        answers = services.generator.stream("GenerateImages", request)
        async with aclosing(answers):
            async for answer in answers:
                yield answer.event, *answer.more

    first = max(QUIET, patience(request.spec))
    return _follow(open_, _jobs(services), after=0, first=first)


def watch(services: Services, name: str, after: int) -> AsyncIterator[JobEvent]:
    """Follow the job *name* after the event *after*."""
    again = _jobs(services)
    return _follow(again(name, after), again, after=after)


def feed(services: Services, after: int) -> AsyncIterator[JobEvent]:
    """Follow the running caller's feed after the number *after*, without end."""

    def again(_name: str, last: int) -> Open:
        async def open_() -> AsyncIterator[Message]:
            request = WatchUserRequest(after_sequence=last)
            answers = services.catalog.stream("WatchUser", request)
            async with aclosing(answers):
                async for answer in answers:
                    yield (answer.event,)

        return open_

    return _follow(again("", after), again, after=after, endless=True)


async def opened(
    events: AsyncIterator[JobEvent], patience: float = FIRST
) -> tuple[JobEvent, AsyncIterator[JobEvent]]:
    """Wait *patience* seconds for the first event; return it, and all with it again in front."""
    try:
        async with asyncio.timeout(patience):
            first = await anext(events)
    except (TimeoutError, StopAsyncIteration):
        raise silent() from None

    async def whole() -> AsyncIterator[JobEvent]:
        async with aclosing(events):  # type: ignore[type-var]
            yield first
            async for event in events:
                yield event

    return first, whole()


def _jobs(services: Services) -> Again:
    def again(name: str, last: int) -> Open:
        request = WatchGenerationRequest(name=name, after_sequence=last)

        async def open_() -> AsyncIterator[Message]:
            answers = services.generator.stream("WatchGeneration", request)
            async with aclosing(answers):
                async for answer in answers:
                    yield (answer.event,)

        return open_

    return again


async def _follow(
    open_: Open, again: Again, *, after: int, endless: bool = False, first: float = QUIET
) -> AsyncIterator[JobEvent]:
    now = asyncio.get_running_loop().time
    name, last, heard, pause = "", after, now(), _PAUSE
    while True:
        try:
            async with aclosing(open_()) as messages:  # type: ignore[type-var]
                async for event in _living(messages, first):
                    name, heard, pause, first = event.job or name, now(), _PAUSE, QUIET
                    if 0 < event.sequence <= last:
                        continue
                    if event.sequence > last + 1:
                        break  # a gap: read on from before it
                    last = max(last, event.sequence)
                    yield event
                    if event.HasField("completed") and not endless:
                        return
                else:
                    return
        except Fault as fault:
            if not was_cut(fault) or now() - heard > GIVE_UP:
                raise
        await asyncio.sleep(pause)
        pause = min(1.0, pause * 2)
        open_ = again(name, last) if name or endless else open_


async def _living(messages: AsyncIterator[Message], first: float) -> AsyncIterator[JobEvent]:
    """Yield the events; who is silent for too long, *first* seconds at first, is dead."""
    wait = first
    while True:
        try:
            async with asyncio.timeout(wait):
                message = await anext(messages)
        except StopAsyncIteration:
            return
        except TimeoutError:
            raise silent() from None
        wait = QUIET
        for event in message:
            yield event


def silent() -> Fault:
    """Say that a service does not answer."""
    return Unavailable(
        "SERVICE_UNAVAILABLE",
        "A service does not answer; try again in a moment.",
        metadata={"service": "generator, catalog"},
        retry_after=1.0,
    )
