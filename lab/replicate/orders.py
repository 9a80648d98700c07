"""An order read from a request: its body, its headers, and what is wrong with them."""

import random
import re
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from aiohttp import web

from lab.replicate.catalogue import HIDDEN, Model
from lab.replicate.prediction import Hook, Prediction
from lab.replicate.problems import Flaw, invalid, malformed, no_such_version
from lab.replicate.rules import Rules
from lab.replicate.sizes import plan
from lab.replicate.studio import new_id
from lab.replicate.validation import flaws
from lab.replicate.webhooks import hook
from lab.world import World

_FIELDS = frozenset({"input", "webhook", "webhook_events_filter", "stream"})
_WAIT = re.compile(r"wait(?:=([1-9]|[1-5][0-9]|60))?")
_AFTER = re.compile(r"(\d{1,6})([smh])")
_UNITS = {"s": 1, "m": 60, "h": 3600}
_SOONEST = 5  # seconds until a prediction may cancel itself
_LONGEST = 1800.0  # seconds that a run may take
_MOST_SEED = 2**31 - 1


@dataclass(frozen=True, slots=True)
class Desk:
    """Turns requests into predictions, or says what is wrong with them."""

    world: World
    models: dict[str, Model]

    def resolve(self, version: object) -> tuple[Model, str]:
        """The model and version of `owner/name`, `owner/name:hex` or `hex`."""
        slug, colon, name = version.rpartition(":") if isinstance(version, str) else ("", "", "")
        if not colon and name in self.models:
            return self.models[name], HIDDEN
        for model in self.models.values():
            if model.version == name and slug in ("", model.slug):
                return model, name
        raise no_such_version()

    def order(
        self, request: web.Request, body: dict[str, Any], found: tuple[Model, str], rules: Rules
    ) -> Prediction:
        """A prediction that nobody has begun yet; raise Problem where it is refused."""
        model, version = found
        inputs, hooked = body.get("input"), self._hook(body)
        wrong = [hooked] if isinstance(hooked, Flaw) else []
        if not isinstance(inputs, dict):
            raise invalid([*wrong, Flaw("required", "(root)", "input is required")])
        wrong += _unknown(body) + flaws(model, inputs)
        stop = _stop_after(request.headers.get("Cancel-After"))
        if isinstance(stop, Flaw):
            wrong.append(stop)
        if wrong or isinstance(stop, Flaw) or isinstance(hooked, Flaw):
            raise invalid(wrong)
        if rules.fills_in_defaults:
            inputs = model.defaults | inputs
        pace, now, seed = self.world.pace, self.world.clock.now(), inputs.get("seed")
        return Prediction(
            id=new_id(),
            model=model,
            version=version,
            inputs=inputs,
            plan=plan(model, inputs),
            hook=hooked,
            created=now,
            queue=pace.queue,
            seconds=min(_LONGEST, model.usual_seconds if pace.seconds is None else pace.seconds),
            stop_at=None if stop is None else now + timedelta(seconds=stop),
            seed=random.randint(1, _MOST_SEED) if seed is None else seed,
        )

    def _hook(self, body: dict[str, Any]) -> Hook | Flaw | None:
        if body.get("webhook") is None:
            return None
        return hook(body["webhook"], body.get("webhook_events_filter"), self.world.hosts)


def wait_of(request: web.Request) -> int | None:
    """Seconds for which the answer may wait; None: it must not."""
    prefer = request.headers.get("Prefer")
    if prefer is None:
        return None
    found = _WAIT.fullmatch(prefer)
    if not found:
        raise malformed("The Prefer header must match wait or wait=n, with n from 1 to 60")
    return int(found[1] or 60)


def _stop_after(text: str | None) -> int | Flaw | None:
    if text is None:
        return None
    found = _AFTER.fullmatch(text)
    seconds = int(found[1]) * _UNITS[found[2]] if found else 0
    if seconds < _SOONEST:
        return Flaw(
            "format", "Cancel-After", f"Must be a duration like 30s, 5m or 1h, {_SOONEST}s at least"
        )
    return seconds


def _unknown(body: dict[str, Any]) -> list[Flaw]:
    kind = "additional_property_not_allowed"
    return [
        Flaw(kind, "(root)", f"Additional property {name} is not allowed")
        for name in sorted(body.keys() - _FIELDS)
    ]
