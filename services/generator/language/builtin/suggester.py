"""
The built-in suggester: an idea, and what a picture of it might add, from templates of our own.

It hears a few hundred words in several languages and understands none: the idea stands in every
prompt as it was written, and what it already decides (a light, a medium, a shape) is not added.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeVar
from unicodedata import category

from services.generator.language.builtin.templates import (
    IDEAS,
    KINDS,
    LIGHTS,
    MARKS,
    MEDIA,
    MEDIUM_WORDS,
    TOUCHES,
    VIEWS,
    Part,
)
from services.generator.language.findings import Suggestion
from services.generator.sketching.dice import Dice
from services.generator.sketching.lexicon import listen

_T = TypeVar("_T")

COUNT_MOST = 12  # suggestions
IDEA_MOST = 600  # characters that are kept: with what is added, every model takes the prompt
_RATIO = re.compile(r"(?<![\d:])(?:1:1|[45]:[45]|[34]:[34]|[23]:[23]|16:9|9:16)(?![\d:])")
_LEFT_OUT = frozenset({"Cc", "Cs", "Zl", "Zp"})  # control, halves of characters, line ends
_LIT = frozenset({"sun", "moon", "stars", "mist", "storm", "aurora", "fireworks"})


@dataclass(frozen=True, slots=True)
class _Idea:
    """An idea in one line, its kind, and what it leaves open."""

    text: str
    kind: str
    light: bool
    medium: bool
    aspect: str  # "" where it says none
    unwanted: str


def suggest(idea: str, count: int, seed: int) -> list[Suggestion]:
    """
    *count* different suggestions (1 to 12) for *idea*, any text at all, or for none.

    The same idea, count and seed give the same ones. A long idea is kept to its first 600
    characters. Raises ValueError for another count.
    """
    if not 1 <= count <= COUNT_MOST:
        raise ValueError(f"count must be from 1 to {COUNT_MOST} and is {count}")
    text = _plain(idea)
    dice = Dice("suggest", text, seed)
    ideas = [_hear(each) for each in ([text] * count if text else _shuffled(IDEAS, dice))]
    views = {kind: _shuffled(parts, dice) for kind, parts in VIEWS.items()}
    others = [_shuffled(parts, dice) for parts in (MEDIA, LIGHTS, TOUCHES)]
    return [
        _suggestion(heard, *(_nth(parts, place) for parts in (views[heard.kind], *others)))
        for place, heard in enumerate(ideas[:count])
    ]


def _nth(parts: Sequence[Part], place: int) -> Part:
    """In turn: 5 views and 8 touches meet again after 40, so that no two suggestions are alike."""
    return parts[place % len(parts)]


def _plain(idea: str) -> str:
    """*idea* in one line that can be stored, cut at a word's end where it is too long."""
    start = idea[: 4 * IDEA_MOST]
    line = " ".join("".join(" " if category(c) in _LEFT_OUT else c for c in start).split())
    if len(line) > IDEA_MOST:
        line = line[:IDEA_MOST].rpartition(" ")[0] or line[:IDEA_MOST]
    return line.strip(" ,;.:!。、،")


def _hear(text: str) -> _Idea:
    heard = list(listen(text))
    wanted = [meaning for word in heard if not word.absent for meaning in word.meanings]
    spoken = set(re.findall(r"[\w-]+", text.lower()))
    lit = any(kind == "hour" or name in _LIT for kind, name in wanted)
    shape = _RATIO.search(text)
    return _Idea(
        text,
        "mark" if spoken & MARKS else _kind([(each.kind, each.name) for each in wanted]),
        not lit and not spoken & MARKS,  # a mark is neither lit nor painted
        not spoken & (MARKS | MEDIUM_WORDS),
        shape[0] if shape else "",
        ", ".join(dict.fromkeys(word.word for word in heard if word.absent)),
    )


def _kind(wanted: list[tuple[str, str]]) -> str:
    for kind, name in wanted:
        if kind == "subject":
            return KINDS[name]
    terrains = [name for kind, name in wanted if kind == "terrain"]
    if terrains:
        return "city" if terrains[0] == "city" else "place"
    return "any"


def _suggestion(heard: _Idea, view: Part, medium: Part, light: Part, touch: Part) -> Suggestion:
    added = [view, *([medium] if heard.medium else []), *([light] if heard.light else []), touch]
    parameters: dict[str, object] = {"aspect": heard.aspect or view.aspect}
    if heard.unwanted:
        parameters["negative_prompt"] = heard.unwanted
    return Suggestion(
        title=", ".join(part.title for part in added),
        prompt=", ".join([heard.text, *(part.words for part in added)]),
        parameters=parameters,
    )


def _shuffled(items: Sequence[_T], dice: Dice) -> list[_T]:
    shuffled = list(items)
    for place in range(len(shuffled) - 1, 0, -1):
        other = dice.between(0, place)
        shuffled[place], shuffled[other] = shuffled[other], shuffled[place]
    return shuffled
