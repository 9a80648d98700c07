"""
Looking for many lost orders at once: all that are looked for by then share one listing.

After a bad minute they come due together, and a listing each would be over the provider's limit.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import TypeAlias

from services.generator.providers.predictions import Prediction

Page: TypeAlias = list[Prediction]
Pages: TypeAlias = Callable[[datetime], AsyncIterator[Page]]


@dataclass(slots=True)
class _Look:
    """One who looks, from when on, and what takes a page for him."""

    since: datetime
    take: Callable[[Page], Awaitable[None]]
    done: asyncio.Future[None]


@dataclass(slots=True)
class Lookups:
    """Who waits for the next listing; each page is in memory once, however many look."""

    _waiting: list[_Look] = field(default_factory=list)
    _reading: asyncio.Task[None] | None = None

    async def read(
        self, since: datetime, take: Callable[[Page], Awaitable[None]], pages: Pages
    ) -> None:
        """
        Have *take* see each page of a listing that begins now or later, from *since* on.

        Raises what *pages* raises, to all; what *take* raises, to its own alone.
        """
        look = _Look(since, take, asyncio.get_running_loop().create_future())
        self._waiting.append(look)
        if self._reading is None:
            self._reading = asyncio.create_task(self._run(pages))
        await look.done

    async def _run(self, pages: Pages) -> None:
        while self._waiting:
            looks, self._waiting = self._waiting, []
            try:
                async for page in pages(min(look.since for look in looks)):
                    await asyncio.gather(*(_show(look, page) for look in looks))
                    looks = [look for look in looks if not look.done.done()]
                    if not looks:
                        break
            except Exception as error:
                _tell(looks, error)
            else:
                _tell(looks, None)
        self._reading = None


async def _show(look: _Look, page: Page) -> None:
    try:
        await look.take(page)
    except Exception as error:
        _tell([look], error)


def _tell(looks: list[_Look], error: Exception | None) -> None:
    for look in looks:
        if look.done.done():  # who looked has left
            continue
        if error:
            look.done.set_exception(error)
        else:
            look.done.set_result(None)
