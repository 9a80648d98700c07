"""
The few colours that a picture is made of, by k-means in OKLab.

The picture is first reduced to at most 128 colours with their counts, so that the clustering
costs the same for every picture; its seeds are chosen without chance.
"""

from collections.abc import Sequence
from typing import NamedTuple, cast

from PIL import Image

from services.generator.language.builtin.oklab import RGB, Lab, from_rgb, to_rgb

_SHADES = 128  # what k-means works on
_COLOURS = 6  # at most so many are told
_ALIKE = 0.06  # colours nearer than this are one to the eye
_LEAST = 0.01  # smaller shares are edges and noise
_ROUNDS = 12  # k-means has settled before


class Shade(NamedTuple):
    """A colour of the reduced picture, and its share from 0 to 1."""

    rgb: RGB
    lab: Lab
    share: float


def shades(picture: Image.Image) -> list[Shade]:
    """The colours of an RGB *picture*, the largest share first: the 128 that stand for all."""
    reduced = picture.quantize(_SHADES, Image.Quantize.FASTOCTREE, dither=Image.Dither.NONE)
    counts = reduced.convert("RGB").getcolors(_SHADES) or []
    whole = picture.width * picture.height
    found = [
        Shade(rgb := cast("RGB", colour), from_rgb(rgb), many / whole) for many, colour in counts
    ]
    return sorted(found, key=lambda shade: (-shade.share, shade.rgb))


def leading(found: Sequence[Shade]) -> list[Shade]:
    """At most 6 colours that stand for *found*, the largest share first."""
    centres = _seeds(found)
    for _ in range(_ROUNDS):
        clusters = _nearest(found, centres)
        moved = [_middle(cluster) for cluster in clusters if cluster]
        if moved == centres:
            break
        centres = moved
    told = [_stands_for(cluster) for cluster in _nearest(found, centres) if cluster]
    whole = [shade for shade in told if shade.share >= _LEAST] or told[:1]
    return sorted(whole, key=lambda shade: (-shade.share, shade.rgb))


def _seeds(found: Sequence[Shade]) -> list[Lab]:
    """The commonest colour, then again and again the one that the others stand for least."""
    centres = [found[0].lab]
    while len(centres) < _COLOURS:
        gap, farthest = max(
            (min(shade.lab.apart(centre) for centre in centres) ** 2 * shade.share, shade.lab)
            for shade in found
        )
        if gap == 0 or min(farthest.apart(centre) for centre in centres) < _ALIKE:
            break
        centres.append(farthest)
    return centres


def _nearest(found: Sequence[Shade], centres: Sequence[Lab]) -> list[list[Shade]]:
    clusters: list[list[Shade]] = [[] for _ in centres]
    for shade in found:
        gaps = [shade.lab.apart(centre) for centre in centres]
        clusters[gaps.index(min(gaps))].append(shade)
    return clusters


def _middle(cluster: Sequence[Shade]) -> Lab:
    whole = sum(shade.share for shade in cluster)
    light, red, yellow = (
        sum(shade.lab[axis] * shade.share for shade in cluster) / whole for axis in range(3)
    )
    return Lab(light, red, yellow)


def _stands_for(cluster: Sequence[Shade]) -> Shade:
    """One colour for *cluster*: its commonest where that is most of it, else its middle."""
    whole = sum(shade.share for shade in cluster)
    commonest = max(cluster, key=lambda shade: shade.share)
    middle = _middle(cluster)
    rgb = commonest.rgb if commonest.share > whole / 2 else to_rgb(middle)
    return Shade(rgb, middle, whole)
