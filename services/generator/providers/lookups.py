"""
Looking for many lost orders at once: all that are looked for by then share one listing.

After a bad minute they come due together, and a listing each would be over the provider's limit.
Each has done with it once it has come to what is older than his order: how far back another has
to look, and whether that succeeds, is none of his concern.
"""

import asyncio
import contextvars
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import TypeAlias

from chassis.beside import Beside
from services.generator.provider import Unclear
from services.generator.providers.predictions import Prediction, is_past

_AHEAD = 4  # pages that are read before who is slow has taken the first of them
PATIENCE = 10.0  # seconds that others wait for him then: he looks again another time


@dataclass(frozen=True, slots=True)
class Page:
    """
    A part of a listing, newest first.

    By the provider's own clock it was asked for at *asked* at the earliest, and answered at *told*.
    """

    shown: Sequence[Prediction]
    asked: datetime | None = None
    told: datetime | None = None


Pages: TypeAlias = Callable[[datetime], AsyncIterator[Page]]


@dataclass(eq=False, slots=True)
class _Look:
    """One who looks, from when on, and what he is still to be shown: pages, then how it ended."""

    since: datetime
    left: bool = False
    _shown: asyncio.Queue[Page | Exception | None] = field(default_factory=asyncio.Queue)
    _room: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(_AHEAD))

    async def show(self, page: Page, patience: float, is_alone: Callable[[], bool]) -> None:
        """Show him *page*; who is too slow for the others looks no more."""
        while not await self._has_room(patience):
            if not is_alone():
                self.left = True
                self.end(Unclear("others wait for the listing, and this look at it takes long"))
                return
        self._shown.put_nowait(page)

    async def _has_room(self, patience: float) -> bool:
        try:
            async with asyncio.timeout(patience):
                return await self._room.acquire()
        except TimeoutError:
            return False

    def end(self, error: Exception | None) -> None:
        """Tell how the listing ended; the reader of it waits for nobody then."""
        self._shown.put_nowait(error)

    async def each(self, take: Callable[[Page], Awaitable[None]]) -> None:
        """Have *take* see what is shown, in the looker's own task: he looks as his user."""
        try:
            while isinstance(page := await self._shown.get(), Page):
                await take(page)
                self._room.release()
        finally:
            self.left = True
            self._room.release()  # the listing may be waiting for us
        if page is not None:
            raise page


@dataclass(slots=True)
class Lookups:
    """Who waits for the next listing; a few of its pages are in memory, however many look."""

    _waiting: list[_Look] = field(default_factory=list)
    _reading: asyncio.Task[None] | None = None
    patience: float = PATIENCE
    beside: Beside = field(default_factory=Beside)

    async def read(
        self, since: datetime, take: Callable[[Page], Awaitable[None]], pages: Pages
    ) -> None:
        """
        Have *take* see each page of a listing that begins now or later, from *since* on.

        Raises what *pages* raises before it has come to *since*, to all whom that concerns; what
        *take* raises, to its own alone.
        """
        look = _Look(since)
        self._waiting.append(look)
        if self._reading is None:
            nobody = contextvars.Context()  # it reads for all, whoever came first
            self._reading = nobody.run(self.beside.start, self._run(pages))
        await look.each(take)

    async def _run(self, pages: Pages) -> None:
        while self._waiting:
            looks, self._waiting = self._waiting, []
            await self._read(looks, pages)
        self._reading = None

    async def _read(self, looks: list[_Look], pages: Pages) -> None:
        """Show each of *looks* a listing as far back as it looks, and how it ended."""
        error = None
        try:
            async for page in pages(min(look.since for look in looks)):
                await self._show(looks, page)
                looks = [look for look in looks if not look.left]
                past = [look for look in looks if is_past(page.shown, look.since)]
                for look in past:
                    look.end(None)
                looks = [look for look in looks if look not in past]
                if not looks:
                    break
        except Exception as broken:
            error = broken
        for look in looks:
            look.end(error)

    async def _show(self, looks: list[_Look], page: Page) -> None:
        for look in looks:
            if not look.left:
                await look.show(
                    page,
                    self.patience,
                    lambda: not self._waiting and sum(not each.left for each in looks) == 1,
                )
