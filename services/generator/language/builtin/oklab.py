"""
OKLab, where two colours lie as far apart as they look: lightness 0 to 1, and two hue axes.

The constants are those of its author, Björn Ottosson, "A perceptual color space for image
processing" (2020), in the public domain.
"""

import math
from typing import NamedTuple

RGB = tuple[int, int, int]  # 0 to 255 each, sRGB


class Lab(NamedTuple):
    """A colour: *light* from 0 to 1; *red* against green and *yellow* against blue around 0."""

    light: float
    red: float
    yellow: float

    @property
    def chroma(self) -> float:
        """How far from grey: 0, to about 0.32 for the most vivid that a screen shows."""
        return math.hypot(self.red, self.yellow)

    def apart(self, other: "Lab") -> float:
        """The distance to *other*; 0.02 is just seen, 1 lies between black and white."""
        return math.dist(self, other)


def from_rgb(colour: RGB) -> Lab:
    """The place of an sRGB colour."""
    r, g, b = (_LINEAR[channel] for channel in colour)
    long = math.cbrt(0.4122214708 * r + 0.5363325363 * g + 0.0514459929 * b)
    middle = math.cbrt(0.2119034982 * r + 0.6806995451 * g + 0.1073969566 * b)
    short = math.cbrt(0.0883024619 * r + 0.2817188376 * g + 0.6299787005 * b)
    return Lab(
        0.2104542553 * long + 0.7936177850 * middle - 0.0040720468 * short,
        1.9779984951 * long - 2.4285922050 * middle + 0.4505937099 * short,
        0.0259040371 * long + 0.7827717662 * middle - 0.8086757660 * short,
    )


def to_rgb(lab: Lab) -> RGB:
    """The sRGB colour at a place; the nearest end of a channel where none lies there."""
    long = (lab.light + 0.3963377774 * lab.red + 0.2158037573 * lab.yellow) ** 3
    middle = (lab.light - 0.1055613458 * lab.red - 0.0638541728 * lab.yellow) ** 3
    short = (lab.light - 0.0894841775 * lab.red - 1.2914855480 * lab.yellow) ** 3
    return (
        _channel(4.0767416621 * long - 3.3077115913 * middle + 0.2309699292 * short),
        _channel(-1.2684380046 * long + 2.6097574011 * middle - 0.3413193965 * short),
        _channel(-0.0041960863 * long - 0.7034186147 * middle + 1.7076147010 * short),
    )


def _channel(linear: float) -> int:
    bent = linear * 12.92 if linear <= 0.0031308 else 1.055 * linear ** (1 / 2.4) - 0.055
    return round(min(max(bent, 0.0), 1.0) * 255)


_LINEAR = [
    value / 12.92 if value <= 0.04045 else ((value + 0.055) / 1.055) ** 2.4
    for value in (step / 255 for step in range(256))
]
