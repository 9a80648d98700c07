"""Ink on paper: the same shapes as pale washes with outlines, and hatching where it is dark."""

from functools import lru_cache

from PIL import Image, ImageChops, ImageDraw

from services.generator.sketching import paint
from services.generator.sketching.colour import Colour, luma, mix, parse
from services.generator.sketching.dice import Dice
from services.generator.sketching.pen import FINE, Shape, Sheet

_PAPER, _INK = parse("f6efdf"), parse("1f2633")
_TILE = 512  # side of a tile of hatching, in pixels
_SMALLEST = 40  # fine pixels a side; below, hatching is only dirt
_TONES = (112, 74, 44)  # as dark as this: strokes, close strokes, crossed strokes


def air(sheet: Sheet) -> Image.Image:
    """The sky as a wash on paper."""
    soft = paint.air(sheet)
    return Image.blend(
        Image.new("RGB", soft.size, _PAPER), soft, 0.5 if sheet.palette.dark else 0.42
    )


def _wash(colour: Colour) -> Colour:
    return mix(_PAPER, colour, 56)


@lru_cache(maxsize=12)
def _strokes(spacing: int, width: int, tone: int) -> Image.Image:
    """A tile of slanting strokes, white on black, that fits its own copies on every side."""
    side = _TILE * FINE
    tile = Image.new("L", (side, side))
    draw, dice = ImageDraw.Draw(tile), Dice("hatching", spacing, tone)
    lines = max(4, side // (spacing * 2 if tone == 0 else spacing))
    for line in range(lines):
        at, reach = line * side // lines + dice.between(-1, 1), dice.between(0, 90)
        while reach < side:
            end = min(reach + dice.between(90, 230), side)
            for x in (at - side, at):
                draw.line(((x + reach, reach), (x + end, end)), fill=225, width=width)
            reach = end + dice.between(8, 26)
    tile = tile.reduce(FINE)
    if tone == 2:
        crossed = _strokes(spacing, width, 0).transpose(Image.Transpose.FLIP_LEFT_RIGHT)
        return ImageChops.lighter(tile, crossed)
    return tile


class Quill(paint.Brush):
    """Draws shapes the way a pen would, and notes on a map of tones where to hatch."""

    def __init__(self, image: Image.Image, top: int, unit: int) -> None:
        super().__init__(image, top)
        self.width, self.spacing = max(2, unit // 560), max(6, unit // 130)
        self.tones = Image.new("L", (image.width // FINE, image.height // FINE))
        self.map = ImageDraw.Draw(self.tones)

    def halved(self, shape: Shape) -> list[tuple[int, int]]:
        """A shape's points on the map of tones."""
        top = self.top // FINE
        return [(x // FINE, y // FINE - top) for x, y in shape.points]

    def draw(self, shape: Shape) -> None:
        match shape.kind:
            case "polygon" | "oval":
                self._area(shape)
            case "line":
                self._line(shape)
            case "hatch":
                ends, width = self.place(shape.points), max(1, self.width // 2)
                for a, b in zip(ends[::2], ends[1::2], strict=True):
                    self.solid.line((a, b), fill=_INK, width=width)
            case "rows":
                end = (_wash(shape.until[0]), shape.until[1]) if shape.until else None
                super().draw(shape._replace(colour=_wash(shape.colour), until=end))
            case "dots":
                super().draw(shape._replace(colour=mix(_PAPER, shape.colour, 40)))

    def _line(self, shape: Shape) -> None:
        """A thin line in ink; a thick one as a wash between two lines."""
        if shape.width > 3 * self.width and shape.alpha == 255:
            super().draw(shape._replace(colour=_INK, width=shape.width + self.width))
            super().draw(shape._replace(colour=_wash(shape.colour), width=shape.width - self.width))
        else:
            tone = mix(_INK, shape.colour, 45 if luma(shape.colour) < 150 else 86)
            super().draw(shape._replace(colour=tone))
        self.map.line(self.halved(shape), fill=0, width=max(1, shape.width // FINE))

    def _area(self, shape: Shape) -> None:
        super().draw(shape._replace(colour=_wash(shape.colour)))
        if shape.alpha < 255:
            return
        points, tone = self.place(shape.points), self._tone(shape)
        if shape.kind == "oval":
            self.map.ellipse(self.halved(shape), fill=tone)
            if not shape.plain:
                self.solid.ellipse(points, outline=_INK, width=self.width)
            return
        self.map.polygon(self.halved(shape), fill=tone)
        if not shape.plain:
            self.solid.line([*points, points[0]], fill=_INK, width=self.width)

    def _tone(self, shape: Shape) -> int:
        """How closely to hatch: 0 for not at all, up to 3."""
        columns = [x for x, _ in shape.points]
        if min(max(columns) - min(columns), shape.bottom - shape.top) < _SMALLEST:
            return 0
        bright = luma(shape.colour)
        return sum(bright < limit for limit in _TONES)

    def frame(self, sheet: Sheet) -> None:
        """A margin of bare paper with a ruled edge."""
        margin, low = sheet.unit // 64 * FINE, -self.top
        right, bottom = sheet.width - 1, sheet.height - 1 - self.top
        strips = (
            (0, low, right, low + margin),
            (0, bottom - margin, right, bottom),
            (0, low, margin, bottom),
            (right - margin, low, right, bottom),
        )
        for left, top, to, end in strips:
            self.solid.rectangle((left, top, to, end), fill=_PAPER)
            self.map.rectangle((left // FINE, top // FINE, to // FINE, end // FINE), fill=0)
        line = (margin, low + margin, right - margin, bottom - margin)
        self.solid.rectangle(line, outline=_INK, width=max(2, sheet.unit // 480))

    def finish(self) -> Image.Image:
        """The band in pixels, hatched by the map of tones."""
        image, used = self.image.reduce(FINE), self.tones.getextrema()[1]
        for tone in range(3):
            if isinstance(used, int) and used > tone:
                strokes = self._tiled(_strokes(self.spacing, self.width, tone))
                where = self.tones.point([255 if level == tone + 1 else 0 for level in range(256)])
                image.paste(_INK, (0, 0), ImageChops.darker(where, strokes))
        return image

    def _tiled(self, tile: Image.Image) -> Image.Image:
        strokes = Image.new("L", self.tones.size)
        for y in range(-(self.top // FINE % _TILE), strokes.height, _TILE):
            for x in range(0, strokes.width, _TILE):
                strokes.paste(tile, (x, y))
        return strokes


def band(sheet: Sheet, soft: Image.Image, top: int, bottom: int) -> Image.Image:
    """Rows *top* up to *bottom* of the picture, in RGB."""
    image = paint.backdrop(soft, top, bottom)
    quill = Quill(image, top * FINE, sheet.unit)
    reach = quill.width + 1  # an outline is wider than its shape
    for shape in paint.visible(sheet.shapes, top * FINE - reach, bottom * FINE + reach):
        quill.draw(shape)
    quill.frame(sheet)
    return paint.grained(quill.finish(), top)
