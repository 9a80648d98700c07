"""How much room the vault has, and the reserve that only paid pictures may use."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import prometheus_client

from chassis.errors import Exhausted
from services.storage.vault import Full

_FREE = prometheus_client.Gauge("studio_vault_free_bytes", "Bytes that the vault can still take.")
_RESERVE = prometheus_client.Gauge(
    "studio_vault_reserve_bytes", "Below so many free bytes no new work is taken."
)
_AGAIN = 5.0  # seconds until it may be worth while to ask again


class Room:
    """*free* tells the bytes that are left; *reserve* is in bytes, too."""

    def __init__(self, free: Callable[[], int], reserve: int) -> None:
        self.free, self.reserve = free, reserve
        _FREE.set_function(free)
        _RESERVE.set(reserve)

    def check(self) -> None:
        """Refuse new work below the reserve: DISK_FULL."""
        if self.free() < self.reserve:
            raise self._full()

    @contextmanager
    def watched(self) -> Iterator[None]:
        """Tell of a vault that is Full in the middle of a write as DISK_FULL."""
        try:
            yield
        except Full as error:
            raise self._full() from error

    def _full(self) -> Exhausted:
        return Exhausted(
            "DISK_FULL",
            "The disk of the vault is full: free some space on it, or move VAULT_URL to a larger "
            "one. Nothing that was kept is lost.",
            metadata={"free_bytes": str(self.free())},
            retry_after=_AGAIN,
        )
