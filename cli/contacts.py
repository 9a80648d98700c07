"""A contact sheet: small pictures in rows, one row a model, saved as one PNG to look at."""

import io
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

import httpx
from PIL import Image, ImageDraw, ImageFont, UnidentifiedImageError

from cli.trust import trusted

_SIDE, _GAP, _TEXT, _TITLE = 112, 12, 18, 176  # pixels
_AT_ONCE = 8  # pictures that are fetched side by side
_PAPER, _INK, _GREY = "#f6f3ec", "#1b1d2a", "#c9c5bb"


@dataclass(slots=True)
class Sheet:
    """Rows of pictures, each above its words; *transport* is of the wire, None: the real one."""

    transport: httpx.BaseTransport | None = None
    _rows: list[tuple[str, list[tuple[str, Image.Image]]]] = field(default_factory=list)

    def add(self, title: str, pictures: list[tuple[str, str]]) -> None:
        """
        Add a row of *pictures*, each its words and its link.

        Grey stands for what is none, and a square that says so for an SVG: nothing here draws it.
        """
        with (
            httpx.Client(
                timeout=30, trust_env=False, verify=trusted(), transport=self.transport
            ) as client,
            ThreadPoolExecutor(_AT_ONCE) as pool,
        ):
            found = pool.map(lambda each: _fetched(client, each[1]), pictures)
            shown = [(words, each) for (words, _url), each in zip(pictures, found, strict=True)]
        self._rows.append((title, shown))

    def save(self, path: Path) -> None:
        """Write all of it to *path*."""
        wide = max((len(row) for _title, row in self._rows), default=1)
        cell, high = _SIDE + _GAP, _SIDE + _TEXT + _GAP
        size = _TITLE + wide * cell + _GAP, len(self._rows) * high + _GAP
        sheet = Image.new("RGB", size, _PAPER)
        pen, font = ImageDraw.Draw(sheet), ImageFont.load_default(13)
        for number, (title, row) in enumerate(self._rows):
            bottom = number * high + _GAP + _SIDE
            pen.text((_GAP, bottom - _TEXT), title, _INK, font)
            for place, (words, picture) in enumerate(row):
                left = _TITLE + place * cell
                sheet.paste(picture, (left, bottom - picture.height))
                pen.text((left, bottom), words, _INK, font)
        path.parent.mkdir(parents=True, exist_ok=True)
        sheet.save(path)


def _fetched(client: httpx.Client, url: str) -> Image.Image:
    try:
        answer = client.get(url)
        if answer.is_success and answer.headers.get("content-type", "").startswith("image/svg"):
            return _vector()
        return _thumbnail(answer.content)
    except (httpx.HTTPError, UnidentifiedImageError, OSError):
        return Image.new("RGB", (_SIDE, _SIDE), _GREY)


def _vector() -> Image.Image:
    square = Image.new("RGB", (_SIDE, _SIDE), "white")
    pen, middle = ImageDraw.Draw(square), (_SIDE / 2, _SIDE / 2)
    pen.rectangle((0, 0, _SIDE - 1, _SIDE - 1), outline=_GREY)
    pen.text(middle, "SVG", _INK, ImageFont.load_default(24), anchor="mm")
    return square


def _thumbnail(content: bytes) -> Image.Image:
    with Image.open(io.BytesIO(content), formats=("PNG", "JPEG", "WEBP")) as picture:
        small = picture.convert("RGB")
    small.thumbnail((_SIDE, _SIDE))
    return small
