"""
Pictures for vendors that draw nothing: really drawn, really encoded, no two alike.

A scene is drawn once a size and format, off the event loop. What makes every file unique is a mark
in its metadata, put in where the file is handed out: that costs a copy and not an encoding.
"""

import asyncio
import io
import struct
import zlib
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field

from PIL import Image, ImageDraw, ImageFont

from lab.scenery import Scene, scene

MEDIA_TYPES = {
    "png": "image/png",
    "jpg": "image/jpeg",
    "webp": "image/webp",
    "gif": "image/gif",
    "svg": "image/svg+xml",
}
_SCENES = 6
_KEPT = 96  # encoded scenes in memory, of some 30 KB to 1 MB each
_SEGMENT = 65_000  # bytes in a JPEG comment; its length has 16 bits
_QUALITY = 85


@dataclass(frozen=True, slots=True)
class Frames:
    """How many pictures an animation has, each for *duration* milliseconds."""

    count: int = 1
    duration: int = 0


@dataclass(frozen=True, slots=True)
class Wanted:
    """
    A picture: *format* is png, jpg, webp, gif or svg; *size* is about its bytes, None for any.

    *frames* are a gif's.
    """

    width: int
    height: int
    format: str
    prompt: str
    mark: str
    size: int | None = None
    frames: Frames = Frames()


@dataclass(frozen=True, slots=True)
class Pictures:
    """Draws what is wanted, and keeps the scenes for those that come after."""

    _drawn: OrderedDict[tuple[object, ...], asyncio.Future[bytes]] = field(
        default_factory=OrderedDict
    )

    async def draw(self, wanted: Wanted) -> bytes:
        """The file; the same *wanted* is the same file."""
        # A big file is a plain one with much filling, so that small ones can be made as well.
        number = zlib.crc32(wanted.prompt.encode()) % _SCENES if wanted.size is None else -1
        key = wanted.width, wanted.height, wanted.format, number, wanted.frames
        drawing = self._drawn.get(key)
        if drawing is None:
            drawing = asyncio.ensure_future(asyncio.to_thread(_encode, *key))
            self._drawn[key] = drawing
            if len(self._drawn) > _KEPT:
                self._drawn.popitem(last=False)
        return marked(await asyncio.shield(drawing), wanted)


def marked(file: bytes, wanted: Wanted) -> bytes:
    """*file* with the mark that is *wanted*, filled up to about its size."""
    mark = wanted.mark.encode()
    return _MARK[wanted.format](file, mark, (wanted.size or 0) - len(file) - len(mark))


def _encode(width: int, height: int, kind: str, number: int, frames: Frames) -> bytes:
    """Scene *number* as a file; -1 is one that takes few bytes."""
    found = scene(number)
    if kind == "svg":
        return found.as_svg(width, height).encode()
    painted = _paint(found, width, height)
    return _animated(painted, found, frames) if kind == "gif" else encoded(painted, kind)


def encoded(image: Image.Image, kind: str) -> bytes:
    """*image* as a file that can be marked: png, jpg or webp."""
    file = io.BytesIO()
    match kind:
        case "png":
            image.save(file, "PNG", compress_level=4)
        case "jpg":
            image.save(file, "JPEG", quality=_QUALITY)
        case "webp":
            image.save(file, "WEBP", quality=_QUALITY, method=2, xmp=b"-")
    return file.getvalue()


def _animated(image: Image.Image, found: Scene, frames: Frames) -> bytes:
    """*image* as a GIF in which a ball rolls along its foot."""
    width, height = image.size
    radius, drawn = max(1, height // 20), []
    for number in range(frames.count):
        frame, x = image.copy(), width * (number + 1) / (frames.count + 1)
        place = (x - radius, height - 2 * radius, x + radius, height)
        ImageDraw.Draw(frame).ellipse(place, fill=found.sun)
        drawn.append(frame.quantize(64, Image.Quantize.FASTOCTREE))
    file = io.BytesIO()
    options = {"duration": frames.duration, "loop": 0, "optimize": False}
    drawn[0].save(file, "GIF", save_all=True, append_images=drawn[1:], **options)
    return file.getvalue()


def _paint(found: Scene, width: int, height: int) -> Image.Image:
    """Paint sky, sun and hills, and what it is in a corner."""
    sky = Image.linear_gradient("L").resize((width, height))
    image = Image.merge("RGB", [sky.point(_between(a, b)) for a, b in found.sky_channels()])
    pen = ImageDraw.Draw(image)
    x, y, radius = found.sun_at(width, height)
    pen.ellipse((x - radius, y - radius, x + radius, y + radius), fill=found.sun)
    for colour, ridge in found.ridges(width, height):
        pen.polygon([(0, height), *ridge, (width, height)], fill=colour)
    font = ImageFont.load_default(max(10, height // 40))
    pen.text((width * 0.03, height * 0.94), f"lab {width} x {height}", found.sun, font)
    return image


def _between(first: int, last: int) -> Callable[[int], float]:
    return lambda level: first + (last - first) * level / 255


def _mark_png(file: bytes, mark: bytes, filling: int) -> bytes:
    """A text chunk before the end, and a private one that decoders skip."""
    end = len(file) - 12  # IEND: no content
    chunks = [file[:end], _chunk(b"tEXt", b"Comment\0" + mark)]
    if filling > 0:
        chunks.append(_chunk(b"laBf", bytes(filling)))
    return b"".join([*chunks, file[end:]])


def _chunk(name: bytes, content: bytes) -> bytes:
    check = zlib.crc32(content, zlib.crc32(name))
    return struct.pack(">I", len(content)) + name + content + struct.pack(">I", check)


def _mark_jpeg(file: bytes, mark: bytes, filling: int) -> bytes:
    """Comments after the application's own segment, as many as it takes."""
    start = 4 + int.from_bytes(file[4:6], "big")  # SOI and APP0
    texts = [mark]
    while filling > 0:
        texts.append(bytes(min(filling, _SEGMENT)))
        filling -= _SEGMENT
    comments = [b"\xff\xfe" + struct.pack(">H", len(text) + 2) + text for text in texts]
    return b"".join([file[:start], *comments, file[start:]])


def _mark_webp(file: bytes, mark: bytes, filling: int) -> bytes:
    """The XMP chunk, which is the last one, written anew."""
    content = mark + bytes(max(0, filling))
    body = file[8 : file.rindex(b"XMP ")] + b"XMP " + struct.pack("<I", len(content)) + content
    body += b"\0" * (len(content) % 2)
    return b"RIFF" + struct.pack("<I", len(body)) + body


def _mark_gif(file: bytes, mark: bytes, filling: int) -> bytes:
    """A comment before the end, in blocks of 255 bytes at most."""
    text = mark + bytes(max(0, filling))
    blocks = (text[at : at + 255] for at in range(0, len(text), 255))
    comment = b"".join(bytes([len(block)]) + block for block in blocks)
    return b"".join([file[:-1], b"\x21\xfe", comment, b"\0", file[-1:]])


def _mark_svg(file: bytes, mark: bytes, filling: int) -> bytes:
    """A comment before the end."""
    end = file.rindex(b"</svg>")
    return b"".join([file[:end], b"<!--", mark, b" " * max(0, filling), b"-->", file[end:]])


_MARK: dict[str, Callable[[bytes, bytes, int], bytes]] = {
    "png": _mark_png,
    "jpg": _mark_jpeg,
    "webp": _mark_webp,
    "gif": _mark_gif,
    "svg": _mark_svg,
}
