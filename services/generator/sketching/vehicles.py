"""What carries people: each motif stands on its origin and is 1000 units high."""

# ruff: noqa: ARG001  # all motifs have one signature, and coordinates come in numbers

from services.generator.sketching import sky
from services.generator.sketching.colour import Colour, mix, parse, shade
from services.generator.sketching.dice import TURN, Dice, cosine, sine
from services.generator.sketching.pen import Pen, Point, arc, smooth

_INK = parse("23252e")
_LAMP = parse("ffe2a0")
_STEEL = parse("b9c2c9")


def boat(pen: Pen, dice: Dice, colour: Colour) -> None:
    """Under sail; the origin is at the water line."""
    sail = parse("fbf4e4")
    pen.fill(
        shade(sail, -30), [(-330, 70), (330, 70), (180, 150), (-180, 150)], alpha=70, plain=True
    )
    pen.line(_INK, [(0, -100), (0, -1000)], 20)
    pen.fill(
        sail,
        [
            (-24, -960),
            *smooth([(-24, -960), (-200, -560), (-350, -190), (-24, -190)], 1, closed=False),
        ],
    )
    pen.fill(shade(sail, -14), [(-24, -960), (-24, -190), (-130, -190), (-70, -560)], plain=True)
    pen.fill(
        colour,
        [(28, -900), *smooth([(28, -900), (220, -520), (320, -190), (28, -190)], 1, closed=False)],
    )
    pen.fill(
        shade(colour, -40),
        smooth([(-430, -150), (430, -150), (380, -60), (270, 40), (-300, 40), (-380, -60)], 1),
    )
    pen.line(sail, [(-410, -120), (410, -120)], 20)
    pen.fill(colour, [(0, -1000), (120, -965), (0, -930)], plain=True)


def ship(pen: Pen, dice: Dice, colour: Colour) -> None:
    """A steamer; the origin is at the water line."""
    white = parse("f6efe0")
    for x in (-150, 120):
        pen.box(colour, x, -900, x + 130, -520)
        pen.box(_INK, x, -900, x + 130, -840, plain=True)
    for step in range(7):
        pen.oval(
            mix(pen.palette.haze, _INK, 22),
            -110 - step * step * 16,
            -960 - step * 62,
            60 + step * 26,
            46 + step * 16,
            alpha=130 - step * 14,
            shines=True,
            plain=True,
        )
    pen.box(white, -480, -560, 460, -300)
    pen.box(white, -330, -660, 330, -560)
    for x in range(-430, 430, 110):
        pen.oval(
            _LAMP if pen.palette.dark else parse("587080"),
            x + 40,
            -420,
            30,
            30,
            shines=pen.palette.dark,
            plain=True,
        )
    pen.fill(shade(colour, -50), [(-900, -330), (900, -380), (720, 50), (-740, 50)])
    pen.line(white, [(-870, -270), (870, -318)], 26)


