"""
One look upstream at a job for all who watch it here.

Each of its events is fetched and rendered once, however many watch. Everybody has a place
of his own in what was told so far: a slow one holds nobody up, a late one misses nothing.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Hashable
from contextlib import aclosing
from dataclasses import dataclass, field

from gateway.sse import Frame

_LARGE = 16 * 1024  # bytes of a live frame that is large: a preview
_MOST_LARGE = 8  # such frames that are kept for whoever is slow
Open = Callable[[], AsyncIterator[Frame]]


@dataclass(slots=True, eq=False)
class _Crowd:
    """What was told: all durable frames from the first on, of live ones the newest."""

    watchers: int = 0
    durable: list[Frame] = field(default_factory=list)
    live: dict[str, tuple[int, Frame]] = field(default_factory=dict)  # numbered, by topic
    lives: int = 0  # live frames so far
    ended: bool = False
    error: Exception | None = None
    pump: asyncio.Task[None] | None = None
    _moved: asyncio.Event = field(default_factory=asyncio.Event)

    async def run(self, open_: Open) -> None:
        """Hear all there is to hear."""
        try:
            async with aclosing(open_()) as frames:  # type: ignore[type-var]
                async for frame in frames:
                    self._hear(frame)
        except Exception as error:  # whose it is, every watcher's stream knows
            self.error = error
        self.ended = True
        self._wake()

    async def tell(self, after: int) -> AsyncIterator[Frame]:
        """Yield the durable frames after number *after*, and the live ones from now on."""
        seen = self.lives
        while True:
            fresh = [frame for number, frame in self.live.values() if number > seen]
            seen = self.lives
            for frame in fresh:
                yield frame
            while after < len(self.durable):
                after += 1
                yield self.durable[after - 1]
            if self.lives > seen:
                continue
            if self.ended:
                break
            await self._moved.wait()
        if self.error:
            raise self.error

    def _hear(self, frame: Frame) -> None:
        if frame.sequence:
            self.durable.append(frame)
        else:
            self.lives += 1
            self.live.pop(frame.topic, None)  # so that the oldest stand first
            self.live[frame.topic] = self.lives, frame
            if len(frame.text) > _LARGE:
                self._shed()
        self._wake()

    def _shed(self) -> None:
        large = [topic for topic, (_, kept) in self.live.items() if len(kept.text) > _LARGE]
        for topic in large[:-_MOST_LARGE]:
            del self.live[topic]

    def _wake(self) -> None:
        self._moved.set()
        self._moved.clear()


class Crowds:
    """The crowds of this process, by *key*: who may see what, a job as one caller sees it."""

    def __init__(self) -> None:
        self._crowds: dict[Hashable, _Crowd] = {}

    async def watch(self, key: Hashable, after: int, open_: Open) -> AsyncIterator[Frame]:
        """Yield the frames after *after*; *open_* brings those of the whole log, from 1 on."""
        crowd = self._crowds.get(key)
        if crowd is None or crowd.ended:
            crowd = self._crowds[key] = _Crowd()
            crowd.pump = asyncio.create_task(crowd.run(open_))
        crowd.watchers += 1
        try:
            async for frame in crowd.tell(after):
                yield frame
        finally:
            crowd.watchers -= 1
            if not crowd.watchers:
                self._leave(key, crowd)

    def _leave(self, key: Hashable, crowd: _Crowd) -> None:
        if crowd.pump:
            crowd.pump.cancel()
        if self._crowds.get(key) is crowd:
            del self._crowds[key]
