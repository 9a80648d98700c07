"""Gathers what comes while one piece of work is under way, and does it together next."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Generic, TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")


class Gathering(Generic[Item, Result]):
    """
    Calls *work* with all items that came since it began last, one call at a time.

    There is no timer: a lone item is worked on at once. *work* returns a result or an
    exception for each item; where it raises, every item of that call gets it.
    """

    def __init__(
        self,
        work: Callable[[Sequence[Item]], Awaitable[Sequence[Result | Exception]]],
        *,
        most: int,
    ) -> None:
        self._work, self._most = work, most
        self._waiting: list[tuple[Item, asyncio.Future[Result]]] = []
        self._worker: asyncio.Task[None] | None = None

    async def do(self, item: Item) -> Result:
        """Have *item* worked on with whatever else is waiting."""
        future: asyncio.Future[Result] = asyncio.get_running_loop().create_future()
        self._waiting.append((item, future))
        if self._worker is None:
            self._worker = asyncio.create_task(self._run())
        return await future

    async def _run(self) -> None:
        while self._waiting:
            taken, self._waiting = self._waiting[: self._most], self._waiting[self._most :]
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
