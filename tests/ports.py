"""Free ports below 32768: above it the kernel hands them to outgoing connections at any moment."""

from cli import ports


def free_ports(count: int, *, apart: int = 1) -> list[int]:
    """*count* ports on loopback that nobody listens on; their neighbours at +100 are free too."""
    return ports.free(count, apart=apart)


def free_port() -> int:
    return free_ports(1)[0]
