"""The registry of models: data, not code paths."""

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from datetime import UTC, date, datetime

from chassis.errors import Missing, Precondition
from services.generator.models import files
from services.generator.models.entry import Model, Slot, Wire
from services.generator.models.sketch import MODELS as SKETCHES

__all__ = ["EVERY", "KEYS", "Model", "Registry", "Slot", "Wire"]

# Of several who sell a model under one key the first that is configured is bought from.
EVERY = (*SKETCHES, *files.models("recraft"), *files.models("google"),
         *files.models("openai"), *files.models("replicate"))  # fmt: skip
KEYS = {  # what to set for a provider's models
    "google": "GEMINI_API_KEY",
    "openai": "OPENAI_API_KEY",
    "recraft": "RECRAFT_API_TOKEN",
    "replicate": "REPLICATE_API_TOKEN",
}


def _today() -> date:
    return datetime.now(UTC).date()


class Registry:
    """
    The *models* by key; *configured* names the providers that can be bought from.

    *today* tells the date, for what is retired.
    """

    def __init__(
        self,
        models: Iterable[Model],
        *,
        configured: Collection[str],
        default: str,
        today: Callable[[], date] = _today,
    ) -> None:
        self._today = today
        self._configured = frozenset(configured)
        self._sold: dict[tuple[str, str], Model] = {}
        self._models: dict[str, Model] = {}
        self._ends: dict[str, Mapping[str, date]] = {}  # by provider and slug
        for model in sorted(models, key=lambda each: each.key):
            self._sold.setdefault((model.key, model.provider), model)
            other = self._models.setdefault(model.key, model)
            if self.ready(model) and not self.ready(other):
                self._models[model.key] = model
        self.default = default

    def __iter__(self) -> Iterator[Model]:
        return iter(self._models.values())

    def __contains__(self, key: str) -> bool:
        return key in self._models

    def ready(self, model: Model) -> bool:
        """Whether *model* can be bought here."""
        return model.provider in self._configured

    def learn(self, provider: str, ends: Mapping[str, date]) -> None:
        """Take what *provider* tells now of its models' ends, by slug."""
        self._ends[provider] = ends

    def end(self, model: Model) -> date | None:
        """When *model* is switched off: its provider's word goes before the entry's."""
        told = self._ends.get(model.provider, {}).get(model.slug)
        return told or (date.fromisoformat(model.retired) if model.retired else None)

    def retired(self, model: Model) -> bool:
        """Whether its provider has switched *model* off."""
        end = self.end(model)
        return end is not None and end <= self._today()

    def current(self, key: str) -> Model:
        """Return the model of *key*, or of its successors the first that is not retired."""
        model, seen = self.known(key), {key}
        while self.retired(model) and model.successor and model.successor not in seen:
            seen.add(model.successor)
            model = self.known(model.successor)
        return model

    def known(self, key: str, provider: str = "", *, field: str = "model") -> Model:
        """
        Return the model of *key*, as *provider* sells it.

        MODEL_UNKNOWN where there is none; *field* of the request names it.
        """
        model = self._sold.get((key, provider)) or self._models.get(key)
        if model is None:
            raise Missing(
                "MODEL_UNKNOWN",
                f"There is no model {key[:80]!r}; ListModels (GET /images/models) names them all.",
                metadata={"model": key[:80]},
                fields={field: f"is no model: {key[:80]}"},
            )
        return model

    def usable(self, key: str) -> Model:
        """Return the model of *key* if it can be bought here."""
        model = self.known(key)
        if self.retired(model):
            raise _retired(model, self.end(model))
        if not self.ready(model):
            raise Precondition(
                "PROVIDER_NOT_CONFIGURED",
                f"The model {key!r} needs credentials of {model.provider!r}: set "
                f"{KEYS.get(model.provider, 'them')}, or choose another model.",
                metadata={"provider": model.provider},
            )
        return model


def _retired(model: Model, end: date | None) -> Precondition:
    instead = "choose another one; ListModels (GET /images/models) names them all"
    if model.successor:
        instead = f"use {model.successor!r}, or set allow_successor"
    return Precondition(
        "MODEL_RETIRED",
        f"The model {model.key!r} was switched off by its provider on {end}: {instead}.",
        metadata={
            "model": model.key,
            "retire_time": f"{end}T00:00:00Z",
            "successor": model.successor,
        },
    )
