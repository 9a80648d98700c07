"""The lab's own routes: what was charged, what goes wrong, what time it is."""

import asyncio
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from aiohttp import web

from lab.faults import FaultError
from lab.world import Pace, Vendor, World

_PASSES = 20  # of the event loop; a drawing that begins and ends takes four


@dataclass(frozen=True, slots=True)
class Control:
    """Everything under /_lab."""

    world: World
    vendors: Sequence[Vendor]

    def routes(self) -> Iterable[web.RouteDef]:
        return [
            web.get("/_lab/ledger", self._ledger),
            web.get("/_lab/assets", self._assets),
            web.get("/_lab/pictures", self._pictures),
            web.get("/_lab/requests", self._requests),
            web.get("/_lab/clock", self._clock),
            web.post("/_lab/clock", self._advance),
            web.get("/_lab/faults", self._faults),
            web.put("/_lab/faults", self._put_faults),
            web.delete("/_lab/faults", self._drop_faults),
            web.get("/_lab/pace", self._pace),
            web.put("/_lab/pace", self._put_pace),
            web.get("/_lab/vendors/{vendor}", self._vendor),
            web.put("/_lab/vendors/{vendor}", self._change_vendor),
            web.post("/_lab/reset", self._reset),
        ]

    async def _ledger(self, _request: web.Request) -> web.Response:
        return web.json_response({"charges": self.world.charges.as_json()})

    async def _assets(self, _request: web.Request) -> web.Response:
        return web.json_response([one for vendor in self.vendors for one in vendor.assets()])

    async def _pictures(self, _request: web.Request) -> web.Response:
        return web.json_response([one for vendor in self.vendors for one in vendor.pictures()])

    async def _requests(self, _request: web.Request) -> web.Response:
        found: dict[str, dict[str, int]] = {}
        for (vendor, where), count in sorted(self.world.calls.items()):
            found.setdefault(vendor, {})[where] = count
        return web.json_response(found)

    async def _clock(self, _request: web.Request) -> web.Response:
        clock = self.world.clock
        return web.json_response({"now": clock.now().isoformat(), "ahead_seconds": clock.ahead})

    async def _advance(self, request: web.Request) -> web.Response:
        found = await _object(request, {"advance_seconds"})
        self.world.clock.advance(_number(found, "advance_seconds"))
        for _ in range(_PASSES):  # what is due now has happened before this is answered
            await asyncio.sleep(0)
        return await self._clock(request)

    async def _faults(self, _request: web.Request) -> web.Response:
        return web.json_response(self.world.faults.as_json())

    async def _put_faults(self, request: web.Request) -> web.Response:
        try:
            self.world.faults.put(await _body(request), self._names())
        except FaultError as error:
            raise _bad(str(error)) from error
        return await self._faults(request)

    async def _drop_faults(self, request: web.Request) -> web.Response:
        self.world.faults.clear()
        return await self._faults(request)

    async def _pace(self, _request: web.Request) -> web.Response:
        pace = self.world.pace
        return web.json_response(
            {"seconds": pace.seconds, "queue_seconds": pace.queue, "bytes": pace.bytes}
        )

    async def _put_pace(self, request: web.Request) -> web.Response:
        found, old = await _object(request, {"seconds", "queue_seconds", "bytes"}), self.world.pace
        self.world.pace = Pace(
            seconds=_optional(found, "seconds", old.seconds),
            queue=_optional(found, "queue_seconds", old.queue) or 0.0,
            bytes=int(size) if (size := _optional(found, "bytes", old.bytes)) else None,
        )
        return await self._pace(request)

    async def _vendor(self, request: web.Request) -> web.Response:
        return web.json_response(_settings(self._named(request)))

    async def _change_vendor(self, request: web.Request) -> web.Response:
        named = self._named(request)
        found = await _object(request, set(_settings(named)))
        try:
            for vendor in named:
                vendor.change({name: found[name] for name in vendor.settings() if name in found})
        except ValueError as error:
            raise _bad(str(error)) from error
        return web.json_response(_settings(named))

    def _named(self, request: web.Request) -> list[Vendor]:
        """The desks of one vendor: who draws and writes has two."""
        name = request.match_info["vendor"]
        if found := [vendor for vendor in self.vendors if vendor.name == name]:
            return found
        raise web.HTTPNotFound(text=f"{name!r} is none of {', '.join(self._names())}\n")

    def _names(self) -> list[str]:
        return list(dict.fromkeys(vendor.name for vendor in self.vendors))

    async def _reset(self, _request: web.Request) -> web.Response:
        for vendor in self.vendors:
            await vendor.reset()
        self.world.reset()
        return web.json_response({})


def _settings(desks: Iterable[Vendor]) -> dict[str, object]:
    return {name: value for desk in desks for name, value in desk.settings().items()}


async def _body(request: web.Request) -> Any:
    try:
        return json.loads(await request.read())
    except ValueError as error:
        raise _bad(f"the body is no JSON: {error}") from error


async def _object(request: web.Request, known: set[str]) -> dict[str, Any]:
    found = await _body(request)
    if not isinstance(found, dict):
        raise _bad("the body is no JSON object")
    if unknown := sorted(found.keys() - known):
        raise _bad(f"{unknown[0]!r} is none of {', '.join(sorted(known))}")
    return found


def _number(found: dict[str, Any], name: str) -> float:
    value = found.get(name)
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < 1e10:
        raise _bad(f"{name} is {value!r}, and no number from 0")
    return float(value)


def _optional(found: dict[str, Any], name: str, default: float | None) -> float | None:
    if name not in found:
        return default
    return None if found[name] is None else _number(found, name)


def _bad(text: str) -> web.HTTPBadRequest:
    return web.HTTPBadRequest(text=f"{text}\n")
