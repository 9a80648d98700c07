"""
Who goes first where many wait: at most so many at once, the most urgent before the others.

Who turns out to be slow goes on beside the lane, so that nobody waits for the slow ones.
"""

import asyncio
import heapq
import itertools
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import datetime
from weakref import WeakValueDictionary


class Lane:
    """*width* may be in it at once, and *beside* it so many."""

    def __init__(self, width: int, beside: int = 0) -> None:
        self._free, self._beside = width, beside
        self._order = itertools.count()  # of two that are equally urgent, who came first
        self._waiting: list[tuple[float, int, asyncio.Future[None]]] = []

    @asynccontextmanager
    async def turn(self, expires: datetime | None) -> AsyncIterator[Callable[[], None]]:
        """
        Wait for a place, and have it until the block ends; nobody is as urgent as None.

        What is yielded steps aside for others, as often as it is called, where there is room.
        """
        await self._wait(expires.timestamp() if expires else 0.0)
        aside = False

        def step_aside() -> None:
            nonlocal aside
            if self._beside and not aside:
                aside = True
                self._beside -= 1
                self._pass_on()

        try:
            yield step_aside
        finally:
            if aside:
                self._beside += 1
            else:
                self._pass_on()

    async def _wait(self, urgency: float) -> None:
        if self._free:
            self._free -= 1
            return
        place: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        heapq.heappush(self._waiting, (urgency, next(self._order), place))
        try:
            await place
        except asyncio.CancelledError:
            if place.done() and not place.cancelled():
                self._pass_on()  # it was given to us as we left
            raise

    def _pass_on(self) -> None:
        while self._waiting:
            _urgency, _order, place = heapq.heappop(self._waiting)
            if not place.done():
                place.set_result(None)
                return
        self._free += 1


class Lanes:
    """A lane for each name, as `Lane` has it, which exists while somebody is in it or waits."""

    def __init__(self, width: int, beside: int = 0) -> None:
        self._width, self._beside = width, beside
        self._lanes: WeakValueDictionary[str, Lane] = WeakValueDictionary()

    def of(self, name: str) -> Lane:
        """The lane of *name*."""
        lane = self._lanes.get(name)
        if lane is None:
            lane = self._lanes[name] = Lane(self._width, self._beside)
        return lane
