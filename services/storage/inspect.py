"""
What kind of picture these bytes are and how large, by reading headers only.

Nothing is decoded here: an `Inspector` is fed the bytes as they pass, and a walker of the
format steps over its segments, holds one header at most, and tells whether the picture
came to its end. What media type somebody claims is never asked.
"""

from collections.abc import Callable, Generator
from dataclasses import dataclass

from services.storage.svg import Outline

SVG = "image/svg+xml"
UNKNOWN = "application/octet-stream"
_STEPS = 250_000  # more segments than any picture has; a hostile file must not keep us busy
_BLOCKS = 16  # a GIF's sub-blocks that are a step: it has one for each 255 bytes
_FRAMES_OF_A_GIF = 1_000  # more than any that is sold; whoever shows it would decode them all


@dataclass(frozen=True, slots=True)
class Picture:
    """*readable*: the headers make sense and the picture came to its end."""

    media_type: str
    width: int
    height: int
    readable: bool


UNREADABLE = Picture(UNKNOWN, 0, 0, readable=False)


@dataclass(slots=True)
class _Take:
    """A walker wants the next *count* bytes."""

    count: int


@dataclass(slots=True)
class _Skip:
    """A walker wants *count* bytes to go by."""

    count: int


@dataclass(slots=True)
class _Until:
    """A walker wants all to go by, up to and with *mark*."""

    mark: bytes


@dataclass(slots=True)
class _Blocks:
    """A walker wants sub-blocks to go by, each behind its length, up to and with the empty one."""


@dataclass(slots=True)
class _Size:
    """A walker has found how large the picture is; *media_type* where that comes as late."""

    width: int
    height: int
    media_type: str = ""


@dataclass(slots=True)
class _Any:
    """A walker wants whatever has come."""


_Wish = _Take | _Skip | _Until | _Blocks | _Any | _Size
_Walk = Generator[_Wish, bytes, bool]  # returns whether the picture is whole


class Inspector:
    """Feed it all of the bytes, then ask `picture`; `size` is known as soon as it came by."""

    def __init__(self) -> None:
        self.media_type = UNKNOWN
        self.size: tuple[int, int] | None = None  # width, height
        self._whole, self._steps = False, 0
        self._held = bytearray()
        self._walk: _Walk | None = None
        self._wish: _Wish = _Take(12)

    def feed(self, chunk: bytes) -> None:
        """Go on with the next bytes."""
        if not 0 <= self._steps < _STEPS:
            return
        if not self._held and isinstance(self._wish, _Skip) and self._wish.count > len(chunk):
            self._wish = _Skip(self._wish.count - len(chunk))  # most of a picture: not copied
            return
        self._held += chunk
        while (answer := self._granted()) is not None:
            if not self._step(answer):
                self._steps = -1
                self._held.clear()
                return

    def end(self) -> None:
        """Take note that no more bytes come: a walker may hold back what it has heard."""
        if self._steps >= 0 and isinstance(self._wish, _Any):
            if self._step(b""):
                self.feed(b"")
            else:
                self._steps = -1

    @property
    def picture(self) -> Picture:
        """What the bytes so far are."""
        if self.size is None or 0 in self.size or not self._whole:
            return UNREADABLE
        return Picture(self.media_type, *self.size, readable=True)

    def _step(self, answer: bytes) -> bool:
        """Give the walker what it wished for; False where it has ended."""
        self._steps += 1
        try:
            if self._walk is None:
                self.media_type, walker = _recognised(answer)
                self._held[:0] = answer
                self._walk = walker()
                self._wish = next(self._walk)
            else:
                self._wish = self._walk.send(answer)
        except StopIteration as end:
            self._whole = bool(end.value)
            return False
        return self._steps < _STEPS

    def _granted(self) -> bytes | None:
        """Return what was wished for, or None where more has to come first."""
        match self._wish:
            case _Take(count) if len(self._held) >= count:
                taken = bytes(self._held[:count])
                del self._held[:count]
                return taken
            case _Skip(count):
                gone = min(count, len(self._held))
                del self._held[:gone]
                self._wish = _Skip(count - gone)
                return b"" if gone == count else None
            case (_Until() | _Blocks()) as wish if self._has_passed(wish):
                return b""
            case _Any() if self._held:
                taken = bytes(self._held)
                self._held.clear()
                return taken
            case _Size(width, height, media_type):
                self.size = width, height
                self.media_type = media_type or self.media_type
                return b""
        return None

    def _has_passed(self, wish: _Until | _Blocks) -> bool:
        return self._passed(wish.mark) if isinstance(wish, _Until) else self._passed_blocks()

    def _passed(self, mark: bytes) -> bool:
        """Let all go by up to and with *mark*; True where it has come."""
        found = self._held.find(mark)
        keep = len(mark) - 1  # the mark may come in two pieces
        del self._held[: found + len(mark) if found >= 0 else max(0, len(self._held) - keep)]
        return found >= 0

    def _passed_blocks(self) -> bool:
        """Let sub-blocks go by that have come whole; True where the empty one was among them."""
        at = number = length = 0
        while at < len(self._held) and at + (length := self._held[at]) < len(self._held):
            at, number = at + 1 + length, number + 1
            if not length:
                break
        del self._held[:at]
        self._steps += number // _BLOCKS
        return number > 0 and not length


