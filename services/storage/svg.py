"""
How large an SVG is and whether it came to its end, without drawing it.

Expat steps over the markup as it comes. Nothing outside is ever loaded, entities stand for
short texts alone, and a document of more elements than any picture has is given up.
"""

import re
from xml.parsers import expat

_ROOT = "http://www.w3.org/2000/svg svg"
_ELEMENTS = 250_000
_ENTITIES, _LONGEST = 100, 200  # drawing programs name their namespaces so
_LENGTH = re.compile(r"\s*\+?([0-9]{1,7}(?:\.[0-9]{1,9})?|\.[0-9]{1,9})(px|pt|pc|in|cm|mm)?\s*")
_PIXELS = {"px": 1, "pt": 96 / 72, "pc": 16, "in": 96, "cm": 96 / 2.54, "mm": 9.6 / 2.54}


class _OddError(Exception):
    """It is no SVG that we go on reading."""


class Outline:
    """Feed it the bytes until it is *over*; *size* is width and height in pixels, once known."""

    def __init__(self) -> None:
        self.is_svg = self.over = self.whole = False
        self.size: tuple[int, int] | None = None
        self._depth = self._elements = self._entities = 0
        self._parser = expat.ParserCreate(namespace_separator=" ")
        self._parser.StartElementHandler = self._start
        self._parser.EndElementHandler = self._end
        self._parser.EntityDeclHandler = self._entity

    def feed(self, chunk: bytes, *, last: bool = False) -> None:
        """Go on with the next bytes; some Expats hold a token back until the *last* came."""
        try:
            self._parser.Parse(chunk, last)
        except (expat.ExpatError, _OddError):
            self.over = True

    def _start(self, name: str, attributes: dict[str, str]) -> None:
        if not self._elements:
            if name != _ROOT:
                raise _OddError(name)
            self.is_svg, self.size = True, _size(attributes)
        self._elements += 1
        self._depth += 1
        if self._elements > _ELEMENTS:
            raise _OddError("too many elements")

    def _end(self, _name: str) -> None:
        self._depth -= 1
        if not self._depth:
            self.over = self.whole = True

    def _entity(self, _name: str, _parameter: bool, value: str | None, *_about: object) -> None:  # noqa: FBT001
        self._entities += 1
        if self._entities > _ENTITIES or value is None or len(value) > _LONGEST or "&" in value:
            raise _OddError("an entity that is no short text")


def _size(attributes: dict[str, str]) -> tuple[int, int] | None:
    """Read width and height, or else the viewBox (SVG 2, 8.2)."""
    width, height = _pixels(attributes.get("width", "")), _pixels(attributes.get("height", ""))
    if not width or not height:
        box = attributes.get("viewBox", "").replace(",", " ").split()
        width, height = (_pixels(side) for side in box[2:]) if len(box) == 4 else (0, 0)
    return (width, height) if width and height else None


def _pixels(length: str) -> int:
    match = _LENGTH.fullmatch(length)
    return round(float(match[1]) * _PIXELS[match[2] or "px"]) if match else 0
