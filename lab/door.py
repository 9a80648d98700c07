"""A vendor's door: counts every call, and lets the faults strike at the socket."""

import json
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from aiohttp import web

from lab.faults import CALM, Strike
from lab.world import World

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
LAG = web.RequestKey("lag", float)  # seconds by which a listing is late; absent: none
_PAGE = "<!doctype html><html><head><title>{0}</title></head><body><h1>{0}</h1></body></html>"


async def object_of(request: web.Request) -> dict[str, Any] | None:
    """The JSON object that a call brings; None where it brings none."""
    try:
        found = json.loads(await request.read())
    except ValueError:
        return None
    return found if isinstance(found, dict) else None


@dataclass(frozen=True, slots=True)
class Door:
    """Wraps *vendor*'s handlers; *refuse* says "status N" in the vendor's own words."""

    world: World
    vendor: str
    refuse: Callable[[int], web.Response]

    def route(self, method: str, path: str, where: str, handler: Handler) -> web.RouteDef:
        """A route whose calls are counted as *where*, and go wrong where a fault says so."""

        async def answer(request: web.Request) -> web.StreamResponse:
            return await self._answer(request, where, handler)

        return web.route(method, path, answer)

    async def _answer(
        self, request: web.Request, where: str, handler: Handler
    ) -> web.StreamResponse:
        self.world.calls[self.vendor, where] += 1
        faults = self.world.faults
        body = await request.read() if faults.listens(self.vendor, where) else b""
        strike = faults.strike(self.vendor, where, body)
        if strike is CALM:
            return await handler(request)
        await self.world.clock.sleep(strike.delay)
        if strike.kind == "drop_before":
            return cut(request)
        if strike.kind == "status":
            return self.refuse(int(strike.amount))
        request[LAG] = strike.lag
        if strike.twice:
            await handler(request)  # it read the whole body, and reads it again from memory
        return await self._spoil(request, await handler(request), strike)

    async def _spoil(
        self, request: web.Request, made: web.StreamResponse, strike: Strike
    ) -> web.StreamResponse:
        """What the caller gets of *made*, which is done and charged."""
        match strike.kind:
            case "hang":
                await self.world.clock.sleep(strike.amount)
            case "drop_after":
                return cut(request)
            case "truncate":
                return await half(request, made)
            case "html":
                return page(int(strike.amount) or 200)
        return made


def cut(request: web.Request) -> web.Response:
    """Drop the connection as it is; the answer returned goes nowhere."""
    if request.transport is not None:
        request.transport.abort()
    return web.Response()


async def half(request: web.Request, whole: web.StreamResponse) -> web.StreamResponse:
    """Promise all of *whole*, send half of its body, and hang up."""
    body = getattr(whole, "whole", None)  # of one that comes in pieces
    if body is None and isinstance(whole, web.Response):
        body = whole.body
    if not isinstance(body, bytes | bytearray) or request.transport is None:
        return cut(request)
    short = web.StreamResponse(status=whole.status, headers=whole.headers)
    short.content_length = len(body)
    await short.prepare(request)
    await short.write(bytes(body[: len(body) // 2]))
    request.transport.close()  # and not abort: what is written must arrive
    return short


def page(status: int) -> web.Response:
    """What a gateway in front of the vendor says: a page where data were expected."""
    title = "Welcome" if status < 400 else f"{status} Bad Gateway"
    return web.Response(status=status, text=_PAGE.format(title), content_type="text/html")
