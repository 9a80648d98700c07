"""
Masks for providers who see them the other way round: ours are white where a picture may change.
Theirs are black there, or transparent.

Only the form in which storage prepares them is read: eight bits of grey, unfiltered rows, in
one piece. Anything else was not prepared, and is not decoded here.
"""

import struct
import zlib

from services.generator import provider as seam

_HEAD = b"\x89PNG\r\n\x1a\n\0\0\0\x0dIHDR"
_GREY = b"\x08\0\0\0\0"  # 8 bits, one channel, as PNG packs it
_RGBA = b"\x08\x06\0\0\0"  # the same with four
_MOST = 4096  # pixels a side, as storage prepares them
_OTHER_WAY = bytes(255 - value for value in range(256))


def inverted(mask: bytes) -> bytes:
    """Return *mask* with black and white changed, in the same form; Unfit where it is none."""
    (width, height), rows = _prepared(mask)
    other = bytearray(rows.translate(_OTHER_WAY))
    other[:: width + 1] = bytes(height)  # each row begins with its filter: none
    return _packed(mask[: len(_HEAD) + 13 + 4], other)


def alpha(mask: bytes) -> bytes:
    """Return an RGBA PNG that is transparent where *mask* is white; Unfit where it is none."""
    (width, height), rows = _prepared(mask)
    kept, stride = rows.translate(_OTHER_WAY), 4 * width + 1
    made = bytearray(stride * height)  # black, each row behind its filter: none
    for row in range(height):
        start = row * (width + 1)
        made[row * stride + 4 : (row + 1) * stride : 4] = kept[start + 1 : start + 1 + width]
    return _packed(_HEAD[:8] + _chunk(b"IHDR", struct.pack(">II", width, height) + _RGBA), made)


def _packed(head: bytes, rows: bytearray) -> bytes:
    return head + _chunk(b"IDAT", zlib.compress(rows, 6)) + _chunk(b"IEND", b"")


def _prepared(mask: bytes) -> tuple[tuple[int, int], bytes]:
    try:
        return _read(mask)
    except (struct.error, zlib.error, ValueError) as error:
        why = str(error) if isinstance(error, ValueError) else "it is cut off or damaged"
        raise seam.Unfit(
            f"the mask was not prepared: {why}; send it again as a reference"
        ) from error


def _read(mask: bytes) -> tuple[tuple[int, int], bytes]:
    """Width and height, and the rows, each behind the byte that says how it is filtered."""
    at = len(_HEAD)
    width, height = struct.unpack(">II", mask[at : at + 8])
    start = at + 13 + 4
    length, kind = struct.unpack(">I4s", mask[start : start + 8])
    if not mask.startswith(_HEAD) or mask[at + 8 : at + 13] != _GREY or kind != b"IDAT":
        raise ValueError("it is no grey PNG in one piece")
    if not (0 < width <= _MOST and 0 < height <= _MOST):
        raise ValueError(f"it has {width}x{height} pixels")
    expected = (width + 1) * height
    rows = zlib.decompressobj().decompress(mask[start + 8 : start + 8 + length], expected + 1)
    if len(rows) != expected or any(rows[:: width + 1]):
        raise ValueError("its rows are filtered, or not all there")
    return (width, height), rows


def _chunk(kind: bytes, data: bytes) -> bytes:
    checked = kind + data
    return struct.pack(">I", len(data)) + checked + struct.pack(">I", zlib.crc32(checked))
