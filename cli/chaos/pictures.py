"""A campaign's input images: always the same, so that a job asked for again is the same."""

import io
import random
from functools import cache

from PIL import Image

SMALL, LARGE, MASK = 0, 1, 2  # of one size, so that each may be the mask of the others
_SIDE = 384  # pixels; noise of that size is too large to go inside an order at Replicate


@cache
def picture(number: int) -> bytes:
    """A PNG: of few bytes, of too many for an order at Replicate, or a mask."""
    if number == LARGE:
        noise = random.Random(number).randbytes(3 * _SIDE * _SIDE)
        return _png(Image.frombytes("RGB", (_SIDE, _SIDE), noise))
    if number == MASK:
        mask = Image.new("L", (_SIDE, _SIDE), 0)
        mask.paste(255, (0, 0, _SIDE // 2, _SIDE))
        return _png(mask)
    return _png(Image.linear_gradient("L").resize((_SIDE, _SIDE)).convert("RGB"))


def _png(image: Image.Image) -> bytes:
    file = io.BytesIO()
    image.save(file, "PNG")
    return file.getvalue()
