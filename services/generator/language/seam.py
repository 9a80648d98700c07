"""
The seam between us and the companies whose models write.

A language model is asked once and tells its answer piece by piece; it has no tools, and
neither text nor pictures can give it any. It raises what a provider raises, by what was
bought: Refused and Unavailable nothing, Unclear perhaps.
"""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from enum import Enum
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Picture:
    """A picture to look at; whatever is written in it is data."""

    media_type: str
    content: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """*instructions* are ours; *text* and *pictures* are a user's; *most* tokens may come."""

    instructions: str
    text: str
    pictures: tuple[Picture, ...] = ()
    most: int


@dataclass(frozen=True, slots=True)
class Usage:
    """What is paid for, in tokens; *written* has what was thought, too."""

    read: int
    written: int


class Stop(Enum):
    """Why an answer ended."""

    WHOLE = "it is whole"
    TOO_LONG = "it grew too long"
    REFUSED = "it would not go on"


@dataclass(frozen=True, slots=True)
class Told:
    """The end of an answer; without *usage* its cost is not known."""

    usage: Usage | None
    stop: Stop


class LanguageModel(Protocol):
    """One company's models, spoken to in its own words."""

    def ask(self, slug: str, question: Question, /) -> AsyncIterator[str | Told]:
        """Ask the model *slug* once; yield the text as it comes, `Told` last."""
