"""Plain names for colours: the nearest of a small table."""

import math

from services.generator.language.builtin.oklab import RGB, Lab, from_rgb

_NAMES = {
    name: tuple(bytes.fromhex(digits))
    for name, digits in {
        "black": "0a0a0c", "charcoal": "33363b", "grey": "808285", "silver": "bcbfc2",
        "white": "fafafa", "ivory": "f6efdc", "cream": "f3e3bd", "sand": "d9bf91",
        "beige": "cdb79e", "taupe": "8c7b6b", "brown": "74492a", "dark brown": "3d2416",
        "rust": "a8481f", "terracotta": "c9684a", "orange": "f08222", "peach": "f8c09a",
        "amber": "f0a818", "gold": "c99a2e", "mustard": "b8941f", "yellow": "f8dc30",
        "pale yellow": "faf0a0", "olive": "75752a", "lime": "a4d62a", "green": "2f9a3c",
        "dark green": "174a26", "moss": "48683f", "sage": "9fb293", "mint": "aee8c8",
        "emerald": "12a070", "teal": "137a7c", "dark teal": "0d3c42", "turquoise": "30c8c0",
        "cyan": "20d8f0", "pale blue": "bcdcf0", "sky blue": "6cb4e8", "blue": "2468d8",
        "slate blue": "56708e", "slate": "5a6672", "navy": "14204c", "midnight blue": "0b1026",
        "indigo": "3c2c94", "violet": "7a3cc8", "purple": "7c2c84", "plum": "4e1f4a",
        "lavender": "c4b4e8", "mauve": "a8849c", "magenta": "d8249c", "pink": "f4a0bc",
        "pale pink": "f8d8dc", "rose": "d85c7c", "coral": "f47458", "red": "d82428",
        "crimson": "a01430", "maroon": "58101c",
    }.items()
}  # fmt: skip
_PLACES: dict[str, Lab] = {name: from_rgb((r, g, b)) for name, (r, g, b) in _NAMES.items()}


def name(colour: RGB) -> str:
    """The name of *colour*: one of its hue rather than one as bright."""
    place = from_rgb(colour)
    return min(_PLACES, key=lambda known: _unlike(place, _PLACES[known]))


def _unlike(one: Lab, other: Lab) -> float:
    hue = math.hypot(one.red - other.red, one.yellow - other.yellow)
    return math.hypot(one.light - other.light, 2 * hue)
