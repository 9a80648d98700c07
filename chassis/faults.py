"""
Named points at which a test can kill this very process with SIGKILL.

`point("buy.before_send")` does nothing in production. With FAULT_POINT=name, or
name:3 for its third passing, the process dies there, once: the file FAULT_ONCE names is
made first, and where it exists already nothing happens.
"""

import os
import signal
from pathlib import Path

_name, _, _nth = os.environ.get("FAULT_POINT", "").partition(":")
_left = int(_nth or 1)
_once = os.environ.get("FAULT_ONCE", "")


def point(name: str) -> None:
    """Die here if a test asked for it."""
    if _name == name:
        _die()


def _die() -> None:
    global _left
    _left -= 1
    if _left > 0:
        return
    if _once:
        try:
            Path(_once).touch(exist_ok=False)
        except FileExistsError:
            return
    os.kill(os.getpid(), signal.SIGKILL)
