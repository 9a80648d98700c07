"""The light of a picture: hand-picked palettes by time of day, bent by colour and mood words."""

from dataclasses import dataclass, replace

from services.generator.sketching.colour import BLACK, WHITE, Colour, luma, mix, parse, shade, tint


@dataclass(frozen=True, slots=True)
class Palette:
    """What the painter reaches for, from the top of the sky to the nearest shadow."""

    sky: tuple[Colour, ...]  # from the zenith to the horizon
    haze: Colour  # what distance turns everything into
    near: Colour  # the land at the painter's feet
    light: Colour  # the disc of the sun or the moon
    glow: Colour  # the air around it
    accent: Colour  # what should be looked at
    second: Colour  # what stands beside it
    dark: bool  # lamps are lit, stars are out


def _palette(sky: str, rest: str, *, dark: bool = False) -> Palette:
    haze, near, light, glow, accent, second = (parse(word) for word in rest.split())
    stops = tuple(parse(word) for word in sky.split())
    return Palette(stops, haze, near, light, glow, accent, second, dark)


#                 sky, zenith to horizon            haze   near   light  glow   accent second
HOURS: dict[str, tuple[Palette, ...]] = {
    "dawn": (
        _palette("3d4a7a 8a7aa8 e8a79c ffdfb0", "f7cfae 34375e fff4d2 ffd08e e4572e f4efe4"),
        _palette("4f86a6 95bfc4 f0d9b5 fdf0d8", "f3e0c2 1f4e5a fffdf0 ffe0a3 d9573f fbf6ea"),
        _palette("5b5f97 b08bb5 f5a6a6 ffd9a0", "f9c6a6 3b2f5c fff0cc ffb88a 2a9d8f fdf3e3"),
        _palette("274060 5d7f9e c9b6b0 fbd7b4", "e9c9b2 22384d fff6dd ffcda0 e76f51 f7ede2"),
    ),
    "noon": (
        _palette("2a7fc0 62b0de abdcef e9f6f0", "d8edea 2f6b4f fffbe2 fff3c0 e63946 fdf8ee"),
        _palette("1b6f86 4fa3a8 a6d5c6 f4eed7", "e4e8d3 23524a fffae0 fff0b8 e07a3f fff8ea"),
        _palette("3a6ea5 7fa8d1 c6d8e6 f7f0e3", "e6e6e2 3f5d4c fffdf0 fff4d0 d1495b fffaf0"),
        _palette("4aa3c7 8cc9d8 d3eadf fdf4dc", "eef0d8 4a7c59 fffbe6 fff1bf ef8354 fefaf0"),
    ),
    "dusk": (
        _palette("2d1b4e 7b2d6b e0545a ffb35c", "f28f5e 24143a ffe7a3 ff9f55 ffd166 f8ead2"),
        _palette("1f2a52 5b4b8a d4748c ffc59b", "f0a58f 1d1f3e fff0cc ff9e80 f4a259 f6e7d8"),
        _palette("14384f 3f6f7f d99a63 ffd58a", "e8b078 112a36 fff3c8 ffb765 d1495b f8ecd6"),
        _palette("3c1642 86395f d96c57 f9c26b", "ea9a62 2a1030 fff0bd ffad5c 2ec4b6 fbeed9"),
    ),
    "night": (
        _palette(
            "060a22 0f1b45 24376f 5064a0", "42578f 070a1f f6f1d4 8fa3dc ffc857 dfe6f5", dark=True
        ),
        _palette(
            "041219 0a2a36 14505a 3a8a80", "2c6f6d 04141a f4f3dc 7fd0bb ffb454 e2efe6", dark=True
        ),
        _palette(
            "0d0a26 251a4d 4a2f74 8a5a95", "6a4a86 0c0920 fbeed6 c495d6 ffb86b ece3f3", dark=True
        ),
        _palette(
            "0a1128 14284f 2c4f78 6d8fa8", "537692 081020 f9f3da a9c6de f2bb58 e6edf2", dark=True
        ),
    ),
    "poster": (
        _palette("e9dcc0 efe3c8 f4ead3 f9f1de", "e8d3ae 274046 d1603d f2d9a8 d1603d fbf6ea"),
        _palette("f2c6a0 f5d3b0 f9e2c6 fdf1df", "efc79e 5b2a36 c8453a ffe3bd 1f6f78 fdf6ea"),
        _palette("a9c5bb c3d6c8 dde6d3 f4f2df", "cfd8bf 22403d e9b44c f6ecc2 c8553d fbf7e9"),
        _palette("d8c4d8 e4d0da f0dfdc fbf0e2", "e0c3cc 3d2c52 e5736b fae0d4 e5736b fcf6ee"),
        _palette("8fb8ca aecbd2 d0ddd6 f3eddb", "c4d3cf 1d3d54 f2a65a f6e8cb ee6c4d fbf6ea"),
    ),
}

