"""
From a prompt to a scene: what is in the picture, in which light, by the words and the seed.

The same words, seed and size make the same scene on every machine; the style changes how it is
drawn and not what is in it. Words that the painter does not know still steer the composition.
"""

# the arguments are those of the model

from dataclasses import dataclass
from typing import NamedTuple

from services.generator.sketching.dice import Dice, digest
from services.generator.sketching.lexicon import Heard, listen

STYLES = ("sketch", "sketch-ink", "sketch-mosaic")
SMALLEST, LARGEST = 64, 2048  # pixels a side
_SUBJECTS, _STRANGE = 4, 6  # the most that one picture holds
_HEARD = 4000  # characters that are searched for words; the rest only steers

# Where a subject feels at home, for prompts that name no place.
_HOMES = {
    "lighthouse": "sea",
    "boat": "sea",
    "ship": "sea",
    "whale": "sea",
    "fish": "sea",
    "palm": "sea",
    "cactus": "desert",
    "pyramid": "desert",
    "pine": "mountains",
    "tent": "mountains",
    "deer": "forest",
    "owl": "forest",
    "fox": "forest",
    "mushroom": "forest",
    "castle": "mountains",
    "dragon": "mountains",
    "windmill": "meadow",
    "horse": "meadow",
    "rabbit": "meadow",
    "flower": "meadow",
    "butterfly": "meadow",
    "house": "hills",
    "tree": "hills",
    "rocket": "space",
    "robot": "city",
    "car": "city",
    "lantern": "city",
    "bridge": "river",
    "elephant": "desert",
    "bicycle": "city",
    "umbrella": "city",
    "train": "mountains",
}
_VIEWS = ("hills", "mountains", "lake", "meadow", "sea")  # where no place is named
_DREAMS = ("abstract", "abstract", "hills", "mountains", "lake", "desert", "sea")  # nor anything


class Subject(NamedTuple):
    """Something to look at, how many of it, and its colour's name or ""."""

    name: str
    many: int = 1
    hue: str = ""


@dataclass(frozen=True, slots=True)
class Scene:
    """Everything that decides a picture; small, hashable and easy to send."""

    width: int
    height: int
    style: str
    seed: int
    hour: str
    terrain: str
    water: bool
    air: frozenset[str]
    moods: tuple[str, ...]
    hue: str
    subjects: tuple[Subject, ...]
    strange: tuple[int, ...]  # one number for each of the first words that nobody knows


class _Words:
    """The words of a prompt, sorted by what they ask for; the first one of a kind wins."""

    def __init__(self, prompt: str, banned: frozenset[str]) -> None:
        self.named: dict[str, list[str]] = {
            "hour": [],
            "terrain": [],
            "air": [],
            "mood": [],
            "hue": [],
        }
        self.subjects: dict[str, Subject] = {}
        self.strange: list[int] = []
        self._hue, self._banned = "", banned
        for heard in listen(prompt[:_HEARD]):
            self._take(heard)

    def _take(self, heard: Heard) -> None:
        hue, self._hue = self._hue, ""
        if heard.absent:
            return
        if not heard.meanings and len(self.strange) < _STRANGE:
            self.strange.append(digest(heard.word))
        for kind, name in heard.meanings:
            if name in self._banned:
                continue
            if kind == "subject":
                self.subjects.setdefault(name, Subject(name, heard.many, hue))
                hue = ""
            elif kind == "hue":
                self._hue = name
                self.named["hue"].append(name)
            elif name not in self.named[kind]:
                self.named[kind].append(name)

    @property
    def hue(self) -> str:
        """A colour that belongs to the whole picture and not to one subject."""
        taken = [subject.hue for subject in self.subjects.values()]
        return next((hue for hue in self.named["hue"] if hue not in taken), "")


def _banned(prompt: str, negative_prompt: str) -> frozenset[str]:
    unwanted = [heard for heard in listen(prompt[:_HEARD]) if heard.absent]
    unwanted += listen(negative_prompt[:_HEARD])
    return frozenset(meaning.name for heard in unwanted for meaning in heard.meanings)


def compose(
    prompt: str, seed: int, width: int, height: int, style: str, negative_prompt: str = ""
) -> Scene:
    """
    The scene for *prompt*, any text at all; *width* and *height* in pixels.

    Raises ValueError for a style or a size that cannot be drawn.
    """
    if style not in STYLES:
        raise ValueError(f"style {style!r} is not drawn here; take one of {', '.join(STYLES)}")
    if not (SMALLEST <= width <= LARGEST and SMALLEST <= height <= LARGEST):
        raise ValueError(f"{width}x{height}: each side takes {SMALLEST} to {LARGEST} pixels")
    dice = Dice("scene", seed, prompt, negative_prompt)
    banned = _banned(prompt, negative_prompt)
    words = _Words(prompt, banned)
    subjects = tuple(words.subjects.values())[:_SUBJECTS]
    air = set(words.named["air"])
    terrain, water = _place(words, subjects, banned, dice)
    hour = (
        "night"
        if terrain == "space" and not words.named["hour"]
        else _hour(words, air, banned, dice)
    )
    _fill_air(air, hour, banned, terrain, dice)
    return Scene(
        width,
        height,
        style,
        digest("picture", seed, prompt, negative_prompt),
        hour,
        terrain,
        water,
        frozenset(air),
        tuple(words.named["mood"]),
        words.hue,
        subjects,
        tuple(words.strange),
    )


def _place(
    words: _Words, subjects: tuple[Subject, ...], banned: frozenset[str], dice: Dice
) -> tuple[str, bool]:
    """The land behind, and whether there is water before it."""
    places = [*words.named["terrain"], *(_HOMES[s.name] for s in subjects if s.name in _HOMES)]
    places = [place for place in places if place not in banned]
    if not places:
        lost = not subjects and words.strange
        anywhere = [place for place in (_DREAMS if lost else _VIEWS) if place not in banned]
        places = [dice.pick(anywhere or ["abstract"])]
    swims = any(subject.name in ("boat", "ship", "whale", "fish") for subject in subjects)
    water = swims or any(place in ("sea", "lake", "river") for place in places)
    land = next((place for place in places if place not in ("sea", "lake", "river")), "")
    if not land:
        land = {"lake": "mountains", "river": "hills"}.get(places[0], "sea")
    return land, water


def _hour(words: _Words, air: set[str], banned: frozenset[str], dice: Dice) -> str:
    if words.named["hour"]:
        return words.named["hour"][0]
    if air & {"moon", "stars", "aurora", "comet", "fireworks"} or "space" in words.named["terrain"]:
        return "night"
    hours = ("dawn", "noon", "dusk", "poster", "poster", "dusk", "night")
    return dice.pick([hour for hour in hours if hour not in banned] or ["poster"])


def _fill_air(air: set[str], hour: str, banned: frozenset[str], terrain: str, dice: Dice) -> None:
    """What is in the sky although nobody asked."""
    covered = air & {"storm", "rain"}
    if hour == "night" or terrain == "space":
        if not covered:
            air.add("stars")
            if "sun" not in air and dice.chance(80):
                air.add("moon")
    elif not covered and "moon" not in air and "snow" not in air:
        air.add("sun")
    if dice.chance(55) and "stars" not in air:
        air.add("clouds")
    air -= banned
