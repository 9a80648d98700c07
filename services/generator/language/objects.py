"""
Finds JSON objects in a text that a model writes, each as soon as it is whole.

Models put fences, lists and prose around them, commas after the last entry and raw line
breaks into strings: all of that is passed over or mended. What cannot be is told as it is.
"""

import json
import re
from typing import Any

_LONGEST = 256 * 1024  # characters of one object
_HALF = re.compile(r"\\(?:u[0-9a-fA-F]{0,3})?$")
_LONE = re.compile("[\0\ud800-\udfff]")


class Objects:
    """Takes a text in pieces; gives the objects on its outermost level."""

    def __init__(self) -> None:
        self._object: list[str] = []  # characters of the one that is open
        self._depth = 0
        self._in_string = self._escaped = False
        self.broken = 0  # objects that made no sense

    @property
    def open(self) -> bool:
        """Whether an object was begun and is not whole."""
        return self._depth > 0

    def feed(self, text: str) -> list[dict[str, Any]]:
        """Return the objects that *text* completes."""
        found = []
        for letter in text:
            if self._take(letter):
                whole, self._object = "".join(self._object), []
                found += self._read(whole)
        return found

    def _take(self, letter: str) -> bool:
        """Take one character; True where it ends an object of the outermost level."""
        if self._depth == 0 and letter != "{":
            return False
        if len(self._object) >= _LONGEST:
            self._object, self._depth, self._in_string = [], 0, False
            self.broken += 1
            return False
        if self._in_string:
            self._inside(letter)
        elif letter == '"':
            self._in_string = True
        elif letter in "{[":
            self._depth += 1
        elif letter in "}]":
            self._depth -= 1
            self._drop_comma()
        self._object.append(letter)
        return self._depth == 0

    def _inside(self, letter: str) -> None:
        if self._escaped:
            self._escaped = False
        elif letter == "\\":
            self._escaped = True
        elif letter == '"':
            self._in_string = False

    def _drop_comma(self) -> None:
        last = len(self._object) - 1
        while last >= 0 and self._object[last].isspace():
            last -= 1
        if last >= 0 and self._object[last] == ",":
            del self._object[last]

    def _read(self, text: str) -> list[dict[str, Any]]:
        """The object in *text*; where it is but a wrapper of a list, those in the list."""
        try:
            found = json.loads(text, strict=False)
        except (ValueError, RecursionError):
            self.broken += 1
            return []
        values = list(found.values())
        if len(values) == 1 and isinstance(values[0], list):
            inner = [each for each in values[0] if isinstance(each, dict)]
            return inner if len(inner) == len(values[0]) else [found]
        return [found]


def begun(text: str, name: str) -> str:
    """What is written so far of the string *name* in an object that may not be whole."""
    found = re.search(rf'"{name}"\s*:\s*"((?:[^"\\]|\\.)*)', text, re.DOTALL)
    if found is None:
        return ""
    whole = _HALF.sub("", found[1])
    try:
        said = json.loads(f'"{whole}"', strict=False)
    except ValueError:
        return ""
    return _LONE.sub("", said)
