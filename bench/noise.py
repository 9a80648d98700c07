"""Pictures of 1 MiB, no two alike: noise, which no format makes smaller, with a number in it."""

import io
import os
import struct
import zlib

from PIL import Image

_SIDE = 590  # pixels: a PNG of 1 MiB


def beginning() -> bytes:
    """A PNG, less its end."""
    file = io.BytesIO()
    Image.frombytes("RGB", (_SIDE, _SIDE), os.urandom(_SIDE * _SIDE * 3)).save(file, "PNG")
    return file.getvalue()[:-12]


def numbered(begun: bytes, number: int) -> bytes:
    """The picture with a number in it."""
    note = b"tEXt" + b"number\0%d" % number
    chunk = struct.pack(">I", len(note) - 4) + note + struct.pack(">I", zlib.crc32(note))
    end = b"IEND"
    return begun + chunk + struct.pack(">I", 0) + end + struct.pack(">I", zlib.crc32(end))
