"""
A process that draws: reads what to draw from its standard input, answers on its standard output.

It ends when its input ends, and so with its parent, however that dies: nothing has to watch.
"""

import os
import pickle
import signal
import sys
import zlib
from collections.abc import Callable
from contextlib import suppress
from typing import BinaryIO

from services.generator.sketching.render import draw_rows, encode
from services.generator.sketching.scene import Scene
from services.generator.sketching.work import ANSWER, BANDS, DONE, ERROR, FRAME, LENGTH, Work


def rows(scene: Scene, band: int) -> tuple[int, int]:
    """The first row of *band*, and the row after its last."""
    return scene.height * band // BANDS, scene.height * (band + 1) // BANDS


def draw(work: Work, report: Callable[[int], None]) -> bytes:
    """The compressed bands, or the file; *report* hears how many bands are drawn."""
    parts, band = [], 0
    for stop, kept in work.kept:
        again = range(0) if kept else range(band, stop)
        parts += [zlib.decompress(kept)] if kept else []
        parts += [draw_rows(work.scene, *rows(work.scene, lost)) for lost in again]
        band = stop
    for band in range(work.start, work.stop):
        parts.append(draw_rows(work.scene, *rows(work.scene, band)))
        report(band + 1)
    if not work.media_type:
        return zlib.compress(b"".join(parts), 1)
    scene, whole = work.scene, b"".join(parts)
    notes = {"Title": scene.style, "Comment": f"scene {scene.seed:016x}"}
    return encode(whole, scene.width, scene.height, work.media_type, metadata=notes)


def serve(requests: BinaryIO, answers: BinaryIO) -> None:
    """Answer one request after the other until there are no more."""

    def send(kind: bytes, body: bytes) -> None:
        answers.write(FRAME.pack(kind, len(body)) + body)
        answers.flush()

    while len(head := requests.read(LENGTH.size)) == LENGTH.size:
        # A pickle is safe here: the pipe's only other end is the process that started this one.
        work = pickle.loads(requests.read(LENGTH.unpack(head)[0]))  # noqa: S301
        try:
            result = draw(work, lambda done: send(DONE, LENGTH.pack(done)))
        except (ValueError, ArithmeticError, LookupError, TypeError, MemoryError) as error:
            why = str(error) or "there is no room for it in memory"  # a MemoryError has no words
            send(ERROR, why.encode("utf-8", "replace"))
        else:
            send(ANSWER, result)


def main() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the parent's to handle
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # a stray print must not end up among the answers
    with suppress(OSError, EOFError, pickle.UnpicklingError):  # the parent is gone
        serve(sys.stdin.buffer, answers)
    os._exit(0)  # nothing to flush: what could not be sent is wanted by nobody


if __name__ == "__main__":
    main()
