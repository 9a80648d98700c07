"""
Unfinished pictures made small enough to be told.

The decoder is imported on the thread that first needs it: a start does not wait for it.
"""

import io

MEDIA_TYPE = "image/webp"
_MOST = 256 * 1024  # bytes: what the contract takes
_SIDE = 512  # pixels
_FORMATS = ("PNG", "JPEG", "WEBP")  # Pillow knows others that start programs
_PIXELS = 40_000_000  # of one that is decoded at all


def small(image: bytes) -> bytes | None:
    """*image* as a small WebP; None where there is none, or none so small."""
    from PIL import Image

    try:
        with Image.open(io.BytesIO(image), formats=_FORMATS) as opened:
            if opened.width * opened.height > _PIXELS:
                return None
            opened.thumbnail((_SIDE, _SIDE))
            file = io.BytesIO()
            opened.save(file, "WEBP", quality=70)
    except Exception:  # a decoder of damaged pictures raises whatever it likes
        return None
    return file.getvalue() if file.tell() <= _MOST else None
