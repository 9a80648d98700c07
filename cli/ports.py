"""Which ports a stack needs, which of them are taken, and by whom."""

import random
import socket
from collections.abc import Iterable

FROM, _BELOW = 26_000, 32_000  # above it Linux hands ports to outgoing connections


def free(count: int, *, apart: int = 1) -> list[int]:
    """Return *count* free ports on loopback, *apart* from each other; those 100 above are free."""
    dice, found = random.SystemRandom(), list[int]()
    while len(found) < count:
        port = dice.randrange(FROM, _BELOW, apart)
        taken = {taken + step for taken in found for step in (0, 100, -100)}
        if port not in taken and is_free(port) and is_free(port + 100):
            found.append(port)
    return found


def taken(wanted: Iterable[tuple[int, str, str]]) -> list[tuple[str, str]]:
    """Tell of each port that is taken by whom, and the remedy.

    *wanted* are ports, each with the process that needs it and the setting that moves it.
    """
    return [
        (
            f"port {port}, which {process} needs, is taken by {holder(port)}",
            f"end that, or set {setting} to another",
        )
        for port, process, setting in wanted
        if not is_free(port)
    ]


def is_free(port: int) -> bool:
    """Whether nobody listens on *port* of loopback."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


def holder(port: int) -> str:
    """Return the name and pid of who listens on *port*, as far as we may see it."""
    import psutil  # type: ignore[import-untyped,unused-ignore]

    try:
        for connection in psutil.net_connections("tcp"):
            listens = connection.status == psutil.CONN_LISTEN
            if listens and connection.laddr.port == port and connection.pid:
                return f"{psutil.Process(connection.pid).name()} (pid {connection.pid})"
    except (psutil.Error, OSError):
        pass
    return "another process"
