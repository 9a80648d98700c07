"""What a process that draws is told and answers: all that its parent, who draws nothing, needs."""

import struct
from typing import NamedTuple

from services.generator.sketching.scene import Scene

BANDS = 16
LENGTH = struct.Struct(">I")  # before a request
FRAME = struct.Struct(">cI")  # before each part of an answer: its kind and length
DONE, ANSWER, ERROR = b"d", b"a", b"e"  # bands drawn so far; the result; why there is none


class Part(NamedTuple):
    """Bands drawn earlier, up to *stop*: compressed, or None where they were not kept."""

    stop: int
    rows: bytes | None


class Work(NamedTuple):
    """Draw the bands from *start* up to *stop*; with a media type, make the whole file."""

    scene: Scene
    start: int
    stop: int
    media_type: str = ""
    kept: tuple[Part, ...] = ()  # what was drawn before *start*
