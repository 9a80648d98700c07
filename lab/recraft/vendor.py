"""Recraft behind its door: who may come in, what is drawn, what it costs, what is delivered."""

import base64
import hashlib
import uuid
from collections.abc import Iterable
from dataclasses import asdict, dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from aiohttp import web

from lab.charges import Charge, Given
from lab.door import Door, Handler, object_of
from lab.pictures import MEDIA_TYPES, Pictures, Wanted
from lab.recraft import orders, problems
from lab.recraft.problems import Problem
from lab.replicate.limits import checked, full
from lab.world import World

_LIVES = timedelta(hours=24)  # what a link to a picture does
_CREDITS = 1_000_000.0
_REFUSED, _BROKEN = "refuse-me", "fail-me"  # words of a prompt that end it badly
_TOO_FEW, _BY_LINK = "too-few", "by-link"  # and that bring something else than was ordered


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """What is not known of Recraft; None is no limit."""

    orders_per_minute: int | None = None


@dataclass(frozen=True, slots=True)
class File:
    """A picture behind a link until *expires*."""

    wanted: Wanted
    expires: datetime


class Recraft:
    """The vendor behind /recraft."""

    name = "recraft"

    def __init__(self, world: World) -> None:
        self._world, self._pictures = world, Pictures()
        self._door = Door(world, self.name, problems.by_status)
        self._files: dict[str, File] = {}
        self._handed_out: list[dict[str, object]] = []
        self._rules = Rules()
        self._fill()

    def routes(self) -> Iterable[web.RouteDef]:
        return [
            self._guarded("POST", "/recraft/v1/images/generations", "create", self._generate),
            self._guarded("GET", "/recraft/v1/users/me", "account", self._account),
            self._door.route("GET", "/recraft/delivery/{name}", "file", self._deliver),
        ]

    def settings(self) -> dict[str, object]:
        return asdict(self._rules)

    def change(self, settings: dict[str, object]) -> None:
        checked(settings.get("orders_per_minute"))
        self._rules = replace(self._rules, **settings)  # type: ignore[arg-type]
        self._fill()

    def assets(self) -> list[dict[str, object]]:
        """Nothing: what it draws is gone after a day."""
        return []

    def pictures(self) -> list[dict[str, object]]:
        """What its answers held, and what was fetched by its links."""
        return list(self._handed_out)

    async def reset(self) -> None:
        self._files.clear()
        self._handed_out.clear()
        self._rules = Rules()
        self._fill()

    def _fill(self) -> None:
        self._bucket = full(self._rules.orders_per_minute, self._world.clock.now())

    def _guarded(self, method: str, path: str, where: str, handler: Handler) -> web.RouteDef:
        async def answer(request: web.Request) -> web.StreamResponse:
            try:
                _check_token(request, paying=where == "create")
                return await handler(request)
            except Problem as problem:
                return problem.answer

        return self._door.route(method, path, where, answer)

    async def _account(self, _request: web.Request) -> web.Response:
        ours = (one for one in self._world.charges.as_json() if one["vendor"] == self.name)
        left = _CREDITS - sum(1000 * float(str(one["usd"])) for one in ours)
        return web.json_response(
            {"id": "lab", "email": "lab@example.com", "name": "The lab", "credits": round(left)}
        )

    async def _generate(self, request: web.Request) -> web.Response:
        if self._bucket.take(self._world.clock.now()) is not None:
            raise Problem(429, "Too many requests")
        order = orders.read(await _body(request))
        words = order.prompt.lower()
        if _REFUSED in words:
            raise Problem(400, "The prompt was rejected by content moderation (NSFW)", "nsfw")
        model, pace = orders.MODELS[order.model], self._world.pace
        seconds = model.seconds if pace.seconds is None else pace.seconds
        await self._world.clock.sleep(pace.queue + seconds)
        if _BROKEN in words:
            raise Problem(500, "Something went wrong")
        ticket = str(uuid.uuid4())
        if _BY_LINK in words:
            order = replace(order, inline=False)
        count = order.count - 1 if _TOO_FEW in words else order.count
        wanted = [self._wanted(order, f"{ticket}/{place}") for place in range(count)]
        found = [await self._shown(order, one) for one in wanted]
        self._charge(order, ticket, request)
        created, cost = int(self._world.clock.now().timestamp()), round(model.credits * order.count)
        return web.json_response({"created": created, "credits": cost, "data": found})

    def _wanted(self, order: orders.Order, mark: str) -> Wanted:
        size = self._world.pace.bytes
        return Wanted(order.width, order.height, order.format, order.prompt, mark, size)

    async def _shown(self, order: orders.Order, wanted: Wanted) -> dict[str, str]:
        image = str(uuid.uuid4())
        if order.inline:
            picture = await self._pictures.draw(wanted)
            self._hand_out(wanted, picture)
            return {"image_id": image, "b64_json": base64.b64encode(picture).decode()}
        name = f"{image}.{order.format}"
        self._files[name] = File(wanted, self._world.clock.now() + _LIVES)
        return {"image_id": image, "url": f"{self._world.base}/recraft/delivery/{name}"}

    def _hand_out(self, wanted: Wanted, picture: bytes) -> None:
        ticket, _, place = wanted.mark.partition("/")
        sha256 = hashlib.sha256(picture).hexdigest()
        told = {"vendor": self.name, "ticket": ticket, "index": int(place), "sha256": sha256}
        if told not in self._handed_out[-100:]:  # a link may be fetched again
            self._handed_out.append(told)

    def _charge(self, order: orders.Order, ticket: str, request: web.Request) -> None:
        self._world.charges.add(
            Charge(
                vendor=self.name,
                model=order.model,
                ticket=ticket,
                images=order.count,
                usd=order.price * order.count,
                purchase_id=request.headers.get("X-Request-Id"),
                at=self._world.clock.now(),
                given=Given(seed=order.seed, negative_prompt=order.negative_prompt),
            )
        )

    async def _deliver(self, request: web.Request) -> web.Response:
        found = self._files.get(request.match_info["name"])
        if found is None or found.expires <= self._world.clock.now():
            return web.Response(status=404, text="Not Found\n")
        picture = await self._pictures.draw(found.wanted)
        self._hand_out(found.wanted, picture)
        return web.Response(body=picture, content_type=MEDIA_TYPES[found.wanted.format])


def _check_token(request: web.Request, *, paying: bool) -> None:
    """Every token is good but those that begin with `wrong`, and to pay with, `poor`."""
    kind, _, token = request.headers.get("Authorization", "").partition(" ")
    if kind != "Bearer" or not token or token.startswith("wrong"):
        raise Problem(401, "The token is not valid")
    if paying and token.startswith("poor"):
        raise Problem(402, "You do not have enough credits")


async def _body(request: web.Request) -> dict[str, Any]:
    found = await object_of(request)
    if found is None:
        raise Problem(400, "The body is not a JSON object")
    return found
