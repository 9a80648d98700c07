"""
Named points at which a test can kill this very process, or put it to sleep.

`point("buy.before_send")` does nothing in production. Where FAULT_FOLDER names a folder,
the first process that passes a point of which there is a file takes the file away and
dies there by SIGKILL; where the file says `sleep`, it stops there until it gets SIGCONT.
Where it says a number, so many die there, one after the other.
"""

import os
import signal
from pathlib import Path

_folder = os.environ.get("FAULT_FOLDER", "")


def point(name: str) -> None:
    """Die here, or sleep, if a test asked for it."""
    if not _folder:
        return
    trap = Path(_folder, name)
    try:
        said = trap.read_text()
        trap.unlink()
    except FileNotFoundError:
        return
    if said.isdecimal() and int(said) > 1:
        trap.write_text(str(int(said) - 1))  # whoever runs as another user may write a new one
    os.kill(os.getpid(), signal.SIGSTOP if said == "sleep" else signal.SIGKILL)
