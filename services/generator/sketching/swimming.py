"""What swims: each motif looks to the side and stands on the water line, 1000 units high."""

# ruff: noqa: ARG001  # all motifs have one signature

from services.generator.sketching.colour import Colour, mix, parse, shade
from services.generator.sketching.dice import Dice
from services.generator.sketching.pen import Pen, smooth

_INK = parse("20222b")


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
