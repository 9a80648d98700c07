"""Where a language model's calls come in: counted, spoiled, written, charged, sent in pieces."""

import json
from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from typing import Any, ClassVar

from aiohttp import web

from lab.charges import Charge
from lab.door import Door, Handler, object_of
from lab.world import World
from lab.writing.author import Asked, Author, Written

_MILLION = 1_000_000


class Problem(Exception):
    """A call that is refused with *status*, in the vendor's own words."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


class Pieces(web.Response):
    """Event by event, with a pause before each; *whole* is all of it."""

    def __init__(self, events: Sequence[bytes], world: World, pause: float) -> None:
        self.whole = b"".join(events)

        async def flow() -> AsyncIterator[bytes]:
            for event in events:
                await world.clock.sleep(pause)
                yield event

        super().__init__(
            body=flow(), headers={"Content-Type": "text/event-stream", "Cache-Control": "no-cache"}
        )


class Desk(ABC):
    """One vendor's text models; *prices* are dollars for a million tokens, read and written."""

    name: ClassVar[str]
    prices: ClassVar[Mapping[str, tuple[float, float]]]

    def __init__(self, world: World, author: Author) -> None:
        self._world, self._author = world, author
        self._door = Door(world, self.name, lambda status: self.refuse(status, "The lab's doing."))

    @abstractmethod
    def routes(self) -> Iterable[web.RouteDef]: ...

    @abstractmethod
    def refuse(self, status: int, message: str) -> web.Response:
        """An error in the vendor's own words."""

    def settings(self) -> dict[str, object]:
        return self._author.settings()

    def change(self, settings: dict[str, object]) -> None:
        self._author.change(settings)

    def assets(self) -> list[dict[str, object]]:
        return []

    def pictures(self) -> list[dict[str, object]]:
        return []

    async def reset(self) -> None:
        self._author.mood = type(self._author.mood)()

    def route(self, path: str, handler: Handler) -> web.RouteDef:
        """A route for a paid call."""

        async def answer(request: web.Request) -> web.StreamResponse:
            try:
                return await handler(request)
            except Problem as problem:
                return self.refuse(problem.status, str(problem))

        return self._door.route("POST", path, "chat", answer)

    def write(self, asked: Asked, ticket: str) -> Written:
        """Write an answer, and charge for it."""
        if asked.model not in self.prices:
            raise Problem(404, f"model: {asked.model}")
        written = self._author.write(asked)
        read, told = self.prices[asked.model]
        self._world.charges.add(
            Charge(
                vendor=self.name,
                model=asked.model,
                ticket=ticket,
                images=0,
                usd=(written.read * read + written.written * told) / _MILLION,
                purchase_id=None,
                at=self._world.clock.now(),
            )
        )
        return written

    def stream(self, events: Iterable[tuple[str, object]]) -> Pieces:
        """Send *events*: a name, or none, and data; what is a text already goes as it is."""
        made = [_event(name, data) for name, data in events]
        return Pieces(made, self._world, self._author.mood.piece_seconds)


def _event(name: str, data: object) -> bytes:
    head = f"event: {name}\n" if name else ""
    return f"{head}data: {data if isinstance(data, str) else json.dumps(data)}\n\n".encode()


async def body(request: web.Request) -> dict[str, Any]:
    """The JSON object of a call."""
    found = await object_of(request)
    if found is None:
        raise Problem(400, "The body is not a JSON object")
    return found


def check_key(key: str) -> None:
    """Every key is good but none, and those that begin with `wrong`, and to pay with, `poor`."""
    if not key or key.startswith("wrong"):
        raise Problem(401, "The key is not valid")
    if key.startswith("poor"):
        raise Problem(402, "insufficient_quota: the account is empty")


def bearer(request: web.Request) -> str:
    """The key in `Authorization: Bearer`."""
    kind, _, key = request.headers.get("Authorization", "").partition(" ")
    return key if kind == "Bearer" else ""
