"""Colours and what is done to them: all whole numbers from 0 to 255."""

Colour = tuple[int, int, int]

BLACK: Colour = (0, 0, 0)
WHITE: Colour = (255, 255, 255)


def parse(text: str) -> Colour:
    """A colour from six hexadecimal digits."""
    value = int(text, 16)
    return value >> 16, value >> 8 & 255, value & 255


def mix(a: Colour, b: Colour, percent: int) -> Colour:
    """*a* with *percent* of *b* in it."""
    rest = 100 - percent
    return (
        (a[0] * rest + b[0] * percent) // 100,
        (a[1] * rest + b[1] * percent) // 100,
        (a[2] * rest + b[2] * percent) // 100,
    )


def luma(colour: Colour) -> int:
    """How bright *colour* looks, 0 to 255."""
    return (colour[0] * 299 + colour[1] * 587 + colour[2] * 114) // 1000


def tint(colour: Colour, towards: Colour, percent: int) -> Colour:
    """*colour* in the hue of *towards*, as bright as it was."""
    bright, aim = luma(colour), max(1, luma(towards))
    if bright <= aim:
        hued = mix(BLACK, towards, 100 * bright // aim)
    else:
        hued = mix(towards, WHITE, 100 * (bright - aim) // max(1, 255 - aim))
    return mix(colour, hued, percent)


def shade(colour: Colour, percent: int) -> Colour:
    """*colour* lighter (up to 100) or darker (down to -100)."""
    return mix(colour, WHITE, percent) if percent >= 0 else mix(colour, BLACK, -percent)


def between(stops: tuple[Colour, ...], place: int, last: int) -> Colour:
    """The colour at *place* of 0 to *last* on a ramp through *stops*."""
    last = max(1, last)
    along = min(max(place, 0), last) * (len(stops) - 1)
    index = min(along // last, len(stops) - 2)
    rest = along - index * last
    a, b = stops[index], stops[index + 1]
    return (
        a[0] + (b[0] - a[0]) * rest // last,
        a[1] + (b[1] - a[1]) * rest // last,
        a[2] + (b[2] - a[2]) * rest // last,
    )
