"""
Is it ending, and waits for something that need not come? One question for each kind of server.

The supervisor asks it of what is up, and then asks the server to end in its own way.
"""

from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

_STATUS = 7  # of the lines of postmaster.pid, from 0


def postgres(data: Path) -> Callable[[], bool]:
    """
    SIGTERM has it take nobody new and wait until all others have left, which ours never do.

    It writes so into its pid file, which lies where `services.catalog.embedded` has put it.
    """

    def ends() -> bool:
        cluster = data / "postgres"
        with suppress(OSError):  # not moved: that is the usual case
            cluster = Path((data / "postgres.moved").read_text().strip())
        try:
            lines = (cluster / "postmaster.pid").read_text().splitlines()
        except OSError:
            return False
        return [line.strip() for line in lines[_STATUS:]] == ["stopping"]

    return ends
