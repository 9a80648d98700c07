"""The registry of models: data, not code paths."""

from collections.abc import Collection, Iterable, Iterator

from chassis.errors import Missing, Precondition
from services.generator.models import files
from services.generator.models.entry import Model, Wire
from services.generator.models.sketch import MODELS as SKETCHES

__all__ = ["EVERY", "KEYS", "Model", "Registry", "Wire"]

EVERY = (*SKETCHES, *files.models("replicate"))
KEYS = {"replicate": "REPLICATE_API_TOKEN"}  # what to set for a provider's models


class Registry:
    """The *models* by key; *configured* names the providers that can be bought from."""

    def __init__(
        self, models: Iterable[Model], *, configured: Collection[str], default: str
    ) -> None:
        self._models = {model.key: model for model in sorted(models, key=lambda each: each.key)}
        self._configured = frozenset(configured)
        self.default = default

    def __iter__(self) -> Iterator[Model]:
        return iter(self._models.values())

    def __contains__(self, key: str) -> bool:
        return key in self._models

    def ready(self, model: Model) -> bool:
        """Whether *model* can be bought here."""
        return model.provider in self._configured

    def known(self, key: str) -> Model:
        """Return the model of *key*; MODEL_UNKNOWN where there is none."""
        model = self._models.get(key)
        if model is None:
            raise Missing(
                "MODEL_UNKNOWN",
                f"There is no model {key[:80]!r}; ListModels (GET /images/models) names them all.",
                metadata={"model": key[:80]},
            )
        return model

    def usable(self, key: str) -> Model:
        """Return the model of *key* if it can be bought here."""
        model = self.known(key)
        if not self.ready(model):
            raise Precondition(
                "PROVIDER_NOT_CONFIGURED",
                f"The model {key!r} needs credentials of {model.provider!r}: set "
                f"{KEYS.get(model.provider, 'them')}, or choose another model.",
                metadata={"provider": model.provider},
            )
        return model
