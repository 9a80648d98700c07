"""
The painter: air, then shapes, on twice the picture's rows and columns, then halved.

Any band of rows comes out as it would in the whole picture: the air is enlarged by a power of
two (exact in binary) and shapes are moved by whole pixels.
"""

import random
from collections.abc import Sequence
from functools import lru_cache
from typing import cast

from PIL import Image, ImageChops, ImageDraw, ImageFilter

from services.generator.sketching.colour import Colour, between
from services.generator.sketching.pen import FINE, Puff, Shape, Sheet

COARSE = 4  # pixels to one of the air's, each way
_ROUND = 3  # half a line's width from which its joints show
_GRAIN = 512  # side of the tile of grain


def air(sheet: Sheet) -> Image.Image:
    """The soft part of the picture: as wide as it is, COARSE times less high."""
    scale = COARSE * FINE
    wide, high = -(-sheet.width // scale), -(-sheet.height // scale)
    last = max(1, sheet.horizon // scale)
    column = bytes(part for y in range(high) for part in between(sheet.palette.sky, y, last))
    image = Image.frombytes("RGB", (1, high), column).resize((wide, high), Image.Resampling.NEAREST)
    for puff in sheet.air:
        if puff.ovals:
            _cloud(image, puff, scale)
        else:
            _glow(image, puff, scale)
    # One direction at a time: Pillow picks its own order for two, and rounds in between.
    image = image.resize((wide * COARSE, high), Image.Resampling.BILINEAR)
    return image.crop((0, 0, sheet.width // FINE, high))


@lru_cache(maxsize=1)
def _falloff() -> Image.Image:
    """Bright in the middle, nothing at the rim."""
    rest = [max(0, 255 - v * 181 // 128) for v in range(256)]  # 255 is at the corners
    return Image.radial_gradient("L").point([v * v * (765 - 2 * v) // 65025 for v in rest])


def _glow(image: Image.Image, puff: Puff, scale: int) -> None:
    radius = max(2, puff.radius // scale)
    mask = _falloff().resize((2 * radius, 2 * radius), Image.Resampling.BILINEAR)
    mask = mask.point([v * puff.strength // 100 for v in range(256)])
    image.paste(puff.colour, (puff.x // scale - radius, puff.y // scale - radius), mask)


def _cloud(image: Image.Image, puff: Puff, scale: int) -> None:
    margin, blur = 8, ImageFilter.BoxBlur(2)
    left, top = (min(oval[side] for oval in puff.ovals) // scale - margin for side in (0, 1))
    right, bottom = (max(oval[side] for oval in puff.ovals) // scale + margin for side in (2, 3))
    mask = Image.new("L", (right - left, bottom - top))
    draw = ImageDraw.Draw(mask)
    for a, b, c, d in puff.ovals:
        box = (
            a // scale - left,
            b // scale - top,
            max(a, c) // scale - left,
            max(b, d) // scale - top,
        )
        draw.ellipse(box, fill=255 * puff.strength // 100)
    image.paste(puff.colour, (left, top), mask.filter(blur).filter(blur))


def backdrop(wide: Image.Image, top: int, bottom: int) -> Image.Image:
    """Fine rows of the air, already as wide as the picture, for rows *top* to *bottom*."""
    box = (0, top / COARSE, wide.width, bottom / COARSE)
    soft = wide.resize((wide.width, bottom - top), Image.Resampling.BILINEAR, box=box)
    return soft.resize((soft.width * FINE, soft.height * FINE), Image.Resampling.NEAREST)


class Brush:
    """Puts shapes of the display list on a band whose first fine row is *top*."""

    def __init__(self, image: Image.Image, top: int) -> None:
        self.image, self.top = image, top
        self.solid, self.sheer = ImageDraw.Draw(image), ImageDraw.Draw(image, "RGBA")

    def place(self, points: Sequence[tuple[int, int]]) -> list[tuple[int, int]]:
        top = self.top
        return [(x, y - top) for x, y in points]

    def draw(self, shape: Shape) -> None:
        alpha = shape.alpha
        draw = self.solid if alpha == 255 else self.sheer
        colour = shape.colour if alpha == 255 else (*shape.colour, alpha)
        match shape.kind:
            case "polygon":
                draw.polygon(self.place(shape.points), fill=colour)
            case "oval":
                draw.ellipse(self.place(shape.points), fill=colour)
            case "line":
                self.line(draw, shape, colour)
            case "dots":
                self.dots(draw, shape, colour)
            case "rows":
                self.rows(shape)

    def line(self, draw: ImageDraw.ImageDraw, shape: Shape, colour: tuple[int, ...]) -> None:
        """A line with round joints, unless they would not be seen or be seen twice."""
        points, half = self.place(shape.points), shape.width // 2
        draw.line(points, fill=colour, width=shape.width)
        if half >= _ROUND and shape.alpha == 255:
            for x, y in points[1:-1]:
                draw.ellipse((x - half, y - half, x + half, y + half), fill=colour)

    def dots(self, draw: ImageDraw.ImageDraw, shape: Shape, colour: tuple[int, ...]) -> None:
        reach = shape.width
        for x, y in self.place(shape.points):
            if -reach <= y < self.image.height + reach:
                draw.ellipse((x - reach, y - reach, x + reach, y + reach), fill=colour)

    def rows(self, shape: Shape) -> None:
        """A gradient, in steps of a pixel's rows."""
        end, end_alpha = cast("tuple[Colour, int]", shape.until)
        span, right = shape.bottom + 1 - shape.top, self.image.width - 1
        first = max(shape.top, self.top) // FINE * FINE
        last = min(shape.bottom + 1, self.top + self.image.height)
        opaque = shape.alpha == 255 == end_alpha
        for y in range(first, last, FINE):
            low, high = max(y, shape.top) - self.top, min(y + FINE, last) - 1 - self.top
            colour: tuple[int, ...] = between((shape.colour, end), y - shape.top, span)
            if not opaque:
                alpha = shape.alpha + (end_alpha - shape.alpha) * max(0, y - shape.top) // span
                if alpha <= 0:
                    continue
                colour = (*colour, alpha)
            (self.solid if opaque else self.sheer).rectangle((0, low, right, high), fill=colour)


def visible(shapes: Sequence[Shape], top: int, bottom: int) -> list[Shape]:
    """The shapes that touch the fine rows from *top* up to *bottom*."""
    return [shape for shape in shapes if shape.bottom >= top and shape.top < bottom]


def coat(sheet: Sheet, soft: Image.Image, top: int, bottom: int) -> Image.Image:
    """Rows *top* up to *bottom* of the picture, smooth."""
    image = backdrop(soft, top, bottom)
    brush = Brush(image, top * FINE)
    for shape in visible(sheet.shapes, top * FINE, bottom * FINE):
        brush.draw(shape)
    return image.reduce(FINE)


def band(sheet: Sheet, soft: Image.Image, top: int, bottom: int) -> Image.Image:
    """Rows *top* up to *bottom* of the picture, in RGB."""
    return grained(coat(sheet, soft, top, bottom), top)


@lru_cache(maxsize=1)
def _tile() -> Image.Image:
    """Speckles as of print on paper: rare, so that a file stays small."""
    noise = random.Random(20).randbytes(_GRAIN * _GRAIN)
    levels = [128] * 256
    for value, change in (
        (0, 12),
        (1, 8),
        (2, 7),
        (3, -8),
        (4, -7),
        (5, -10),
        (6, 5),
        (7, 5),
        (8, -5),
        (9, -5),
    ):
        levels[value * 25] = levels[value * 25 + 1] = 128 + change
    one = Image.frombytes("L", (_GRAIN, _GRAIN), noise).point(levels)
    return Image.merge("RGB", (one, one, one))


def grained(image: Image.Image, top: int) -> Image.Image:
    """*image*, whose first row is *top* of the picture, with grain."""
    tile, grain = _tile(), Image.new("RGB", image.size)
    for y in range(-(top % _GRAIN), image.height, _GRAIN):
        for x in range(0, image.width, _GRAIN):
            grain.paste(tile, (x, y))
    return ImageChops.add(image, grain, 1, -128)
