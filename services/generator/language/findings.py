"""
What is said about pictures, by a language model or by the built-in one, and the check of it.

Whoever writes a suggestion or a finding, it is held to the same rules: what does not keep
them is `Unfit` and never reaches a user.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, cast

from services.generator import schema, words

TITLE_MOST, STYLE_MOST = 80, 40  # characters
DESCRIPTION_MOST = 4000  # characters
STYLES_MOST, SWATCHES_MOST = 12, 8
_HEX = re.compile(r"#[0-9a-f]{6}")
_ASPECT = re.compile(r"[1-9][0-9]?:[1-9][0-9]?")
_ROUNDING = 0.01  # shares are rounded before they are said, and may then exceed the whole

_TEXT = {"type": "string"}
# JSON Schema in the words that `schema` checks; vendors that take a schema take these, too.
SUGGESTION: Mapping[str, Any] = {
    "type": "object",
    "properties": {
        "title": _TEXT,
        "prompt": _TEXT,
        "parameters": {
            "type": "object",
            "properties": {"aspect": _TEXT, "negative_prompt": _TEXT},
            "additionalProperties": False,
        },
    },
    "required": ["title", "prompt", "parameters"],
    "additionalProperties": False,
}
FINDING: Mapping[str, Any] = {
    "type": "object",
    "properties": {
        "description": _TEXT,
        "styles": {"type": "array", "items": _TEXT, "maxItems": STYLES_MOST},
        "palette": {
            "type": "array",
            "maxItems": SWATCHES_MOST,
            "items": {
                "type": "object",
                "properties": {
                    "hex": _TEXT,
                    "share": {"type": "number", "minimum": 0, "maximum": 1},
                },
                "required": ["hex", "share"],
                "additionalProperties": False,
            },
        },
        "suggested_prompt": _TEXT,
    },
    "required": ["description", "styles", "palette", "suggested_prompt"],
    "additionalProperties": False,
}


class Unfit(ValueError):
    """What was said does not keep the rules; the message names the place and what it must be."""


@dataclass(frozen=True, slots=True)
class Suggestion:
    """
    A prompt to draw; its title is short and in one line.

    *parameters* are fields of a request that suit it: `aspect` as "W:H", `negative_prompt`.
    """

    title: str
    prompt: str
    parameters: Mapping[str, object]

    def __post_init__(self) -> None:
        _object(SUGGESTION["properties"]["parameters"], self.parameters, "parameters")
        _line("title", self.title, TITLE_MOST)
        _says("prompt", self.prompt, words.PROMPT_MOST)
        aspect, negative = self.parameters.get("aspect"), self.parameters.get("negative_prompt")
        if isinstance(aspect, str) and not _ASPECT.fullmatch(aspect):
            raise Unfit('parameters.aspect must be written as "W:H", like "3:2"')
        if isinstance(negative, str):
            _says("parameters.negative_prompt", negative, words.PROMPT_MOST)

    @classmethod
    def read(cls, said: object) -> "Suggestion":
        """The suggestion in parsed JSON."""
        found = _object(SUGGESTION, said, "suggestion")
        return cls(found["title"], found["prompt"], found["parameters"])


@dataclass(frozen=True, slots=True)
class Swatch:
    """A colour as "#rrggbb" in lower case, and its share of the picture from 0 to 1."""

    hex: str
    share: float

    def __post_init__(self) -> None:
        if not _HEX.fullmatch(self.hex):
            raise Unfit('hex must be written as "#rrggbb", in lower case')
        if not 0 <= self.share <= 1:
            raise Unfit("share must be from 0 to 1")


@dataclass(frozen=True, slots=True)
class Finding:
    """What one picture shows, its colours by share, and a prompt that leads to such a picture."""

    description: str
    styles: tuple[str, ...]
    palette: tuple[Swatch, ...]
    suggested_prompt: str

    def __post_init__(self) -> None:
        _says("description", self.description, DESCRIPTION_MOST)
        _says("suggested_prompt", self.suggested_prompt, words.PROMPT_MOST)
        _most("styles", len(self.styles), STYLES_MOST)
        _most("palette", len(self.palette), SWATCHES_MOST)
        for place, style in enumerate(self.styles):
            _line(f"styles[{place}]", style, STYLE_MOST)
        if sum(swatch.share for swatch in self.palette) > 1 + _ROUNDING:
            raise Unfit("palette must not have more than the whole picture")

    @classmethod
    def read(cls, said: object) -> "Finding":
        """The finding in parsed JSON."""
        found = _object(FINDING, said, "finding")
        palette = tuple(Swatch(each["hex"].lower(), each["share"]) for each in found["palette"])
        styles = tuple(found["styles"])
        return cls(found["description"], styles, palette, found["suggested_prompt"])


def _object(rules: Mapping[str, Any], said: object, name: str) -> dict[str, Any]:
    for path, what in schema.problems(rules, said, name):
        raise Unfit(f"{path} {what}")
    return cast("dict[str, Any]", said)


def _says(field: str, text: str, most: int) -> None:
    """Refuse a *text* that is blank, too long, or that no message and no database would take."""
    if not text.strip():
        raise Unfit(f"{field} must not be blank")
    if len(text) > most:
        raise Unfit(f"{field} must have at most {most} characters and has {len(text)}")
    if any(letter == "\0" or "\ud800" <= letter <= "\udfff" for letter in text):
        raise Unfit(f"{field} must be text that can be stored, without NUL or half characters")


def _line(field: str, text: str, most: int) -> None:
    _says(field, text, most)
    if not text.isprintable():
        raise Unfit(f"{field} must be one line of printable text")


def _most(field: str, many: int, most: int) -> None:
    if many > most:
        raise Unfit(f"{field} must have at most {most} entries and has {many}")
