"""
A mask's file: a PNG of one channel of 8 bits, its rows unfiltered, in one piece.

In this form alone it is read by `services.generator.masks`, which decodes nothing else.
"""

import struct
import zlib

_SIGNATURE = b"\x89PNG\r\n\x1a\n"


def packed(size: tuple[int, int], pixels: bytes) -> bytes:
    """Write down *pixels*, a byte for each, row by row (W3C PNG, 5.3 and 11.2)."""
    width, height = size
    head = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    rows = b"".join(b"\0" + pixels[at : at + width] for at in range(0, width * height, width))
    data = zlib.compress(rows, 6)
    return _SIGNATURE + _chunk(b"IHDR", head) + _chunk(b"IDAT", data) + _chunk(b"IEND", b"")


def _chunk(kind: bytes, data: bytes) -> bytes:
    checked = kind + data
    return struct.pack(">I", len(data)) + checked + struct.pack(">I", zlib.crc32(checked))
