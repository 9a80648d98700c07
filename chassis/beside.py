"""Work that goes on beside all else, and of which somebody has to know the end."""

import asyncio
from collections.abc import Coroutine
from typing import TypeVar

Result = TypeVar("Result")


class Beside:
    """Tasks that outlive whoever starts them, in the context that they are started in."""

    def __init__(self) -> None:
        self._tasks: set[asyncio.Task[object]] = set()

    def start(self, work: Coroutine[object, object, Result]) -> asyncio.Task[Result]:
        """Begin *work*; returns at once."""
        task = asyncio.create_task(work)
        self._tasks.add(task)  # the loop alone would let it be collected
        task.add_done_callback(self._tasks.discard)
        return task

    async def ended(self) -> None:
        """Wait for the end of all, and of what they start meanwhile."""
        while self._tasks:
            await asyncio.wait(self._tasks.copy())

    async def close(self, patience: float = 0.0) -> None:
        """Wait *patience* seconds for their end; then end them."""
        if self._tasks and patience:
            await asyncio.wait(self._tasks.copy(), timeout=patience)
        ending = self._tasks.copy()
        for task in ending:
            task.cancel()
        await asyncio.gather(*ending, return_exceptions=True)
