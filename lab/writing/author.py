"""
The one that writes for every language model of the lab: JSON by the schema that it is shown.

It is a poor writer and a meek one. Words in a text make it misbehave (docs/lab.md); *obeys* is
what stands in every picture, and it does what stands there.
"""

import json
import re
from dataclasses import asdict, dataclass, replace
from typing import Any

_COUNT = re.compile(r"\b(\d{1,2})\b")
_PIECE = 12  # characters
_LIGHTS = ("at dawn", "in a storm", "by moonlight", "in fog", "under snow", "at noon")
_FENCES = "Here you are:\n```json\n{}\n```\nTell me if you want more."


@dataclass(frozen=True, slots=True)
class Asked:
    """What a call asks: the system's words, the user's, and how many pictures."""

    model: str
    instructions: str
    text: str
    pictures: int
    most: int  # tokens


@dataclass(frozen=True, slots=True)
class Written:
    """An answer: *stop* is "whole", "long" or "refused"; tokens are counted as it likes."""

    pieces: tuple[str, ...]
    stop: str
    read: int
    written: int


@dataclass(frozen=True, slots=True)
class Mood:
    """*obeys*: what stands in pictures, done to the letter; *piece_seconds* pass before each."""

    obeys: str = ""
    piece_seconds: float = 0.0


class Author:
    """Writes the same for the same words."""

    def __init__(self) -> None:
        self.mood = Mood()

    def settings(self) -> dict[str, object]:
        return asdict(self.mood)

    def change(self, settings: dict[str, Any]) -> None:
        """Change its mood; raise ValueError with what is wrong, and change nothing."""
        obeys, pause = settings.get("obeys", ""), settings.get("piece_seconds", 0.0)
        if type(obeys) is not str:
            raise ValueError(f"obeys is {obeys!r}: give a text")
        if (
            isinstance(pause, bool)
            or not isinstance(pause, int | float)
            or not 0 <= pause <= 86_400
        ):
            raise ValueError(f"piece_seconds is {pause!r}: give seconds from 0 to a day")
        self.mood = replace(self.mood, **settings)

    def write(self, asked: Asked) -> Written:
        """Answer."""
        text, stop = self._text(asked), "whole"
        if "refuse-me" in asked.text:
            text, stop = "", "refused"
        elif "long-me" in asked.text or len(text) // 4 > asked.most:
            text, stop = text[: min(len(text) * 2 // 3, asked.most * 4)], "long"
        pieces = tuple(text[at : at + _PIECE] for at in range(0, len(text), _PIECE))
        read = 20 + len(asked.instructions + asked.text) // 4 + 300 * asked.pictures
        return Written(pieces, stop, read, 1 + len(text) // 4)

    def _text(self, asked: Asked) -> str:
        if asked.pictures and self.mood.obeys:
            return self.mood.obeys
        if "nonsense-me" in asked.text:
            return "I would rather talk about the weather."
        if "suggested_prompt" in asked.instructions:
            return json.dumps(_finding())
        if '"title"' in asked.instructions:
            lines = "\n".join(json.dumps(each) for each in _suggestions(asked))
            untidy = "fence-me" in asked.text
            return _FENCES.format(lines.replace("}}", ",}}")) if untidy else lines
        return json.dumps({"prompt": f"{_subject(asked.text)}, in golden light, finely drawn"})


def _suggestions(asked: Asked) -> list[dict[str, object]]:
    found = _COUNT.search(asked.instructions)
    count, subject = int(found[1]) if found else 1, _subject(asked.text)
    return [
        {
            "title": f"{_LIGHTS[place % len(_LIGHTS)].title()} {place + 1}",
            "prompt": f"{subject} {_LIGHTS[place % len(_LIGHTS)]}, a wide view",
            "parameters": {"aspect": "3:2"},
        }
        for place in range(count)
    ]


def _finding() -> dict[str, object]:
    return {
        "description": "A lighthouse on a rock; the sea is calm, and the sky \u201cglows\u201d.",
        "styles": ["painterly", "calm"],
        "palette": [{"hex": "#1F3A5F", "share": 0.6}, {"hex": "#f2c14e", "share": 0.3}],
        "suggested_prompt": "a lighthouse on a rock in a calm sea, glowing sky, painterly",
    }


def _subject(text: str) -> str:
    """The first text in a JSON object, where *text* is one."""
    try:
        found = json.loads(text)
    except ValueError:
        return text
    values = [value for value in found.values() if isinstance(value, str)] if found else []
    return values[0] if values else text
