"""Pictures for words that nobody knows: paper-cut waves, discs and arcs, chosen by the words."""

# coordinates come in numbers

from services.generator.sketching.colour import Colour, mix, shade
from services.generator.sketching.dice import TURN, Dice, cosine, sine
from services.generator.sketching.pen import Pen, Point, Sheet, arc

_STEPS = 72


def _colours(sheet: Sheet) -> tuple[Colour, ...]:
    palette = sheet.palette
    return (
        palette.accent,
        palette.glow,
        palette.sky[0],
        palette.near,
        palette.second,
        palette.haze,
        palette.sky[2],
    )


def fill(sheet: Sheet, dice: Dice, strange: tuple[int, ...]) -> None:
    """The whole picture below the sky."""
    dice.pick((_waves, _arches, _stones, _fans))(sheet, dice)
    emblems(sheet, strange)


def _waves(sheet: Sheet, dice: Dice) -> None:
    """Sheets of paper, cut in waves and stacked."""
    palette, layers = sheet.palette, dice.between(6, 9)
    stops = (
        mix(palette.sky[3], palette.haze, 40),
        palette.glow,
        palette.accent,
        mix(palette.accent, palette.near, 55),
        palette.near,
    )
    for layer in range(layers):
        place = layer * (len(stops) - 1) * 100 // max(1, layers - 1)
        low = min(place // 100, len(stops) - 2)
        colour = mix(stops[low], stops[low + 1], place - low * 100)
        base = sheet.height * (34 + 62 * layer // layers) // 100
        phase, speed = dice.between(0, TURN), dice.between(60, 150)
        swing = sheet.unit * dice.between(4, 9) // 100
        line: list[Point] = []
        for step in range(_STEPS + 1):
            angle = step * speed * TURN // (100 * _STEPS) + phase
            y = base + swing * sine(angle) // TURN + swing * sine(angle * 2 + phase) // (3 * TURN)
            line.append((step * sheet.width // _STEPS, y))
        shadow = [(x, y - sheet.unit // 70) for x, y in line]
        sheet.polygon([*shadow, *reversed(line)], shade(palette.near, -30), 44, plain=True)
        sheet.polygon([*line, (sheet.width, sheet.height), (0, sheet.height)], colour)


def _arches(sheet: Sheet, dice: Dice) -> None:
    """Rainbows of thick arcs that stand side by side."""
    colours, x = _colours(sheet), -sheet.width // 10
    while x < sheet.width * 11 // 10:
        radius = sheet.unit * dice.between(16, 34) // 100
        foot = sheet.height * dice.between(82, 104) // 100
        first, rings = dice.between(0, 6), dice.between(4, 6)
        for ring in range(rings):
            reach = radius * (rings - ring) // rings
            colour = colours[(first + ring) % len(colours)]
            top = arc(x + radius, foot - radius // 2, reach, reach, 180, 360, 30)
            sheet.polygon(
                [*top, (x + radius + reach, sheet.height), (x + radius - reach, sheet.height)],
                colour,
            )
        x += radius * dice.between(120, 190) // 100


def _stones(sheet: Sheet, dice: Dice) -> None:
    """Rounded stones, balanced on one another."""
    colours = _colours(sheet)
    x, y = sheet.width * dice.between(40, 60) // 100, sheet.height * 90 // 100
    ground = mix(sheet.palette.near, sheet.palette.haze, 18)
    sheet.rows(y - sheet.unit // 40, sheet.height, (ground, 255), (shade(ground, -28), 255))
    wide = sheet.unit * dice.between(24, 32) // 100
    for stone in range(dice.between(5, 7)):
        high = wide * dice.between(26, 46) // 100
        colour = colours[(stone + dice.between(0, 2)) % 5]
        pen = Pen(sheet, x, y - high, wide)
        flat = high * 1000 // wide
        points = arc(0, 0, 1000, flat, 0, 360, 40)
        pen.fill(colour, points, shines=True)
        low = [(px, py) for px, py in points if py >= 0]
        pen.fill(
            shade(colour, -30),
            [*low, *((px * 9 // 10, py * 3 // 10) for px, py in reversed(low))],
            shines=True,
            alpha=120,
            plain=True,
        )
        y -= 2 * high - high // 12
        x += wide * dice.between(-16, 16) // 100
        wide = wide * dice.between(68, 90) // 100


def _fans(sheet: Sheet, dice: Dice) -> None:
    """A grid of tiles with quarter circles, half circles and discs."""
    colours, columns = _colours(sheet), dice.between(4, 6)
    side = max(8, min(sheet.width, sheet.height) // columns)
    for row in range(sheet.height // side + 1):
        for column in range(sheet.width // side + 1):
            x, y = column * side, row * side
            ground, figure = colours[dice.between(0, 6)], colours[dice.between(0, 6)]
            if figure == ground:
                figure = colours[(colours.index(ground) + 3) % 7]
            sheet.polygon([(x, y), (x + side, y), (x + side, y + side), (x, y + side)], ground)
            _figure(sheet, dice, x, y, side, figure, ground)


def _figure(
    sheet: Sheet, dice: Dice, x: int, y: int, side: int, colour: Colour, ground: Colour
) -> None:
    right, low = dice.chance(50), dice.chance(50)
    cx, cy = x + side * right, y + side * low
    start = {(False, False): 0, (True, False): 90, (True, True): 180, (False, True): 270}[
        right, low
    ]
    match dice.between(0, 4):
        case 0:
            for share in (100, 66, 33):
                reach = side * share // 100
                sheet.polygon(
                    [(cx, cy), *arc(cx, cy, reach, reach, start, start + 90, 14)],
                    colour if share != 66 else ground,
                )
        case 1:
            sheet.polygon([(cx, cy), *arc(cx, cy, side, side, start, start + 90, 16)], colour)
        case 2:
            sheet.polygon(
                arc(
                    x + side // 2,
                    cy,
                    side // 2,
                    side // 2,
                    180 if low else 0,
                    360 if low else 180,
                    18,
                ),
                colour,
            )
        case 3:
            reach = side * 36 // 100
            sheet.oval(
                (
                    x + side // 2 - reach,
                    y + side // 2 - reach,
                    x + side // 2 + reach,
                    y + side // 2 + reach,
                ),
                colour,
            )
        case _:
            sheet.polygon(
                [(x, y), (x + side, y + side), (x, y + side)]
                if right
                else [(x + side, y), (x + side, y + side), (x, y)],
                colour,
            )


def emblems(sheet: Sheet, strange: tuple[int, ...]) -> None:
    """One floating sign for each strange word; a word has the same sign in every picture."""
    for place, word in enumerate(strange):
        dice = Dice("emblem", word)
        x = sheet.width * ((24, 72, 48, 14, 86, 60)[place] + dice.between(-8, 8)) // 100
        y = sheet.horizon * ((32, 26, 58, 66, 60, 16)[place] + dice.between(-8, 8)) // 100
        size = sheet.unit * dice.between(40, 105) // 1000
        colour = dice.pick(
            (sheet.palette.accent, sheet.palette.second, sheet.palette.light, sheet.palette.glow)
        )
        dice.pick((_ring, _comb, _bloom, _moonlet, _gem, _orbit))(sheet, dice, x, y, size, colour)


def _ring(sheet: Sheet, dice: Dice, x: int, y: int, size: int, colour: Colour) -> None:
    for ring in range(dice.between(2, 4)):
        reach = size * (10 - 3 * ring) // 10
        outer, inner = (
            arc(x, y, reach, reach, 0, 360, 40),
            arc(x, y, reach - size // 9, reach - size // 9, 0, 360, 40),
        )
        sheet.polygon([*outer, *reversed(inner)], colour)


def _comb(sheet: Sheet, dice: Dice, x: int, y: int, size: int, colour: Colour) -> None:
    """A disc cut into stripes."""
    stripes = dice.between(4, 7)
    for stripe in range(stripes):
        at = -900 + 1800 * stripe // stripes
        thick = 1250 // stripes
        edge = [(part, at + thick * part_y) for part_y in (0, 1) for part in (-1, 1)]
        points = []
        for way, row in (
            (edge[0][0], edge[0][1]),
            (edge[1][0], edge[1][1]),
            (1, edge[3][1]),
            (-1, edge[3][1]),
        ):
            half = _half_chord(row)
            points.append((x + way * half * size // 1000, y + row * size // 1000))
        sheet.polygon(points, colour)


def _half_chord(row: int) -> int:
    """Half the width of a circle of radius 1000 at *row*."""
    rest, half = max(0, 1_000_000 - row * row), 0
    while (half + 8) * (half + 8) <= rest:
        half += 8
    return half


def _bloom(sheet: Sheet, dice: Dice, x: int, y: int, size: int, colour: Colour) -> None:
    petals = dice.between(5, 11)
    for petal in range(petals):
        angle = petal * TURN // petals
        px, py = (
            x + size * 6 * cosine(angle) // (10 * TURN),
            y + size * 6 * sine(angle) // (10 * TURN),
        )
        reach = size * 11 // (petals + 14) * 2 // 2
        sheet.oval((px - reach, py - reach, px + reach, py + reach), colour, 215, plain=True)
    core = size // 4
    sheet.oval((x - core, y - core, x + core, y + core), sheet.palette.second)


def _moonlet(sheet: Sheet, dice: Dice, x: int, y: int, size: int, colour: Colour) -> None:
    sheet.oval((x - size, y - size, x + size, y + size), colour)
    lean = dice.between(-40, 40) * TURN // 360
    half = [
        (
            x + size * cosine(lean + k * TURN // 60) // TURN,
            y + size * sine(lean + k * TURN // 60) // TURN,
        )
        for k in range(31)
    ]
    sheet.polygon(half, mix(colour, sheet.palette.near, 38), plain=True)


def _gem(sheet: Sheet, dice: Dice, x: int, y: int, size: int, colour: Colour) -> None:
    wide = size * dice.between(55, 85) // 100
    sheet.polygon([(x, y - size), (x + wide, y), (x, y)], shade(colour, 22))
    sheet.polygon([(x, y - size), (x - wide, y), (x, y)], colour)
    sheet.polygon([(x, y + size), (x + wide, y), (x, y)], shade(colour, -14))
    sheet.polygon([(x, y + size), (x - wide, y), (x, y)], shade(colour, -34))


def _orbit(sheet: Sheet, dice: Dice, x: int, y: int, size: int, colour: Colour) -> None:
    core = size * 46 // 100
    sheet.oval((x - core, y - core, x + core, y + core), colour)
    outer, inner = (
        arc(x, y, size, size * 4 // 10, 0, 360, 44),
        arc(x, y, size * 92 // 100, size * 34 // 100, 0, 360, 44),
    )
    sheet.polygon([*outer, *reversed(inner)], sheet.palette.second, 210, plain=True)
    moon = size // 8
    angle = dice.between(0, TURN)
    px, py = x + size * cosine(angle) // TURN, y + size * 4 * sine(angle) // (10 * TURN)
    sheet.oval((px - moon, py - moon, px + moon, py + moon), sheet.palette.accent)
