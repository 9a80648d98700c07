"""Pictures for tests, good and bad."""

import io
import random
import struct
import zlib

from PIL import Image

PNG = b"\x89PNG\r\n\x1a\n"


def picture(kind: str = "PNG", size: tuple[int, int] = (64, 48), seed: int = 1, **options) -> bytes:
    """A whole picture with noise in it."""
    noise = random.Random(seed).randbytes(size[0] * size[1] * 3)
    return encoded(Image.frombytes("RGB", size, noise), kind, **options)


def encoded(image: Image.Image, kind: str, **options) -> bytes:
    out = io.BytesIO()
    image.save(out, kind, **options)
    return out.getvalue()


def decoded(content: bytes) -> Image.Image:
    image = Image.open(io.BytesIO(content))
    image.load()
    return image


def png_claiming(width: int, height: int) -> bytes:
    """A PNG that says it is so large, and holds next to nothing."""
    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return PNG + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(b"\0" * 64)) + chunk(b"IEND")


def chunk(kind: bytes, data: bytes = b"") -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def svg(attributes: str = 'viewBox="0 0 64 48"', inside: str = '<path d="M0 0h9"/>') -> bytes:
    """A whole SVG."""
    return f'<svg xmlns="http://www.w3.org/2000/svg" {attributes}>{inside}</svg>'.encode()


def gif(size: tuple[int, int] = (64, 48), frames: int = 3, *, block: bytes = b"\2D\1\0") -> bytes:
    """A GIF that says it is so large, with so many frames of one pixel, each with *block*."""
    screen = b"GIF89a" + struct.pack("<HHBBB", *size, 0x80, 0, 0) + b"\0\0\0\xff\xff\xff"
    frame = b"," + struct.pack("<HHHHB", 0, 0, 1, 1, 0) + b"\2" + block
    return screen + frame * frames + b";"