def rocket(pen: Pen, dice: Dice, colour: Colour) -> None:
    """Rising on its flame; the origin is the nozzle."""
    white = parse("f5f0e6")
    x, y = pen.at(0, 150)
    sky.glow(pen.sheet, x, y, pen.size, parse("ffb347"), 60)
    for tone, wide, long in (("ff7a2f", 105, 520), ("ffb13d", 76, 380), ("fff0b5", 42, 230)):
        pen.fill(
            parse(tone),
            smooth(
                [
                    (-wide, -40),
                    (wide, -40),
                    (wide * 6 // 10, long // 2),
                    (0, long),
                    (-wide * 6 // 10, long // 2),
                ],
                1,
            ),
            shines=True,
            plain=True,
        )
    for way in (-1, 1):
        pen.fill(colour, [(140 * way, -420), (320 * way, -120), (300 * way, 40), (130 * way, -60)])
    body = [
        (0, -1000),
        (110, -850),
        (170, -600),
        (165, -250),
        (120, -30),
        (-120, -30),
        (-165, -250),
        (-170, -600),
        (-110, -850),
    ]
    pen.fill(white, smooth(body, 1))
    pen.fill(
        shade(white, -20),
        smooth([(30, -960), (110, -850), (170, -600), (165, -250), (120, -30), (50, -30)], 1),
        plain=True,
    )
    pen.fill(colour, smooth([(0, -1010), (95, -870), (128, -760), (-128, -760), (-95, -870)], 1))
    pen.oval(colour, 0, -560, 88, 88)
    pen.oval(parse("9fd8e8"), 0, -560, 60, 60)
    pen.fill(colour, [(-26, -330), (26, -330), (34, 30), (-34, 30)])


def balloon(pen: Pen, dice: Dice, colour: Colour) -> None:
    """A hot-air balloon; the origin is its middle."""
    stripe = parse("fbf1dc")
    whole = arc(0, -190, 330, 330, 150, 390, 30)
    shape = [*whole, (90, 190), (-90, 190)]
    pen.fill(colour, shape)
    for middle, half in ((-185, 62), (0, 74), (185, 62)):
        top = [
            (middle * 6 // 10, -510),
            (middle + half, -330),
            (middle * 11 // 10 + half, -150),
            (middle * 8 // 10 + half * 7 // 10, 20),
            (middle * 4 // 10 + 20, 190),
        ]
        back = [
            (middle * 4 // 10 - 20, 190),
            (middle * 8 // 10 - half * 7 // 10, 20),
            (middle * 11 // 10 - half, -150),
            (middle - half, -330),
        ]
        pen.fill(stripe if middle else shade(colour, -12), [*top, *back], plain=True)
    pen.fill(
        _INK,
        [*arc(0, -190, 330, 330, -40, 40, 10), (90, 190), (40, 190), (190, -60), (200, -300)],
        alpha=40,
        plain=True,
    )
    for x in (-80, 80):
        pen.line(_INK, [(x, 190), (x * 7 // 10, 330)], 9)
    pen.fill(parse("8a5a3c"), smooth([(-72, 320), (72, 320), (60, 430), (-60, 430)], 1))


def train(pen: Pen, dice: Dice, colour: Colour) -> None:
    """A steam engine with two coaches, heading right."""
    pen.box(_INK, -2600, -6, 2600, 24, plain=True)
    for left in (-1900, -1040):
        pen.fill(
            shade(colour, -6),
            smooth([(left, -620), (left + 780, -620), (left + 780, -130), (left, -130)], 1),
        )
        for x in range(left + 90, left + 700, 165):
            pen.box(
                _LAMP if pen.palette.dark else parse("dce9ec"),
                x,
                -500,
                x + 110,
                -330,
                shines=pen.palette.dark,
            )
        for x in (left + 170, left + 610):
            _wheel(pen, x, 90)
    pen.box(colour, -180, -760, 200, -120)
    pen.box(shade(colour, -40), -230, -820, 250, -750)
    pen.box(_LAMP, -90, -660, 110, -480, shines=pen.palette.dark)
    pen.box(shade(colour, -50), 190, -560, 780, -170)
    pen.oval(shade(colour, -40), 780, -365, 60, 195)
    pen.fill(_INK, [(560, -550), (540, -830), (720, -830), (700, -550)])
    pen.oval(_LAMP, 850, -420, 48, 48, shines=True)
    pen.fill(colour, [(780, -120), (960, 0), (700, 0)])
    for x, size in ((0, 130), (330, 130), (620, 90)):
        _wheel(pen, x, size)
    for step in range(8):
        pen.oval(
            mix(pen.palette.haze, parse("ffffff"), 45),
            600 - step * step * 26,
            -940 - step * 55,
            90 + step * 34,
            70 + step * 20,
            alpha=190 - step * 20,
            shines=True,
            plain=True,
        )


def _wheel(pen: Pen, x: int, size: int) -> None:
    pen.oval(_INK, x, -size, size, size)
    pen.oval(_STEEL, x, -size, size * 6 // 10, size * 6 // 10, plain=True)
    pen.oval(_INK, x, -size, size // 4, size // 4, plain=True)


def car(pen: Pen, dice: Dice, colour: Colour) -> None:
    glass = parse("cfe3ea")
    body = [
        (-900, -180),
        (-900, -420),
        (-760, -520),
        (-560, -560),
        (-330, -860),
        (300, -860),
        (520, -560),
        (820, -500),
        (930, -400),
        (930, -180),
    ]
    pen.fill(colour, smooth(body, 1))
    pen.fill(glass, [(-470, -560), (-280, -790), (-40, -790), (-40, -560)])
    pen.fill(glass, [(30, -560), (30, -790), (260, -790), (420, -560)])
    pen.fill(shade(colour, -26), [(-900, -300), (930, -300), (930, -180), (-900, -180)], plain=True)
    pen.oval(_LAMP, 890, -420, 50, 56, shines=True)
    pen.oval(parse("d1453b"), -885, -420, 30, 56, shines=True)
    for x in (-540, 560):
        _wheel(pen, x, 190)


def bicycle(pen: Pen, dice: Dice, colour: Colour) -> None:
    for x in (-480, 480):
        pen.line(_INK, arc(x, -330, 330, 330, 0, 360, 36), 34)
        for spoke in range(8):
            angle = spoke * TURN // 16
            dx, dy = 320 * cosine(angle) // TURN, 320 * sine(angle) // TURN
            pen.line(_STEEL, [(x - dx, -330 - dy), (x + dx, -330 + dy)], 7)
    pedal, seat, fork = (-60, -330), (-180, -820), (330, -800)
    frames: tuple[list[Point], ...] = (
        [pedal, seat],
        [seat, fork],
        [fork, pedal],
        [(-480, -330), pedal],
        [(-480, -330), (-160, -740)],
        [(480, -330), (310, -930)],
    )
    for tube in frames:
        pen.line(colour, tube, 46)
    pen.line(_INK, [(-280, -850), (-90, -850)], 56)
    pen.line(_INK, smooth([(310, -930), (250, -990), (400, -1010), (460, -950)], closed=False), 40)
    pen.oval(_INK, -60, -330, 64, 64)
