"""
Entries that are files: `{provider}/{key}.json` beside this module has a model's fields by
their names, so that the next model is a file more and no code.
"""

import json
from pathlib import Path
from typing import Any

from services.generator.models.entry import Model, Price, Wire

_HERE = Path(__file__).parent


def models(provider: str, folder: Path | None = None) -> tuple[Model, ...]:
    """The models of *provider*, by key; of its own *folder* where none is named."""
    paths = sorted((folder or _HERE / provider).glob("*.json"))
    return tuple(_model(provider, path) for path in paths)


def _model(provider: str, path: Path) -> Model:
    found: dict[str, Any] = json.loads(path.read_text())
    found["shapes"] = {aspect: tuple(size) for aspect, size in found["shapes"].items()}
    found["sizes"] = tuple(tuple(size) for size in found.get("sizes", ()))
    found["prices"] = tuple(_price(**row) for row in found.get("prices", ()))
    found["wire"] = Wire(**found["wire"])
    for name in ("sides", "media_types"):
        if name in found:
            found[name] = tuple(found[name])
    return Model(key=path.stem, provider=provider, **found)


def _price(price: int, pixels: int = 0, **asked: object) -> Price:
    return Price(price=price, pixels=pixels, asked=asked)
