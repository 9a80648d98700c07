"""The models that are offered: what they take, how long they usually need, what they cost."""

import json
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

_DATA = Path(__file__).with_name("models")
HIDDEN = "hidden"  # the version of a prediction that named an official model and no version


@dataclass(frozen=True, kw_only=True)
class Model:
    """One file of data; *price* in USD an image, *edge* the side of a usual square in pixels."""

    slug: str
    version: str
    cog_version: str
    created_at: str
    usual_seconds: float
    logs: str  # tqdm, or prose
    edge: int
    format: str | None  # where the input does not choose one
    retired: bool
    price: float
    input: dict[str, Any]
    schemas: dict[str, Any]
    output: dict[str, Any]

    @cached_property
    def properties(self) -> dict[str, dict[str, Any]]:
        """What the input may hold, by name, with references to enumerations followed."""
        return {name: self._followed(found) for name, found in self.input["properties"].items()}

    @cached_property
    def secrets(self) -> frozenset[str]:
        """The inputs that are never shown again."""
        return frozenset(name for name, of in self.properties.items() if of.get("x-secret"))

    @cached_property
    def defaults(self) -> dict[str, Any]:
        """What is used where an input is left out."""
        return {name: of["default"] for name, of in self.properties.items() if "default" in of}

    @property
    def gives_list(self) -> bool:
        """Whether the output is a list even where it is one picture."""
        return bool(self.output["type"] == "array")

    def get(self, inputs: dict[str, Any], name: str) -> Any:
        """The input *name* or its default; None where there is neither."""
        return inputs.get(name, self.properties.get(name, {}).get("default"))

    def as_json(self) -> dict[str, object]:
        """The model as GET /models/{owner}/{name} tells it."""
        owner, name = self.slug.split("/")
        return {
            "url": f"https://replicate.com/{self.slug}",
            "owner": owner,
            "name": name,
            "description": f"{name}, as the lab imitates it",
            "visibility": "public",
            "github_url": None,
            "paper_url": None,
            "license_url": None,
            "run_count": 0,
            "cover_image_url": None,
            "default_example": None,
            "latest_version": self.version_as_json(),
        }

    def version_as_json(self) -> dict[str, object]:
        """The version as the API tells it."""
        schemas = {"Input": self.input, "Output": self.output, **self.schemas}
        return {
            "id": self.version,
            "created_at": self.created_at,
            "cog_version": self.cog_version,
            "openapi_schema": {
                "openapi": "3.0.2",
                "info": {"title": "Cog", "version": "0.1.0"},
                "paths": {},
                "components": {"schemas": schemas},
            },
        }

    def _followed(self, found: dict[str, Any]) -> dict[str, Any]:
        followed = dict(found)
        for part in followed.pop("allOf", ()):
            followed |= self.schemas[part["$ref"].rpartition("/")[2]]
        return followed


def load() -> dict[str, Model]:
    """Every model by its slug."""
    found = (_model(json.loads(path.read_text("utf-8"))) for path in sorted(_DATA.glob("*.json")))
    return {model.slug: model for model in found}


def _model(data: dict[str, Any]) -> Model:
    names = Model.__dataclass_fields__.keys() - {"price"}
    return Model(price=data["price"]["usd"], **{name: data[name] for name in names})
