"""Landscapes in a few numbers: a sky, a sun and three ridges of hills."""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from random import Random

Colour = tuple[int, int, int]
_PALETTES: tuple[tuple[Colour, Colour, Colour, Colour], ...] = (
    # top of the sky, its foot, the sun, the nearest hill
    ((24, 32, 84), (250, 158, 110), (255, 240, 200), (22, 24, 48)),
    ((92, 168, 214), (232, 244, 240), (255, 252, 232), (34, 84, 72)),
    ((64, 28, 92), (236, 120, 148), (255, 220, 180), (40, 16, 52)),
    ((12, 20, 40), (60, 96, 140), (236, 240, 250), (8, 12, 24)),
    ((206, 132, 78), (248, 222, 164), (255, 250, 226), (92, 52, 40)),
    ((120, 196, 180), (246, 240, 206), (255, 255, 240), (44, 92, 88)),
)


@dataclass(frozen=True, slots=True)
class Scene:
    """One landscape, for any width and height; a *plain* one has but a sky."""

    number: int
    top: Colour
    foot: Colour
    sun: Colour
    hill: Colour
    plain: bool

    def sky_channels(self) -> list[tuple[int, int]]:
        """Red, green and blue at the top and at the foot of the sky."""
        return list(zip(self.foot if self.plain else self.top, self.foot, strict=True))

    def sun_at(self, width: int, height: int) -> tuple[float, float, float]:
        """The sun's centre and radius."""
        dice = Random(self.number)
        return (
            width * (0.2 + 0.6 * dice.random()),
            height * (0.25 + 0.2 * dice.random()),
            min(width, height) * (0.06 + 0.06 * dice.random()),
        )

    def ridges(self, width: int, height: int) -> Iterator[tuple[Colour, list[tuple[float, float]]]]:
        """Colour and upper edge of each ridge, the farthest first."""
        if self.plain:
            return
        dice = Random(self.number + 1)
        for nearness in (0.35, 0.65, 1.0):
            first, second = dice.random() * 6, dice.random() * 6
            edge = []
            for step in range(65):
                x = step / 64
                swell = math.sin(x * 5 + first) * 0.05 + math.sin(x * 13 + second) * 0.02
                edge.append((x * width, height * (0.5 + 0.25 * nearness + swell)))
            yield _mix(self.foot, self.hill, nearness), edge

    def as_svg(self, width: int, height: int) -> str:
        """The landscape as a vector drawing."""
        x, y, radius = self.sun_at(width, height)
        hills = "".join(
            f'<path fill="{_hex(colour)}" d="M0 {height} '
            + " ".join(f"L{x:.0f} {y:.0f}" for x, y in ridge)
            + f' L{width} {height} Z"/>'
            for colour, ridge in self.ridges(width, height)
        )
        return (
            f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" '
            f'viewBox="0 0 {width} {height}"><defs><linearGradient id="sky" x2="0" y2="1">'
            f'<stop stop-color="{_hex(self.top)}"/>'
            f'<stop offset="1" stop-color="{_hex(self.foot)}"/>'
            f'</linearGradient></defs><rect width="{width}" height="{height}" fill="url(#sky)"/>'
            f'<circle cx="{x:.0f}" cy="{y:.0f}" r="{radius:.0f}" fill="{_hex(self.sun)}"/>'
            f"{hills}</svg>"
        )


def scene(number: int) -> Scene:
    """Landscape *number*; below 0 a plain one."""
    return Scene(number, *_PALETTES[number % len(_PALETTES)], plain=number < 0)


def _mix(first: Colour, last: Colour, share: float) -> Colour:
    red, green, blue = (int(a + (b - a) * share) for a, b in zip(first, last, strict=True))
    return red, green, blue


def _hex(colour: Colour) -> str:
    return "#{:02x}{:02x}{:02x}".format(*colour)
