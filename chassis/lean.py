"""
Imports with less work: a process that was killed is back when its imports are done.

Up to a third of that work is the garbage collector's, which finds nothing, and packages that a
library loads because they happen to be installed.
"""

import gc
import sys
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def imports(*, without: tuple[str, ...] = ()) -> Iterator[None]:
    """Import inside of it; the packages in *without* are as if not installed, for good."""
    for name in without:
        sys.modules.setdefault(name, None)  # type: ignore[arg-type]  # what makes `import` fail
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()  # what is imported lives for ever
        gc.enable()
