"""
Looking at many predictions at once: above a number of them, one listing a moment tells of
all that are still being drawn, in place of a look at each.
"""

import asyncio
import math
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TypeAlias

from chassis.beside import Beside
from services.generator.providers.predictions import Prediction, is_working

_PAGE = 100  # predictions

Pages: TypeAlias = Callable[[], AsyncIterator[Sequence[Prediction]]]


@dataclass(slots=True)
class Crowd:
    """
    Who is followed in this process, and the listing that is under way for them.

    *alone* of them are looked at one by one; in *gather* seconds, and *per_page* more for each page
    that will have to be read, those come together that one listing serves.
    """

    alone: int = 32
    gather: float = 0.5
    per_page: float = 0.1
    _followed: set[str] = field(default_factory=set)
    _wanted: set[str] = field(default_factory=set)
    _gathering: asyncio.Task[dict[str, Prediction]] | None = None
    beside: Beside = field(default_factory=Beside)

    @contextmanager
    def with_one_more(self, reference: str) -> Iterator[None]:
        """Count *reference* among the followed."""
        self._followed.add(reference)
        try:
            yield
        finally:
            self._followed.discard(reference)

    async def told_of(self, reference: str, pages: Pages) -> Prediction | None:
        """What a listing that begins now tells of one that is still drawn; None: ask for it."""
        if len(self._followed) <= self.alone:
            return None
        self._wanted.add(reference)
        if self._gathering is None:
            self._gathering = self.beside.start(self._list(pages))
            self._gathering.add_done_callback(lambda done: done.cancelled() or done.exception())
        found = (await asyncio.shield(self._gathering)).get(reference)
        return found if found and is_working(found) else None

    async def _list(self, pages: Pages) -> dict[str, Prediction]:
        most = math.ceil(len(self._followed) / _PAGE) + 1
        await asyncio.sleep(self.gather + self.per_page * most)
        wanted, self._wanted, self._gathering = self._wanted, set(), None
        found: dict[str, Prediction] = {}
        async for page in pages():
            found |= {key: _without_input(each) for each in page if (key := _id(each)) in wanted}
            most -= 1
            if most == 0 or wanted <= found.keys():
                break
        return found


def _id(found: Prediction) -> str:
    return str(found.get("id"))


def _without_input(found: Prediction) -> Prediction:
    """What it was given may be megabytes of pictures, and says nothing of where it stands."""
    return {name: told for name, told in found.items() if name != "input"}
