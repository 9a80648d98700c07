"""The predictions API, and the files that predictions give."""

import asyncio
import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from urllib.parse import urlencode

from aiohttp import web

from lab.door import LAG
from lab.pictures import MEDIA_TYPES, Pictures, Wanted
from lab.replicate.orders import Desk, wait_of
from lab.replicate.prediction import Prediction
from lab.replicate.problems import malformed, not_found
from lab.replicate.register import Register, Window, moment
from lab.replicate.rules import Rules
from lab.replicate.studio import Studio
from lab.world import World

_WINDOW = ("created_after", "created_before")


@dataclass(slots=True, kw_only=True)
class Predictions:
    """Create, get, list, cancel; and delivery of what was drawn."""

    world: World
    desk: Desk
    studio: Studio
    register: Register
    pictures: Pictures
    rules: Rules

    async def create(self, request: web.Request) -> web.Response:
        """By version, which may be the name of an official model."""
        body = await _body(request)
        version = body.pop("version", None)
        return await self._begin(request, body, self.desk.resolve(version))

    async def create_by_model(self, request: web.Request) -> web.Response:
        slug = f"{request.match_info['owner']}/{request.match_info['name']}"
        if slug not in self.desk.models:
            raise not_found()
        return await self._begin(request, await _body(request), self.desk.resolve(slug))

    async def _begin(self, request: web.Request, body: dict[str, Any], found: Any) -> web.Response:
        wait = wait_of(request)
        order = self.desk.order(request, body, found, self.rules)
        self.register.add(order)
        self.studio.begin(order)
        if wait is None:
            return web.json_response(self.shown(order), status=201)
        await self._wait(order, wait)
        return web.json_response(
            _blocking(self.shown(order)),
            status=201 if order.ended else 202,
            headers={"Preference-Applied": request.headers["Prefer"]},
        )

    async def _wait(self, order: Prediction, seconds: int) -> None:
        over = asyncio.ensure_future(order.over.wait())
        late = asyncio.ensure_future(self.world.clock.sleep(seconds))
        try:
            await asyncio.wait({over, late}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            over.cancel()
            late.cancel()

    async def get(self, request: web.Request) -> web.Response:
        return web.json_response(self.shown(self._named(request)))

    async def cancel(self, request: web.Request) -> web.Response:
        order = self._named(request)
        self.studio.cancel(order)
        return web.json_response(self.shown(order))

    async def list(self, request: web.Request) -> web.Response:
        until = self.world.clock.now() - timedelta(seconds=request.get(LAG, 0.0))
        query = request.query
        try:
            after, before = (moment(query[name]) if name in query else None for name in _WINDOW)
            window = Window(after=after, before=before, until=until, cursor=query.get("cursor"))
            page = self.register.page(window)
        except ValueError as error:
            raise malformed(f"Invalid query: {error}") from error
        kept = {name: query[name] for name in _WINDOW if name in query}

        def link(cursor: str | None) -> str | None:
            asked = urlencode(kept | {"cursor": cursor})
            return f"{self.world.base}/replicate/v1/predictions?{asked}" if cursor else None

        return web.json_response(
            {
                "next": link(page.next),
                "previous": link(page.previous),
                "results": [self.shown(order) | {"source": "api"} for order in page.found],
            }
        )

    async def file(self, request: web.Request) -> web.Response:
        """A picture, for everybody who has its link, as long as it lives."""
        order = self.register.find(request.match_info["id"])
        place = _place(order, request.path) if order else None
        if order is None or place is None:
            return web.Response(status=404, text="Not Found\n")
        if order.is_removed(self.world.clock.now()):
            return web.Response(status=self.rules.expired_status, text="Not Found\n")
        plan, mark = order.plan, f"{order.id}/{place}"
        picture = await self.pictures.draw(
            Wanted(plan.width, plan.height, plan.format, order.prompt, mark, self.world.pace.bytes)
        )
        order.handed_out[place] = hashlib.sha256(picture).hexdigest()
        return web.Response(body=picture, content_type=MEDIA_TYPES[plan.format])

    async def stream(self, request: web.Request) -> web.StreamResponse:
        """The end as server-sent events: a picture each, or the error; then done."""
        order = self._named(request)
        answer = web.StreamResponse(
            headers={"Content-Type": "text/event-stream", "Cache-Control": "no-store"}
        )
        await answer.prepare(request)
        await order.over.wait()
        for number, (event, data) in enumerate(_events(order)):
            await answer.write(f"event: {event}\nid: {number}\ndata: {data}\n\n".encode())
        await answer.write_eof()
        return answer

    def handed_out(self) -> Iterator[dict[str, object]]:
        """Every picture that somebody asked for."""
        for order in self.register.all():
            for place, sha256 in sorted(order.handed_out.items()):
                yield {"ticket": order.id, "index": place, "sha256": sha256}

    def shown(self, order: Prediction) -> dict[str, Any]:
        """*order* as the API tells it now."""
        return order.as_json(
            self.world.clock.now(), self.world.base, shows_webhook=self.rules.shows_webhook
        )

    def _named(self, request: web.Request) -> Prediction:
        found = self.register.find(request.match_info["id"])
        if found is None:
            raise not_found()
        return found


def _blocking(shown: dict[str, Any]) -> dict[str, Any]:
    """What succeeded comes back as still processing, with its output, as recorded calls do."""
    if shown["status"] != "succeeded":
        return shown
    gone = ("started_at", "completed_at", "metrics")
    kept = {name: value for name, value in shown.items() if name not in gone}
    return kept | {"status": "processing", "logs": ""}


def _place(order: Prediction, path: str) -> int | None:
    """The number of the file under *path*."""
    ends = [url.rpartition("/")[2] for url in order.files]
    name = path.rpartition("/")[2]
    return ends.index(name) if name in ends else None


def _events(order: Prediction) -> list[tuple[str, str]]:
    if order.status == "failed":
        return [("error", json.dumps({"detail": order.error})), ("done", '{"reason": "error"}')]
    if order.status != "succeeded":
        return [("done", '{"reason": "canceled"}')]
    return [*(("output", url) for url in order.files), ("done", "{}")]


async def _body(request: web.Request) -> dict[str, Any]:
    try:
        found = json.loads(await request.read())
    except ValueError as error:
        raise malformed("The request body is not valid JSON") from error
    if not isinstance(found, dict):
        raise malformed("The request body is not an object")
    return found
