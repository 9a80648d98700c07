"""
The built-in analyst: it measures a picture and says what it measured.

It recognises nothing, so it names no thing that a picture shows, and text in a picture is to it
a texture like any other. A style is told where the measures of such pictures agree with it.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from PIL import Image

from services.generator.language.builtin import colours, measures, palette
from services.generator.language.findings import Finding, Swatch

OPENING = "Built-in analysis: measured, not recognised."
_SIDE = 256  # pixels: a larger picture is measured at this size
_SHAPES = (
    (1, 1), (5, 4), (4, 3), (3, 2), (16, 10), (16, 9), (2, 1), (21, 9), (3, 1),
)  # fmt: skip
_ROWS, _COLUMNS = ("top", "middle", "bottom"), ("left", "centre", "right")


@dataclass(frozen=True, slots=True)
class _Measured:
    width: int
    height: int
    leading: Sequence[palette.Shade]
    light: measures.Light
    colouring: measures.Colouring
    layout: measures.Layout
    surface: measures.Surface

    @property
    def names(self) -> list[str]:
        """The names of the leading colours, each once."""
        return list(dict.fromkeys(colours.name(shade.rgb) for shade in self.leading))

    @property
    def aspect(self) -> str:
        """The nearest of the usual shapes, as "W:H"."""
        long, short = max(self.width, self.height), min(self.width, self.height)
        near = min(_SHAPES, key=lambda shape: abs(shape[0] / shape[1] - long / short))
        return "{}:{}".format(*(near if self.width >= self.height else reversed(near)))


def analyze(pixels: bytes, width: int, height: int) -> Finding:
    """
    Measure RGB *pixels*, three bytes each, row by row; a few milliseconds of one core.

    Raises ValueError where the bytes are not those of *width* times *height* pixels.
    """
    if min(width, height) < 1 or len(pixels) != 3 * width * height:
        raise ValueError(f"{len(pixels)} bytes are not {width}x{height} pixels of 3 bytes")
    measured = _measure(Image.frombytes("RGB", (width, height), pixels))
    return Finding(
        description=" ".join([OPENING, *_sentences(measured)]),
        styles=tuple(_styles(measured)),
        palette=tuple(
            Swatch("#{:02x}{:02x}{:02x}".format(*shade.rgb), round(shade.share, 3))
            for shade in measured.leading
        ),
        suggested_prompt=_prompt(measured),
    )


def _measure(picture: Image.Image) -> _Measured:
    width, height = picture.size
    picture.thumbnail((_SIDE, _SIDE), Image.Resampling.BOX)
    grey = picture.convert("L")
    shades, steps = palette.shades(picture), measures.steps(grey)
    return _Measured(
        width,
        height,
        palette.leading(shades),
        measures.light(grey),
        measures.colouring(shades),
        measures.layout(picture, grey, steps),
        measures.surface(picture, grey, steps),
    )


def _sentences(found: _Measured) -> Iterator[str]:
    yield f"{_format(found)} format, about {found.aspect}."
    yield f"{_key(found.light)} with {_contrast(found.light)} contrast{_clipped(found.light)}."
    mood = _saturation(found.colouring) + _warmth(found.colouring)
    yield f"{mood.capitalize()}: {_shares(found)}."
    yield f"{_weight(found.layout)}."
    if found.layout.horizon is not None:
        yield f"A level edge crosses the picture at {found.layout.horizon:.0%} of its height."
    if _is_mirrored(found):
        yield "The left and the right half nearly mirror each other."
    yield f"{_texture(found)[1]}."


def _format(found: _Measured) -> str:
    if found.aspect == "1:1":
        return "Square"
    return "Landscape" if found.width > found.height else "Portrait"


def _key(light: measures.Light) -> str:
    kind = "Bright (high key)" if light.middle > 0.68 else "Of middle brightness"
    kind = "Dark (low key)" if light.middle < 0.3 else kind
    return f"{kind}, at {light.middle:.0%} of full light,"


def _contrast(light: measures.Light) -> str:
    return "strong" if light.span > 0.7 else "low" if light.span < 0.3 else "moderate"


def _clipped(light: measures.Light) -> str:
    parts = [
        f"{share:.0%} of it is {name}"
        for share, name in ((light.white, "pure white"), (light.black, "pure black"))
        if share > 0.1
    ]
    return "; " + " and ".join(parts) if parts else ""


def _saturation(colour: measures.Colouring) -> str:
    if colour.grey > 0.97:
        return "colourless"
    return "vivid" if colour.chroma > 0.13 else "muted" if colour.chroma < 0.06 else "colourful"


def _warmth(colour: measures.Colouring) -> str:
    if colour.grey > 0.97 or abs(colour.warmth) < 0.25:
        return ""
    return " and warm" if colour.warmth > 0 else " and cool"


def _shares(found: _Measured) -> str:
    shares: dict[str, float] = {}
    for shade in found.leading:
        name = colours.name(shade.rgb)
        shares[name] = shares.get(name, 0) + shade.share
    ordered = sorted(shares, key=lambda name: -shares[name])
    return ", ".join(f"{name} {shares[name]:.0%}" for name in ordered)


def _weight(layout: measures.Layout) -> str:
    """Where most of the detail lies, if anywhere; a ninth of it is the part of each ninth."""
    if not layout.ninths:
        return "There is no detail to speak of"
    row = _heaviest([sum(layout.ninths[3 * each : 3 * each + 3]) for each in range(3)])
    column = _heaviest([sum(layout.ninths[each::3]) for each in range(3)])
    if row is None and column is None:
        return "Detail is spread evenly over the picture"
    return f"Most of the detail lies {_part(row, column)}"


def _heaviest(parts: Sequence[float]) -> int | None:
    heaviest = max(range(3), key=lambda part: parts[part])
    return heaviest if parts[heaviest] > 0.45 else None


def _part(row: int | None, column: int | None) -> str:
    if row == column == 1:
        return "in the centre"
    if column is None:
        return f"in the {_ROWS[row or 0]} third"
    if row is None:
        return f"in the {_COLUMNS[column]} third" if column != 1 else "along the upright middle"
    return f"towards the {_ROWS[row]} {_COLUMNS[column]}"


def _is_mirrored(found: _Measured) -> bool:
    return found.layout.mirrored < 0.25


def _texture(found: _Measured) -> tuple[str, str]:
    """A cautious style or "", and the sentence of what was measured."""
    made = found.surface
    if 0.005 < made.ink < 0.35 and made.thin > 0.8 and made.flat > 0.4:
        return "line art", f"Thin lines on an even ground: {made.ink:.0%} of the picture is line"
    if made.flat > 0.6 and made.hues <= 40:
        return "flat graphic", f"Even areas with clear edges: {made.flat:.0%} of it is flat"
    if made.edges < 0.02:
        return "soft gradients", "Surfaces pass softly into each other, almost without edges"
    if made.flat < 0.35 and made.hues > 220:
        return "photo-like", f"Fine texture and {made.hues} tones, as photographs have"
    return "", f"Edges take {made.edges:.0%} of the picture and even areas {made.flat:.0%}"


def _styles(found: _Measured) -> Iterator[str]:
    if texture := _texture(found)[0]:
        yield texture
    if found.light.middle > 0.68:
        yield "high key"
    if found.light.middle < 0.3:
        yield "low key"
    if found.light.span > 0.7:
        yield "high contrast"
    yield {"colourless": "monochrome"}.get(word := _saturation(found.colouring), word)
    yield from _warmth(found.colouring).removeprefix(" and ").split()
    if _is_mirrored(found):
        yield "symmetric"
    if found.surface.flat > 0.85:
        yield "minimal"


def _prompt(found: _Measured) -> str:
    """Words for such a picture that can stand after a subject."""
    names = found.names[:4]
    colour = " and ".join(filter(None, [", ".join(names[:-1]), names[-1]]))
    words = [*_styles(found), f"{'palette' if names[1:] else 'all'} of {colour}"]
    weight = _weight(found.layout)
    if weight.startswith("Most"):
        words.append(weight.replace("Most of the detail lies", "weight"))
    if found.layout.horizon is not None:
        words.append("high horizon" if found.layout.horizon < 0.45 else "low horizon")
    return ", ".join(words)
