"""Whether whoever stops reading an async generator closes it; else the loop makes a task for it."""

import sys
from collections.abc import AsyncGenerator, Iterator
from contextlib import contextmanager


@contextmanager
def left_open() -> Iterator[list[str]]:
    """Give the names of the async generators that were begun inside and left unclosed."""
    left: list[AsyncGenerator[object, object]] = []
    names: list[str] = []

    def found(each: AsyncGenerator[object, object]) -> None:
        left.append(each)
        names.append(each.__qualname__)

    before = sys.get_asyncgen_hooks()
    sys.set_asyncgen_hooks(finalizer=found)
    try:
        yield names
    finally:
        sys.set_asyncgen_hooks(*before)
