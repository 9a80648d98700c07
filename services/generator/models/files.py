"""
Entries that are files: `{provider}/{key}.json` has a model's fields by their names, so that
the next model is a file more and no code. Ours lie beside this module, others in MODELS_DIR.
"""

import json
import re
from collections.abc import Iterator
from dataclasses import astuple
from datetime import date
from pathlib import Path
from typing import Any

from services.generator.models.entry import Model, Price, Slot, Wire
from services.generator.models.tokens import Tokens
from services.generator.provider import Role

_HERE = Path(__file__).parent
_KEY = re.compile(r"[a-z0-9][a-z0-9.-]{0,62}")
_ASPECT = re.compile(r"[1-9][0-9]{0,2}:[1-9][0-9]{0,2}")


class EntryError(ValueError):
    """A file of MODELS_DIR that is no entry; says which it is and what is wrong in it."""


def models(provider: str, folder: Path | None = None) -> tuple[Model, ...]:
    """The models of *provider*, by key; of its own *folder* where none is named."""
    paths = sorted((folder or _HERE / provider).glob("*.json"))
    return tuple(_model(provider, path) for path in paths)


def _model(provider: str, path: Path) -> Model:
    found: dict[str, Any] = json.loads(path.read_text())
    found["shapes"] = {aspect: tuple(size) for aspect, size in found["shapes"].items()}
    found["sizes"] = tuple(tuple(size) for size in found.get("sizes", ()))
    found["prices"] = tuple(Price(**row) for row in found.get("prices", ()))
    found["tokens"] = Tokens(**found.get("tokens", {}))
    found["wire"] = Wire(**found.get("wire", {}))
    found["references"] = tuple(_slot(**slot) for slot in found.get("references", ()))
    found.setdefault("max_references", sum(slot.most for slot in found["references"]))
    for name in ("sides", "seeds", "media_types"):
        if name in found:
            found[name] = tuple(found[name])
    return Model(key=path.stem, provider=provider, **found)


def _slot(roles: list[str], needs: str | None = None, **said: Any) -> Slot:
    return Slot(roles=tuple(map(Role, roles)), needs=Role(needs) if needs else None, **said)


def added(folder: Path) -> tuple[Model, ...]:
    """The models of somebody else's *folder*, each checked; raises EntryError."""
    if not folder.is_dir():
        raise EntryError(f"there is no folder {folder}")
    return tuple(_checked(path) for path in sorted(folder.glob("*/*.json")))


def _checked(path: Path) -> Model:
    wrong = [*_misplaced(path), *_mistyped(path)]
    wrong = wrong or [*flaws(_model(path.parent.name, path)), *_unpriced(path)]
    if wrong:
        raise EntryError(f"{path.parent.name}/{path.name}: {'; '.join(wrong)}")
    return _model(path.parent.name, path)


def _misplaced(path: Path) -> Iterator[str]:
    if not _KEY.fullmatch(path.stem):
        yield "its name is the model's key and has small letters, digits, - and . alone"
    there_are = sorted({each.parent.name for each in _HERE.glob("*/*.json")})
    if path.parent.name not in there_are:
        yield f"its folder is the provider's: one of {', '.join(there_are)}"


def _mistyped(path: Path) -> Iterator[str]:
    from pydantic import TypeAdapter, ValidationError  # dear to import, and rarely needed

    try:
        told = json.loads(path.read_text())
        told = {**told, "key": path.stem, "provider": path.parent.name}
        TypeAdapter(Model).validate_json(json.dumps(told), strict=True)
    except ValidationError as error:
        for each in error.errors(include_url=False):
            yield f"{'.'.join(map(str, each['loc']))}: {each['msg']}"
    except (ValueError, TypeError) as error:
        yield f"it is no JSON object: {error}"


def _unpriced(path: Path) -> Iterator[str]:
    """What is reserved by a price of 0 holds no cap: only what is drawn here is free."""
    if not _model(path.parent.name, path).price:
        yield "price: what an image costs at most, above 0, in micro-USD"


def flaws(model: Model) -> Iterator[str]:
    """Say what in *model* cannot be, though each field is of its type."""
    yield from _flaws_of_shapes(model)
    yield from _flaws_of_prices(model)
    yield from _flaws_of_dates(model)
    yield from _flaws_of_references(model)
    if model.most_per_call < 1 or (model.most_per_call > 1 and not model.wire.count):
        yield "most_per_call: at least 1, and above it wire.count names what takes the number"
    if model.seeds[0] > model.seeds[1]:
        yield "seeds: the least, then the most"
    if min(astuple(model.tokens)) < 0:
        yield "tokens: not below 0"
    if model.typical <= 0 or model.time_limit <= 0:
        yield "typical and time_limit: seconds above 0"


def _flaws_of_shapes(model: Model) -> Iterator[str]:
    if not model.shapes:
        yield "shapes: there must be one, and the first is the default"
    for aspect, size in model.shapes.items():
        if not _ASPECT.fullmatch(aspect):
            yield f'shapes: {aspect!r} is no "W:H"'
        if min(size) < 1:
            yield f"shapes.{aspect}: sides are above 0"


def _flaws_of_prices(model: Model) -> Iterator[str]:
    prices = [each.price for each in model.prices]
    if model.price < max(prices, default=0):
        yield "price: it is the dearest of prices, or above"
    if min(model.price, *prices, 0) < 0:
        yield "price: it is in micro-USD and not below 0"
    if min((0, *(each.per for each in model.prices), *model.surcharges.values())) < 0:
        yield "prices: per and what surcharges add are not below 0"
    so = [each.asked for each in model.prices] + [
        *model.multiples.values(),
        *model.series.values(),
        model.alone,
    ]
    named = {
        *model.surcharges,
        *model.multiples,
        *model.series,
        *(name for each in so for name in each),
    }
    for name in named - {"size"}:
        if name not in model.parameters.get("properties", {}):
            yield f"prices: there is no parameter {name!r}"


def _flaws_of_dates(model: Model) -> Iterator[str]:
    try:
        if model.retired:
            date.fromisoformat(model.retired)
    except ValueError:
        yield 'retired: a date, "YYYY-MM-DD"'
    if model.successor == model.key:
        yield "successor: another model"


def _flaws_of_references(model: Model) -> Iterator[str]:
    slots = model.references
    if slots and model.max_references > sum(slot.most for slot in slots):
        yield "max_references: at most as many as the references take together"
    for slot in slots:
        where = f"references.{slot.input}"
        if slot.most < 1 or (slot.most > 1 and not slot.many):
            yield f"{where}: most is at least 1, and above it the input is a list: many"
        if slot.needs is not None and model.slot(slot.needs) is None:
            yield f"{where}: nothing takes the {slot.needs} that it needs"
