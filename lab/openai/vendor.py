"""OpenAI behind its door: its models, what they draw whole or in parts, what that costs."""

import base64
import hashlib
import json
import uuid
from collections.abc import AsyncIterator, Iterable
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from aiohttp import web

from lab.charges import Given
from lab.door import LAG
from lab.openai import dalle, edits, orders
from lab.openai.desk import NAME, Desk, Rules, body_of
from lab.openai.models import MODELS
from lab.openai.orders import Order
from lab.openai.problems import Problem, blocked
from lab.pictures import MEDIA_TYPES, Frames, Pictures, Wanted, marked
from lab.world import World

_LIVES = timedelta(hours=1)  # what a link of DALL-E 3's does
_REFUSED, _LATE, _BROKEN = "refuse-me", "refuse-late", "fail-me"  # words that end it badly
_FORMATS = {  # theirs, and those of the pictures
    "png": "png", "webp": "webp", "jpeg": "jpg", "gif": "gif", "svg": "svg",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class File:
    """A picture behind a link until *expires*."""

    wanted: Wanted
    expires: datetime


class OpenAI:
    """The vendor behind /openai."""

    name = NAME

    def __init__(self, world: World) -> None:
        self._desk, self._world, self._pictures = Desk(world), world, Pictures()
        self._files: dict[str, File] = {}
        self._handed_out: list[dict[str, object]] = []

    def routes(self) -> Iterable[web.RouteDef]:
        desk = self._desk
        return [
            desk.guarded("POST", "/v1/images/generations", "create", self._generate),
            desk.guarded("POST", "/v1/images/edits", "create", self._edit),
            desk.guarded("GET", "/v1/models", "list", self._list),
            desk.open("GET", "/delivery/{name}", "file", self._deliver),
        ]

    def settings(self) -> dict[str, object]:
        return self._desk.settings()

    def change(self, settings: dict[str, object]) -> None:
        self._desk.abide(self._desk.rules.changed(settings))

    def assets(self) -> list[dict[str, object]]:
        """Nothing: it keeps no picture."""
        return []

    def pictures(self) -> list[dict[str, object]]:
        """What its answers held."""
        return list(self._handed_out)

    async def reset(self) -> None:
        self._files.clear()
        self._handed_out.clear()
        self._desk.abide(Rules())

    async def _list(self, _request: web.Request) -> web.Response:
        dates = self._desk.rules.shutdown_dates
        listed = [
            {
                "id": name,
                "object": "model",
                "created": model.created,
                "owned_by": "openai",
                "shutdown_date": dates.get(name),
            }
            for name, model in MODELS.items()
        ]
        return web.json_response({"object": "list", "data": listed})

    async def _generate(self, request: web.Request) -> web.StreamResponse:
        body = await body_of(request)
        if body.get("model") == dalle.NAME and self._desk.rules.serves_retired:
            return await self._old(request, dalle.read(body))
        return await self._answer(request, orders.read(body), "image_generation")

    async def _edit(self, request: web.Request) -> web.StreamResponse:
        kind = request.headers.get("Content-Type", "")
        order = edits.order_of(kind, await request.read())
        return await self._answer(request, order, "image_edit")

    async def _answer(self, request: web.Request, order: Order, kind: str) -> web.StreamResponse:
        _refuse(order.prompt)
        if order.stream:
            return await self._stream(request, self._events(request, order, kind))
        await self._desk.wait(order.model.seconds)
        found = [{"b64_json": each} for each in await self._paid(request, order)]
        return web.json_response(
            {"created": self._now(), **_settings(order), "data": found, "usage": order.usage}
        )

    async def _stream(
        self, request: web.Request, events: AsyncIterator[bytes]
    ) -> web.StreamResponse:
        """Send each of *events* when it comes; all at once where a fault will spoil them."""
        if LAG in request:
            body = b"".join([event async for event in events])
            return web.Response(body=body, content_type="text/event-stream")
        answer = web.StreamResponse(headers=self._desk.headers(paying=True))
        answer.content_type = "text/event-stream"
        await answer.prepare(request)
        async for event in events:
            with suppress(ConnectionError):  # nobody listens any more: it is drawn all the same
                await answer.write(event)
        return answer

    async def _events(self, request: web.Request, order: Order, kind: str) -> AsyncIterator[bytes]:
        usual, share = order.model.seconds, 1 / (order.partials + 1)
        for number in range(order.partials):
            await self._desk.wait(usual, share)
            part = await self._drawn(order, f"{uuid.uuid4()}/part")
            told = {"b64_json": _text(part), "partial_image_index": number, **self._said(order)}
            yield _event(f"{kind}.partial_image", told)
        await self._desk.wait(usual, share)
        if _LATE in order.prompt.lower():
            yield _event("error", {"error": blocked("output").error})
            return
        [picture] = await self._paid(request, order)
        told = {"b64_json": picture, **self._said(order), "usage": order.usage}
        yield _event(f"{kind}.completed", told)

    async def _paid(self, request: web.Request, order: Order) -> list[str]:
        """Draw and charge all of *order*."""
        ticket, found = str(uuid.uuid4()), []
        for place in range(order.count):
            picture = await self._drawn(order, f"{ticket}/{place}")
            self._hand_out(ticket, place, picture)
            found.append(_text(picture))
        self._desk.charge(
            request,
            model=order.name,
            ticket=ticket,
            images=order.count,
            usd=order.usd,
            given=_given(order),
        )
        return found

    async def _drawn(self, order: Order, mark: str) -> bytes:
        kind, size = _FORMATS[order.format], self._world.pace.bytes
        frames = Frames(order.frames, order.duration)
        wanted = Wanted(order.width, order.height, kind, order.prompt, mark, size, frames)
        if order.mask is None or kind == "svg":
            return await self._pictures.draw(wanted)
        scene = Wanted(order.width, order.height, "png", order.prompt, mark)
        return marked(edits.composed(order, await self._pictures.draw(scene), kind), wanted)

    def _hand_out(self, ticket: str, place: int, picture: bytes) -> None:
        sha256 = hashlib.sha256(picture).hexdigest()
        told = {"vendor": NAME, "ticket": ticket, "index": place, "sha256": sha256}
        self._handed_out.append(told)

    def _now(self) -> int:
        return int(self._world.clock.now().timestamp())

    def _said(self, order: Order) -> dict[str, Any]:
        return {"created_at": self._now(), **_settings(order)}

    async def _old(self, request: web.Request, order: dalle.Order) -> web.Response:
        _refuse(order.prompt)
        await self._desk.wait(MODELS["gpt-image-2"].seconds)
        ticket = str(uuid.uuid4())
        wanted = Wanted(order.width, order.height, "png", order.prompt, f"{ticket}/0")
        told = {"revised_prompt": f"{order.prompt}, drawn by the lab"}
        picture = await self._pictures.draw(wanted)
        if order.inline:
            told["b64_json"] = _text(picture)
        else:
            self._files[ticket] = File(wanted, self._world.clock.now() + _LIVES)
            told["url"] = f"{self._world.base}/{NAME}/delivery/{ticket}"
        self._hand_out(ticket, 0, picture)
        self._desk.charge(request, model=dalle.NAME, ticket=ticket, images=1, usd=order.usd)
        return web.json_response({"created": self._now(), "data": [told]})

    async def _deliver(self, request: web.Request) -> web.Response:
        found = self._files.get(request.match_info["name"])
        if found is None or found.expires <= self._world.clock.now():
            return web.Response(status=404, text="Not Found\n")
        picture = await self._pictures.draw(found.wanted)
        return web.Response(body=picture, content_type=MEDIA_TYPES[found.wanted.format])


def _refuse(prompt: str) -> None:
    if _REFUSED in prompt.lower():
        raise blocked("input")
    if _BROKEN in prompt.lower():
        raise Problem(500, "The server had an error while processing your request.")


def _given(order: Order) -> Given:
    brought = [*order.images, *([order.mask] if order.mask else [])]
    return Given(images=tuple(hashlib.sha256(each).hexdigest() for each in brought))


def _settings(order: Order) -> dict[str, str]:
    return {
        "background": order.background,
        "output_format": order.format,
        "quality": order.quality,
        "size": f"{order.width}x{order.height}",
    }


def _event(kind: str, data: dict[str, Any]) -> bytes:
    return f"event: {kind}\ndata: {json.dumps({'type': kind, **data})}\n\n".encode()


def _text(picture: bytes) -> str:
    return base64.b64encode(picture).decode()
