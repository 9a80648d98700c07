"""Cloudinary's official client set on the lab, and pictures to send; nothing of it is changed."""

import io
import random
from collections.abc import Iterator
from contextlib import contextmanager

import cloudinary
from PIL import Image, ImageDraw

from tests.lab.process import Lab

ENVIRONMENT = "CLOUDINARY_URL"


def address(lab: Lab) -> str:
    """What CLOUDINARY_URL says for *lab*."""
    host = lab.url.removeprefix("http://")
    return (
        f"cloudinary://lab:lab-secret@lab?upload_prefix={lab.url}/cloudinary"
        f"&cname={host}/cloudinary"
    )


@contextmanager
def configured(lab: Lab, monkeypatch) -> Iterator[None]:
    """Let the official client read its configuration from the environment, as a user does."""
    monkeypatch.setenv(ENVIRONMENT, address(lab))
    cloudinary.reset_config()
    try:
        yield
    finally:
        monkeypatch.delenv(ENVIRONMENT)
        cloudinary.reset_config()


def picture(width: int = 320, height: int = 200, name: str = "PNG", *, seed: int = 1) -> bytes:
    """A picture like no other of another *seed*."""
    dice = random.Random(seed)
    image = Image.new("RGB", (width, height), dice.choice(("navy", "teal", "maroon", "olive")))
    pen = ImageDraw.Draw(image)
    for _ in range(12):
        left, top = dice.randrange(width), dice.randrange(height)
        colour = tuple(dice.randrange(256) for _ in range(3))
        pen.ellipse((left, top, left + 40, top + 40), fill=colour)
    file = io.BytesIO()
    image.save(file, name)
    return file.getvalue()


def size_of(content: bytes) -> tuple[int, int]:
    return Image.open(io.BytesIO(content)).size
