"""What flies: each motif looks to the right and is 1000 units high."""

# ruff: noqa: ARG001  # all motifs have one signature

from services.generator.sketching.colour import Colour, luma, parse, shade
from services.generator.sketching.dice import TURN, Dice, sine
from services.generator.sketching.pen import Pen, Point, arc, smooth

_INK = parse("20222b")
_EYE = parse("ffe9a8")


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
