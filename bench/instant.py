"""
A stack whose provider is instant: the sketch is a ready-made picture instead of a drawn one.

All else is real. Only the generator is started differently: with an easel that answers at
once, in each job with other bytes, as many as a typical picture has.
"""

import asyncio
import os
import struct
import sys
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

from bench.supervising import supervise
from chassis.run import run
from cli import processes
from cli.shape import Shape
from services.generator.serve import serve as generate
from services.generator.settings import Settings
from services.generator.sketching.easel import Easel, Pause, Report
from services.generator.sketching.render import encode
from services.generator.sketching.scene import Scene
from tests.postgres import temporary_data
from tests.system.stack import Stack

_SIDE = 146  # pixels of noise, which no format makes smaller: 64 KiB
_MARK = b"IEND"  # what a PNG ends with; a text before it makes each file another


class ReadyMade(Easel):
    """Gives a picture at once."""

    def __init__(self) -> None:
        super().__init__()
        self._picture = encode(
            os.urandom(_SIDE * _SIDE * 3), _SIDE, _SIDE, "image/png", metadata={}
        )
        self._rest_at = self._picture.rindex(_MARK) - 4

    async def draw(
        self,
        scene: Scene,
        media_type: str,
        *,
        seconds: float,
        report: Report,
        pause: Pause = asyncio.sleep,
    ) -> bytes:
        del media_type, seconds, report, pause
        note = b"tEXt" + b"seed\0%d" % scene.seed
        chunk = struct.pack(">I", len(note) - 4) + note + struct.pack(">I", zlib.crc32(note))
        return self._picture[: self._rest_at] + chunk + self._picture[self._rest_at :]


class InstantStack(Stack):
    """The stack that this module supervises."""

    up = (sys.executable, "-P", "-m", "bench.instant")


@contextmanager
def instant_stack(**settings: str) -> Iterator[Stack]:
    """Run one on fresh data, and end it."""
    with temporary_data() as data:
        stack = InstantStack(data, settings).start()
        try:
            yield stack
        finally:
            stack.stop()


def _instant(process: processes.Process) -> processes.Process:
    if not process.name.startswith("generator"):
        return process
    command = [sys.executable, "-P", "-m", "bench.instant", "--serve"]
    return replace(process, command=command, module=None)  # executed, not forked


async def _serve(settings: Settings, stop: asyncio.Event) -> None:
    await generate(settings, stop, ReadyMade())


if __name__ == "__main__":
    if "--serve" in sys.argv:
        run("generator", Settings, _serve)
    else:
        supervise(Shape(), _instant)
