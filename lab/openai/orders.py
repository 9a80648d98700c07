"""What may be ordered of the GPT image models: checked as OpenAI documents it."""

import math
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from lab.openai.models import MODELS, SQUARE, Model
from lab.openai.problems import Problem

LONGEST = 32_000  # characters of a prompt
_MOST = 10  # pictures a call
_PARTIAL = 100  # output tokens of a partial picture
_SIZE = re.compile(r"(\d{1,4})x(\d{1,4})")
_STEP, _WIDE, _PIXELS = 16, 3840, 3840 * 2160
_FIELDS = frozenset(
    (
        *("prompt", "model", "n", "size", "quality", "background", "output_format"),
        *("output_compression", "moderation", "partial_images", "stream", "safety_identifier"),
        "user",
    )
)
_INTEGERS = {
    "n": (1, _MOST),
    "output_compression": (0, 100),
    "partial_images": (0, 3),
    "frame_count": (2, 16),
    "frame_duration_ms": (0, 2**31),
}
_EFFORTS = ("none", "minimal", "low", "medium", "high", "xhigh", "max")
_FRAMES, _DURATION, _LASTS = 9, 200, 655_350  # of a gif; its frames last milliseconds
_OF_MOVING = frozenset(("complexity", "frame_count", "frame_duration_ms", "svg"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """A request that is in order; *images* and *mask* are what an edit brings."""

    name: str
    prompt: str
    count: int
    width: int
    height: int
    quality: str
    background: str
    format: str
    partials: int
    stream: bool
    images: tuple[bytes, ...] = ()
    mask: bytes | None = None
    pixels: int = 0  # of the images
    frames: int = 1
    duration: int = 0  # milliseconds that a frame stands

    @property
    def model(self) -> Model:
        return MODELS[self.name]

    @property
    def usage(self) -> dict[str, Any]:
        """What it takes, in tokens; how a prompt and an image come to theirs is assumed."""
        text, image = math.ceil(len(self.prompt.encode()) / 4), math.ceil(self.pixels / 1024)
        one = math.ceil(self.model.tokens[self.quality] * self.width * self.height / SQUARE)
        drawn = self.count * self.frames * one + _PARTIAL * self.partials
        return {
            "input_tokens": text + image,
            "input_tokens_details": {"text_tokens": text, "image_tokens": image},
            "output_tokens": drawn,
            "total_tokens": text + image + drawn,
        }

    @property
    def usd(self) -> float:
        """What all of it costs, in dollars."""
        used, model = self.usage, self.model
        read = used["input_tokens_details"]
        paid = read["text_tokens"] * model.text + read["image_tokens"] * model.image
        return float(paid + used["output_tokens"] * model.drawn) / 1e6


def read(body: Mapping[str, Any], **brought: Any) -> Order:
    """Check *body*, and what an edit has *brought*; raises Problem."""
    name = body.get("model")
    if not isinstance(name, str) or name not in MODELS:
        raise Problem(404, f"The model '{name}' does not exist.", param="model")
    fields = _FIELDS | _OF_MOVING if MODELS[name].moves else _FIELDS
    if unknown := sorted(body.keys() - fields):
        raise bad(unknown[0], f"Unknown parameter: '{unknown[0]}'.", code="unknown_parameter")
    numbers = {each: _whole(body, each, *limits) for each, limits in _INTEGERS.items()}
    kinds = ("png", "webp", "jpeg", *(("gif", "svg") if MODELS[name].moves else ()))
    kind = one_of(body, "output_format", "png", kinds)
    background = one_of(body, "background", "auto", ("auto", "opaque", "transparent"))
    one_of(body, "moderation", "auto", ("auto", "low"))
    one_of(body, "complexity", "low", ("low", "medium", "high"))
    _check_kind(body, kind, masked=brought.get("mask") is not None)
    tokens = MODELS[name].tokens
    quality = one_of(body, "quality", "auto", ("auto", *tokens))
    width, height = _size(body.get("size", "auto"))
    order = Order(
        name=name,
        prompt=prompt(body, LONGEST),
        count=1 if numbers["n"] is None else numbers["n"],
        width=width,
        height=height,
        quality="medium" if quality == "auto" else quality,
        background="opaque" if background == "auto" else background,
        format=kind,
        partials=numbers["partial_images"] or 0,
        stream=_flag(body, "stream"),
        frames=(numbers["frame_count"] or _FRAMES) if kind == "gif" else 1,
        duration=_duration(numbers["frame_duration_ms"]),
        **brought,
    )
    if order.partials and not order.stream:
        raise bad("partial_images", "partial_images needs stream.")
    if order.stream and order.count > 1:
        raise bad("n", "A stream brings one image.")
    return order


def _check_kind(body: Mapping[str, Any], kind: str, *, masked: bool) -> None:
    """Refuse what does not go with the format *kind*."""
    if body.get("background") == "transparent" and kind not in ("png", "webp"):
        raise bad("background", "Transparent backgrounds need png or webp.")
    if body.get("output_compression") is not None and kind not in ("webp", "jpeg"):
        raise bad("output_compression", "output_compression is of webp and jpeg.")
    for param in ("frame_count", "frame_duration_ms", "svg"):
        if body.get(param) is not None and not (kind == "svg" if param == "svg" else kind == "gif"):
            raise bad(param, f"{param} does not go with output_format {kind}.")
    if kind not in ("gif", "svg"):
        return
    if body.get("stream") or body.get("partial_images"):
        raise bad("stream", f"{kind} output does not support streaming.")
    if kind == "svg" and body.get("n", 1) != 1:
        raise bad("n", "SVG output requires n=1.")
    if kind == "gif" and masked:
        raise bad("mask", "GIF output does not support masks.")
    author = body.get("svg") or {"model": "-"}
    if not isinstance(author, dict) or not isinstance(author.get("model"), str):
        raise bad("svg.model", "svg.model is required.")
    one_of(author.get("reasoning") or {}, "effort", "low", _EFFORTS)


def _duration(asked: int | None) -> int:
    return min(_LASTS, round((_DURATION if asked is None else asked) / 10) * 10)


def prompt(body: Mapping[str, Any], longest: int) -> str:
    found = body.get("prompt")
    if not isinstance(found, str) or not 1 <= len(found) <= longest:
        raise bad("prompt", f"prompt must be a text of 1 to {longest} characters.")
    return found


def one_of(body: Mapping[str, Any], name: str, usual: str, known: Iterable[str]) -> str:
    """Return the word that *body* has for *name*, or the *usual* one."""
    found, words = body.get(name, usual), tuple(known)
    if not isinstance(found, str) or found not in words:
        raise bad(name, f"Invalid value: {found!r}. Supported values are: {', '.join(words)}.")
    return found


def bad(param: str, message: str, code: str = "invalid_value") -> Problem:
    return Problem(400, message, code=code, param=param)


def _whole(body: Mapping[str, Any], name: str, least: int, most: int) -> int | None:
    found = body.get(name)
    if found is not None and (type(found) is not int or not least <= found <= most):
        raise bad(name, f"{name} must be from {least} to {most}.")
    return found


def _flag(body: Mapping[str, Any], name: str) -> bool:
    found = body.get(name, False)
    if type(found) is not bool:
        raise bad(name, f"{name} must be true or false.", code="invalid_type")
    return found


def _size(found: Any) -> tuple[int, int]:
    if found == "auto":
        return 1024, 1024
    match = _SIZE.fullmatch(found) if isinstance(found, str) else None
    width, height = map(int, match.groups()) if match else (0, 0)
    good = width and height and not (width % _STEP or height % _STEP)
    good = good and max(width, height) <= _WIDE and width * height <= _PIXELS
    if not good or max(width, height) > 3 * min(width, height):
        raise bad("size", f"Invalid size {found!r}: multiples of {_STEP}, from 1:3 to 3:1.")
    return width, height
