"""Previews are handed on while a stream passes, made small, and never in anybody's way."""

import base64
import io
import json
import os
import random
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from imagestudio.type.v1 import job_event_pb2
from services.generator import glimpses
from services.generator.provider import Preview
from services.generator.providers import previews
from services.generator.providers.previews import Previews
from services.generator.sequence import Mailbox

IMAGE = random.Random(3).randbytes(3000)


def event(kind: str, **data: object) -> bytes:
    return f"event: image_edit.{kind}\ndata: {json.dumps(data)}\n\n".encode()


def partial(number: int) -> bytes:
    text = base64.b64encode(IMAGE).decode()
    return event("partial_image", b64_json=text, partial_image_index=number)


def seen(stream: bytes, pieces: list[int]) -> list[Preview]:
    told: list[Preview] = []
    watch, start = Previews(told.append), 0
    for size in [*pieces, len(stream)]:
        watch.feed(stream[start : start + size])
        start += size
    return told


def noise(width: int, height: int, kind: str = "PNG") -> bytes:
    file = io.BytesIO()
    Image.effect_noise((width, height), 90).convert("RGBA").save(file, kind)
    return file.getvalue()


@given(st.lists(st.integers(0, 3000), max_size=20))
def test_each_is_told_once_however_the_stream_comes_in_pieces(pieces: list[int]) -> None:
    done = event("completed", b64_json=base64.b64encode(IMAGE).decode())
    stream = partial(0) + b": a comment\n\n" + partial(1) + done
    assert seen(stream, pieces) == [Preview(IMAGE, 0), Preview(IMAGE, 1)]


@pytest.mark.parametrize(
    "spoiled",
    [
        event("partial_image"),
        event("partial_image", b64_json="no base64!", partial_image_index=0),
        event("partial_image", b64_json="", partial_image_index="first"),
        b"event: image_edit.partial_image\n\n",
        b"event: image_edit.partial_image\ndata: {\n\n",
        b"data: \xff.partial_image\n\n",
    ],
)
def test_what_makes_no_sense_is_passed_over(spoiled: bytes) -> None:
    assert seen(spoiled + partial(2), []) == [Preview(IMAGE, 2)]


def test_what_is_too_long_is_passed_over_and_not_held() -> None:
    told: list[Preview] = []
    watch = Previews(told.append)
    watch.feed(b"event: image_edit.partial_image\ndata: ")
    for _ in range(10):
        watch.feed(b"A" * (8 << 20))
        assert len(watch._held) <= previews._LONGEST
    watch.feed(b"\n")
    watch.feed(b"\n" + partial(1))
    assert told == [Preview(IMAGE, 1)]


def test_a_preview_is_told_small() -> None:
    small = glimpses.small(noise(1536, 1024))
    assert len(small) <= 256 * 1024
    with Image.open(io.BytesIO(small)) as opened:
        assert (opened.format, opened.size) == ("WEBP", (512, 341))


@pytest.mark.parametrize("image", [b"", b"words", noise(64, 64)[:200]])
def test_what_is_no_picture_is_not_told(image: bytes) -> None:
    assert glimpses.small(image) is None


def test_a_picture_that_is_damaged_in_the_middle_is_not_told() -> None:
    """What its decoder raises then is of no class that one would look for."""
    image = bytearray(noise(512, 512))
    second = image.index(b"IDAT", image.index(b"IDAT") + 4)
    image[second : second + 4] = b"\xff\xff\xff\xff"
    assert glimpses.small(bytes(image)) is None


def test_a_preview_of_too_many_pixels_is_not_decoded() -> None:
    file = io.BytesIO()
    Image.new("1", (7000, 7000)).save(file, "PNG")
    assert glimpses.small(file.getvalue()) is None


EPS = b"""%!PS-Adobe-3.0 EPSF-3.0
%%BoundingBox: 0 0 32 32
%%EndComments
showpage
"""
SHOW = """import sys
from services.generator import glimpses
print(glimpses.small(sys.stdin.buffer.read()))
"""


def test_a_preview_starts_no_program(tmp_path: Path) -> None:
    """Pillow has Ghostscript draw an EPS: in a process that holds the vendors' keys."""
    started = tmp_path / "started"
    gs = tmp_path / "gs"
    gs.write_text(f"#!/bin/sh\n: > {started}\nexit 1\n")
    gs.chmod(0o755)
    environment = os.environ | {"PATH": f"{tmp_path}:{os.environ['PATH']}"}
    said = subprocess.run(
        [sys.executable, "-c", SHOW], input=EPS, env=environment, capture_output=True, check=True
    )
    assert said.stdout.strip() == b"None"
    assert not started.exists()


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP", "GIF", "TIFF", "BMP", "TGA"])
def test_of_all_kinds_of_pictures_those_that_vendors_send_are_shown(kind: str) -> None:
    file = io.BytesIO()
    Image.new("RGB", (32, 32), "red").save(file, kind)
    assert (glimpses.small(file.getvalue()) is not None) == (kind in ("PNG", "JPEG", "WEBP"))


def preview(purchase: str, number: int) -> job_event_pb2.JobEvent:
    found = job_event_pb2.JobEvent.Preview(purchase_id=purchase, preview_index=number)
    return job_event_pb2.JobEvent(preview=found)


def test_of_previews_the_newest_of_a_few_purchases_wait_beside_the_progress() -> None:
    box = Mailbox()
    progress = job_event_pb2.JobEvent.Progress(purchase_id="f", fraction=0.5)
    for number in range(2):
        for purchase in "abcdef":
            box.put(preview(purchase, number))
    box.put(job_event_pb2.JobEvent(progress=progress))
    taken = [box.take() for _ in range(5)]
    assert taken[0].progress.fraction == 0.5
    assert [(e.preview.purchase_id, e.preview.preview_index) for e in taken[1:]] == [
        (purchase, 1) for purchase in "cdef"
    ]
    assert box.empty()
