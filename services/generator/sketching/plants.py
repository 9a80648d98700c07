"""What grows: each motif stands on its origin and is 1000 units high."""

# ruff: noqa: ARG001  # all motifs have one signature, and coordinates come in numbers

from itertools import pairwise

from services.generator.sketching import terrain
from services.generator.sketching.colour import Colour, mix, parse, shade
from services.generator.sketching.dice import TURN, Dice, cosine, sine
from services.generator.sketching.pen import Pen, arc, smooth

_BARK = parse("5b4032")
_LEAF = parse("4f8a4c")


def tree(pen: Pen, dice: Dice, colour: Colour) -> None:
    """A broad crown of leaves in *colour*."""
    pen.fill(
        _BARK,
        [
            (-60, 10),
            (-36, -300),
            (-150, -480),
            (-120, -500),
            (-10, -380),
            (20, -520),
            (60, -520),
            (44, -360),
            (150, -500),
            (176, -476),
            (52, -290),
            (70, 10),
        ],
    )
    blobs = [
        (dice.between(-290, 290), dice.between(-820, -520), dice.between(150, 215))
        for _ in range(9)
    ]
    blobs += [(0, -790, 210), (-230, -600, 190), (230, -610, 190)]
    blobs.sort(key=lambda blob: -blob[1])
    for x, y, size in blobs:
        pen.oval(shade(colour, -26), x + 22, y + 34, size, size * 9 // 10, plain=True)
    for x, y, size in blobs:
        pen.oval(colour, x, y, size * 94 // 100, size * 85 // 100, plain=True)
    for x, y, size in blobs[::2]:
        pen.oval(
            shade(colour, 20),
            x - size // 4,
            y - size // 4,
            size * 5 // 10,
            size * 4 // 10,
            plain=True,
        )
    for _ in range(26):
        x, y = dice.between(-330, 330), dice.between(-930, -470)
        pen.oval(shade(colour, dice.between(-12, 34)), x, y, 26, 20, plain=True)


def pine(pen: Pen, dice: Dice, colour: Colour) -> None:
    green = pen.lit(colour)
    terrain.pine(pen, green)
    side = [(0, -1050), (60, -790), (30, -770), (150, -400), (70, -400), (240, -90), (20, -90)]
    pen.fill(shade(colour, -24), side, plain=True)


def palm(pen: Pen, dice: Dice, colour: Colour) -> None:
    lean = dice.between(60, 200)
    left = [(-44 + lean * k * k // 100, -k * 78) for k in range(11)]
    right = [(34 + lean * k * k // 100 - k * 3, -k * 78) for k in range(10, -1, -1)]
    pen.fill(parse("8a6242"), [*left, *right])
    for k in range(1, 10):
        x, y = left[k]
        pen.line(parse("6b4a32"), [(x + 4, y), (x + 62 - k * 2, y + 14)], 9)
    for angle, long in (
        (205, 430),
        (175, 400),
        (150, 330),
        (-10, 420),
        (-35, 400),
        (-65, 360),
        (240, 380),
        (20, 360),
    ):
        _frond(pen, lean, -785, angle * TURN // 360, long, colour)
    for x in (-30, 20):
        pen.oval(parse("6b4528"), lean + x, -760, 32, 32)


def _frond(pen: Pen, x: int, y: int, angle: int, long: int, colour: Colour) -> None:
    spine = []
    for k in range(9):
        reach = long * k // 8
        spine.append(
            (
                x + reach * cosine(angle) // TURN,
                y + reach * sine(angle) // TURN + reach * reach * 9 // 10 // long // 2,
            )
        )
    thick = (4, 34, 52, 58, 54, 44, 32, 18, 0)
    upper = [(px, py - t) for (px, py), t in zip(spine, thick, strict=True)]
    lower = [(px, py + t // 2) for (px, py), t in zip(spine, thick, strict=True)]
    pen.fill(shade(colour, -18 if angle % 3 else 4), [*upper, *reversed(lower)])


def cactus(pen: Pen, dice: Dice, colour: Colour) -> None:
    green = mix(parse("4f8f63"), colour, 18)
    _stem(pen, green, [(0, 20), (0, -900)], 190)
    high, low = dice.between(380, 520), dice.between(220, 360)
    _stem(pen, green, [(0, -high), (-270, -high), (-270, -high - 260)], 130)
    _stem(pen, green, [(0, -low), (270, -low), (270, -low - 330)], 130)
    for x in (-44, 0, 44):
        pen.line(shade(green, -26), [(x, 10), (x, -900)], 9)
    pen.oval(colour, 0, -1000, 46, 34)
    pen.oval(colour, 270, -low - 400, 36, 28)


def _stem(pen: Pen, colour: Colour, points: list[tuple[int, int]], width: int) -> None:
    half = width // 2
    for (ax, ay), (bx, by) in pairwise(points):
        pen.box(
            colour,
            min(ax, bx) - half,
            min(ay, by) - (half if ay == by else 0),
            max(ax, bx) + half,
            max(ay, by) + (half if ay == by else 0),
            plain=True,
        )
    for x, y in points:
        if y < 0:
            pen.oval(colour, x, y, half, half, plain=True)


def flower(pen: Pen, dice: Dice, colour: Colour) -> None:
    """A tulip, a daisy or a poppy between two smaller ones."""
    kind = dice.between(0, 2)
    for way in (-1, 1):
        small = pen.moved(way * dice.between(190, 280), 10, dice.between(54, 76), flip=way < 0)
        _bloom(small, dice, shade(colour, dice.between(-14, 16)), kind)
    _bloom(pen, dice, colour, kind)


def _bloom(pen: Pen, dice: Dice, colour: Colour, kind: int) -> None:
    sway = dice.between(-60, 60)
    stem = smooth([(0, 20), (sway // 2, -350), (sway, -720)], closed=False)
    pen.line(mix(_LEAF, pen.palette.near, 20), stem, 34)
    for way in (-1, 1):
        leaf = [(0, -20), (170 * way, -230), (200 * way, -470), (60 * way, -300)]
        pen.fill(shade(_LEAF, 8 * way), smooth(leaf))
    if kind == 0:
        cup = [
            (sway - 130, -930),
            (sway - 75, -850),
            (sway, -960),
            (sway + 75, -850),
            (sway + 130, -930),
            (sway + 120, -740),
            (sway, -660),
            (sway - 120, -740),
        ]
        pen.fill(colour, cup)
        pen.fill(
            shade(colour, -18),
            smooth([(sway - 60, -840), (sway, -930), (sway + 60, -840), (sway, -670)]),
            plain=True,
        )
        return
    petals, wide = (12, 42) if kind == 1 else (6, 95)
    for petal in range(petals):
        angle = petal * TURN // petals
        x, y = sway + 130 * cosine(angle) // TURN, -800 + 130 * sine(angle) // TURN
        pen.oval(
            shade(colour, -10 if petal % 2 else 6), x, y, wide + 16, wide + 16, plain=kind == 1
        )
    pen.oval(parse("f2b632") if kind == 1 else parse("2b2030"), sway, -800, 66, 66)


def mushroom(pen: Pen, dice: Dice, colour: Colour) -> None:
    pale = parse("f5ead8")
    pen.fill(pale, smooth([(-150, 10), (-110, -480), (110, -480), (150, 10)], 1))
    pen.fill(shade(pale, -16), [(40, 0), (30, -480), (100, -480), (120, 0)], plain=True)
    pen.fill(colour, [(-480, -450), *arc(0, -460, 480, 470, 180, 360, 24), (480, -450), (0, -380)])
    for x, y, size in (
        (-250, -620, 62),
        (20, -790, 78),
        (250, -640, 56),
        (-60, -560, 44),
        (390, -500, 34),
        (-390, -490, 34),
    ):
        pen.oval(parse("fdf6ea"), x, y, size, size * 8 // 10, plain=True)
