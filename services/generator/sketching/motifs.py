"""Every subject the painter knows: how it is drawn, where it belongs, its size and colours."""

from collections.abc import Callable
from typing import NamedTuple

from services.generator.sketching import (
    buildings,
    creatures,
    plants,
    swimming,
    things,
    vehicles,
    winged,
)
from services.generator.sketching.colour import Colour, parse
from services.generator.sketching.dice import Dice
from services.generator.sketching.palette import TINTS, Palette
from services.generator.sketching.pen import Pen


class Motif(NamedTuple):
    """A drawing, its place (ground, water, air, perch, far) and size, per mille of the unit."""

    draw: Callable[[Pen, Dice, Colour], None]
    place: str
    size: int
    colours: str = ""  # none: the palette's accent


_FUR = "e8923a 6b6f7c 3a3b47 e0cda9 94694a f3ece0"
_GREEN = "4f8a4c 6b9a45 3f7d5a 86a04a"

MOTIFS: dict[str, Motif] = {
    "lighthouse": Motif(buildings.lighthouse, "ground", 520),
    "house": Motif(buildings.house, "ground", 250, "b5483a 7a4a3a 3f5f7a a8683f"),
    "castle": Motif(buildings.castle, "ground", 430, "3f5f8a a8483f 4a6b5f 6b4a7a"),
    "tower": Motif(buildings.tower, "ground", 400, "8a4a3a 3f5a70 4f6b52"),
    "windmill": Motif(buildings.windmill, "ground", 400, "8a4f3a a8483f 4a5f70"),
    "bridge": Motif(buildings.bridge, "far", 330, "c4523a 4a5f70 d0603f"),
    "tent": Motif(buildings.tent, "ground", 230),
    "pyramid": Motif(buildings.pyramid, "far", 360, "d9a760 c98f52"),
    "tree": Motif(plants.tree, "ground", 440, _GREEN + " d9822b c8553d"),
    "pine": Motif(plants.pine, "ground", 430, "2f6650 3d7058 2a5a5a"),
    "palm": Motif(plants.palm, "ground", 460, "3f8a5a 5a9a4a"),
    "cactus": Motif(plants.cactus, "ground", 310, "e8618c f2b632 f08a5d"),
    "flower": Motif(plants.flower, "ground", 400, "e4572e f25c78 f2b632 b56bd0 f7f0e4"),
    "mushroom": Motif(plants.mushroom, "ground", 240, "d1453b e08a3a a8553f"),
    "cat": Motif(creatures.cat, "ground", 330, _FUR),
    "dog": Motif(creatures.dog, "ground", 310, _FUR),
    "fox": Motif(creatures.fox, "ground", 320, "e0752e d9642e"),
    "rabbit": Motif(creatures.rabbit, "ground", 250, "d8c3a5 b9a08a f3ece0 8f857c"),
    "deer": Motif(creatures.deer, "ground", 350, "b5793f 9a6238"),
    "horse": Motif(creatures.horse, "ground", 360, "8a5233 5b3a2e d9c4a0 f1eadc"),
    "elephant": Motif(creatures.elephant, "ground", 380, "8f949e a09aa0"),
    "bird": Motif(winged.bird, "air", 120, "f7f1e4 3a3f52 e4572e"),
    "owl": Motif(winged.owl, "perch", 270, "8f6a4a a8845c 6f6a70"),
    "whale": Motif(swimming.whale, "water", 250, "3d5a80 4a6f8a"),
    "fish": Motif(swimming.fish, "water", 300, "f08a3a e4572e f2b632 5aa9c9"),
    "butterfly": Motif(winged.butterfly, "air", 220, "f2a03a 5a8fd9 e0609a f2c94c"),
    "dragon": Motif(winged.dragon, "air", 300, "3f8a5a a8323a 4a5fa8"),
    "robot": Motif(things.robot, "ground", 400, "6fa8b8 c9c2b4 e08a4a 7fb08a"),
    "person": Motif(things.person, "ground", 300, "c8443c 33527a e0a33a 4f7a5f"),
    "rocket": Motif(vehicles.rocket, "air", 380, "d1453b e0752e 2f7fb0"),
    "balloon": Motif(vehicles.balloon, "air", 330, "e4572e f2b632 2f8f9d c8447a 4f7fc0"),
    "train": Motif(vehicles.train, "ground", 130, "a8323a 2f5f50 33527a"),
    "car": Motif(vehicles.car, "ground", 150, "d1453b 3f7fa8 f2b632 5aa08a"),
    "bicycle": Motif(vehicles.bicycle, "ground", 220, "d1453b 2f8f9d f2b632"),
    "boat": Motif(vehicles.boat, "water", 320, "d1453b e0a33a 2f7fa8 e8794a"),
    "ship": Motif(vehicles.ship, "water", 220, "b5363a 33527a 9a4a2e"),
    "lantern": Motif(things.lantern, "ground", 400),
    "umbrella": Motif(things.umbrella, "ground", 330, "d1453b f2b632 3f6fb0 c8447a"),
    "kite": Motif(things.kite, "air", 200, "e4572e f2b632 3f8fb0"),
    "heart": Motif(things.heart, "air", 400, "d92f4a e4486a"),
    "book": Motif(things.book, "ground", 260, "8a3a3a 33527a 4f6b52"),
    "cup": Motif(things.cup, "ground", 280, "e0752e 3f7fa8 c8443c f1eadc"),
    "guitar": Motif(things.guitar, "ground", 380, "c9853f a8482e"),
}


def colour_of(motif: Motif, hue: str, palette: Palette, dice: Dice) -> Colour:
    """The colour that was asked for, or one that suits the motif."""
    if hue:
        return TINTS[hue]
    return parse(dice.pick(motif.colours.split())) if motif.colours else palette.accent
