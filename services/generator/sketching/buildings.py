"""What people put up: each motif stands on its origin and is 1000 units high."""

# ruff: noqa: ARG001  # all motifs have one signature, and coordinates come in numbers

from services.generator.sketching import sky
from services.generator.sketching.colour import Colour, mix, parse, shade
from services.generator.sketching.dice import Dice
from services.generator.sketching.pen import Pen, arc

_LAMP = parse("ffe2a0")
_GLASS = parse("55646e")
_SMALLEST_LIT = 100  # fine pixels of a tower; below, its windows are too small to be seen


def _window(pen: Pen, left: int, top: int, right: int, bottom: int) -> None:
    dark = pen.palette.dark
    pen.box(_LAMP if dark else _GLASS, left, top, right, bottom, shines=dark, plain=True)


def lighthouse(pen: Pen, dice: Dice, colour: Colour) -> None:
    white, roof = parse("f6f0e2"), shade(colour, -25)
    _beam(pen)
    pen.fill(white, [(-125, 20), (-74, -730), (74, -730), (125, 20)])
    for low, high in ((-60, -210), (-360, -500), (-630, -730)):
        a, b = 125 + low * 51 // 730, 125 + high * 51 // 730
        pen.fill(colour, [(-a, low), (-b, high), (b, high), (a, low)], plain=True)
    pen.fill(parse("20242e"), [(125, 20), (74, -730), (18, -730), (34, 20)], alpha=48, plain=True)
    for y in (-300, -570):
        pen.box(_GLASS, -16, y - 44, 16, y, plain=True)
    pen.box(roof, -112, -765, 112, -730)
    pen.box(_LAMP, -58, -870, 58, -765, shines=True)
    for x in (-58, -20, 20, 58):
        pen.line(roof, [(x, -765), (x, -870)], 9)
    pen.fill(roof, [(-84, -868), (-50, -930), (0, -962), (50, -930), (84, -868)])
    pen.line(roof, [(0, -950), (0, -1010)], 10)


