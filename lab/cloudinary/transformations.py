"""
Transformations as they stand in URLs: ``c_fill,w_256,h_256/f_auto,q_auto``, really carried out.

What the lab cannot draw is refused in Cloudinary's words rather than left out in silence.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from PIL import ImageColor

from lab.cloudinary.pictures import FORMATS, OTHER_NAMES, encoded, name_of, opened
from lab.cloudinary.refusals import Refusal
from lab.cloudinary.resizing import CROPS, GRAVITIES, resized

_AUTO = {"auto": 80, "auto:best": 90, "auto:good": 80, "auto:eco": 70, "auto:low": 60}
_LENGTH = re.compile(r"\d{1,5}|\d{0,3}\.\d{1,4}")  # pixels, or a share of what was there
_ANGLE = re.compile(r"-?\d{1,4}")
_SAID = re.compile(r"[a-z]{1,3}_.+")

Step = Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Derived:
    """What a transformation made."""

    content: bytes
    width: int
    height: int
    format: str


def is_component(segment: str) -> bool:
    """Whether a segment of a URL can be carried out as part of a transformation."""
    names = {part.partition("_")[0] for part in segment.split(",")}
    return looks_meant(segment) and names <= _MAKES_SENSE.keys()


def looks_meant(segment: str) -> bool:
    """Whether a segment is written like a part of a transformation, known or not."""
    return all(_SAID.fullmatch(part) for part in segment.split(","))


def parse(component: str) -> Step:
    """``c_fill,w_256`` as a mapping; refused where a part is unknown or makes no sense."""
    step = {}
    for part in component.split(","):
        name, _, value = part.partition("_")
        if not (makes_sense := _MAKES_SENSE.get(name)) or not makes_sense(value):
            raise Refusal(400, f"Invalid transformation component - {part}")
        step[name] = value
    return step


def check(transformation: str) -> None:
    """Refuse what `derive` would refuse."""
    _steps(transformation)


def format_of(transformation: str, was: str) -> str:
    """The format that *transformation* makes of one that *was* another, whoever reads it."""
    return _format(_steps(transformation), OTHER_NAMES.get(was, was), "")


def derive(
    content: bytes, transformation: str, *, to: str | None = None, accept: str = ""
) -> Derived:
    """Carry *transformation* out; *to* is the format that an extension asks for."""
    steps = _steps(transformation)
    image = opened(content)
    name = _format(steps, to or name_of(image), accept)
    transparent = "A" in image.getbands() or "transparency" in image.info
    image = image.convert("RGBA" if transparent else "RGB")
    for step in steps:
        image = resized(image, step)
    qualities = [step["q"] for step in steps if "q" in step]
    quality = _AUTO.get(qualities[-1]) or int(qualities[-1]) if qualities else None
    return Derived(encoded(image, name, quality), image.width, image.height, name)


def _steps(transformation: str) -> list[Step]:
    return [parse(component) for component in transformation.split("/") if component]


def _format(steps: list[Step], was: str, accept: str) -> str:
    """f_auto is WebP for whoever takes it, else what the image is where a browser shows that."""
    wanted = next((step["f"] for step in reversed(steps) if "f" in step), was)
    if wanted != "auto":
        return OTHER_NAMES.get(wanted, wanted)
    if "image/webp" in accept:
        return "webp"
    return was if was in {"png", "jpg", "gif"} else "jpg"


def _is_length(value: str) -> bool:
    return bool(_LENGTH.fullmatch(value)) and float(value) > 0


def _is_quality(value: str) -> bool:
    return value in _AUTO or (value.isdecimal() and 1 <= int(value) <= 100)


def _is_format(value: str) -> bool:
    return value == "auto" or OTHER_NAMES.get(value, value) in FORMATS


def _is_colour(value: str) -> bool:
    try:
        ImageColor.getrgb(f"#{value[4:]}" if value.startswith("rgb:") else value)
    except ValueError:
        return False
    return True


_MAKES_SENSE: Mapping[str, Callable[[str], bool]] = {
    "a": lambda value: bool(_ANGLE.fullmatch(value)),
    "b": _is_colour,
    "c": CROPS.__contains__,
    "f": _is_format,
    "g": GRAVITIES.__contains__,
    "h": _is_length,
    "q": _is_quality,
    "w": _is_length,
}
