"""What lives: each motif stands on its origin, looks to the right and is 1000 units high."""

from services.generator.sketching.colour import Colour, luma, mix, parse, shade
from services.generator.sketching.dice import TURN, Dice, sine
from services.generator.sketching.pen import Pen, Point, arc, smooth

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
        pen.fill(tone, [(x - 66, -360), (x + 66, -360), ((x + foot) // 2 + 36, -180), (foot + 32, 0), (foot - 32, 0), ((x + foot) // 2 - 36, -180)],
                 plain=True)  # fmt: skip
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


def bird(pen: Pen, dice: Dice, colour: Colour) -> None:
    """In flight: wings up or spread; the origin is its middle."""
    lift = dice.between(-120, 320)
    left = [
        (0, -20),
        (-260, -lift - 120),
        (-620, -lift),
        (-900, -lift + 160),
        (-560, -lift + 90),
        (-250, -lift + 40),
        (-20, 110),
    ]
    right = [(-x * 94 // 100, y - 20) for x, y in reversed(left)]
    pen.fill(colour, smooth([*left, *right], 1), plain=True)
    pen.fill(
        shade(colour, -10),
        smooth([(-60, 30), (60, -60), (150, -40), (60, 60), (-110, 170)], 1),
        plain=True,
    )


def owl(pen: Pen, dice: Dice, colour: Colour) -> None:
    pen.line(parse("5b4032"), [(-700, -20), (700, -60)], 70)
    pen.fill(
        colour,
        smooth(
            [
                (-270, -120),
                (-310, -600),
                (-270, -960),
                (0, -860),
                (270, -960),
                (310, -600),
                (270, -120),
                (0, -30),
            ]
        ),
    )
    pen.fill(
        shade(colour, 36),
        smooth([(-150, -160), (-170, -480), (0, -590), (170, -480), (150, -160), (0, -90)]),
        plain=True,
    )
    for way in (-1, 1):
        pen.fill(
            shade(colour, -26),
            smooth([(300 * way, -640), (190 * way, -420), (200 * way, -100), (300 * way, -220)]),
        )
        pen.oval(parse("fbf1dc"), 118 * way, -705, 118, 118)
        pen.oval(parse("f2b632"), 118 * way, -705, 76, 76, shines=True)
        pen.oval(_INK, 118 * way, -705, 40, 40, shines=True, plain=True)
        for x in (70, 120):
            pen.line(parse("e0a040"), [(x * way, -90), (x * way, -20)], 30)
    pen.fill(parse("e0913a"), [(-40, -650), (40, -650), (0, -550)])
    for row in range(3):
        for x in range(-90 + row * 20, 100, 60):
            pen.oval(shade(colour, -8), x, -420 + row * 90, 20, 14, plain=True)


def whale(pen: Pen, dice: Dice, colour: Colour) -> None:
    """Breaking the surface; the origin is at the water line."""
    blue = mix(parse("3d5a80"), colour, 20)
    pen.fill(
        blue, smooth([(-900, 60), (-760, -330), (-300, -520), (200, -420), (560, -160), (760, 60)])
    )
    pen.fill(
        shade(blue, 60), smooth([(-880, 60), (-800, -130), (-420, -150), (-60, 60)]), plain=True
    )
    pen.fill(shade(blue, -16), smooth([(-200, -30), (40, 20), (100, 90), (-160, 90)]), plain=True)
    pen.fill(
        blue,
        smooth(
            [
                (700, 60),
                (820, -260),
                (680, -520),
                (850, -440),
                (960, -500),
                (1000, -330),
                (910, -220),
                (860, 60),
            ]
        ),
    )
    pen.oval(_INK, -640, -130, 26, 26, shines=True)
    spray = mix(pen.palette.haze, parse("ffffff"), 60)
    for way, high in ((-1, 880), (1, 900), (-2, 780), (2, 800)):
        jet = smooth(
            [
                (-420, -500),
                (-420 + 30 * way, -high),
                (-420 + 130 * way, -high + 60),
                (-420 + 170 * way, -high + 190),
            ],
            closed=False,
        )
        pen.line(spray, jet, 34, shines=True, alpha=200)


def fish(pen: Pen, dice: Dice, colour: Colour) -> None:
    """Leaping; the origin is at the water line."""
    points = [
        (-330, -260),
        (-120, -560),
        (200, -640),
        (480, -480),
        (330, -330),
        (20, -260),
        (-230, -210),
    ]
    pen.fill(
        shade(colour, -14),
        [(-270, -260), (-520, -300), (-450, -150), (-560, 10), (-330, -40), (-240, -190)],
    )
    pen.fill(shade(colour, -14), smooth([(-60, -500), (60, -760), (240, -740), (220, -600)]))
    pen.fill(colour, smooth(points))
    pen.fill(
        shade(colour, 50),
        smooth([(-250, -230), (40, -310), (330, -350), (250, -300), (20, -260)]),
        plain=True,
    )
    pen.fill(shade(colour, -20), smooth([(60, -420), (-60, -300), (60, -250), (130, -330)]))
    pen.oval(parse("fdf6ea"), 320, -500, 36, 36)
    pen.oval(_INK, 328, -500, 18, 18, shines=True, plain=True)
    for x, y in ((-420, -420), (-250, -560), (480, -240), (-560, -210), (380, -130)):
        pen.oval(mix(pen.palette.haze, parse("ffffff"), 60), x, y, 20, 24, shines=True, plain=True)


def butterfly(pen: Pen, dice: Dice, colour: Colour) -> None:
    """In flight; the origin is its middle."""
    rim = shade(colour, -50)
    for way in (-1, 1):
        for tone, grow in ((rim, 100), (colour, 78)):
            upper = [(20, -40), (180, -430), (520, -520), (600, -260), (380, -20)]
            lower = [(20, 20), (360, 20), (440, 240), (260, 420), (80, 250)]
            for wing in (upper, lower):
                pen.fill(
                    tone,
                    smooth([(x * way * grow // 100, y * grow // 100) for x, y in wing]),
                    plain=grow != 100,
                )
        pen.oval(shade(colour, 55), 330 * way, -290, 62, 74, plain=True)
        pen.oval(shade(colour, 55), 240 * way, 190, 46, 46, plain=True)
        pen.line(_INK, smooth([(0, -220), (60 * way, -380), (150 * way, -450)], closed=False), 16)
    pen.oval(_INK, 0, -10, 38, 230)


def dragon(pen: Pen, dice: Dice, colour: Colour) -> None:
    """Flying, long and winding; the origin is its middle."""
    steps, back, belly = 40, [], []
    for step in range(steps + 1):
        x = -1100 + step * 50
        y = 190 * sine(step * TURN // 26) // TURN - step * 5
        thick = 10 + 95 * min(step, 30) // 30 - max(0, step - 30) * 4
        back.append((x, y - thick))
        belly.append((x, y + thick))
    wing: list[Point] = [
        (180, -180),
        (40, -620),
        (-240, -900),
        (-270, -560),
        (-480, -560),
        (-330, -340),
        (-430, -160),
        (-120, -60),
    ]
    pen.fill(shade(colour, -34), [(x + 180, y) for x, y in wing])
    for step in range(4, steps - 6, 3):
        x, y = back[step]
        pen.fill(
            pen.palette.accent if luma(colour) < 120 else shade(colour, -40),
            [(x - 30, y + 16), (x + 4, y - 74), (x + 36, y + 16)],
            plain=True,
        )
    pen.fill(colour, [*back, *reversed(belly)])
    pen.fill(
        shade(colour, 30),
        [
            *((x, (3 * y + 7 * by) // 10) for (x, y), (_, by) in zip(back, belly, strict=True)),
            *reversed(belly),
        ],
        plain=True,
    )
    pen.fill(shade(colour, -12), wing)
    for tip in ((-240, -900), (-480, -560), (-430, -160)):
        pen.line(shade(colour, -30), [(150, -170), tip], 16)
    hx, hy = (back[-1][0] + belly[-1][0]) // 2, (back[-1][1] + belly[-1][1]) // 2
    head = [(-110, -80), (20, -130), (150, -90), (330, -40), (330, 20), (160, 50), (-60, 90)]
    pen.fill(colour, [(hx + x, hy + y) for x, y in smooth(head)])
    for x in (-60, 20):
        pen.fill(
            shade(colour, 40),
            [(hx + x, hy - 90), (hx + x - 150, hy - 260), (hx + x + 50, hy - 110)],
        )
    pen.oval(_EYE, hx + 90, hy - 50, 26, 22, shines=True)
    pen.fill(
        parse("ff9a3c"),
        [
            (hx + x, hy + y)
            for x, y in ((330, -10), (560, -110), (520, -30), (700, 0), (520, 40), (580, 130))
        ],
        shines=True,
        plain=True,
    )


def flock(pen: Pen, dice: Dice, many: int, colour: Colour) -> None:
    """Birds far away, two strokes each; *pen* 1000 units wide for the flock."""
    for _ in range(many):
        x, y, wide = dice.between(-500, 500), dice.between(-260, 260), dice.between(26, 58)
        lift = dice.between(10, 24)
        left, right = (
            arc(x - wide, y, wide, lift, 200, 350, 5),
            arc(x + wide, y, wide, lift, 190, 340, 5),
        )
        pen.line(colour, [*left, *right], 9)
