"""Things and people: each motif stands on its origin and is 1000 units high."""

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
        pen.oval(mix(pen.palette.haze, _INK, 22), -110 - step * step * 16, -960 - step * 62, 60 + step * 26, 46 + step * 16,
                 alpha=130 - step * 14, shines=True, plain=True)  # fmt: skip
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


def robot(pen: Pen, dice: Dice, colour: Colour) -> None:
    eye = parse("8ff5ff") if pen.palette.dark else parse("fff3c4")
    dark = shade(colour, -38)
    for x in (-120, 120):
        pen.box(dark, x - 55, -230, x + 55, -40)
        pen.fill(shade(colour, -55), [(x - 100, 0), (x - 70, -70), (x + 70, -70), (x + 100, 0)])
    for way in (-1, 1):
        pen.line(
            dark,
            smooth([(260 * way, -520), (370 * way, -420), (350 * way, -250)], closed=False),
            70,
        )
        pen.oval(colour, 350 * way, -220, 62, 62)
    pen.fill(colour, smooth([(-270, -590), (270, -590), (230, -190), (-230, -190)], 1))
    pen.fill(shade(colour, -16), [(90, -580), (250, -570), (215, -200), (90, -200)], plain=True)
    pen.box(shade(colour, 45), -130, -500, 130, -350)
    for index, tone in enumerate(("e4572e", "f2b632", "4fb286")):
        pen.oval(parse(tone), -80 + index * 80, -425, 26, 26, shines=True, plain=True)
    pen.box(dark, -60, -640, 60, -580)
    pen.fill(shade(colour, 12), smooth([(-260, -920), (260, -920), (280, -630), (-280, -630)], 1))
    pen.fill(_INK, smooth([(-210, -850), (210, -850), (210, -690), (-210, -690)], 1), plain=True)
    for x in (-95, 95):
        pen.oval(eye, x, -770, 46, 46, shines=True, plain=True)
    pen.line(dark, [(0, -910), (0, -1000)], 20)
    pen.oval(pen.palette.accent, 0, -1010, 38, 38, shines=True)
    x, y = pen.at(0, -770)
    sky.glow(pen.sheet, x, y, pen.size // 2, eye, 22)


def person(pen: Pen, dice: Dice, colour: Colour) -> None:
    """Seen from behind, in a long coat."""
    skin = parse("e2b08c")
    for x in (-62, 62):
        pen.fill(_INK, [(x - 45, -260), (x + 45, -260), (x + 38, 0), (x - 50, 0)])
    coat = [
        (-120, -760),
        (120, -760),
        (180, -560),
        (240, -180),
        (0, -150),
        (-240, -180),
        (-180, -560),
    ]
    pen.fill(colour, smooth(coat, 1))
    pen.fill(shade(colour, -22), [(20, -740), (130, -730), (230, -190), (60, -160)], plain=True)
    for way in (-1, 1):
        pen.line(
            shade(colour, -12),
            smooth([(130 * way, -710), (220 * way, -520), (200 * way, -330)], closed=False),
            80,
        )
        pen.oval(skin, 200 * way, -300, 34, 40)
    pen.fill(
        pen.palette.accent,
        smooth([(-130, -790), (130, -790), (140, -700), (-140, -700)]),
        plain=True,
    )
    pen.fill(
        pen.palette.accent,
        [(60, -730), (200, -640), (230, -480), (150, -500), (110, -620)],
        plain=True,
    )
    pen.oval(skin, 0, -870, 96, 112)
    pen.fill(
        parse("4a3228"),
        smooth([(-115, -820), (-120, -960), (0, -1020), (120, -960), (115, -820), (0, -790)]),
    )


def rocket(pen: Pen, dice: Dice, colour: Colour) -> None:
    """Rising on its flame; the origin is the nozzle."""
    white = parse("f5f0e6")
    x, y = pen.at(0, 150)
    sky.glow(pen.sheet, x, y, pen.size, parse("ffb347"), 60)
    for tone, wide, long in (("ff7a2f", 105, 520), ("ffb13d", 76, 380), ("fff0b5", 42, 230)):
        pen.fill(parse(tone), smooth([(-wide, -40), (wide, -40), (wide * 6 // 10, long // 2), (0, long), (-wide * 6 // 10, long // 2)], 1),
                 shines=True, plain=True)  # fmt: skip
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
        pen.oval(mix(pen.palette.haze, parse("ffffff"), 45), 600 - step * step * 26, -940 - step * 55, 90 + step * 34, 70 + step * 20,
                 alpha=190 - step * 20, shines=True, plain=True)  # fmt: skip


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


def lantern(pen: Pen, dice: Dice, colour: Colour) -> None:
    """A street lamp."""
    x, y = pen.at(0, -840)
    sky.glow(pen.sheet, x, y, pen.size * 6 // 10, _LAMP, 66 if pen.palette.dark else 30)
    pen.fill(_INK, [(-26, 0), (-18, -740), (18, -740), (26, 0)])
    pen.fill(_INK, [(-80, 10), (-50, -90), (50, -90), (80, 10)])
    pen.fill(_LAMP, [(-62, -730), (-92, -920), (92, -920), (62, -730)], shines=True)
    pen.line(_INK, [(0, -730), (0, -920)], 10)
    pen.fill(_INK, [(-112, -912), (-50, -985), (50, -985), (112, -912)])
    pen.line(_INK, [(0, -980), (0, -1030)], 20)


def umbrella(pen: Pen, dice: Dice, colour: Colour) -> None:
    pen.line(
        _INK, smooth([(0, -900), (0, -120), (40, -20), (120, -40), (120, -110)], closed=False), 30
    )
    pen.fill(colour, [(-520, -420), *arc(0, -420, 520, 520, 180, 360, 30), (520, -420)])
    for left, tone in ((-520, -14), (-173, 10), (174, -24)):
        pen.oval(pen.palette.haze, left + 173, -418, 173, 60, plain=True)
        pen.fill(
            shade(colour, tone),
            [
                (0, -935),
                (left + 20, -440),
                *arc(left + 173, -420, 165, 58, 180, 360, 8),
                (left + 326, -440),
            ],
            plain=True,
        )
    pen.line(_INK, [(0, -930), (0, -1000)], 26)


def kite(pen: Pen, dice: Dice, colour: Colour) -> None:
    """In the wind; the origin is its middle."""
    pen.fill(colour, [(0, -520), (340, -60), (0, 0)])
    pen.fill(shade(colour, 30), [(0, -520), (-340, -60), (0, 0)])
    pen.fill(shade(colour, -24), [(340, -60), (0, 560), (0, 0)])
    pen.fill(pen.palette.second, [(-340, -60), (0, 560), (0, 0)])
    tail = smooth([(0, 560), (120, 760), (-60, 930), (90, 1120), (-20, 1300)], closed=False)
    pen.line(_INK, tail, 14)
    for x, y in tail[4::5]:
        pen.fill(
            colour,
            [(x - 80, y - 40), (x + 80, y + 40), (x + 80, y - 40), (x - 80, y + 40)],
            plain=True,
        )


def heart(pen: Pen, dice: Dice, colour: Colour) -> None:
    """Floating; the origin is its middle."""
    x, y = pen.at(0, 0)
    sky.glow(pen.sheet, x, y, pen.size, colour, 30)
    side = [
        (0, -220),
        (90, -400),
        (270, -470),
        (440, -380),
        (480, -190),
        (380, 40),
        (180, 250),
        (0, 430),
    ]
    outline = [
        *smooth(side, 2, closed=False),
        *((-px, py) for px, py in reversed(smooth(side, 2, closed=False))),
    ]
    pen.fill(colour, outline)
    pen.fill(
        shade(colour, 38),
        smooth(
            [(-330, -330), (-220, -390), (-160, -350), (-290, -250), (-350, -140), (-380, -220)]
        ),
        plain=True,
    )


def book(pen: Pen, dice: Dice, colour: Colour) -> None:
    """Open, with light rising from the pages."""
    x, y = pen.at(0, -300)
    sky.glow(pen.sheet, x, y, pen.size * 8 // 10, _LAMP, 52)
    page = parse("fbf4e2")
    pen.fill(colour, [(-760, -60), (-740, -420), (0, -300), (740, -420), (760, -60), (0, 70)])
    for way in (-1, 1):
        leaf = smooth(
            [(0, -290), (200 * way, -420), (480 * way, -470), (700 * way, -430)], closed=False
        )
        foot = smooth(
            [(710 * way, -90), (480 * way, -120), (200 * way, -80), (0, 30)], closed=False
        )
        pen.fill(shade(page, -8 if way > 0 else 0), [*leaf, *foot])
        for row in range(4):
            pen.line(
                shade(page, -38),
                [(120 * way, -270 + row * 58 - 40), (600 * way, -350 + row * 66)],
                13,
            )
    for up in range(5):
        sx, sy = pen.at(dice.between(-420, 420), -560 - up * 90)
        sky.sparkle(pen.sheet, sx, sy, pen.size * dice.between(30, 70) // 1000)


def cup(pen: Pen, dice: Dice, colour: Colour) -> None:
    pen.oval(shade(colour, 50), 0, -20, 520, 60)
    pen.line(colour, smooth([(300, -430), (500, -430), (500, -180), (250, -150)], closed=False), 60)
    pen.fill(
        colour,
        smooth([(-350, -520), (350, -520), (330, -260), (210, -40), (-210, -40), (-330, -260)], 1),
    )
    pen.fill(
        shade(colour, -20),
        smooth([(130, -520), (345, -520), (320, -260), (210, -50), (110, -50)], 1),
        plain=True,
    )
    pen.oval(shade(colour, 35), 0, -510, 345, 66)
    pen.oval(parse("5a3826"), 0, -505, 300, 48, plain=True)
    for x in (-150, 0, 150):
        steam = smooth([(x, -590), (x + 60, -700), (x - 50, -810), (x + 40, -940)], 3, closed=False)
        pen.line(mix(pen.palette.haze, parse("ffffff"), 60), steam, 28, shines=True, alpha=150)


def guitar(pen: Pen, dice: Dice, colour: Colour) -> None:
    wood = mix(parse("c9853f"), colour, 40)
    pen.fill(parse("4a2f20"), [(-34, -420), (-28, -950), (28, -950), (34, -420)])
    pen.fill(parse("38241a"), smooth([(-50, -930), (-56, -1050), (56, -1050), (50, -930)], 1))
    pen.fill(wood, smooth([(-140, -520), (0, -560), (140, -520), (170, -420), (120, -330), (210, -230), (230, -90), (120, 10),
                           (-120, 10), (-230, -90), (-210, -230), (-120, -330), (-170, -420)]))  # fmt: skip
    pen.oval(_INK, 0, -330, 66, 66)
    pen.box(_INK, -90, -140, 90, -110)
    for x in (-18, -6, 6, 18):
        pen.line(parse("f3e6c8"), [(x, -125), (x, -980)], 5)
    for index in range(3):
        nx, ny = 300 + index * 130, -500 - index * 170
        pen.oval(pen.palette.accent, nx, ny, 46, 36)
        pen.line(pen.palette.accent, [(nx + 38, ny), (nx + 38, ny - 190), (nx + 110, ny - 150)], 22)
