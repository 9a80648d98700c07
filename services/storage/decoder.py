"""
The child in which pictures are decoded: a process of its own, since they may be hostile.

It has no secret in its environment, opens no file and holds limits on memory, processor
time and formats. It reads what is wanted (T a thumbnail, P the placeholder, R a reference, M
a mask), a length of 8 bytes and so many bytes from standard input, and answers K or U, a
length of 4 bytes, and a picture or what kind of reason there is for none: a decoder's own words
may repeat what is in the bytes. It ends with its input, and dies with its parent.
"""

import ctypes
import io
import os
import resource
import signal
import sys
import threading
import time
import warnings

from PIL import (
    GifImagePlugin,
    Image,
    ImageCms,
    ImageDraw,
    ImageOps,
    JpegImagePlugin,
    PngImagePlugin,
    WebPImagePlugin,
)

from services.storage import masks

SIDE = 512  # pixels
LARGEST = 4096  # pixels a side of what goes to a provider
_FORMATS = ("PNG", "JPEG", "WEBP", "GIF")
_PLUGINS = (GifImagePlugin, JpegImagePlugin, PngImagePlugin, WebPImagePlugin)  # no others load
_TAKEN = ("PNG", "JPEG", "WEBP")  # of what goes to a provider
_BLACK_OR_WHITE = [0] * 128 + [255] * 128
_PIXELS, _MOST = 50_000_000, 16_384
_MEMORY, _SECONDS = 1024**3, 10
_PR_SET_PDEATHSIG = 1


def main(parent: int) -> None:
    """Answer until the input ends."""
    die_with(parent)
    _limit()
    source, answers = sys.stdin.buffer, sys.stdout.buffer
    while head := source.read(9):
        _renew_time()
        try:
            kind, body = b"K", answer(head[:1], source.read(int.from_bytes(head[1:])))
        except Exception as error:  # whatever a decoder makes of hostile bytes
            kind, body = b"U", kind_of(error)
        answers.write(kind + len(body).to_bytes(4) + body)
        answers.flush()


def kind_of(error: Exception) -> bytes:
    """Return why there is no picture, in one of three words."""
    if isinstance(error, Image.DecompressionBombError | Image.DecompressionBombWarning):
        return b"large"
    return b"memory" if isinstance(error, MemoryError) else b"damaged"


def answer(wanted: bytes, content: bytes) -> bytes:
    """Return what is *wanted*, of *content*."""
    match wanted:
        case b"T":
            return thumbnail(content)
        case b"P":
            return placeholder()
        case b"R":
            return reference(content)
        case b"M":
            return mask(content)
    raise ValueError(f"nobody knows {wanted!r}")


def thumbnail(content: bytes) -> bytes:
    """Return a WebP of at most 512 by 512 pixels: upright, the first frame, no metadata."""
    return _webp(_upright(content, _FORMATS, SIDE)[0])


def reference(content: bytes) -> bytes:
    """
    Return what may go to a provider: upright, the first frame, sRGB, no metadata.

    A PNG where *content* is one or has transparency, else a JPEG; at most `LARGEST` a side.
    """
    image, kind, profile = _upright(content, _TAKEN, LARGEST)
    if profile:
        image = _in_srgb(image, profile)
    image.info.clear()
    out = io.BytesIO()
    if kind == "PNG" or image.mode == "RGBA":
        image.save(out, "PNG")
    else:
        image.save(out, "JPEG", quality=92, subsampling=0)
    return out.getvalue()


def mask(content: bytes) -> bytes:
    """Return a mask as a PNG of one channel, white and black: nothing but its pixels is in it."""
    image, _kind, _profile = _upright(content, _TAKEN, LARGEST)
    if image.mode == "RGBA":  # what is transparent is as black as what is
        image = Image.alpha_composite(Image.new("RGBA", image.size, "black"), image)
    return masks.packed(image.size, image.convert("L").point(_BLACK_OR_WHITE).tobytes())


