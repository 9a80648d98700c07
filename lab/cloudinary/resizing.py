"""One step of a transformation carried out: turned, cut, scaled, padded."""

from collections.abc import Mapping

from PIL import Image, ImageColor, ImageOps

from lab.cloudinary.refusals import Refusal

CROPS = frozenset({"scale", "fill", "limit", "fit", "pad", "crop", "thumb"})
GRAVITIES = {  # where the kept part lies, as shares of what is left over; no face is looked for
    "center": (0.5, 0.5), "auto": (0.5, 0.5), "face": (0.5, 0.5),
    "north": (0.5, 0.0), "south": (0.5, 1.0), "west": (0.0, 0.5), "east": (1.0, 0.5),
    "north_west": (0.0, 0.0), "north_east": (1.0, 0.0),
    "south_west": (0.0, 1.0), "south_east": (1.0, 1.0),
}  # fmt: skip
_MOST_PIXELS = 25_000_000
_FINE = Image.Resampling.LANCZOS


def resized(image: Image.Image, step: Mapping[str, str]) -> Image.Image:
    """*image* after *step*, whose values make sense."""
    if angle := int(step.get("a", "0")):
        image = image.convert("RGBA").rotate(-angle, Image.Resampling.BICUBIC, expand=True)
    if "w" not in step and "h" not in step:
        return image
    crop, size = step.get("c", "scale"), _size(image, step)
    if size[0] * size[1] > _MOST_PIXELS:
        raise Refusal(400, "Maximum image size is 25 Megapixels")
    return _cropped(image, crop, size, step)


def _size(image: Image.Image, step: Mapping[str, str]) -> tuple[int, int]:
    """The box meant, in pixels; a side that is not named follows the other in proportion."""
    width, height = _pixels(step.get("w"), image.width), _pixels(step.get("h"), image.height)
    if step.get("c") == "crop":
        return min(width or image.width, image.width), min(height or image.height, image.height)
    return (
        width or max(1, round(image.width * (height or 0) / image.height)),
        height or max(1, round(image.height * (width or 0) / image.width)),
    )


def _pixels(value: str | None, there: int) -> int | None:
    if value is None:
        return None
    return max(1, round(float(value) * (there if "." in value else 1)))


def _cropped(
    image: Image.Image, crop: str, size: tuple[int, int], step: Mapping[str, str]
) -> Image.Image:
    centering = GRAVITIES[step.get("g", "center")]
    match crop:
        case "fill" | "thumb":
            return ImageOps.fit(image, size, _FINE, centering=centering)
        case "limit" if image.width <= size[0] and image.height <= size[1]:
            return image
        case "limit" | "fit" if "w" in step and "h" in step:
            return ImageOps.contain(image, size, _FINE)
        case "pad" if "w" in step and "h" in step:
            return ImageOps.pad(image, size, _FINE, color=_ground(image, step), centering=centering)
        case "crop":
            left = round((image.width - size[0]) * centering[0])
            top = round((image.height - size[1]) * centering[1])
            return image.crop((left, top, left + size[0], top + size[1]))
    return image.resize(size, _FINE)


def _ground(image: Image.Image, step: Mapping[str, str]) -> tuple[int, ...] | int:
    """The colour to pad with: what b_ says, else white, or nothing where nothing can be seen."""
    if not (value := step.get("b")):
        return (255, 255, 255, 0) if image.mode == "RGBA" else (255, 255, 255)
    return ImageColor.getcolor(f"#{value[4:]}" if value.startswith("rgb:") else value, image.mode)
