"""Google behind its door: who may come in, what is drawn, what it costs."""

import base64
import hashlib
import json
import uuid
from collections.abc import Iterable
from dataclasses import asdict, dataclass, replace
from typing import Any

from aiohttp import web

from lab.charges import NOTHING, Charge, Given
from lab.door import Door, Handler
from lab.google import answers, catalogue, imagen, orders, problems
from lab.google.problems import Problem
from lab.pictures import MEDIA_TYPES, Pictures, Wanted
from lab.replicate.limits import checked, full
from lab.world import World

_MODELS = "/google/{version:v1|v1beta}/models"
_REFUSED, _UNSAFE, _EMPTY, _BROKEN = "refuse-me", "unsafe-picture", "no-output", "fail-me"


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """What is not known of Google, or differs between accounts; None is no limit."""

    orders_per_minute: int | None = None
    imagen: bool = False  # it is still there
    format: str = "png"
    request_bytes: int = 100 << 20


class Google:
    """The vendor behind /google; its models of words alone have a file of their own."""

    name = "google"

    def __init__(self, world: World) -> None:
        self._world, self._pictures = world, Pictures()
        self._door = Door(world, self.name, problems.by_status)
        self._handed_out: list[dict[str, object]] = []
        self._rules = Rules()
        self._fill()

    def routes(self) -> Iterable[web.RouteDef]:
        return [
            self._guarded("POST", "/{model}:generateContent", "create", self._generate),
            self._guarded("POST", "/{model}:predict", "create", self._predict),
            self._guarded("GET", "", "list", self._list),
            self._guarded("GET", "/{model}", "get", self._get),
        ]

    def settings(self) -> dict[str, object]:
        return asdict(self._rules)

    def change(self, settings: dict[str, object]) -> None:
        checked(settings.get("orders_per_minute"))
        if settings.get("format", "png") not in ("png", "jpg"):
            raise ValueError(f"format is {settings['format']!r}, and neither png nor jpg")
        self._rules = replace(self._rules, **settings)  # type: ignore[arg-type]
        self._fill()

    def assets(self) -> list[dict[str, object]]:
        """Nothing: it keeps no picture."""
        return []

    def pictures(self) -> list[dict[str, object]]:
        """What its answers held."""
        return list(self._handed_out)

    async def reset(self) -> None:
        self._handed_out.clear()
        self._rules = Rules()
        self._fill()

    def _fill(self) -> None:
        self._bucket = full(self._rules.orders_per_minute, self._world.clock.now())

    def _guarded(self, method: str, path: str, where: str, handler: Handler) -> web.RouteDef:
        async def answer(request: web.Request) -> web.StreamResponse:
            try:
                _check_key(request, paying=where == "create")
                return await handler(request)
            except Problem as problem:
                return problem.answer

        return self._door.route(method, _MODELS + path, where, answer)

    async def _list(self, _request: web.Request) -> web.Response:
        return web.json_response({"models": catalogue.listed(retired=self._rules.imagen)})

    async def _get(self, request: web.Request) -> web.Response:
        wanted = f"models/{request.match_info['model']}"
        for told in catalogue.listed(retired=self._rules.imagen):
            if told["name"] == wanted:
                return web.json_response(told)
        raise _gone(request, "generateContent")

    async def _generate(self, request: web.Request) -> web.Response:
        name = request.match_info["model"]
        model = catalogue.NATIVE.get(name)
        if model is None:
            raise _gone(request, "generateContent")
        order = orders.read(await self._taken(request), model)
        usage, told = await self._answer(order, model)
        ticket = told["responseId"] = str(uuid.uuid4())
        if "candidates" in told and usage.drawn:
            size = model.size(order.ratio, order.size)
            picture = await self._draw(size, self._rules.format, order.prompt, f"{ticket}/0")
            kind = MEDIA_TYPES[self._rules.format]
            told["candidates"] = [answers.candidate(order, kind, picture)]
        given = Given(images=order.pictures, seed=order.seed)
        images, usd = int(usage.drawn > 0), usage.usd(model)
        self._charge(request, name, ticket, images=images, usd=usd, given=given)
        return web.json_response(told | {"usageMetadata": usage.told(), "modelVersion": name})

    async def _answer(
        self, order: orders.Order, model: catalogue.Native
    ) -> tuple[answers.Usage, dict[str, Any]]:
        """The tokens of *order*, and its answer without the picture; as its words want it."""
        words = order.prompt.lower()
        nothing = answers.asked(order, model)
        if _REFUSED in words:
            return nothing, {"promptFeedback": {"blockReason": "PROHIBITED_CONTENT"}}
        await self._sleep(model.seconds)
        if _BROKEN in words:
            raise Problem(500, "An internal error has occurred.")
        if _UNSAFE in words:
            why = "Unable to show the generated image: it may violate our policies."
            return nothing, {"candidates": [answers.ended("IMAGE_SAFETY", why)]}
        if _EMPTY in words:
            ended = answers.ended("NO_IMAGE", "No image came of it.", "What shall I draw?")
            return nothing, {"candidates": [ended]}
        return answers.drawn(order, model), {"candidates": []}

    async def _predict(self, request: web.Request) -> web.Response:
        name = request.match_info["model"]
        model = catalogue.IMAGEN.get(name)
        if model is None or not self._rules.imagen:
            raise _gone(request, "predict")
        order = imagen.read(await self._taken(request), model)
        words, ticket = order.prompt.lower(), str(uuid.uuid4())
        await self._sleep(model.seconds)
        if _BROKEN in words:
            raise Problem(500, "An internal error has occurred.")
        told: list[dict[str, str]] = []
        drawn = 0 if _REFUSED in words else order.count - (_UNSAFE in words)
        for place in range(drawn):
            size, mark = model.shapes[order.ratio], f"{ticket}/{place}"
            picture = await self._draw(size, order.format, order.prompt, mark)
            text = base64.b64encode(picture).decode()
            told.append({"mimeType": order.media_type, "bytesBase64Encoded": text})
        if drawn < order.count and order.explains:
            told.append({"raiFilteredReason": "It may violate our policies. Support codes: 1."})
        if drawn:
            self._charge(request, name, ticket, images=drawn, usd=model.usd * drawn)
        return web.json_response({"predictions": told} if told else {})

    async def _taken(self, request: web.Request) -> dict[str, Any]:
        """The body of an order, if one may come now."""
        wait = self._bucket.take(self._world.clock.now())
        if wait is not None:
            raise problems.throttled(wait)
        content, most = await request.read(), self._rules.request_bytes
        if len(content) > most:
            raise Problem(400, f"Request payload size exceeds the limit: {most} bytes.")
        try:
            found = json.loads(content)
        except ValueError:
            found = None
        if not isinstance(found, dict):
            raise Problem(400, "Invalid JSON payload received. Unexpected token.")
        return found

    async def _sleep(self, usual: float) -> None:
        pace = self._world.pace
        seconds = usual if pace.seconds is None else pace.seconds
        await self._world.clock.sleep(pace.queue + seconds)

    async def _draw(self, size: catalogue.Size, kind: str, prompt: str, mark: str) -> bytes:
        wanted = Wanted(*size, kind, prompt, mark, self._world.pace.bytes)
        picture = await self._pictures.draw(wanted)
        ticket, _, place = mark.partition("/")
        sha256 = hashlib.sha256(picture).hexdigest()
        told = {"vendor": self.name, "ticket": ticket, "index": int(place), "sha256": sha256}
        self._handed_out.append(told)
        return picture

    def _charge(
        self,
        request: web.Request,
        model: str,
        ticket: str,
        *,
        images: int,
        usd: float,
        given: Given = NOTHING,
    ) -> None:
        self._world.charges.add(
            Charge(
                vendor=self.name,
                model=model,
                ticket=ticket,
                images=images,
                usd=usd,
                purchase_id=request.headers.get("X-Request-Id"),
                at=self._world.clock.now(),
                given=given,
            )
        )


def _gone(request: web.Request, method: str) -> Problem:
    name, version = request.match_info["model"], request.match_info["version"]
    return Problem(
        404,
        f"models/{name} is not found for API version {version}, or is not supported for {method}.",
    )


def _check_key(request: web.Request, *, paying: bool) -> None:
    """Every key is good but those that begin with `wrong`, `barred`, and to pay with, `poor`."""
    key = request.headers.get("x-goog-api-key", "")
    if not key:
        raise Problem(403, "Method doesn't allow unregistered callers. Please use an API key.")
    if key.startswith("wrong"):
        raise Problem(
            400,
            "API key not valid. Please pass a valid API key.",
            ErrorInfo={"reason": "API_KEY_INVALID", "domain": "googleapis.com"},
        )
    if key.startswith("barred"):
        raise Problem(403, "Your API key does not have the required permissions.")
    if paying and key.startswith("poor"):
        why = "Please enable billing on your project in Google AI Studio."
        raise Problem(400, why, status="FAILED_PRECONDITION")
