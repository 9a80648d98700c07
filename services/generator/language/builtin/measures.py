"""
What can be measured in a small picture without knowing what it shows: light, colour, where the
detail lies, and how its surfaces and edges are made.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from PIL import Image, ImageChops, ImageFilter, ImageStat

from services.generator.language.builtin.palette import Shade

_WARM = math.radians(60)  # the hue, in OKLab, half-way between red and yellow
_GREY = 0.02  # chroma that is seen as none
_EDGE = 40  # of 255: a step that reads as an edge
_FLAT = 3  # of 255: a step that reads as none
_THIRDS, _GRID = 3, 24


@dataclass(frozen=True, slots=True)
class Light:
    """Brightness from 0 to 1: the middle one, its range without outliers, what is clipped."""

    middle: float
    span: float
    black: float  # the share of pixels at the lower end
    white: float


@dataclass(frozen=True, slots=True)
class Colouring:
    """*chroma* is the mean one; *warmth* from -1, cold, to 1; *grey* the share without colour."""

    chroma: float
    warmth: float
    grey: float


@dataclass(frozen=True, slots=True)
class Layout:
    """
    Where the detail lies: its share in each ninth, row by row, empty where there is none.

    *mirrored* is 0 for halves that mirror each other and about 1 for unrelated ones;
    *horizon* is the height of a level edge across the picture, 0 at the top, None for none.
    """

    ninths: tuple[float, ...]
    mirrored: float
    horizon: float | None


@dataclass(frozen=True, slots=True)
class Surface:
    """Shares of the pixels: *flat* ones, *edges*; *ink* on the ground and how much is *thin*."""

    flat: float
    edges: float
    ink: float
    thin: float
    hues: int  # different colours, in steps of 16


def light(grey: Image.Image) -> Light:
    """The light of a picture in shades of grey."""
    counts, whole = grey.histogram(), grey.width * grey.height
    low, middle, high = (_percentile(counts, whole * part) for part in (0.03, 0.5, 0.97))
    return Light(
        middle / 255, (high - low) / 255, sum(counts[:6]) / whole, sum(counts[250:]) / whole
    )


def colouring(shades: Sequence[Shade]) -> Colouring:
    """How colourful and how warm the *shades* are together."""
    chroma = sum(shade.lab.chroma * shade.share for shade in shades)
    warm = sum(
        (shade.lab.red * math.cos(_WARM) + shade.lab.yellow * math.sin(_WARM)) * shade.share
        for shade in shades
    )
    grey = sum(shade.share for shade in shades if shade.lab.chroma < _GREY)
    return Colouring(chroma, warm / chroma if chroma > _GREY / 2 else 0.0, grey)


def steps(grey: Image.Image) -> Image.Image:
    """The largest difference in brightness around each pixel."""
    highest, lowest = grey.filter(ImageFilter.MaxFilter(3)), grey.filter(ImageFilter.MinFilter(3))
    return ImageChops.difference(highest, lowest)


def layout(picture: Image.Image, grey: Image.Image, steps: Image.Image) -> Layout:
    """Where the weight of a picture lies; *grey* and *steps* are made of it."""
    detail = steps.resize((_GRID, _GRID), Image.Resampling.BOX).tobytes()
    whole, third = sum(detail), _GRID // _THIRDS
    ninths = [0] * _THIRDS**2
    for place, weight in enumerate(detail):
        row, column = divmod(place, _GRID)
        ninths[row // third * _THIRDS + column // third] += weight
    told = tuple(weight / whole for weight in ninths) if whole > _GRID**2 / 2 else ()
    return Layout(told, _mirrored(grey), _horizon(picture))


def surface(picture: Image.Image, grey: Image.Image, steps: Image.Image) -> Surface:
    """How the surfaces and the edges of a picture are made; *grey* and *steps* are made of it."""
    counts, whole = steps.histogram(), grey.width * grey.height
    ink, thin = _ink(grey)
    coarse = picture.point([value & 0xF0 for value in range(256)] * 3).getcolors(4096) or []
    hues = sum(many > whole / 5000 for many, _ in coarse)
    return Surface(sum(counts[:_FLAT]) / whole, sum(counts[_EDGE:]) / whole, ink, thin, hues)


def _percentile(counts: Sequence[int], enough: float) -> int:
    seen = 0
    for value, many in enumerate(counts):
        seen += many
        if seen >= enough:
            return value
    return len(counts) - 1


def _ink(grey: Image.Image) -> tuple[float, float]:
    """The share that stands out from the commonest grey, and how much of that is thin lines."""
    counts = grey.histogram()
    ground = max(range(256), key=lambda value: sum(counts[max(0, value - 4) : value + 5]))
    out = grey.point([255 * (abs(value - ground) > 56) for value in range(256)])
    kept = out.reduce(2).filter(ImageFilter.MinFilter(3))  # what is 6 pixels wide, or wider
    bold = kept.point([255 * (value > 200) for value in range(256)]).filter(
        ImageFilter.MaxFilter(3)
    )
    ink = ImageStat.Stat(out).mean[0] / 255
    return ink, 1 - ImageStat.Stat(bold).mean[0] / 255 / ink if ink else 0.0


def _mirrored(grey: Image.Image) -> float:
    """How the left half differs from the right, by what two unrelated halves would."""
    small = grey.resize((32, 32), Image.Resampling.BOX)
    apart = ImageChops.difference(small, small.transpose(Image.Transpose.FLIP_LEFT_RIGHT))
    spread = ImageStat.Stat(small).stddev[0]
    return ImageStat.Stat(apart).mean[0] / (1.13 * spread) if spread > 4 else 1.0


def _horizon(picture: Image.Image) -> float | None:
    """The height of the clearest step that most columns make in the same direction."""
    wide, high = 16, 40
    best, height = 0.0, None
    for band in picture.resize((wide, high), Image.Resampling.BOX).split():
        levels = band.tobytes()
        rows = [levels[wide * row : wide * row + wide] for row in range(high)]
        for row in range(high // 8, high - high // 8):
            around = zip(*rows[row - 2 : row + 2], strict=True)
            steps = [
                (third + fourth - first - second) / 2 for first, second, third, fourth in around
            ]
            step = sum(steps) / wide
            agreed = sum(each * step > 0 and abs(each) > 16 for each in steps)
            if abs(step) > max(best, 28) and agreed >= 0.8 * wide:
                best, height = abs(step), row / high
    return height
