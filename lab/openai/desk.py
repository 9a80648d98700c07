"""What all of OpenAI's routes share: who may come in, how often, and what is written down."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from datetime import date
from typing import Any

from aiohttp import web

from lab.charges import NOTHING, Charge, Given
from lab.door import Door, Handler, object_of
from lab.openai import problems
from lab.openai.problems import Problem
from lab.replicate.limits import checked, full
from lab.world import World

NAME = "openai"


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """
    What is not known of OpenAI, or differs between accounts; None is no limit.

    *serves_retired*: whether what it has switched off draws still. *shutdown_dates* are by
    model.
    """

    orders_per_minute: int | None = None
    rate_headers: bool = True
    serves_retired: bool = False
    shutdown_dates: Mapping[str, str] = field(default_factory=dict)

    def changed(self, settings: Mapping[str, Any]) -> "Rules":
        """Other rules; raise ValueError with what is wrong."""
        found = replace(self, **settings)
        checked(found.orders_per_minute)
        dates = found.shutdown_dates
        for name in ("rate_headers", "serves_retired"):
            if type(getattr(found, name)) is not bool:
                raise ValueError(f"{name} is {getattr(found, name)!r}: say true or false")
        for each in dates.values() if isinstance(dates, dict) else ("no object",):
            date.fromisoformat(each)
        return found


class Desk:
    """Guards the routes of one lab's OpenAI."""

    def __init__(self, world: World) -> None:
        self.world = world
        self._door = Door(world, NAME, problems.by_status)
        self.abide(Rules())

    def abide(self, rules: Rules) -> None:
        """Go by *rules* from now on, with a full bucket."""
        self.rules = rules
        self._bucket = full(self.rules.orders_per_minute, self.world.clock.now())

    def settings(self) -> dict[str, object]:
        return asdict(self.rules)

    def open(self, method: str, path: str, where: str, handler: Handler) -> web.RouteDef:
        """A route that needs no token."""
        return self._door.route(method, f"/{NAME}{path}", where, handler)

    def guarded(self, method: str, path: str, where: str, handler: Handler) -> web.RouteDef:
        """A route below /openai that needs a token; a POST is paid for and counts as a call."""

        async def answer(request: web.Request) -> web.StreamResponse:
            paying = method == "POST"
            try:
                _check_token(request, paying=paying)
                if paying:
                    self._admit()
                made = await handler(request)
            except Problem as problem:
                made = problem.answer
            if not made.prepared:
                made.headers.update(self.headers(paying=paying))
            return made

        return self.open(method, path, where, answer)

    def headers(self, *, paying: bool) -> dict[str, str]:
        """The rate's headers, on what counts as a call."""
        told = self._bucket.headers() if paying and self.rules.rate_headers else {}
        if not told:
            return {}
        return {
            "x-ratelimit-limit-requests": str(self._bucket.most),
            "x-ratelimit-remaining-requests": told["ratelimit-remaining"],
            "x-ratelimit-reset-requests": f"{told['ratelimit-reset']}s",
        }

    def charge(
        self,
        request: web.Request,
        *,
        model: str,
        ticket: str,
        images: int,
        usd: float,
        given: Given = NOTHING,
    ) -> None:
        """Write down what a call cost; its purchase is what came as X-Client-Request-Id."""
        self.world.charges.add(
            Charge(
                vendor=NAME,
                model=model,
                ticket=ticket,
                images=images,
                usd=usd,
                purchase_id=request.headers.get("X-Client-Request-Id"),
                at=self.world.clock.now(),
                given=given,
            )
        )

    async def wait(self, usual: float, share: float = 1.0) -> None:
        """Let a *share* of the *usual* seconds pass, or of what the lab's pace says instead."""
        pace = self.world.pace
        whole = usual if pace.seconds is None else pace.seconds
        await self.world.clock.sleep((pace.queue + whole) * share)

    def _admit(self) -> None:
        wait = self._bucket.take(self.world.clock.now())
        if wait is not None:
            raise Problem(429, "Rate limit reached for requests.", wait=wait)


async def body_of(request: web.Request) -> dict[str, Any]:
    """The JSON object of a call; raises Problem."""
    found = await object_of(request)
    if found is None:
        raise Problem(400, "We could not parse the JSON body of your request.")
    return found


def _check_token(request: web.Request, *, paying: bool) -> None:
    """Every token is good but `wrong…`, and to pay with, `poor…`, `capped…` and `unverified…`."""
    kind, _, token = request.headers.get("Authorization", "").partition(" ")
    if kind != "Bearer" or not token or token.startswith("wrong"):
        raise Problem(401, "Incorrect API key provided.")
    if not paying:
        return
    if token.startswith("poor"):
        kind = "insufficient_quota"
        raise Problem(429, "You exceeded your current quota.", kind=kind, code=kind)
    if token.startswith("capped"):
        code = "billing_hard_limit_reached"
        raise Problem(400, "Billing hard limit has been reached.", code=code)
    if token.startswith("unverified"):
        raise Problem(403, "Your organization must be verified to use the model.")
