"""Inputs against a model's schema, with the complaints that Replicate has about them."""

from typing import Any

from lab.replicate.catalogue import Model
from lab.replicate.problems import Flaw

_TYPES: dict[str, tuple[type, ...]] = {
    "string": (str,),
    "integer": (int,),
    "number": (int, float),
    "boolean": (bool,),
    "array": (list,),
}
_DATA_URL = 256_000  # bytes of a picture inside the input


def flaws(model: Model, inputs: dict[str, Any]) -> list[Flaw]:
    """What is wrong with *inputs*; what a model does not know is ignored, as its schema allows."""
    missing = [
        Flaw("required", "input", f"{name} is required")
        for name in model.input["required"]
        if name not in inputs
    ]
    known = model.properties
    wrong = [
        flaw
        for name, value in inputs.items()
        if name in known and value is not None
        for flaw in _flaws(f"input.{name}", known[name], value)
    ]
    return missing + wrong


def _flaws(field: str, schema: dict[str, Any], value: Any) -> list[Flaw]:
    wanted = schema["type"]
    if not isinstance(value, _TYPES[wanted]) or (isinstance(value, bool) != (wanted == "boolean")):
        return [
            Flaw("invalid_type", field, f"Invalid type. Expected: {wanted}, given: {_of(value)}")
        ]
    found = [_not_listed(field, schema, value), *_beyond(field, schema, value)]
    items = schema.get("items", {})
    if isinstance(value, list) and "type" in items:
        parts = enumerate(value)
        found += [one for at, part in parts for one in _flaws(f"{field}.{at}", items, part)]
    return [flaw for flaw in found if flaw]


def _not_listed(field: str, schema: dict[str, Any], value: Any) -> Flaw | None:
    if "enum" not in schema or value in schema["enum"]:
        return None
    listed = ", ".join(f'"{one}"' for one in schema["enum"])
    return Flaw("enum", field, f"{field} must be one of the following: {listed}")


def _beyond(field: str, schema: dict[str, Any], value: Any) -> list[Flaw | None]:
    """Limits of numbers, texts and lists."""
    low, high = schema.get("minimum"), schema.get("maximum")
    if isinstance(value, int | float):
        return [
            Flaw("number_gte", field, f"Must be greater than or equal to {low}")
            if low is not None and value < low
            else None,
            Flaw("number_lte", field, f"Must be less than or equal to {high}")
            if high is not None and value > high
            else None,
        ]
    most, items = schema.get("maxLength"), schema.get("maxItems")
    if isinstance(value, str) and most is not None and len(value) > most:
        return [Flaw("string_lte", field, f"String length must be less than or equal to {most}")]
    if isinstance(value, list) and items is not None and len(value) > items:
        return [Flaw("array_max_items", field, f"Array must have at most {items} items")]
    if schema.get("format") == "uri" and isinstance(value, str):
        return [_no_link(field, value)]
    return []


def _no_link(field: str, value: str) -> Flaw | None:
    if value.startswith("data:"):
        return (
            Flaw("data_uri", field, "Data URIs can hold at most 256kB; upload a file instead")
            if len(value) * 3 // 4 > _DATA_URL
            else None
        )
    if value.startswith(("http://", "https://")):
        return None
    return Flaw("format", field, "Does not match format 'uri'")


def _of(value: Any) -> str:
    names = {bool: "boolean", int: "integer", float: "number", str: "string", list: "array"}
    return names.get(type(value), "object")
