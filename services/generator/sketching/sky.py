"""What hangs in the air: sun, moon, stars, clouds and weather."""

# coordinates come in numbers

from services.generator.sketching.colour import WHITE, Colour, mix, parse, shade
from services.generator.sketching.dice import TURN, Dice, cosine, sine
from services.generator.sketching.pen import Pen, Puff, Sheet, arc, smooth


def glow(sheet: Sheet, x: int, y: int, radius: int, colour: Colour, strength: int) -> None:
    sheet.air.append(Puff(colour, strength, x=x, y=y, radius=radius))


def sun(sheet: Sheet, x: int, y: int, radius: int, *, sliced: bool) -> None:
    """A disc of light; *sliced* by bands of sky as on a neon poster."""
    light = sheet.palette.light
    glow(sheet, x, y, radius * 6, sheet.palette.glow, 74)
    glow(sheet, x, y, radius * 5 // 2, light, 60)
    sheet.oval(
        (
            x - radius * 23 // 20,
            y - radius * 23 // 20,
            x + radius * 23 // 20,
            y + radius * 23 // 20,
        ),
        light,
        46,
        plain=True,
    )
    sheet.oval((x - radius, y - radius, x + radius, y + radius), light)
    if sliced:
        for part in range(5):
            top = y + radius * (4 + part * 20) // 100
            sheet.rows(
                top,
                top + radius * (3 + part * 2) // 100,
                (mix(sheet.palette.sky[2], light, 12), 255),
                (mix(sheet.palette.sky[2], light, 12), 255),
            )


def moon(sheet: Sheet, dice: Dice, x: int, y: int, radius: int) -> None:
    """A crescent or a full moon with its seas."""
    light = sheet.palette.light
    glow(sheet, x, y, radius * 6, sheet.palette.glow, 52)
    glow(sheet, x, y, radius * 2, light, 40)
    pen = Pen(sheet, x, y, radius)
    if dice.chance(45):
        tilt = dice.between(-30, 20)
        outer = arc(0, 0, 1000, 1000, -80 + tilt, 140 + tilt, 28)
        (ax, ay), (bx, by) = outer[0], outer[-1]
        middle = ((ax + bx) // 2, (ay + by) // 2)
        inner = [
            (px + (middle[0] - px) * 42 // 100 - 60, py + (middle[1] - py) * 8 // 100)
            for px, py in outer
        ]
        pen.fill(light, [*outer, *reversed(inner[1:-1])], shines=True)
        return
    pen.oval(light, 0, 0, 1000, 1000, shines=True)
    seas = mix(light, sheet.palette.sky[2], 16)
    for _ in range(5):
        angle, away = dice.between(0, TURN), dice.between(100, 620)
        size = dice.between(90, 260)
        pen.oval(
            seas,
            away * cosine(angle) // TURN,
            away * sine(angle) // TURN,
            size,
            size * 9 // 10,
            shines=True,
            plain=True,
        )


def stars(sheet: Sheet, dice: Dice, bottom: int, many: int) -> None:
    """Small lights down to the row *bottom*, rarer towards it."""
    unit, light = sheet.unit, mix(sheet.palette.light, WHITE, 40)
    sizes = (
        (max(1, unit // 1100), 150, many),
        (max(1, unit // 700), 200, many // 3),
        (max(2, unit // 460), 255, many // 12),
    )
    for radius, alpha, count in sizes:
        spots = [
            (
                dice.between(0, sheet.width),
                bottom * dice.between(0, 1000) * dice.between(300, 1000) // 1_000_000,
            )
            for _ in range(count)
        ]
        sheet.dots(spots, light, radius, alpha)
    for _ in range(many // 30):
        sparkle(
            sheet,
            dice.between(0, sheet.width),
            bottom * dice.between(2, 70) // 100,
            unit * dice.between(8, 17) // 1000,
        )


def sparkle(sheet: Sheet, x: int, y: int, size: int) -> None:
    """A star with four points."""
    waist = max(1, size // 7)
    points = [
        (x, y - size),
        (x + waist, y - waist),
        (x + size, y),
        (x + waist, y + waist),
        (x, y + size),
        (x - waist, y + waist),
        (x - size, y),
        (x - waist, y - waist),
    ]
    sheet.polygon(points, mix(sheet.palette.light, WHITE, 50), plain=True)


def clouds(sheet: Sheet, dice: Dice, top: int, bottom: int, many: int, colour: Colour) -> None:
    """Soft banks of cloud between two rows, lit from below."""
    for _ in range(many):
        x, y = dice.between(-10, 110) * sheet.width // 100, dice.between(top, max(top, bottom))
        wide = sheet.unit * dice.between(16, 42) // 100
        ovals, lower = [], []
        for _ in range(dice.between(6, 10)):
            across = dice.between(-100, 100)
            high = wide * (135 - abs(across)) * dice.between(40, 100) // 52_000
            half = wide * dice.between(22, 46) // 100
            left = x + wide * across // 100
            ovals.append((left - half, y - high, left + half, y + wide // 22))
            lower.append((left - half, y - wide // 60, left + half, y + wide // 20))
        sheet.air.append(Puff(colour, dice.between(50, 82), ovals))
        sheet.air.append(Puff(mix(colour, sheet.palette.sky[1], 45), 34, lower))


def cumulus(sheet: Sheet, dice: Dice, x: int, y: int, wide: int) -> None:
    """A crisp cloud with a flat foot."""
    colour = mix(sheet.palette.second, sheet.palette.haze, 30 if not sheet.palette.dark else 72)
    points = [(x - wide, y)]
    bumps = dice.between(4, 6)
    for bump in range(bumps):
        middle = x - wide + (2 * bump + 1) * wide // bumps
        lift = wide * (100 - abs(middle - x) * 80 // wide) * dice.between(28, 46) // 10_000
        points += arc(
            middle, y - lift, wide * 13 // (10 * bumps), lift * 9 // 10 + wide // 12, 195, 345, 6
        )
    points.append((x + wide, y))
    sheet.polygon(points, colour)
    sheet.polygon(
        [
            (x - wide, y),
            (x + wide, y),
            (x + wide * 3 // 4, y - wide // 16),
            (x - wide * 3 // 4, y - wide // 16),
        ],
        mix(colour, sheet.palette.sky[1], 26),
        plain=True,
    )


def rain(sheet: Sheet, dice: Dice, many: int) -> None:
    colour, long = mix(sheet.palette.haze, WHITE, 55), sheet.unit // 22
    for _ in range(many):
        x, y = dice.between(-50, sheet.width + 50), dice.between(-long, sheet.height)
        reach = long * dice.between(50, 130) // 100
        sheet.line(
            [(x, y), (x - reach * 28 // 100, y + reach)],
            colour,
            max(1, sheet.unit // 900),
            dice.between(70, 160),
        )


def snow(sheet: Sheet, dice: Dice, many: int) -> None:
    for share, radius in ((3, 620), (2, 380), (1, 230)):
        spots = [
            (dice.between(0, sheet.width), dice.between(0, sheet.height))
            for _ in range(many * share // 6)
        ]
        sheet.dots(spots, parse("fbfcff"), max(1, sheet.unit // radius), 225)


def lightning(sheet: Sheet, dice: Dice, x: int, top: int, bottom: int) -> None:
    """One forked bolt."""
    bright, wide = parse("fff6d6"), max(2, sheet.unit // 240)
    glow(sheet, x, (top + bottom) // 2, sheet.unit * 2 // 5, mix(sheet.palette.glow, WHITE, 50), 46)
    points, y = [(x, top)], top
    while y < bottom:
        y += dice.between(3, 9) * (bottom - top) // 60
        x += dice.between(-40, 46) * sheet.unit // 1400
        points.append((x, min(y, bottom)))
        if dice.chance(24):
            branch = (x + dice.between(-90, 90) * sheet.unit // 1000, y + sheet.unit // 14)
            sheet.line([points[-1], branch], bright, max(1, wide // 2), 200)
    sheet.line(points, bright, wide)


def aurora(sheet: Sheet, dice: Dice, bottom: int) -> None:
    """Curtains of light."""
    for colour in (parse("5ff2b5"), parse("58d6d9"), parse("a78bfa")):
        phase, x, ovals = dice.between(0, TURN), -sheet.width // 10, []
        base, sway = bottom * dice.between(40, 70) // 100, sheet.unit * dice.between(5, 11) // 100
        while x < sheet.width * 11 // 10:
            y = base + sway * sine(x * TURN // max(1, sheet.width) + phase) // TURN
            high = sheet.unit * dice.between(16, 34) // 100
            ovals.append((x, y - high, x + sheet.unit // 24, y))
            x += sheet.unit // 36
        sheet.air.append(Puff(colour, 38, ovals))


def rainbow(sheet: Sheet, x: int, y: int, radius: int) -> None:
    band = max(2, radius // 30)
    for index, hue in enumerate(("e05263", "f08a4b", "f6cf5c", "6cc08b", "4f9fd9", "7d6bc4")):
        outer = arc(x, y, radius - index * band, radius - index * band, 180, 360, 40)
        inner = arc(x, y, radius - (index + 1) * band, radius - (index + 1) * band, 180, 360, 40)
        sheet.polygon([*outer, *reversed(inner)], parse(hue), 150, plain=True)


def comet(sheet: Sheet, dice: Dice, x: int, y: int) -> None:
    light, long = mix(sheet.palette.light, WHITE, 50), sheet.unit * dice.between(14, 24) // 100
    for share, alpha in ((100, 60), (66, 90), (36, 130)):
        reach = long * share // 100
        sheet.polygon(
            [(x, y - 2), (x, y + 3), (x + reach, y - reach * 45 // 100)], light, alpha, plain=True
        )
    sheet.dots([(x, y)], light, max(2, sheet.unit // 300))


def planet(sheet: Sheet, dice: Dice, x: int, y: int, radius: int, colour: Colour) -> None:
    """A banded globe, often with a ring."""
    glow(sheet, x, y, radius * 2, colour, 30)
    ringed = dice.chance(60)
    wide, high = radius * 19 // 10, radius * 46 // 100
    rim = mix(colour, sheet.palette.light, 55)
    pen = Pen(sheet, x, y, radius)
    pen.oval(colour, 0, 0, 1000, 1000, shines=True)
    for at, thick, change in ((-520, 120, 18), (-150, 200, -16), (330, 150, 14)):
        half = 1000 - at * at * 58 // 100_000
        band = smooth(
            [(-half, at - thick), (half, at - thick), (half, at + thick), (-half, at + thick)]
        )
        pen.fill(
            shade(colour, change),
            [(px * 92 // 100, py) for px, py in band],
            shines=True,
            plain=True,
        )
    dark = arc(0, 0, 1000, 1000, -60, 120, 24)
    pen.fill(
        sheet.palette.near,
        [*dark, *((px - 330, py - 200) for px, py in reversed(dark[2:-2]))],
        alpha=90,
        shines=True,
        plain=True,
    )
    if ringed:
        outer, inner = (
            arc(x, y, wide, high, -12, 192, 40),
            arc(x, y, wide * 80 // 100, high * 72 // 100, -10, 190, 40),
        )
        sheet.polygon([*outer, *reversed(inner)], rim, 230)


def fireworks(sheet: Sheet, dice: Dice, x: int, y: int, radius: int, colour: Colour) -> None:
    glow(sheet, x, y, radius * 2, colour, 42)
    rays, thin = dice.between(18, 26), max(1, sheet.unit // 700)
    tips = []
    for ray in range(rays):
        angle = ray * TURN // rays + dice.between(-40, 40)
        reach = radius * dice.between(70, 110) // 100
        a = (x + reach * cosine(angle) // (3 * TURN), y + reach * sine(angle) // (3 * TURN))
        b = (x + reach * cosine(angle) // TURN, y + reach * sine(angle) // TURN + radius // 14)
        sheet.line([a, b], colour, thin, 190)
        tips.append(b)
    sheet.dots(tips, mix(colour, WHITE, 50), thin * 2)
