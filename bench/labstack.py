"""A stack whose vendors are the lab, with its CDN or none; the lab's own rates do not limit it."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

from bench.supervising import supervise
from cli.processes import Process
from cli.shape import Shape
from tests.lab.process import Lab
from tests.postgres import temporary_data
from tests.system.stack import Stack

_LAB_ONLY = "--without-cdn"


class _Stack(Stack):
    up = (sys.executable, "-P", "-m", "bench.labstack")


@contextmanager
def lab_stack(*, cdn: bool, **more: str) -> Iterator[Stack]:
    """Run one on fresh data with *more* settings, and end it."""
    settings = {"LOG_LEVEL": "warning", "REPLICATE_MAX_PER_MINUTE": "0", **more}
    with temporary_data() as data:
        stack = _Stack(data, settings).start(*([] if cdn else [_LAB_ONLY]))
        try:
            yield stack
        finally:
            stack.stop()


def lab_of(stack: Stack) -> Lab:
    """The control of its lab."""
    return Lab(f"http://127.0.0.1:{stack.port('LAB_PORT')}", None)


def prepare(lab: Lab, *, seconds: float, size: int) -> None:
    """Have it forget all, and draw pictures of *size* bytes in *seconds*, as many as come."""
    lab.reset()
    lab.vendor("replicate", creates_per_minute=None, others_per_minute=None)
    lab.vendor("cloudinary", instant=True)
    lab.pace(seconds, bytes=size)


def _without_cdn(process: Process) -> Process:
    kept = {k: v for k, v in process.environment.items() if not k.startswith("CLOUDINARY_")}
    return replace(process, environment=kept)


if __name__ == "__main__":
    supervise(Shape(lab=True), _without_cdn if _LAB_ONLY in sys.argv else lambda process: process)
