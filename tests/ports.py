"""
Free ports below 32768: above it the kernel hands them to outgoing connections at any moment.

What is free now may be taken before it is used, and a test that is ended in between takes minutes
to be understood: so no two workers hand out the same ports, and one worker none twice in a row.
"""

import os
import random

from cli import ports

_FROM, _BELOW = 10_000, ports.FROM  # those above are what the product's own commands find


def free_ports(count: int, *, apart: int = 1) -> list[int]:
    """*count* ports on loopback that nobody listens on; their neighbours at +100 are free too."""
    return [_sequence.next(apart) for _ in range(count)]


def free_port() -> int:
    return free_ports(1)[0]


class _Sequence:
    """The ports of one worker of several, in turn, from anywhere on: other runs begin elsewhere."""

    def __init__(self, worker: int, workers: int) -> None:
        share = (_BELOW - _FROM) // workers // 200 * 200
        self._first, self._end = _FROM + worker * share, _FROM + (worker + 1) * share
        self._at = random.SystemRandom().randrange(self._first, self._end, 10)

    def next(self, apart: int) -> int:
        while True:
            port = -(-self._at // apart) * apart
            if port >= self._end:
                port = self._first
            self._at = port + apart
            is_neighbour = (port - self._first) % 200 >= 100
            if not is_neighbour and ports.is_free(port) and ports.is_free(port + 100):
                return port


_sequence = _Sequence(
    int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw")),
    int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1")),
)
