"""Free ports below 32768: above it the kernel hands them to outgoing connections at any moment."""

import os
import random
import socket

_random = random.Random(os.getpid() ^ int.from_bytes(os.urandom(4)))


def free_ports(count: int, *, apart: int = 1) -> list[int]:
    """*count* ports on loopback that nobody listens on; their neighbours at +100 are free too."""
    found: list[int] = []
    while len(found) < count:
        port = _random.randrange(10_000, 32_000, apart)
        taken = {taken + step for taken in found for step in (0, 100, -100)}
        if port not in taken and _is_free(port) and _is_free(port + 100):
            found.append(port)
    return found


def free_port() -> int:
    return free_ports(1)[0]


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True