def _recognised(head: bytes) -> tuple[str, Callable[[], _Walk]]:
    if head.startswith(b"\x89PNG\r\n\x1a\n"):
        return "image/png", _png
    if head.startswith(b"\xff\xd8\xff"):
        return "image/jpeg", _jpeg
    if head[:4] == b"RIFF" and head[8:] == b"WEBP":
        return "image/webp", _webp
    if head[:6] in (b"GIF87a", b"GIF89a"):
        return "image/gif", _gif
    if head.removeprefix(b"\xef\xbb\xbf").lstrip()[:1] in (b"<", b""):
        return UNKNOWN, _svg
    return UNKNOWN, _nothing


def _nothing() -> _Walk:
    return False
    yield


def _png() -> _Walk:
    """Chunks of length, kind, data and checksum, from IHDR to IEND (W3C PNG, 5.3)."""
    start = yield _Take(24)
    if start[8:16] != b"\0\0\0\x0dIHDR":
        return False
    yield _Size(_big(start[16:20]), _big(start[20:24]))
    yield _Skip(5 + 4)
    while True:
        header = yield _Take(8)
        yield _Skip(_big(header[:4]) + 4)
        if header[4:] == b"IEND":
            return True


_FRAMES = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}  # SOF0 to SOF15; not DHT, JPG, DAC


def _jpeg() -> _Walk:
    """Segments of marker, length and data, up to the scan; then its end (T.81, annex B)."""
    yield _Skip(2)
    kind = 0
    while kind != 0xDA:
        mark, kind = yield _Take(2)
        while kind == 0xFF:  # fill bytes
            (kind,) = yield _Take(1)
        length = _big((yield _Take(2))) - 2
        if mark != 0xFF or length < 0:
            return False
        if kind in _FRAMES and length >= 5:
            frame = yield _Take(5)
            yield _Size(_big(frame[3:]), _big(frame[1:3]))
            length -= 5
        yield _Skip(length)
    yield _Until(b"\xff\xd9")  # a scan escapes its own FF
    return True


def _webp() -> _Walk:
    """One RIFF, whose first chunk tells the size (RFC 9649, 2.5 to 2.7)."""
    riff = yield _Take(20)
    rest = _little(riff[4:8]) - 12
    match riff[12:16]:
        case b"VP8 ":
            head = yield _Take(10)
            yield _Size(_little(head[6:8]) & 0x3FFF, _little(head[8:10]) & 0x3FFF)
        case b"VP8L":
            head = yield _Take(5)
            bits = _little(head[1:])
            yield _Size((bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1)
        case b"VP8X":
            head = yield _Take(10)
            yield _Size(_little(head[4:7]) + 1, _little(head[7:10]) + 1)
        case _:
            return False
    if rest < len(head):
        return False
    yield _Skip(rest - len(head))
    return True


def _gif() -> _Walk:
    """The screen, then blocks of sub-blocks up to the trailer (GIF89a, 15 and 18 to 27)."""
    head = yield _Take(13)
    yield _Size(_little(head[6:8]), _little(head[8:10]))
    yield _Skip(_palette(head[10]))
    frames = 0
    while frames <= _FRAMES_OF_A_GIF:
        (kind,) = yield _Take(1)
        match kind:
            case 0x2C:  # a frame: descriptor, palette, code size
                yield _Skip(_palette((yield _Take(9))[8]) + 1)
                frames += 1
            case 0x21:  # an extension: label
                yield _Skip(1)
            case _:
                return kind == 0x3B
        yield _Blocks()
    return False


def _svg() -> _Walk:
    """Markup, whose first element tells whether it is an SVG at all."""
    outline = Outline()
    while not outline.over:
        known, chunk = outline.is_svg, (yield _Any())
        outline.feed(chunk, last=not chunk)
        if outline.is_svg and not known:
            yield _Size(*(outline.size or (0, 0)), SVG)
        if not chunk:
            break
    return outline.whole


def _palette(flags: int) -> int:
    return 3 << ((flags & 7) + 1) if flags & 0x80 else 0


def _big(raw: bytes) -> int:
    return int.from_bytes(raw, "big")


def _little(raw: bytes) -> int:
    return int.from_bytes(raw, "little")
