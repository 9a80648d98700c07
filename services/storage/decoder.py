"""
The child in which pictures are decoded: a process of its own, since they may be hostile.

It has no secret in its environment, opens no file and holds limits on memory, processor
time and formats. It reads a length of 8 bytes and so many bytes from standard input, and
answers K or U, a length of 4 bytes, and a WebP or the reason why there is none. Length 0
asks for the placeholder. It ends with its input, and dies with its parent.
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
    ImageDraw,
    ImageOps,
    JpegImagePlugin,
    PngImagePlugin,
    WebPImagePlugin,
)

SIDE = 512  # pixels
_FORMATS = ("PNG", "JPEG", "WEBP", "GIF")
_PLUGINS = (GifImagePlugin, JpegImagePlugin, PngImagePlugin, WebPImagePlugin)  # no others load
_PIXELS, _MOST = 50_000_000, 16_384
_MEMORY, _SECONDS = 1024**3, 10
_PR_SET_PDEATHSIG = 1


def main(parent: int) -> None:
    """Answer until the input ends."""
    die_with(parent)
    _limit()
    source, answers = sys.stdin.buffer, sys.stdout.buffer
    while head := source.read(8):
        _renew_time()
        try:
            kind, body = b"K", answer(source.read(int.from_bytes(head)))
        except Exception as error:  # whatever a decoder makes of hostile bytes
            kind, body = b"U", repr(error).encode()[:500]
        answers.write(kind + len(body).to_bytes(4) + body)
        answers.flush()


def answer(content: bytes) -> bytes:
    """Return the thumbnail of *content*, or the placeholder where it is empty."""
    return thumbnail(content) if content else placeholder()


def thumbnail(content: bytes) -> bytes:
    """Return a WebP of at most 512 by 512 pixels: upright, the first frame, no metadata."""
    with Image.open(io.BytesIO(content), formats=_FORMATS) as image:
        width, height = image.size
        if width * height > _PIXELS or max(width, height) > _MOST:
            raise ValueError(f"{width}x{height} is too large")
        image.draft("RGB", (SIDE, SIDE))  # a JPEG then decodes at a fraction of its size
        image.load()
        if image.mode == "I;16":
            small = image.point(lambda value: value / 256).convert("L")
        else:
            small = image.convert("RGBA" if image.has_transparency_data else "RGB")
        small.thumbnail((SIDE, SIDE), Image.Resampling.BICUBIC, reducing_gap=2.0)
        turned = ImageOps.exif_transpose(_with_orientation(small, image))
        return _webp(turned)


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
