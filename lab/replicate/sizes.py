"""How many pictures an input asks for, of which size and format."""

import math
import re
from dataclasses import dataclass
from typing import Any

from lab.replicate.catalogue import Model

_PIXELS = re.compile(r"(\d{2,5})x(\d{2,5})")
_RATIO = re.compile(r"(\d{1,2}):(\d{1,2})")
_SHORT = "too-few"  # the word that makes a series one picture shorter than it may be
_SQUARE = re.compile(r"([1234])K")


@dataclass(frozen=True, slots=True)
class Plan:
    """What will be drawn: *count* pictures of *width* by *height* pixels."""

    count: int
    width: int
    height: int
    format: str


def plan(model: Model, inputs: dict[str, Any]) -> Plan:
    """What *inputs* ask of *model*."""
    width, height = _pixels(model, inputs)
    kind = model.format or str(model.get(inputs, "output_format"))
    return Plan(_count(model, inputs), width, height, "jpg" if kind == "jpeg" else kind)


def _count(model: Model, inputs: dict[str, Any]) -> int:
    series = model.get(inputs, "sequential_image_generation")
    if series == "disabled":
        return 1
    if series == "auto" and _SHORT in str(inputs.get("prompt", "")).lower():
        return max(1, int(model.get(inputs, "max_images")) - 1)
    counts = (model.get(inputs, name) for name in ("num_outputs", "number_of_images", "max_images"))
    return next((int(count) for count in counts if count is not None), 1)


def _pixels(model: Model, inputs: dict[str, Any]) -> tuple[int, int]:
    ratio = str(model.get(inputs, "aspect_ratio"))
    sizes = [str(model.get(inputs, name)) for name in ("resolution", "size")]
    if "custom" in (ratio, *sizes):
        width, height = (int(model.get(inputs, side) or 1024) for side in ("width", "height"))
        return (
            (width, height) if "custom" in sizes else (_multiple(width, 32), _multiple(height, 32))
        )
    # Ideogram's resolution goes before its ratio, Recraft's ratio before its size.
    for said in (ratio, *(sizes[:1] if _RATIO.fullmatch(ratio) else sizes)):
        if found := _PIXELS.fullmatch(said):
            return int(found[1]), int(found[2])
    return _shaped(_edge(model, inputs, sizes), ratio)


def _edge(model: Model, inputs: dict[str, Any], sizes: list[str]) -> float:
    """The side of a square with as many pixels as are wanted."""
    for said in sizes:
        if found := _SQUARE.fullmatch(said):
            return 1024 * int(found[1])
    return model.edge * math.sqrt(float(model.get(inputs, "megapixels") or 1))


def _shaped(edge: float, ratio: str) -> tuple[int, int]:
    """A rectangle of about edge² pixels; without a ratio it is a square."""
    found = _RATIO.fullmatch(ratio)
    wide = math.sqrt(int(found[1]) / int(found[2])) if found else 1.0
    return _multiple(edge * wide, 16), _multiple(edge / wide, 16)


def _multiple(pixels: float, of: int) -> int:
    return max(of, round(pixels / of) * of)
