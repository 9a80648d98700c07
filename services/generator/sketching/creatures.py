"""What walks: each motif stands on its origin, looks to the right and is 1000 units high."""

# ruff: noqa: ARG001  # all motifs have one signature

from services.generator.sketching.colour import Colour, mix, parse, shade
from services.generator.sketching.dice import Dice
from services.generator.sketching.pen import Pen, smooth

_INK = parse("20222b")
_EYE = parse("ffe9a8")


def cat(pen: Pen, dice: Dice, colour: Colour) -> None:
    """Sitting, looking at you."""
    soft, deep = shade(colour, 42), shade(colour, -22)
    tail = smooth([(200, -30), (400, -10), (470, -170), (400, -320), (330, -300)], closed=False)
    pen.line(deep, tail, 84)
    pen.oval(deep, 332, -300, 42, 42, plain=True)
    pen.fill(
        colour,
        smooth(
            [
                (-260, 0),
                (-280, -180),
                (-200, -430),
                (-110, -640),
                (110, -640),
                (200, -430),
                (280, -180),
                (260, 0),
            ]
        ),
    )
    pen.fill(
        soft, smooth([(-90, -120), (-100, -420), (0, -600), (100, -420), (90, -120)]), plain=True
    )
    for x in (-95, 95):
        pen.oval(colour, x, -40, 82, 52)
    for way in (-1, 1):
        pen.fill(colour, [(205 * way, -740), (215 * way, -1000), (40 * way, -880)])
        pen.fill(
            parse("e8a79c"), [(180 * way, -790), (185 * way, -935), (85 * way, -865)], plain=True
        )
    pen.fill(
        colour,
        smooth(
            [
                (-240, -730),
                (-200, -890),
                (0, -930),
                (200, -890),
                (240, -730),
                (150, -590),
                (0, -565),
                (-150, -590),
            ]
        ),
    )
    for x in (-95, 95):
        pen.oval(_EYE, x, -745, 46, 44, shines=True)
        pen.oval(_INK, x, -745, 16, 38, shines=True, plain=True)
    pen.oval(soft, 0, -655, 85, 55, plain=True)
    pen.fill(parse("d9777a"), [(-28, -695), (28, -695), (0, -662)], plain=True)
    for way in (-1, 1):
        for y in (-690, -650, -612):
            pen.line(soft, [(70 * way, -655), (300 * way, y)], 7)


