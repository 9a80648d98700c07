"""Whose parent died becomes our child, and is waited for (Linux)."""

import ctypes
import os
from collections.abc import Set as AbstractSet
from contextlib import suppress

_PR_SET_CHILD_SUBREAPER = 36


def adopt() -> None:
    """Have the orphans among our descendants become our own children (Linux)."""
    ctypes.CDLL(None).prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def bury(ours: AbstractSet[int | None]) -> None:
    """Wait for the adopted who have ended: all children but *ours*, whom others wait for."""
    with suppress(ChildProcessError):
        while (found := _ended()) and found not in ours:
            os.waitpid(found, 0)


def _ended() -> int | None:
    found = os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
    return found.si_pid if found else None