def _beam(pen: Pen) -> None:
    x, y = pen.at(0, -815)
    sky.glow(pen.sheet, x, y, pen.size // 2, _LAMP, 62 if pen.palette.dark else 34)
    alpha = 60 if pen.palette.dark else 34
    for way in (-1, 1):
        for spread in (60, 150):
            pen.fill(
                _LAMP,
                [
                    (20 * way, -830),
                    (20 * way, -800),
                    (4200 * way, -700 + spread * 4),
                    (4200 * way, -960 - spread * 2),
                ],
                alpha=alpha,
                shines=True,
                plain=True,
            )


def house(pen: Pen, dice: Dice, colour: Colour) -> None:
    wall, roof = parse("f3e7d0"), colour
    if dice.chance(70):
        _smoke(pen, 250, -1000)
        pen.box(shade(roof, -35), 210, -1000, 310, -640)
    pen.box(wall, -420, -520, 420, 0)
    pen.fill(shade(wall, -18), [(120, -520), (420, -520), (420, 0), (120, 0)], plain=True)
    pen.fill(roof, [(-500, -500), (-330, -920), (330, -920), (500, -500)])
    pen.fill(shade(roof, -16), [(120, -500), (110, -920), (330, -920), (500, -500)], plain=True)
    pen.box(shade(roof, -45), -60, -290, 60, 0)
    for left in (-330, 200):
        _window(pen, left, -380, left + 150, -210)
        pen.line(wall, [(left + 75, -380), (left + 75, -210)], 14)
        pen.line(wall, [(left, -295), (left + 150, -295)], 14)
    if pen.palette.dark:
        x, y = pen.at(0, -250)
        sky.glow(pen.sheet, x, y, pen.size, _LAMP, 34)


def _smoke(pen: Pen, x: int, y: int) -> None:
    pale = mix(pen.palette.haze, parse("ffffff"), 40)
    for step in range(6):
        pen.oval(
            pale,
            x + step * step * 9,
            y - 40 - step * 95,
            34 + step * 17,
            30 + step * 12,
            alpha=150 - step * 20,
            shines=True,
            plain=True,
        )


def castle(pen: Pen, dice: Dice, colour: Colour) -> None:
    stone = mix(parse("d9cfc0"), pen.palette.second, 30)
    shadow = shade(stone, -26)
    pen.box(stone, -430, -360, 430, 20)
    for x in range(-430, 430, 108):
        pen.box(stone, x, -405, x + 58, -355, plain=True)
    for x, wide, high in (
        (-430, 100, 620),
        (430, 100, 620),
        (-170, 90, 760),
        (180, 105, 690),
        (0, 80, 960),
    ):
        pen.box(stone, x - wide, -high, x + wide, 20)
        pen.fill(
            shadow,
            [(x + wide // 3, -high), (x + wide, -high), (x + wide, 20), (x + wide // 3, 20)],
            plain=True,
        )
        pen.fill(
            colour,
            [
                (x - wide * 13 // 10, -high),
                (x, -high - wide * 5 // 2),
                (x + wide * 13 // 10, -high),
            ],
        )
        pen.line(
            shade(colour, -30), [(x, -high - wide * 5 // 2), (x, -high - wide * 5 // 2 - 90)], 9
        )
        flag = -high - wide * 5 // 2 - 90
        pen.fill(pen.palette.accent, [(x, flag), (x + 80, flag + 26), (x, flag + 52)], plain=True)
        _window(pen, x - 18, -high + 90, x + 18, -high + 160)
        _window(pen, x - 18, -high + 260, x + 18, -high + 330)
    pen.fill(shade(stone, -60), [(-70, 20), *arc(0, -150, 70, 80, 180, 360, 8), (70, 20)])


def tower(pen: Pen, dice: Dice, colour: Colour) -> None:
    stone = parse("e4d6bf")
    pen.box(stone, -330, -420, 330, 0)
    pen.fill(colour, [(-370, -410), (-180, -600), (330, -600), (370, -410)])
    pen.box(stone, -330, -720, -90, 0)
    pen.fill(shade(stone, -20), [(-170, -720), (-90, -720), (-90, 0), (-170, 0)], plain=True)
    pen.fill(colour, [(-360, -715), (-210, -1080), (-60, -715)])
    pen.line(shade(colour, -30), [(-210, -1070), (-210, -1170)], 14)
    pen.line(shade(colour, -30), [(-245, -1130), (-175, -1130)], 14)
    pen.oval(parse("f8f2e4"), -210, -610, 62, 62)
    pen.line(parse("30343c"), [(-210, -655), (-210, -610), (-180, -590)], 12)
    for x in (30, 200):
        top = [(x - 40, -140), *arc(x, -260, 40, 50, 180, 360, 6), (x + 40, -140)]
        pen.fill(_LAMP if pen.palette.dark else _GLASS, top, shines=pen.palette.dark, plain=True)
    pen.fill(shade(colour, -45), [(-260, 0), *arc(-210, -150, 50, 60, 180, 360, 6), (-160, 0)])


def windmill(pen: Pen, dice: Dice, colour: Colour) -> None:
    wall = parse("f4ead6")
    pen.fill(wall, [(-190, 0), (-115, -600), (115, -600), (190, 0)])
    pen.fill(shade(wall, -20), [(60, 0), (36, -600), (115, -600), (190, 0)], plain=True)
    pen.fill(colour, [(-140, -595), *arc(0, -600, 138, 150, 180, 360, 10), (140, -595)])
    pen.fill(shade(colour, -45), [(-60, 0), *arc(0, -130, 60, 60, 180, 360, 8), (60, 0)])
    _window(pen, -35, -430, 35, -330)
    turn = dice.between(10, 70)
    for blade in range(4):
        tip = arc(0, -640, 560, 560, turn + blade * 90, turn + blade * 90 + 16, 1)
        root = arc(0, -640, 120, 120, turn + blade * 90, turn + blade * 90 + 50, 1)
        pen.fill(parse("fbf6ea"), [root[0], tip[0], tip[1], root[1]])
        pen.line(shade(colour, -40), [(0, -640), tip[0]], 20)
        for share in (30, 50, 70, 90):
            a = [
                (root[0][0] * (100 - share) + tip[0][0] * share) // 100,
                (root[0][1] * (100 - share) + tip[0][1] * share) // 100,
            ]
            b = [
                (root[1][0] * (100 - share) + tip[1][0] * share) // 100,
                (root[1][1] * (100 - share) + tip[1][1] * share) // 100,
            ]
            pen.line(shade(colour, -20), [(a[0], a[1]), (b[0], b[1])], 8)
    pen.oval(shade(colour, -40), 0, -640, 38, 38)


def bridge(pen: Pen, dice: Dice, colour: Colour) -> None:
    """A suspension bridge, much wider than high."""
    steel, thin = colour, 14
    for middle in (-2600, 0, 2600):
        cable = [
            (middle - 1300 + step * 130, -860 + 690 - (step - 10) ** 2 * 69 // 10)
            for step in range(21)
        ]
        pen.line(steel, cable, thin + 8)
        for x, y in cable[1:-1:2]:
            pen.line(steel, [(x, y), (x, -140)], 9)
    for x in (-1300, 1300):
        for side in (-70, 40):
            pen.box(shade(steel, -8), x + side, -900, x + side + 36, 130)
        for y in (-880, -640, -400):
            pen.box(shade(steel, -18), x - 70, y, x + 76, y + 44, plain=True)
        pen.fill(shade(steel, -50), [(x - 130, 130), (x - 100, 40), (x + 106, 40), (x + 136, 130)])
    pen.box(shade(steel, -22), -4000, -140, 4000, -84)


def tent(pen: Pen, dice: Dice, colour: Colour) -> None:
    pen.fill(shade(colour, -24), [(0, -620), (640, -480), (800, 0), (420, 0)])
    pen.fill(colour, [(-430, 0), (0, -620), (420, 0)])
    pen.fill(_LAMP, [(-150, 0), (0, -500), (130, 0)], shines=pen.palette.dark, plain=True)
    pen.fill(shade(colour, 20), [(-190, 0), (0, -600), (-60, -220), (-130, 0)], plain=True)
    x, y = pen.at(-760, -60)
    sky.glow(pen.sheet, x, y, pen.size * 9 // 10, parse("ffab4a"), 60)
    for left, right in ((-900, -640), (-640, -900)):
        pen.line(parse("5a3a26"), [(left, 0), (right, -70)], 46)
    pen.fill(
        parse("ff8a34"),
        [
            (-870, -40),
            (-850, -230),
            (-790, -160),
            (-755, -390),
            (-700, -170),
            (-650, -240),
            (-650, -40),
        ],
        shines=True,
    )
    pen.fill(
        parse("ffe08a"),
        [(-820, -40), (-790, -130), (-755, -230), (-715, -120), (-700, -40)],
        shines=True,
        plain=True,
    )


def pyramid(pen: Pen, dice: Dice, colour: Colour) -> None:
    sand = mix(parse("d9a760"), colour, 22)
    pen.fill(shade(sand, 14), [(-900, 30), (0, -1000), (260, 30)])
    pen.fill(shade(sand, -34), [(0, -1000), (260, 30), (860, 30)])
    for y in range(-880, 0, 120):
        a, b = -900 * (1000 + y) // 1000, 260 * (1000 + y) // 1000
        pen.line(shade(sand, -6), [(a, y), (b, y)], 7)


def skyline(pen: Pen, dice: Dice, colour: Colour, *, lamps: bool) -> None:
    """A row of towers across the sheet, *pen* 1000 units high at the tallest."""
    width = pen.sheet.width * 1000 // max(1, pen.size)
    x = -dice.between(0, 120)
    while x < width:
        wide, high = dice.between(90, 210), dice.between(260, 760)
        if dice.chance(18):
            high = dice.between(760, 1000)
        _block(pen, dice, colour, x, wide, high, lamps=lamps)
        x += wide + (dice.between(0, 60) if dice.chance(35) else -dice.between(0, 30))


def _block(
    pen: Pen, dice: Dice, colour: Colour, x: int, wide: int, high: int, *, lamps: bool
) -> None:
    points = [pen.at(px, py) for px, py in _roof(dice, x, wide, high)]
    pen.sheet.polygon(points, colour)
    if not lamps or pen.size < _SMALLEST_LIT:
        return
    lit = mix(_LAMP, pen.palette.glow, dice.between(0, 40))
    off = mix(colour, pen.palette.haze, 16)
    shown = lit if pen.palette.dark else mix(off, _LAMP, 35)
    column = max(26, wide // dice.between(4, 6))
    for left in range(x + column // 2, x + wide - column // 2, column):
        for top in range(-high + 40, -40, 46):
            roll = dice.between(1, 100)
            if roll <= 56:
                (a, b), (c, d) = pen.at(left, top), pen.at(left + column // 2, top + 22)
                colour_here = shown if roll <= (34 if pen.palette.dark else 18) else off
                pen.sheet.polygon([(a, b), (c, b), (c, d), (a, d)], colour_here, plain=True)


def _roof(dice: Dice, x: int, wide: int, high: int) -> list[tuple[int, int]]:
    """The outline of one tower."""
    right, middle = x + wide, x + wide // 2
    tops: tuple[list[tuple[int, int]], ...] = (
        [(x, -high), (right, -high)],
        [(x, -high), (right, -high)],
        [
            (x, -high),
            (x + wide // 4, -high),
            (x + wide // 4, -high - 50),
            (right - wide // 4, -high - 50),
            (right - wide // 4, -high),
            (right, -high),
        ],
        [
            (x, -high),
            (middle - 4, -high - 60),
            (middle - 4, -high - 150),
            (middle + 4, -high - 150),
            (middle + 4, -high - 60),
            (right, -high),
        ],
        [(x, -high - wide // 3), (right, -high)],
    )
    return [(x, 60), *dice.pick(tops), (right, 60)]
