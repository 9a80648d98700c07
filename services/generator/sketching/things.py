"""Things and people: each motif stands on its origin and is 1000 units high."""

# ruff: noqa: ARG001  # all motifs have one signature

from services.generator.sketching import sky
from services.generator.sketching.colour import Colour, mix, parse, shade
from services.generator.sketching.dice import Dice
from services.generator.sketching.pen import Pen, arc, smooth

_INK = parse("23252e")
_LAMP = parse("ffe2a0")


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
    pen.fill(
        wood,
        smooth(
            [
                (-140, -520),
                (0, -560),
                (140, -520),
                (170, -420),
                (120, -330),
                (210, -230),
                (230, -90),
                (120, 10),
                (-120, 10),
                (-230, -90),
                (-210, -230),
                (-120, -330),
                (-170, -420),
            ]
        ),
    )
    pen.oval(_INK, 0, -330, 66, 66)
    pen.box(_INK, -90, -140, 90, -110)
    for x in (-18, -6, 6, 18):
        pen.line(parse("f3e6c8"), [(x, -125), (x, -980)], 5)
    for index in range(3):
        nx, ny = 300 + index * 130, -500 - index * 170
        pen.oval(pen.palette.accent, nx, ny, 46, 36)
        pen.line(pen.palette.accent, [(nx + 38, ny), (nx + 38, ny - 190), (nx + 110, ny - 150)], 22)
