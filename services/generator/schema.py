"""
Checks a value against the part of JSON Schema that the registry uses: type, enum,
minimum, maximum, properties, required, additionalProperties, items, maxItems, false for what
must not be there, and allOf whose entries are an "if" with what it is about in "required", and a
"then".
"""

from collections.abc import Iterator, Mapping
from typing import Any, Literal

_TYPES: dict[str, tuple[type, ...]] = {
    "object": (dict,),
    "array": (list,),
    "string": (str,),
    "boolean": (bool,),
    "number": (int, float),
    "integer": (int, float),
}


def problems(
    schema: Mapping[str, Any] | Literal[False], value: object, path: str
) -> Iterator[tuple[str, str]]:
    """Yield the path of what is wrong in *value*, and what to put there."""
    if schema is False:
        yield path, "must be left out"
        return
    wrong = _mistyped(schema.get("type"), value) or _out_of_bounds(schema, value)
    if wrong:
        yield path, wrong
    elif isinstance(value, dict):
        yield from _in_object(schema, value, path)
    elif isinstance(value, list) and "items" in schema:
        for index, item in enumerate(value):
            yield from problems(schema["items"], item, f"{path}[{index}]")


def rivals(schema: Mapping[str, Any], given: set[str]) -> set[str]:
    """Name what must not stand beside the properties that are *given*."""
    found = set[str]()
    for rule in schema.get("allOf", ()):
        asking = set(rule["if"]["required"])
        banned = {name for name, its in rule["then"].get("properties", {}).items() if its is False}
        if asking <= given:
            found |= banned
        if banned & given:
            found |= asking
    return found


def _mistyped(kind: str | None, value: object) -> str:
    if kind is None:
        return ""
    fits = isinstance(value, _TYPES[kind]) and isinstance(value, bool) == (kind == "boolean")
    if fits and kind == "integer":
        fits = float(value).is_integer()  # type: ignore[arg-type]
    return "" if fits else f"must be of type {kind}"


def _out_of_bounds(schema: Mapping[str, Any], value: object) -> str:
    if "enum" in schema and value not in schema["enum"]:
        return f"must be one of {', '.join(map(str, schema['enum']))}"
    if isinstance(value, list) and len(value) > (most := schema.get("maxItems", len(value))):
        return f"must have at most {most} entries and has {len(value)}"
    if isinstance(value, int | float) and not isinstance(value, bool):
        least, most = schema.get("minimum", value), schema.get("maximum", value)
        if not least <= value <= most:
            return f"must be from {least} to {most}"
    return ""


def _in_object(
    schema: Mapping[str, Any], value: Mapping[str, Any], path: str
) -> Iterator[tuple[str, str]]:
    known = schema.get("properties", {})
    for name in schema.get("required", ()):
        if name not in value:
            yield f"{path}.{name}", "is required"
    for name, item in value.items():
        if name in known:
            yield from problems(known[name], item, f"{path}.{name}")
        elif schema.get("additionalProperties") is False:
            yield f"{path}.{name[:80]}", f"is unknown; there are {', '.join(known) or 'none'}"
    for rule in schema.get("allOf", ()):
        if not any(problems(rule["if"], value, path)):
            because = f"where {' and '.join(rule['if']['required'])} asks for it"
            for where, what in problems(rule["then"], value, path):
                yield where, f"{what} {because}"
