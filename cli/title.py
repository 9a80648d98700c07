"""The name of a process in `ps` and `top`, for who was forked and not executed (Linux)."""

import ctypes
from contextlib import suppress
from pathlib import Path

_PR_SET_NAME = 15
_ARGUMENTS = slice(45, 47)  # of /proc/self/stat after its name: where argv begins and ends
ROOM = "." * 64  # given as the last argument, for a title that is longer than the arguments


def set_title(title: str, name: str) -> None:
    """Show *title* as our command line, cut to argv's own room, and *name* as our thread's."""
    with suppress(OSError, ValueError):
        ctypes.CDLL(None).prctl(_PR_SET_NAME, name.encode()[:15], 0, 0, 0)
        fields = Path("/proc/self/stat").read_text().rpartition(")")[2].split()
        begin, end = map(int, fields[_ARGUMENTS])
        text = title.encode()[: max(0, end - begin - 2)]
        # The kernel shows argv up to the first zero where the last byte is none: setproctitle(3).
        ctypes.memmove(begin, text.ljust(end - begin - 1, b"\0") + b".", end - begin)
