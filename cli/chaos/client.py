"""One client with one job: asks, listens, leaves, comes back, cancels and asks again."""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import aclosing, suppress
from dataclasses import dataclass, field
from typing import TypeVar

from cli.chaos.plan import Visit
from cli.chaos.ways import Broken, Heard, Refused, Way, Wrong

Answer = TypeVar("Answer")
_PAUSE = 0.1  # seconds until a client comes again whose connection broke


class _Left(Exception):
    """The client leaves its stream here."""


@dataclass(slots=True, kw_only=True)
class Outcome:
    """What a client saw: every job that its request was answered with, and one job's log."""

    visit: Visit
    jobs: set[str] = field(default_factory=set)
    log: list[Heard] = field(default_factory=list)
    refused: bool = False
    wrong: list[str] = field(default_factory=list)
    began: float = 0.0  # by time.monotonic
    ended: float = 0.0
    breaks: int = 0
    left: int = 0  # times that its stream was left
    doubled: int = 0  # times that its request was sent once more
    cancels: int = 0

    @property
    def completed(self) -> bool:
        return bool(self.log) and self.log[-1].kind == "completed"

    @property
    def job(self) -> str | None:
        return next(iter(self.jobs), None)


@dataclass(slots=True)
class Client:
    """Goes through one visit by *way*; *patience* is in seconds for all of it."""

    way: Way
    found: Outcome
    patience: float
    _left: set[int] = field(default_factory=set)
    _beside: list[asyncio.Task[None]] = field(default_factory=list)

    async def run(self) -> Outcome:
        """Go through the visit to the last event of its job; never raises what it meets."""
        self.found.began = time.monotonic()
        try:
            async with asyncio.timeout(self.patience):
                await self._visit()
        except TimeoutError:
            heard = [each.kind for each in self.found.log]
            self.found.wrong.append(f"not through after {self.patience:.0f} s: {heard}")
        except Wrong as error:
            self.found.wrong.append(str(error))
        finally:
            for task in self._beside:
                task.cancel()
            self.found.ended = time.monotonic()
        return self.found

    async def _visit(self) -> None:
        visit = self.found.visit
        if "at once" in visit.again:
            self._spawn(self._again())
        try:
            await self._begin()
        except Refused:
            await asyncio.gather(*self._beside)
            self.found.refused = self.found.job is None
        if self.found.refused:
            return
        while not self.found.completed:
            assert self.found.job is not None
            await self._listen(self.way.watch(self.found.job, len(self.found.log)))
        if "later" in visit.again:
            await self._again()
        await asyncio.gather(*self._beside)

    async def _begin(self) -> None:
        visit = self.found.visit
        if not visit.streams:
            start = self.way.start
        elif 0 in visit.leaves:
            start = self.way.glance
            self.found.left += 1
        else:
            while self.found.job is None:
                await self._listen(self.way.generate(visit.request, visit.request_id))
            return
        self.found.jobs.add(await self._insist(lambda: start(visit.request, visit.request_id)))

    async def _again(self) -> None:
        """Send the same request once more: it must be the same job."""
        visit = self.found.visit
        with suppress(Refused):
            self.found.jobs.add(
                await self._insist(lambda: self.way.start(visit.request, visit.request_id))
            )
            self.found.doubled += 1

    async def _cancel(self, job: str) -> None:
        await self._insist(lambda: self.way.cancel(job))
        self.found.cancels += 1

    async def _listen(self, stream: AsyncIterator[Heard]) -> None:
        try:
            async with aclosing(stream):  # type: ignore[type-var]
                async for heard in stream:
                    self._hear(heard)
                    if self.found.completed:
                        return
        except _Left:
            self.found.left += 1
            return
        except Broken:
            self.found.breaks += 1
        await asyncio.sleep(_PAUSE)

    def _hear(self, heard: Heard) -> None:
        found, visit = self.found, self.found.visit
        found.jobs.add(heard.job)
        if heard.sequence == 0:
            return
        if heard.sequence != len(found.log) + 1:
            raise Wrong(f"event {heard.sequence} came after {len(found.log)}")
        found.log.append(heard)
        if heard.sequence == visit.cancels and not found.completed:
            self._spawn(self._cancel(heard.job))
        if heard.sequence in visit.leaves - self._left and not found.completed:
            self._left.add(heard.sequence)
            raise _Left

    async def _insist(self, ask: Callable[[], Awaitable[Answer]]) -> Answer:
        while True:
            try:
                return await ask()
            except Broken:
                self.found.breaks += 1
            await asyncio.sleep(_PAUSE)

    def _spawn(self, work: Awaitable[None]) -> None:
        self._beside.append(asyncio.ensure_future(work))
