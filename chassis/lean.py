"""
A start that costs little: what a process of ours imports, it imports in `cheaply`.

Who was killed is back when its imports are through, and meanwhile takes CPU from all others.
"""

import gc
import sys
from collections.abc import Iterator
from contextlib import contextmanager

COLOURS = "rich"  # for a terminal: structlog takes it along
COMMAND_LINE = "click"  # httpx's own program
WEBSOCKETS = "aiohttp"  # nats takes it along, to speak by them; for who calls nobody by HTTP
PYDANTIC_1 = "pydantic.v1"  # FastAPI looks whether what it is given is of it


@contextmanager
def cheaply(*, without: tuple[str, ...]) -> Iterator[None]:
    """
    Import what the block imports, and of *without* nothing: libraries take it along if it is there.

    The collector rests from then on, since nothing of all that is garbage; `run` wakes it.
    """
    gc.disable()
    absent = [name for name in without if name not in sys.modules]
    sys.modules.update(dict.fromkeys(absent))  # type: ignore[arg-type]  # None: as if not installed
    try:
        yield
    finally:
        for name in absent:
            del sys.modules[name]