def _upright(content: bytes, formats: tuple[str, ...], side: int) -> tuple[Image.Image, str, bytes]:
    """*content* in RGB or RGBA within *side* pixels, with its format and its colour profile."""
    with Image.open(io.BytesIO(content), formats=formats) as image:
        width, height = image.size
        if width * height > _PIXELS or max(width, height) > _MOST:
            raise Image.DecompressionBombError
        image.draft("RGB", (side, side))  # a JPEG then decodes at a fraction of its size
        image.load()
        if image.mode == "I;16":
            small = image.point(lambda value: value / 256).convert("RGB")
        else:
            small = image.convert("RGBA" if image.has_transparency_data else "RGB")
        small.thumbnail((side, side), Image.Resampling.BICUBIC, reducing_gap=2.0)
        turned = ImageOps.exif_transpose(_with_orientation(small, image))
        rgb = image.mode in ("RGB", "RGBA", "P")  # others have profiles that are not of RGB
        profile = image.info.get("icc_profile") if rgb else None
        return turned, str(image.format), profile or b""


def _in_srgb(image: Image.Image, profile: bytes) -> Image.Image:
    """*image* as its *profile* means it; as it is where that makes no sense."""
    try:
        made = ImageCms.profileToProfile(
            image, io.BytesIO(profile), ImageCms.createProfile("sRGB"), outputMode=image.mode
        )
    except (ImageCms.PyCMSError, OSError, ValueError):
        return image
    return made or image


def placeholder() -> bytes:
    """Draw what stands for a picture that cannot be shown: a torn sheet."""
    image = Image.new("RGB", (SIDE, SIDE), "#eceae6")
    draw = ImageDraw.Draw(image)
    draw.rounded_rectangle((128, 128, 384, 384), 24, outline="#b3aea4", width=10)
    draw.ellipse((182, 180, 230, 228), fill="#b3aea4")
    draw.line((250, 320, 268, 338, 312, 282, 378, 348), fill="#b3aea4", width=10)
    draw.line((110, 402, 402, 110), fill="#eceae6", width=34)
    draw.line((120, 392, 392, 120), fill="#b3aea4", width=8)
    return _webp(image)


def die_with(parent: int) -> None:
    """Die when *parent* does, be it by kill -9; at once where it is dead already."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != parent:
            os._exit(1)
    else:
        threading.Thread(target=_watch, args=(parent,), daemon=True).start()


def _watch(parent: int) -> None:
    while os.getppid() == parent:
        time.sleep(1)
    os._exit(1)


def _with_orientation(small: Image.Image, original: Image.Image) -> Image.Image:
    orientation = original.getexif().get(0x0112, 1)
    exif = small.getexif()
    exif.clear()
    exif[0x0112] = orientation
    return small


def _webp(image: Image.Image) -> bytes:
    image.info.clear()  # comments, profiles, EXIF, XMP: none of it goes out
    out = io.BytesIO()
    image.save(out, "WEBP", quality=80)
    return out.getvalue()


def _limit() -> None:
    warnings.simplefilter("error", Image.DecompressionBombWarning)
    Image.MAX_IMAGE_PIXELS = _PIXELS
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
    if sys.platform == "linux":  # macOS counts shared libraries in
        resource.setrlimit(resource.RLIMIT_AS, (_MEMORY, _MEMORY))
    os.nice(5)  # nobody waits for a thumbnail as for a picture


def _renew_time() -> None:
    """Give each picture its 10 s, since the limit counts the whole life of a process."""
    spent = resource.getrusage(resource.RUSAGE_SELF)
    allowed = int(spent.ru_utime + spent.ru_stime) + _SECONDS
    resource.setrlimit(resource.RLIMIT_CPU, (allowed, resource.RLIM_INFINITY))


if __name__ == "__main__":
    main(int(sys.argv[1]))
