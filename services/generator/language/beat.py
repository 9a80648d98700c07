"""A stream that never falls silent: where nothing is new it says that it lives."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import aclosing
from typing import TypeVar

SILENCE = 10.0  # seconds
Message = TypeVar("Message")


async def beating(
    source: AsyncIterator[Message], beat: Callable[[], Message], silence: float = SILENCE
) -> AsyncIterator[Message]:
    """Yield what *source* yields, and a *beat* after each *silence* seconds without."""
    async with aclosing(source):  # type: ignore[type-var]
        coming: asyncio.Task[list[Message]] | None = None
        try:
            while True:
                coming = coming or asyncio.create_task(_next(source))
                await asyncio.wait([coming], timeout=silence)
                if not coming.done():
                    yield beat()
                    continue
                come, coming = coming.result(), None
                if not come:
                    return
                yield come[0]
        finally:
            if coming:
                coming.cancel()
                await asyncio.gather(coming, return_exceptions=True)


async def _next(source: AsyncIterator[Message]) -> list[Message]:
    async for message in source:
        return [message]
    return []