def _four_legs(pen: Pen, colour: Colour, xs: tuple[int, ...], top: int, wide: int) -> None:
    for index, x in enumerate(xs):
        tone = shade(colour, -24) if index % 2 else colour
        pen.fill(
            tone,
            [(x - wide, top), (x + wide, top), (x + wide * 6 // 10, 0), (x - wide * 6 // 10, 0)],
            plain=True,
        )


def dog(pen: Pen, dice: Dice, colour: Colour) -> None:
    pen.line(colour, smooth([(-330, -480), (-470, -600), (-450, -760)], closed=False), 62)
    _four_legs(pen, colour, (-280, -190, 170, 260), -330, 62)
    pen.fill(
        colour,
        smooth(
            [
                (-390, -540),
                (-100, -590),
                (230, -640),
                (350, -500),
                (300, -290),
                (0, -260),
                (-360, -290),
            ]
        ),
    )
    pen.fill(
        colour,
        smooth(
            [
                (180, -560),
                (230, -820),
                (420, -900),
                (520, -790),
                (680, -760),
                (690, -660),
                (500, -610),
                (360, -440),
            ]
        ),
    )
    pen.fill(shade(colour, -34), smooth([(270, -860), (380, -900), (360, -640), (270, -600)]))
    pen.oval(_INK, 682, -735, 34, 30)
    pen.oval(_INK, 500, -790, 24, 26, shines=True)
    pen.fill(pen.palette.accent, [(215, -560), (400, -470), (380, -420), (200, -510)], plain=True)


def fox(pen: Pen, dice: Dice, colour: Colour) -> None:
    """Sitting, wrapped in its tail."""
    pale = parse("fbefdf")
    pen.fill(
        shade(colour, -10),
        smooth(
            [(120, 0), (520, 0), (640, -180), (560, -420), (430, -300), (380, -170), (120, -150)]
        ),
    )
    pen.fill(pale, smooth([(560, -420), (645, -220), (520, -230), (450, -320)]), plain=True)
    pen.fill(
        colour, smooth([(-220, 0), (-230, -250), (-150, -560), (140, -560), (260, -260), (250, 0)])
    )
    pen.fill(
        pale, smooth([(-110, -180), (-110, -450), (0, -560), (100, -450), (90, -180)]), plain=True
    )
    for x in (-90, 90):
        pen.fill(
            shade(colour, -45),
            smooth([(x - 50, 0), (x - 44, -200), (x + 44, -200), (x + 50, 0)]),
            plain=True,
        )
    for way in (-1, 1):
        pen.fill(colour, [(230 * way, -740), (250 * way, -1010), (50 * way, -850)])
        pen.fill(_INK, [(218 * way, -880), (250 * way, -1010), (150 * way, -920)], plain=True)
    pen.fill(colour, [(-250, -760), (-130, -870), (130, -870), (250, -760), (0, -500)])
    for way in (-1, 1):
        pen.fill(pale, [(250 * way, -760), (90 * way, -715), (0, -500)], plain=True)
        pen.oval(_INK, 105 * way, -755, 26, 26, shines=True)
    pen.oval(_INK, 0, -515, 38, 30)


def rabbit(pen: Pen, dice: Dice, colour: Colour) -> None:
    pen.oval(shade(colour, 40), -300, -150, 90, 86)
    for x, lean in ((120, -60), (220, 40)):
        pen.fill(
            colour,
            smooth(
                [
                    (x - 50, -560),
                    (x - 70 + lean, -880),
                    (x + lean, -1010),
                    (x + 60 + lean, -860),
                    (x + 50, -560),
                ]
            ),
        )
        pen.fill(
            parse("e9aaa2"),
            smooth([(x - 16, -600), (x - 24 + lean, -840), (x + 20 + lean, -840), (x + 16, -600)]),
            plain=True,
        )
    pen.fill(
        colour, smooth([(-330, 0), (-340, -250), (-150, -430), (100, -420), (220, -200), (200, 0)])
    )
    pen.oval(shade(colour, -12), -130, -130, 165, 140, plain=True)
    pen.oval(colour, 190, -470, 190, 160)
    pen.oval(colour, 150, -36, 110, 42)
    pen.oval(_INK, 250, -500, 26, 30, shines=True)
    pen.oval(parse("d9777a"), 372, -458, 20, 16, plain=True)


def deer(pen: Pen, dice: Dice, colour: Colour) -> None:
    _four_legs(pen, colour, (-260, -190, 130, 200), -330, 40)
    pen.fill(
        colour,
        smooth(
            [
                (-330, -480),
                (-60, -470),
                (180, -500),
                (270, -400),
                (180, -250),
                (-100, -260),
                (-300, -270),
            ]
        ),
    )
    pen.fill(
        colour,
        smooth(
            [
                (130, -450),
                (220, -640),
                (270, -740),
                (370, -720),
                (470, -660),
                (450, -620),
                (350, -610),
                (290, -400),
            ]
        ),
    )
    pen.fill(shade(colour, -20), smooth([(240, -730), (160, -780), (190, -690)]), plain=True)
    pen.oval(shade(colour, 55), -330, -430, 42, 56, plain=True)
    pen.oval(_INK, 340, -680, 14, 16, shines=True)
    horn = mix(parse("d8b98c"), colour, 25)
    for base, way in ((260, -1), (310, 1)):
        main = smooth(
            [
                (base, -730),
                (base + 50 * way, -850),
                (base + 150 * way, -900),
                (base + 140 * way, -1020),
            ],
            closed=False,
        )
        pen.line(horn, main, 26)
        pen.line(horn, [(base + 62 * way, -860), (base + 10 * way, -960)], 22)
        pen.line(horn, [(base + 130 * way, -900), (base + 230 * way, -960)], 20)


def horse(pen: Pen, dice: Dice, colour: Colour) -> None:
    dark = shade(colour, -45)
    pen.fill(dark, smooth([(-400, -560), (-520, -480), (-560, -180), (-480, -240), (-400, -440)]))
    for x, foot in ((-330, -420), (-250, -230), (190, 330), (260, 210)):
        tone = colour if foot in (-230, 330) else shade(colour, -22)
        pen.fill(
            tone,
            [
                (x - 66, -360),
                (x + 66, -360),
                ((x + foot) // 2 + 36, -180),
                (foot + 32, 0),
                (foot - 32, 0),
                ((x + foot) // 2 - 36, -180),
            ],
            plain=True,
        )
    pen.fill(
        colour,
        smooth(
            [
                (-430, -560),
                (-150, -560),
                (160, -600),
                (330, -500),
                (280, -310),
                (0, -290),
                (-380, -300),
            ]
        ),
    )
    pen.fill(
        colour,
        smooth(
            [
                (140, -520),
                (260, -800),
                (370, -940),
                (470, -890),
                (640, -720),
                (610, -660),
                (460, -730),
                (380, -560),
                (320, -420),
            ]
        ),
    )
    pen.fill(colour, [(350, -900), (370, -1010), (420, -910)])
    pen.fill(
        dark,
        smooth(
            [
                (370, -950),
                (270, -900),
                (120, -640),
                (70, -560),
                (210, -570),
                (300, -760),
                (420, -890),
            ]
        ),
    )
    pen.oval(_INK, 455, -830, 18, 20, shines=True)


def elephant(pen: Pen, dice: Dice, colour: Colour) -> None:
    grey = mix(parse("8f949e"), colour, 18)
    for x, tone in ((-330, -22), (-200, 0), (130, -22), (260, 0)):
        pen.fill(
            shade(grey, tone),
            [(x - 95, -420), (x + 95, -420), (x + 85, 0), (x - 85, 0)],
            plain=True,
        )
    pen.line(grey, smooth([(-470, -560), (-560, -420), (-540, -300)], closed=False), 26)
    pen.fill(
        grey,
        smooth(
            [
                (-490, -300),
                (-500, -640),
                (-280, -860),
                (120, -860),
                (360, -700),
                (380, -330),
                (0, -260),
            ]
        ),
    )
    trunk = [
        (420, -880),
        (640, -820),
        (720, -600),
        (700, -250),
        (760, -130),
        (700, -90),
        (610, -180),
        (590, -480),
        (500, -540),
        (330, -480),
        (280, -700),
    ]
    pen.fill(grey, smooth(trunk))
    pen.fill(
        parse("f7f0de"), smooth([(560, -500), (600, -420), (740, -380), (620, -470)]), plain=True
    )
    pen.fill(
        shade(grey, -14),
        smooth([(200, -830), (400, -820), (430, -600), (330, -420), (190, -480), (130, -680)]),
    )
    pen.oval(_INK, 540, -700, 22, 24, shines=True)
