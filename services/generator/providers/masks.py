"""Masks as a vendor wants them that takes transparency for leave to change."""

import io

from PIL import Image, ImageOps

from services.generator import provider as seam


def alpha(mask: bytes, base: bytes) -> bytes:
    """
    A PNG of *base*'s size, transparent where *mask* is white: there it may change.

    Unfit where one of them cannot be read.
    """
    try:
        with Image.open(io.BytesIO(base)) as opened:
            size = opened.size
        with Image.open(io.BytesIO(mask)) as opened:
            kept = ImageOps.invert(opened.convert("L")).resize(size)
    except Exception as error:  # a decoder of damaged pictures raises whatever it likes
        raise seam.Unfit(f"the mask or its image cannot be read: {error}") from error
    made, file = Image.new("RGBA", size), io.BytesIO()
    made.putalpha(kept)
    made.save(file, "PNG")
    return file.getvalue()
