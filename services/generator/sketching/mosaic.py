"""Mosaic: a small painting, looked at through irregular tiles; small tiles where it is busy."""

from collections.abc import Sequence
from dataclasses import replace
from typing import NamedTuple

from PIL import Image

from services.generator.sketching import paint
from services.generator.sketching.colour import Colour, mix, parse
from services.generator.sketching.dice import Dice
from services.generator.sketching.pen import FINE, Point, Sheet
from services.generator.sketching.scene import Scene
from services.generator.sketching.stage import set_stage

_ROWS = 46  # tiles along the shorter side, where they are not too small
_SMALLEST = 17  # fine pixels of a tile's side; below, the grout swallows it
_DETAIL = 3  # pixels of the small painting to a tile
_BUSY = 120  # difference in the sum of red, green and blue that breaks a tile up


class _Corner(NamedTuple):
    """Where three tiles meet, and how bright the painting is there (0 to 765)."""

    x: int
    y: int
    bright: int


class Tiles:
    """Cells around the points of a shaken triangular grid, in fine pixels."""

    def __init__(self, scene: Scene) -> None:
        self.width, self.height = scene.width * FINE, scene.height * FINE
        short = min(self.width, self.height)
        self.side = short // min(_ROWS, short // _SMALLEST)
        self.wide = max(8, self.width * _DETAIL // self.side)
        self.high = max(8, self.height * _DETAIL // self.side)
        small = set_stage(replace(scene, width=self.wide, height=self.high))
        # A faint star would fill a whole tile.
        small.shapes = [
            shape for shape in small.shapes if shape.kind != "dots" or shape.alpha > 210
        ]
        self.painting = paint.coat(small, paint.air(small), 0, self.high).tobytes()
        self.dice = Dice("tiles", scene.seed)
        self.sheet = Sheet(self.width, self.height, small.palette)

    def colour(self, x: int, y: int) -> Colour:
        """What the small painting shows at a fine pixel."""
        column = min(max(x * self.wide // self.width, 0), self.wide - 1)
        row = min(max(y * self.high // self.height, 0), self.high - 1)
        at = (row * self.wide + column) * 3
        red, green, blue = self.painting[at : at + 3]
        return red, green, blue

    def corner(self, a: Point, b: Point, c: Point) -> _Corner:
        x, y = (a[0] + b[0] + c[0]) // 3, (a[1] + b[1] + c[1]) // 3
        return _Corner(x, y, sum(self.colour(x, y)))

    def grid(self) -> list[list[Point]]:
        """Rows of points; every second row is moved to the right by half a tile."""
        row_high, shake, dice = self.side * 87 // 100, self.side * 26 // 100, self.dice
        return [
            [
                (
                    column * self.side + (row % 2) * self.side // 2 + dice.between(-shake, shake),
                    row * row_high + dice.between(-shake, shake),
                )
                for column in range(-2, self.width // self.side + 3)
            ]
            for row in range(-2, self.height // row_high + 3)
        ]

    def lay(self) -> Sheet:
        grid = self.grid()
        seams = [self._seam(row, grid[row], grid[row + 1]) for row in range(len(grid) - 1)]
        for row in range(1, len(grid) - 1):
            (up_to, up_from), (to, away) = seams[row - 1], seams[row]
            lean = row % 2  # a moved row has its upper neighbours at the same place and the next
            for place in range(1, len(grid[row]) - 1):
                above = place + lean - 1
                around = (
                    to[place],
                    away[place],
                    to[place - 1],
                    up_from[above],
                    up_to[above],
                    up_from[above + 1],
                )
                self._tile(grid[row][place], around)
        return self.sheet

    def _seam(
        self, row: int, here: list[Point], below: list[Point]
    ) -> tuple[list[_Corner], list[_Corner]]:
        """The corners between two rows: those that point down to *below*, and up to *here*."""
        lean, last = row % 2, len(here) - 1
        down = [
            self.corner(here[k], here[min(k + 1, last)], below[min(k + lean, last)])
            for k in range(last + 1)
        ]
        up = [
            self.corner(here[k], below[max(k + lean - 1, 0)], below[min(k + lean, last)])
            for k in range(last + 1)
        ]
        return down, up

    def _tile(self, middle: Point, around: tuple[_Corner, ...]) -> None:
        brights = [corner.bright for corner in around]
        if max(brights) - min(brights) < _BUSY:
            self._piece([(x, y) for x, y, _ in around], 86)
            return
        for index in (0, 2, 4):
            a, b, c = around[index], around[index + 1], around[(index + 2) % 6]
            self._piece([middle, (a.x, a.y), (b.x, b.y), (c.x, c.y)], 80)

    def _piece(self, corners: Sequence[Point], share: int) -> None:
        """One tile, a little smaller than its place and a little off in brightness."""
        many = len(corners)
        cx, cy = sum(x for x, _ in corners) // many, sum(y for _, y in corners) // many
        points = [(cx + (x - cx) * share // 100, cy + (y - cy) * share // 100) for x, y in corners]
        red, green, blue = self.colour(cx, cy)
        light = 1000 + self.dice.between(-95, 95)
        tone = (
            min(255, red * light // 1000),
            min(255, green * light // 1000),
            min(255, blue * light // 1000),
        )
        self.sheet.polygon(points, tone)


def air(sheet: Sheet) -> Image.Image:
    """What shows between the tiles."""
    palette = sheet.palette
    dark, pale = mix(parse("14161d"), palette.near, 50), mix(parse("efe7d6"), palette.haze, 30)
    return Image.new("RGB", (1, 1), dark if palette.dark else pale)


def band(sheet: Sheet, soft: Image.Image, top: int, bottom: int) -> Image.Image:
    """Rows *top* up to *bottom* of the picture, in RGB."""
    image = soft.resize((sheet.width, (bottom - top) * FINE))
    brush = paint.Brush(image, top * FINE)
    for shape in paint.visible(sheet.shapes, top * FINE, bottom * FINE):
        brush.draw(shape)
    return image.reduce(FINE)
