"""Replicate put together: who may come in, how often, and to which handler."""

import json
from collections.abc import Iterable

from aiohttp import web

from lab.door import Door, Handler
from lab.pictures import Pictures
from lab.replicate import catalogue, problems
from lab.replicate.api import Predictions
from lab.replicate.limits import full
from lab.replicate.orders import Desk
from lab.replicate.prediction import Prediction
from lab.replicate.register import Register
from lab.replicate.rules import Rules
from lab.replicate.studio import Studio
from lab.replicate.uploads import Uploads
from lab.replicate.webhooks import Post
from lab.world import World

_V1 = "/replicate/v1"


class Replicate:
    """The vendor behind /replicate."""

    name = "replicate"

    def __init__(self, world: World) -> None:
        self._world, self._models = world, catalogue.load()
        self._door = Door(world, self.name, problems.by_status)
        self._uploads, self._post = Uploads(world), Post(world)
        self._studio = Studio(world, self._post, self._uploads, self._told)
        self._api = Predictions(
            world=world, desk=Desk(world, self._models), studio=self._studio,
            register=Register(), pictures=Pictures(), rules=Rules(),
        )  # fmt: skip
        self._fill()

    def routes(self) -> Iterable[web.RouteDef]:
        api, files, models = self._api, self._uploads, f"{_V1}/models"
        return [
            self._create(f"{_V1}/predictions", api.create),
            self._create(f"{models}/{{owner}}/{{name}}/predictions", api.create_by_model),
            self._other("GET", f"{_V1}/predictions", "list", api.list),
            self._other("GET", f"{_V1}/predictions/{{id}}", "get", api.get),
            self._other("POST", f"{_V1}/predictions/{{id}}/cancel", "cancel", api.cancel),
            self._other("GET", models, "models", self._list_models),
            self._other("GET", f"{models}/{{owner}}/{{name}}", "models", self._model),
            self._other(
                "GET", f"{models}/{{owner}}/{{name}}/versions/{{id}}", "models", self._version
            ),
            self._other("POST", f"{_V1}/files", "upload", files.create),
            self._other("GET", f"{_V1}/files", "uploads", files.show),
            self._other("GET", f"{_V1}/files/{{id}}", "uploads", files.get),
            self._other("DELETE", f"{_V1}/files/{{id}}", "uploads", files.delete),
            self._other("GET", f"{_V1}/webhooks/default/secret", "account", self._secret),
            self._other("GET", f"{_V1}/account", "account", self._account),
            self._open("/replicate/stream/{id}", "stream", api.stream),
            self._open("/replicate/delivery/{id}/{name}", "file", api.file),
        ]

    def settings(self) -> dict[str, object]:
        return self._api.rules.as_json()

    def change(self, settings: dict[str, object]) -> None:
        self._api.rules = self._api.rules.changed(settings)
        self._fill()

    def assets(self) -> list[dict[str, object]]:
        """Nothing: what it draws is gone after an hour."""
        return []

    def pictures(self) -> list[dict[str, object]]:
        return [{"vendor": self.name} | found for found in self._api.handed_out()]

    async def reset(self) -> None:
        await self._studio.reset()
        await self._post.reset()
        self._api.register.clear()
        self._uploads.clear()
        self._api.rules = Rules()
        self._fill()

    def _fill(self) -> None:
        now, rules = self._world.clock.now(), self._api.rules
        self._creates = full(rules.creates_per_minute, now, rules.creates_burst)
        self._others = full(rules.others_per_minute, now)

    def _create(self, path: str, handler: Handler) -> web.RouteDef:
        async def guarded(request: web.Request) -> web.StreamResponse:
            if _token(request).startswith("r8_poor"):
                raise problems.poor()
            return await self._within(request, handler, creating=True)

        return self._door.route("POST", path, "create", _in_words(guarded))

    def _other(self, method: str, path: str, where: str, handler: Handler) -> web.RouteDef:
        async def guarded(request: web.Request) -> web.StreamResponse:
            _token(request)
            return await self._within(request, handler, creating=False)

        return self._door.route(method, path, where, _in_words(guarded))

    def _open(self, path: str, where: str, handler: Handler) -> web.RouteDef:
        return self._door.route("GET", path, where, _in_words(handler))

    async def _within(
        self, request: web.Request, handler: Handler, *, creating: bool
    ) -> web.StreamResponse:
        """The handler's answer, if there is room for another call this minute."""
        bucket = self._creates if creating else self._others
        wait = bucket.take(self._world.clock.now())
        if wait is not None:
            what = "creating predictions" if creating else "all other endpoints"
            return problems.throttled(what, wait, header=self._api.rules.retry_after_header)
        left = bucket.headers() if self._api.rules.rate_headers else {}
        answer = await handler(request)
        answer.headers.update(left)
        return answer

    def _told(self, order: Prediction) -> bytes:
        return json.dumps(self._api.shown(order), ensure_ascii=False).encode()

    async def _list_models(self, _request: web.Request) -> web.Response:
        found = [model.as_json() for model in self._models.values()]
        return web.json_response({"next": None, "previous": None, "results": found})

    async def _model(self, request: web.Request) -> web.Response:
        return web.json_response(self._named(request).as_json())

    async def _version(self, request: web.Request) -> web.Response:
        model = self._named(request)
        if request.match_info["id"] != model.version:
            raise problems.not_found()
        return web.json_response(model.version_as_json())

    def _named(self, request: web.Request) -> catalogue.Model:
        found = self._models.get(f"{request.match_info['owner']}/{request.match_info['name']}")
        if found is None:
            raise problems.not_found()
        return found

    async def _secret(self, _request: web.Request) -> web.Response:
        return web.json_response({"key": self._post.key})

    async def _account(self, _request: web.Request) -> web.Response:
        return web.json_response(
            {
                "type": "user",
                "username": self._api.rules.account,
                "name": "The lab",
                "github_url": None,
            }
        )


def _token(request: web.Request) -> str:
    """The caller's token; every one that begins like one is good, but for `r8_wrong…`."""
    kind, _, token = request.headers.get("Authorization", "").partition(" ")
    if kind not in ("Bearer", "Token") or not token.startswith("r8_"):
        raise problems.unauthenticated()
    if token.startswith("r8_wrong"):
        raise problems.unauthenticated()
    return token


def _in_words(handler: Handler) -> Handler:
    """Turn a raised Problem into its answer."""

    async def answer(request: web.Request) -> web.StreamResponse:
        try:
            return await handler(request)
        except problems.Problem as problem:
            return problem.answer

    return answer
