"""
Ties a process to the tests that start it, so that tests that are killed leave nothing running.

It is run in the place of the process and becomes it: where tests run in threads nothing of ours
may run between fork and exec.
"""

import os
import signal
import sys
from collections.abc import Sequence

from cli.leash import tie


def leashed(command: Sequence[str]) -> list[str]:
    """Return the command that runs *command* until it ends or we do; then it gets SIGTERM."""
    return [sys.executable, "-P", "-m", "tests.leash", str(os.getpid()), *command]


if __name__ == "__main__":
    tie(int(sys.argv[1]), signal.SIGTERM)
    os.execvp(sys.argv[2], sys.argv[2:])
