"""Images read and written as Cloudinary names them: width, height, format, perceptual hash."""

import io
import math
from dataclasses import dataclass

from PIL import Image, UnidentifiedImageError

from lab.cloudinary.refusals import Refusal

# Its names for formats, and Pillow's.
FORMATS = {
    "png": "PNG", "jpg": "JPEG", "webp": "WEBP", "gif": "GIF", "avif": "AVIF",
    "bmp": "BMP", "tif": "TIFF", "ico": "ICO",
}  # fmt: skip
OTHER_NAMES = {"jpeg": "jpg", "jpe": "jpg", "tiff": "tif"}
MEDIA_TYPES = {name: f"image/{name}" for name in FORMATS} | {
    "jpg": "image/jpeg", "tif": "image/tiff", "ico": "image/vnd.microsoft.icon",
}  # fmt: skip
_NAMES = {pillow: name for name, pillow in FORMATS.items()} | {"MPO": "jpg"}
_WITH_QUALITY = frozenset({"jpg", "webp", "avif"})
_HASHED = 32  # pixels a side that the perceptual hash looks at
_KEPT = 8  # of its frequencies a side


@dataclass(frozen=True, slots=True)
class Shape:
    width: int
    height: int
    format: str


def inspect(content: bytes, *, whole: bool = True) -> Shape:
    """Measure an image; what is no image is refused, and where *whole* matters what is cut off."""
    image = opened(content, whole=whole)
    return Shape(image.width, image.height, name_of(image))


def name_of(image: Image.Image) -> str:
    """Cloudinary's name for the format that *image* was read from."""
    return _NAMES[image.format or ""]


def opened(content: bytes, *, whole: bool = True) -> Image.Image:
    """The decoded image; decoding all of it is what tells a whole one from a cut one."""
    try:
        image = Image.open(io.BytesIO(content), formats=[*FORMATS.values()])
        if whole:
            image.load()
    except (UnidentifiedImageError, OSError, SyntaxError, ValueError, Image.DecompressionBombError):
        raise Refusal(400, "Invalid image file") from None
    return image


def encoded(image: Image.Image, name: str, quality: int | None) -> bytes:
    """*image* as a file of the format *name*; *quality* counts where the format has one."""
    if name in {"jpg", "bmp"}:
        image = flattened(image)
    elif image.mode not in {"RGB", "RGBA", "L", "LA", "P"}:
        image = image.convert("RGBA")
    options = {"quality": quality or 80} if name in _WITH_QUALITY else {}
    if name == "avif":
        options["speed"] = 10  # a lab's machine has better things to do
    file = io.BytesIO()
    image.save(file, FORMATS[name], **options)
    return file.getvalue()


def flattened(image: Image.Image) -> Image.Image:
    """*image* without transparency, on white."""
    if "A" not in image.getbands() and "transparency" not in image.info:
        return image.convert("RGB")
    ground = Image.new("RGBA", image.size, "white")
    ground.alpha_composite(image.convert("RGBA"))
    return ground.convert("RGB")


def perceptual_hash(content: bytes) -> str:
    """64 bits in hex: which low frequencies of a small grey copy are above their median."""
    grey = opened(content).convert("L").resize((_HASHED, _HASHED))
    flat = list(grey.tobytes())
    rows = [flat[start : start + _HASHED] for start in range(0, len(flat), _HASHED)]
    waves = [
        [math.cos(math.pi * (x + 0.5) * wave / _HASHED) for x in range(_HASHED)]
        for wave in range(_KEPT)
    ]
    across = [[_dot(row, wave) for wave in waves] for row in rows]
    found = [_dot([row[x] for row in across], wave) for wave in waves for x in range(_KEPT)]
    median = sorted(found)[len(found) // 2]
    return f"{sum((value > median) << bit for bit, value in enumerate(found)):016x}"


def _dot(left: list[int] | list[float], right: list[float]) -> float:
    return sum(one * other for one, other in zip(left, right, strict=True))
