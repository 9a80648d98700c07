"""
The display list: shapes in fine pixels (two to a pixel each way), and the pen that adds to it.

Every coordinate is whole, so that a shape moved up by a band's top covers the same pixels.
"""

# coordinates come in numbers

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Literal, NamedTuple

from services.generator.sketching.colour import Colour, mix
from services.generator.sketching.dice import TURN, cosine, sine
from services.generator.sketching.palette import Palette

FINE = 2  # fine pixels to a pixel, each way

Point = tuple[int, int]
Kind = Literal["polygon", "oval", "line", "rows", "dots", "hatch"]


class Shape(NamedTuple):
    """One thing to draw, between the fine rows *top* and *bottom* (both touched)."""

    kind: Kind
    top: int
    bottom: int
    points: Sequence[Point]
    colour: Colour
    alpha: int = 255
    width: int = 0  # of a line; radius of dots
    until: tuple[Colour, int] | None = None  # rows: colour and alpha at the bottom
    plain: bool = False  # ink leaves it without an outline


class Puff(NamedTuple):
    """Something soft in the air: the ovals of a cloud, or a glow (no ovals, a radius)."""

    colour: Colour
    strength: int  # percent
    ovals: Sequence[tuple[int, int, int, int]] = ()
    x: int = 0
    y: int = 0
    radius: int = 0


@dataclass(slots=True)
class Sheet:
    """What a picture is drawn from: its size in fine pixels, its light, air and shapes."""

    width: int
    height: int
    palette: Palette
    horizon: int = 0
    air: list[Puff] = field(default_factory=list)
    shapes: list[Shape] = field(default_factory=list)

    @property
    def unit(self) -> int:
        """A length that looks alike on every aspect, in fine pixels."""
        short, long = sorted((self.width, self.height))
        return min(short * 13 // 10, (short + long) // 2)

    def polygon(
        self, points: Sequence[Point], colour: Colour, alpha: int = 255, *, plain: bool = False
    ) -> None:
        rows = [y for _, y in points]
        self._add(Shape("polygon", min(rows), max(rows), points, colour, alpha, plain=plain))

    def oval(
        self,
        box: tuple[int, int, int, int],
        colour: Colour,
        alpha: int = 255,
        *,
        plain: bool = False,
    ) -> None:
        left, top, right, bottom = box
        if right > left and bottom > top:
            corners = ((left, top), (right, bottom))
            self._add(Shape("oval", top, bottom, corners, colour, alpha, plain=plain))

    def line(self, points: Sequence[Point], colour: Colour, width: int, alpha: int = 255) -> None:
        rows, width = [y for _, y in points], max(1, width)
        top, bottom = min(rows) - width, max(rows) + width
        self._add(Shape("line", top, bottom, points, colour, alpha, width))

    def hatch(self, strokes: Sequence[Point], colour: Colour, width: int) -> None:
        """Short strokes, two points each, that only ink draws."""
        if strokes:
            rows = [y for _, y in strokes]
            top, bottom = min(rows) - width, max(rows) + width
            self._add(Shape("hatch", top, bottom, strokes, colour, 255, width))

    def rows(
        self, top: int, bottom: int, start: tuple[Colour, int], end: tuple[Colour, int]
    ) -> None:
        """Whole rows from *top* up to *bottom*, from one colour and alpha to another."""
        if bottom > top:
            self._add(Shape("rows", top, bottom - 1, (), start[0], start[1], until=end, plain=True))

    def dots(self, points: Sequence[Point], colour: Colour, radius: int, alpha: int = 255) -> None:
        if points:
            rows = [y for _, y in points]
            top, bottom = min(rows) - radius, max(rows) + radius
            self._add(Shape("dots", top, bottom, points, colour, alpha, radius, plain=True))

    def _add(self, shape: Shape) -> None:
        if shape.bottom >= 0 and shape.top < self.height:
            self.shapes.append(shape)


@dataclass(frozen=True, slots=True)
class Pen:
    """Draws in a frame of its own: the origin at the foot, 1000 units high, y down."""

    sheet: Sheet
    x: int
    y: int
    size: int
    flip: bool = False
    veil: int = 0  # percent of haze or night over every colour

    @property
    def palette(self) -> Palette:
        return self.sheet.palette

    def at(self, x: int, y: int) -> Point:
        x = -x if self.flip else x
        return self.x + x * self.size // 1000, self.y + y * self.size // 1000

    def moved(self, x: int, y: int, percent: int, *, flip: bool = False) -> "Pen":
        """A smaller pen whose foot is at *x*, *y* of this one."""
        far_x, far_y = self.at(x, y)
        return Pen(
            self.sheet, far_x, far_y, self.size * percent // 100, self.flip ^ flip, self.veil
        )

    def lit(self, colour: Colour) -> Colour:
        """*colour* in the light of the picture."""
        palette = self.palette
        if palette.dark:
            colour = mix(colour, mix(palette.near, palette.sky[1], 60), 26)
        return mix(colour, palette.haze, self.veil)

    def fill(
        self, colour: Colour, points: Iterable[Point], *, alpha: int = 255, shines: bool = False,
        plain: bool = False,
    ) -> None:  # fmt: skip
        placed = [self.at(x, y) for x, y in points]
        self.sheet.polygon(placed, colour if shines else self.lit(colour), alpha, plain=plain)

    def box(self, colour: Colour, left: int, top: int, right: int, bottom: int, *,
            shines: bool = False, plain: bool = False) -> None:  # fmt: skip
        corners = ((left, top), (right, top), (right, bottom), (left, bottom))
        self.fill(colour, corners, shines=shines, plain=plain)

    def oval(self, colour: Colour, x: int, y: int, wide: int, high: int, *,
             alpha: int = 255, shines: bool = False, plain: bool = False) -> None:  # fmt: skip
        """An oval round *x*, *y* with the radii *wide* and *high*."""
        (a, top), (b, bottom) = self.at(x - wide, y - high), self.at(x + wide, y + high)
        colour = colour if shines else self.lit(colour)
        self.sheet.oval((min(a, b), top, max(a, b), bottom), colour, alpha, plain=plain)

    def line(self, colour: Colour, points: Iterable[Point], width: int, *, shines: bool = False,
             alpha: int = 255) -> None:  # fmt: skip
        placed = [self.at(x, y) for x, y in points]
        colour = colour if shines else self.lit(colour)
        self.sheet.line(placed, colour, width * self.size // 1000, alpha)


def arc(x: int, y: int, wide: int, high: int, start: int, end: int, steps: int) -> list[Point]:
    """Points of an oval's edge; angles in degrees from the right, turning downwards."""
    angles = [
        (start * steps + (end - start) * step) * TURN // (360 * steps) for step in range(steps + 1)
    ]
    return [(x + wide * cosine(a) // TURN, y + high * sine(a) // TURN) for a in angles]


def smooth(points: Sequence[Point], rounds: int = 2, *, closed: bool = True) -> list[Point]:
    """*points* with their corners cut (Chaikin), so that a few make a soft outline."""
    line = list(points)
    for _ in range(rounds):
        ends = [*line[1:], line[0]] if closed else line[1:]
        cut = [
            point
            for (ax, ay), (bx, by) in zip(line, ends, strict=False)
            for point in (
                ((3 * ax + bx) // 4, (3 * ay + by) // 4),
                ((ax + 3 * bx) // 4, (ay + 3 * by) // 4),
            )
        ]
        line = cut if closed else [line[0], *cut, line[-1]]
    return line