STORM = (
    _palette("1e2733 3a4756 6b7885 a9b1b4", "8b979d 161e27 e8e9e0 aab4b8 e9b44c dfe4e4", dark=True),
    _palette("22262f 434654 77757f b9aea6", "9d969a 1a1b24 eee6d8 bdb0a6 e07a3f e6e2dc", dark=True),
)
WINTER = (
    _palette("7d9bb8 a9c1d3 d3e0e6 f3f4f0", "dde7ec 3c5568 fffef5 fff0d8 c8443c fbfbf8"),
    _palette("6b7fa6 a5aecb dccfd8 f9e6da", "e6dde2 3b4566 fff8ea ffdcc2 d1495b fcf8f6"),
)
NEON = (
    _palette("0d0628 2a0f57 7a1f8a ff4f9a", "c23a96 0b0522 ffe66d ff5fa8 22e6e6 ff77c8", dark=True),
    _palette("080a2b 14206b 4b2bb0 f43fb0", "8a3ac0 070720 fff27a ff64c4 3df2c1 ffa3e0", dark=True),
)

TINTS: dict[str, Colour] = {
    name: parse(value)
    for name, value in {
        "red": "d62839", "orange": "f3722c", "gold": "e9b035", "yellow": "f6cf3c",
        "green": "3f9b57", "teal": "1f9e96", "blue": "2f73c9", "purple": "7d4bb5",
        "pink": "ef7fa8", "brown": "8a5a3c", "grey": "8d9399", "black": "1d1f26",
        "white": "f7f5ee", "sepia": "a47a4c",
    }.items()
}  # fmt: skip


def _each(palette: Palette, change: "Change") -> Palette:
    return replace(
        palette,
        sky=tuple(change.of(stop) for stop in palette.sky),
        haze=change.of(palette.haze),
        near=change.of(palette.near),
        glow=change.of(palette.glow),
        light=mix(palette.light, change.of(palette.light), 50),
        second=mix(palette.second, change.of(palette.second), 50),
    )


@dataclass(frozen=True, slots=True)
class Change:
    """What one word does to a colour."""

    hue: Colour | None = None
    strength: int = 0
    towards: Colour | None = None
    amount: int = 0

    def of(self, colour: Colour) -> Colour:
        if self.hue is not None:
            colour = tint(colour, self.hue, self.strength)
        return colour if self.towards is None else mix(colour, self.towards, self.amount)


MOODS: dict[str, Change] = {
    "pastel": Change(towards=parse("fff3ea"), amount=38),
    "misty": Change(hue=parse("c3ccd0"), strength=35, towards=parse("e3e6e4"), amount=26),
    "dark": Change(towards=parse("05060c"), amount=38),
    "bright": Change(towards=parse("fffbe8"), amount=18),
    "warm": Change(hue=parse("ee8b3c"), strength=32),
    "cold": Change(hue=parse("5f9bd0"), strength=36),
    "autumn": Change(hue=parse("d9792e"), strength=38),
    "spring": Change(hue=parse("9ccf8a"), strength=26, towards=parse("fdeef2"), amount=14),
    "vintage": Change(hue=parse("b58b5a"), strength=48, towards=parse("efe0c2"), amount=10),
    "mono": Change(hue=parse("8b8f94"), strength=92),
}


def choose(
    hour: str, weather: tuple[str, ...], moods: tuple[str, ...], hue: str, pick: int
) -> Palette:
    """The palette for an hour, a weather, moods and a hue ("" for none); *pick* is any number."""
    family = HOURS[hour]
    if "storm" in weather and hour != "night":
        family = STORM
    elif "snow" in weather and hour in ("noon", "poster"):
        family = WINTER
    if "neon" in moods:
        family = NEON
    palette = family[pick % len(family)]
    for mood in moods:
        if mood in MOODS:
            palette = _each(palette, MOODS[mood])
    if hue:
        palette = _each(palette, Change(hue=TINTS[hue], strength=62))
        palette = replace(palette, accent=_apart(TINTS[hue], palette))
    return palette


def _apart(colour: Colour, palette: Palette) -> Colour:
    """*colour*, moved until it stands out from the haze behind it."""
    gap = luma(colour) - luma(palette.haze)
    if abs(gap) >= 45:
        return colour
    return shade(colour, -45) if luma(palette.haze) > 110 else shade(colour, 45)


__all__ = ["BLACK", "HOURS", "TINTS", "WHITE", "Palette", "choose"]
