"""Water from the horizon down: its colour, the light on it, its waves."""

# coordinates come in numbers

from services.generator.sketching.colour import WHITE, Colour, mix
from services.generator.sketching.dice import Dice
from services.generator.sketching.pen import Sheet


def surface(sheet: Sheet, dice: Dice, top: int, light_x: int | None) -> None:
    """Water from the row *top* to the bottom, with a road of light under *light_x*."""
    palette = sheet.palette
    far, close = mix(palette.sky[3], palette.sky[1], 34), mix(palette.sky[0], palette.near, 42)
    middle = top + (sheet.height - top) * 40 // 100
    half = mix(mix(palette.sky[2], palette.sky[0], 52), palette.near, 14)
    sheet.rows(top, middle, (far, 255), (half, 255))
    sheet.rows(middle, sheet.height, (half, 255), (close, 255))
    _waves(sheet, dice, top, half)
    if light_x is not None:
        _road(sheet, dice, top, light_x)


def _waves(sheet: Sheet, dice: Dice, top: int, colour: Colour) -> None:
    deep, bright = mix(colour, sheet.palette.near, 46), mix(colour, sheet.palette.sky[3], 42)
    span = max(1, sheet.height - top)
    for _ in range(130):
        along = dice.between(1, 100) * dice.between(20, 100)  # more of them far away
        y = top + span * along // 10_000
        long = sheet.unit * (20 + along * 210 // 10_000) * dice.between(40, 120) // 100_000
        x = dice.between(-20, sheet.width)
        _dash(
            sheet,
            x,
            y,
            long,
            1 + span * along // 1_900_000,
            deep if dice.chance(58) else bright,
            105,
        )


def _road(sheet: Sheet, dice: Dice, top: int, x: int) -> None:
    palette = sheet.palette
    light = mix(palette.light, palette.glow, 35)
    span = max(1, sheet.height - top)
    for step in range(64):
        along = step * step * 100 // (63 * 63) if step else 1
        y = top + span * along // 104 + 1
        spread = sheet.unit * (26 + along * 170 // 100) // 1000
        for _ in range(1 + step // 28):
            long = spread * dice.between(30, 115) // 100
            sway = dice.between(-spread, spread) * 55 // 100
            _dash(
                sheet,
                x + sway,
                y + dice.between(-2, 3),
                long,
                1 + span * along // 26_000,
                light,
                205 - along,
            )


def _dash(sheet: Sheet, x: int, y: int, long: int, thick: int, colour: Colour, alpha: int) -> None:
    """A lens of colour lying on the water."""
    points = [
        (x - long, y),
        (x - long // 3, y - thick),
        (x + long // 3, y - thick),
        (x + long, y),
        (x + long // 3, y + thick),
        (x - long // 3, y + thick),
    ]
    sheet.polygon(points, colour, alpha, plain=True)


def foam(sheet: Sheet, dice: Dice, x: int, y: int, wide: int) -> None:
    """Where water meets something that stands in it."""
    for _ in range(7):
        _dash(
            sheet,
            x + dice.between(-wide, wide),
            y + dice.between(-3, 6),
            wide * dice.between(20, 60) // 100,
            2,
            mix(sheet.palette.haze, WHITE, 60),
            150,
        )
