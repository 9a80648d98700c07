"""Gathers what comes while one piece of work is under way, and does it together next."""

import asyncio
import contextvars
from collections.abc import Awaitable, Callable, Sequence
from typing import Generic, TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")


class Gathering(Generic[Item, Result]):
    """
    Calls *work* with all items that came since it began last, one call at a time.

    There is no timer: a lone item is worked on at once. An item whose caller goes before its
    turn is dropped: he would not hear what came of it. *work* returns a result or an
    exception for each item; where it raises, every item of that call gets it. It works for
    all of them, and so in nobody's context. One call takes *most* items, and no more than
    weigh *heaviest* by *weigh*, but for a heavier one alone.
    """

    def __init__(
        self,
        work: Callable[[Sequence[Item]], Awaitable[Sequence[Result | Exception]]],
        *,
        most: int,
        weigh: Callable[[Item], int] = lambda _item: 0,
        heaviest: int = 0,
    ) -> None:
        self._work, self._most = work, most
        self._weigh, self._heaviest = weigh, heaviest
        self._waiting: list[tuple[Item, asyncio.Future[Result]]] = []
        self._worker: asyncio.Task[None] | None = None

    async def do(self, item: Item) -> Result:
        """Have *item* worked on with whatever else is waiting."""
        future: asyncio.Future[Result] = asyncio.get_running_loop().create_future()
        self._waiting.append((item, future))
        if self._worker is None:
            self._worker = asyncio.create_task(self._run(), context=contextvars.Context())
        return await future

    async def _run(self) -> None:
        while taken := self._take():
            try:
                results = await self._work([item for item, _future in taken])
            except Exception as error:
                results = [error] * len(taken)
            for (_item, future), result in zip(taken, results, strict=True):
                if future.done():  # who asked is gone; what was done stays done
                    continue
                if isinstance(result, Exception):
                    future.set_exception(result)
                else:
                    future.set_result(result)
        self._worker = None

    def _take(self) -> list[tuple[Item, asyncio.Future[Result]]]:
        """What goes next, of those whose callers are still there."""
        there = [(item, future) for item, future in self._waiting if not future.done()]
        most = self._fitting(there)
        self._waiting = there[most:]
        return there[:most]

    def _fitting(self, waiting: Sequence[tuple[Item, asyncio.Future[Result]]]) -> int:
        weight = 0
        for number, (item, _future) in enumerate(waiting[: self._most]):
            weight += self._weigh(item)
            if number and weight > self._heaviest:
                return number
        return self._most
