"""
A contact sheet: small pictures in rows, one row a model, saved as one PNG to look at, and as a
page beside it where a browser draws what nothing here does, an SVG.
"""

import base64
import html
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
# Whoever drew it may have written the SVG. As a picture it runs no script and loads nothing, and
# the page is forbidden to: it has its pictures in itself.
_PAGE = f"""<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>Contact sheet</title>
<meta http-equiv="Content-Security-Policy"
 content="default-src 'none'; img-src data:; style-src 'unsafe-inline'">
<style>
 body {{ background: {_PAPER}; color: {_INK}; font: 13px sans-serif }}
 th {{ text-align: left }} td {{ vertical-align: bottom }}
 img {{ display: block; max-width: {_SIDE}px; max-height: {_SIDE}px }}
</style></head><body><table>
ROWS
</table></body></html>
"""


@dataclass(frozen=True, slots=True)
class _Shown:
    """A picture: a *square* of the PNG at most so large, and the page's *source* of it."""

    square: Image.Image
    source: str


@dataclass(slots=True)
class Sheet:
    """Rows of pictures, each above its words; *transport* is of the wire, None: the real one."""

    transport: httpx.BaseTransport | None = None
    _rows: list[tuple[str, list[tuple[str, _Shown]]]] = field(default_factory=list)

    def add(self, title: str, pictures: list[tuple[str, str]]) -> None:
        """
        Add a row of *pictures*, each its words and its link.

        Grey stands for what is none, and in the PNG a square that says so for an SVG.
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

    def save(self, path: Path) -> Path:
        """Write all of it to *path*, a PNG; return the page beside it."""
        wide = max((len(row) for _title, row in self._rows), default=1)
        cell, high = _SIDE + _GAP, _SIDE + _TEXT + _GAP
        size = _TITLE + wide * cell + _GAP, len(self._rows) * high + _GAP
        sheet = Image.new("RGB", size, _PAPER)
        pen, font = ImageDraw.Draw(sheet), ImageFont.load_default(13)
        for number, (title, row) in enumerate(self._rows):
            bottom = number * high + _GAP + _SIDE
            pen.text((_GAP, bottom - _TEXT), title, _INK, font)
            for place, (words, shown) in enumerate(row):
                left = _TITLE + place * cell
                sheet.paste(shown.square, (left, bottom - shown.square.height))
                pen.text((left, bottom), words, _INK, font)
        path.parent.mkdir(parents=True, exist_ok=True)
        sheet.save(path)
        page = path.with_suffix(".html")
        page.write_text(_PAGE.replace("ROWS", "\n".join(map(_row, self._rows))), encoding="utf-8")
        return page


def _row(of: tuple[str, list[tuple[str, _Shown]]]) -> str:
    title, row = of
    cells = "".join(
        f'<td><img src="{shown.source}" alt="">{html.escape(words)}</td>' for words, shown in row
    )
    return f"<tr><th>{html.escape(title)}</th>{cells}</tr>"


def _fetched(client: httpx.Client, url: str) -> _Shown:
    try:
        answer = client.get(url)
        if answer.is_success and answer.headers.get("content-type", "").startswith("image/svg"):
            return _Shown(_vector(), _source("image/svg+xml", answer.content))
        return _raster(_thumbnail(answer.content))
    except (httpx.HTTPError, UnidentifiedImageError, OSError):
        return _raster(Image.new("RGB", (_SIDE, _SIDE), _GREY))


def _raster(square: Image.Image) -> _Shown:
    file = io.BytesIO()
    square.save(file, "PNG")
    return _Shown(square, _source("image/png", file.getvalue()))


def _source(kind: str, content: bytes) -> str:
    return f"data:{kind};base64,{base64.b64encode(content).decode()}"


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
