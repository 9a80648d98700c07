"""
The outline of a JSON answer that holds pictures: all of it but the pictures' base64 text, of
which only the place is told. It is read in pieces, so that no more than one of them, beside
the outline, is ever in memory.
"""

import json
import re
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

_MARK = re.compile(rb'["\\]')
# With line breaks, which many encoders put in; storage leaves them out, and undoes the escapes.
_ALPHABET = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/=\r\n"
_OF_IT = re.compile(rb"\\(?:[/rn]|u00(?:2b|2f|3d|0a|0d))", re.IGNORECASE)  # likewise escaped
_LEAST = 64  # characters of what may be a picture
_SURELY = 1 << 14  # characters after which it is one
_MOST = 4 << 20  # bytes of an outline: no vendor has so many words
_PART = "\0part"


@dataclass(frozen=True, slots=True)
class Part:
    """Base64 text in the bytes *start* to *stop* of the answer."""

    start: int
    stop: int


@dataclass(slots=True)
class Outline:
    """Takes an answer with `feed`, and tells it with `read`, which raises ValueError."""

    _kept: bytearray = field(default_factory=bytearray)
    _at: int = 0  # bytes of the answer that came
    _began: int = -1  # where the string that we are in began; -1: we are in none
    _held: bytearray = field(default_factory=bytearray)  # what it has until it is surely a picture
    _long: bool = False  # so it is: no more of it is held
    _plain: bool = True  # it may be base64 so far
    _escape: bytearray = field(default_factory=bytearray)  # a backslash, and what came of the rest

    def feed(self, chunk: bytes) -> None:
        """Take the next piece."""
        place = 0
        while place < len(chunk):
            place = self._outside(chunk, place) if self._began < 0 else self._inside(chunk, place)
        self._at += len(chunk)
        if len(self._kept) + len(self._held) > _MOST:
            raise ValueError("an answer of too many words")

    def read(self) -> Any:
        """Return what came, with a `Part` for each picture."""
        if self._began >= 0:
            raise ValueError("an answer that ends too soon")
        return json.loads(self._kept, object_hook=_parts)

    def events(self) -> list[Any]:
        """
        Return likewise the data of each server-sent event that came; an answer is all of one.

        What is no event, as "[DONE]", a proxy's words or one that is cut off, hides no other.
        """
        if self._kept.lstrip()[:1] == b"{":
            return [self.read()]
        datas = [line[5:] for line in self._kept.splitlines() if line.startswith(b"data:")]
        found = []
        for data in datas:
            with suppress(ValueError):
                found.append(json.loads(data, object_hook=_parts))
        if not found and (datas or self._began >= 0):
            raise ValueError("no event that makes sense")
        return found

    def _outside(self, chunk: bytes, place: int) -> int:
        quote = chunk.find(b'"', place)
        if quote < 0:
            self._kept += chunk[place:]
            return len(chunk)
        self._kept += chunk[place:quote]
        self._began, self._plain, self._long = self._at + quote + 1, True, False
        return quote + 1

    def _inside(self, chunk: bytes, place: int) -> int:
        if self._escape:
            self._escape += chunk[place : place + 1]
            if len(self._escape) == (6 if self._escape[1:2] == b"u" else 2):
                self._take(bytes(self._escape), plain=_OF_IT.fullmatch(self._escape) is not None)
                self._escape.clear()
            return place + 1
        mark = _MARK.search(chunk, place)
        self._take(chunk[place : mark.start() if mark else len(chunk)])
        if mark is None:
            return len(chunk)
        if mark.group() == b'"':
            self._close(self._at + mark.start())
        else:
            self._escape += b"\\"
        return mark.end()

    def _take(self, text: bytes, *, plain: bool = False) -> None:
        if self._plain and not plain and text.translate(None, _ALPHABET):
            if self._long:
                raise ValueError("a picture's text that is no base64")
            self._plain = False
        if not self._long:
            self._held += text
        self._long = self._plain and (self._long or len(self._held) > _SURELY)
        if self._long:
            self._held.clear()

    def _close(self, stop: int) -> None:
        if self._plain and stop - self._began >= _LEAST:
            self._kept += json.dumps({_PART: [self._began, stop]}).encode()
        else:
            self._kept += b'"' + self._held + b'"'
        self._held.clear()
        self._began = -1


def _parts(found: dict[str, Any]) -> Any:
    return Part(*found[_PART]) if _PART in found else found
