"""The supervisor's end of the guardian's pipe (cli/leash.py): which pids to watch."""

import os
import subprocess
import sys
from contextlib import suppress

from cli import leash


class Guardian:
    """Started again if it dies, and then told everything again."""

    def __init__(self, lock: int) -> None:
        self._lock = lock  # inherited, so that the folder stays taken until it is done
        self.watched: dict[int, int] = {}  # pids, and how each is asked to end
        self._start()

    @property
    def pid(self) -> int:
        return self._process.pid

    def _start(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-I", "-S", leash.__file__],
            stdin=subprocess.PIPE,
            pass_fds=[self._lock],
            start_new_session=True,
            cwd="/",
        )

    def watch(self, pid: int, asked: int) -> None:
        self.watched[pid] = asked
        self._tell(f"+{pid} {asked}\n")

    def forget(self, pid: int) -> None:
        self.watched.pop(pid, None)
        self._tell(f"-{pid}\n")

    def look(self) -> None:
        """Start it again if it has ended."""
        if self._process.poll() is not None:
            self._hang_up()
            self._start()
            for pid, asked in self.watched.items():
                self._tell(f"+{pid} {asked}\n")

    def dismiss(self) -> None:
        """Let it go; whatever it still watches ends."""
        self._hang_up()
        self._process.wait()

    def _hang_up(self) -> None:
        if self._process.stdin:
            with suppress(OSError):
                self._process.stdin.close()

    def _tell(self, line: str) -> None:
        if self._process.stdin:
            with suppress(OSError):  # it died: `look` tells the next one
                os.write(self._process.stdin.fileno(), line.encode())
