"""An edit: the form that it comes in, and the picture that comes of its base and its mask."""

import io
from typing import Any

from PIL import Image

from lab.cloudinary import multipart
from lab.openai.orders import Order, bad, read
from lab.openai.problems import Problem
from lab.pictures import encoded

_MOST = 16  # images
_BIGGEST = 50_000_000  # bytes of one
_BIGGEST_MASK = 4_000_000
_INTEGERS = ("n", "output_compression", "partial_images", "frame_count", "frame_duration_ms")
_AUTHOR = {"svg[model]": ("model",), "svg[reasoning][effort]": ("reasoning", "effort")}


def order_of(content_type: str, body: bytes) -> Order:
    """Check a form; raises Problem."""
    fields: dict[str, Any] = {}
    images, masks = [], []
    try:
        parts = list(multipart.parts(content_type, body))
    except ValueError:
        raise Problem(400, "The body is no multipart/form-data.") from None
    for part in parts:
        if part.name in ("image", "image[]"):
            images.append(part.content)
        elif part.name == "mask":
            masks.append(part.content)
        elif part.name in _AUTHOR:
            _put(fields.setdefault("svg", {}), _AUTHOR[part.name], part.content.decode())
        else:
            fields[part.name] = _value(part.name, part.content.decode())
    if not 1 <= len(images) <= _MOST:
        raise bad("image", f"Give from 1 to {_MOST} images.")
    sizes = [_opened(one, "image", _BIGGEST).size for one in images]
    for mask in masks:
        found = _opened(mask, "mask", _BIGGEST_MASK)
        if found.format != "PNG" or "A" not in found.getbands() or found.size != sizes[0]:
            raise bad("mask", "The mask must be a PNG with alpha, of the first image's size.")
    pixels = sum(width * height for width, height in sizes)
    return read(fields, images=tuple(images), mask=next(iter(masks), None), pixels=pixels)


def composed(order: Order, scene: bytes, kind: str) -> bytes:
    """The *scene*, a PNG, where the mask of *order* is transparent, and elsewhere its base."""
    assert order.mask is not None
    size = order.width, order.height
    base = Image.open(io.BytesIO(order.images[0])).convert("RGB").resize(size)
    kept = Image.open(io.BytesIO(order.mask)).getchannel("A").resize(size)
    drawn = Image.open(io.BytesIO(scene)).convert("RGB")
    return encoded(Image.composite(base, drawn, kept), kind)


def _put(fields: dict[str, Any], path: tuple[str, ...], text: str) -> None:
    for name in path[:-1]:
        fields = fields.setdefault(name, {})
    fields[path[-1]] = text


def _value(name: str, text: str) -> object:
    if name in _INTEGERS and text.isdecimal():
        return int(text)
    if name == "stream":
        return {"true": True, "false": False}.get(text, text)
    return text


def _opened(content: bytes, name: str, biggest: int) -> Image.Image:
    try:
        found = Image.open(io.BytesIO(content))
    except OSError:
        raise Problem(400, "Invalid image file.", code="invalid_image_file", param=name) from None
    if len(content) > biggest:
        raise bad(name, f"A file of more than {biggest} bytes.")
    return found
