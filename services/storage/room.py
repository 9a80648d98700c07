"""How much room the vault has, and the reserve that only paid pictures may use."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass

from prometheus_client import REGISTRY
from prometheus_client.metrics_core import GaugeMetricFamily, Metric

from chassis.errors import Exhausted, Unavailable
from services.storage.trial import Trial
from services.storage.vault import Full, Sick

_AGAIN = 5.0  # seconds until it may be worth while to ask again


class Room:
    """
    *free* tells the bytes that are left, and may take its time; *reserve* is in bytes, too.

    *trial* knows whether any of them can be written.
    """

    def __init__(self, free: Callable[[], int], reserve: int, trial: Trial) -> None:
        self.free, self.reserve, self._trial = free, reserve, trial

    async def left(self) -> int:
        """Bytes that are left; VAULT_UNAVAILABLE or DISK_FULL where none can be written."""
        match await self._trial.failure():
            case Sick() as sick:
                raise _unwritable(sick)
            case Full():
                raise self._full(0)
        return await self._free()

    @contextmanager
    def shown(self) -> Iterator[None]:
        """Tell /metrics of it for as long as the vault is there to be asked."""
        gauges = _Gauges(self)
        REGISTRY.register(gauges)
        try:
            yield
        finally:
            REGISTRY.unregister(gauges)

    async def check(self) -> None:
        """Refuse new work below the reserve, DISK_FULL, and where nothing can be written."""
        left = await self.left()
        if left < self.reserve:
            raise self._full(left)

    @asynccontextmanager
    async def watched(self) -> AsyncIterator[None]:
        """Tell of a vault that is Full in the middle of a write as DISK_FULL."""
        try:
            yield
        except Full as error:
            raise self._full(await self._free()) from error
        except Sick:
            self._trial.doubt()  # a read may have failed: that tells nothing of writes
            raise

    async def _free(self) -> int:
        """Ask in a thread, since a disk may have others to serve."""
        return await asyncio.to_thread(self.free)

    def _full(self, left: int) -> Exhausted:
        return Exhausted(
            "DISK_FULL",
            "The disk of the vault is full: free some space on it, or move VAULT_URL to a larger "
            "one. Nothing that was kept is lost.",
            metadata={"free_bytes": str(left)},
            retry_after=_AGAIN,
        )


def _unwritable(sick: Sick) -> Unavailable:
    return Unavailable(
        "VAULT_UNAVAILABLE",
        f"The vault cannot be written ({sick.why}): see that its disk is mounted, sound and not "
        "read-only, and that storage's user may write there. Until then no new work is taken; "
        "nothing that was kept is given up.",
        retry_after=_AGAIN,
    )


@dataclass(frozen=True, slots=True, eq=False)
class _Gauges:
    """What /metrics tells of a room, measured when it is asked."""

    room: Room

    def collect(self) -> Iterator[Metric]:
        yield GaugeMetricFamily(
            "studio_vault_free_bytes",
            "Bytes that the vault can still take.",
            value=self.room.free(),
        )
        yield GaugeMetricFamily(
            "studio_vault_reserve_bytes",
            "Below so many free bytes no new work is taken.",
            value=self.room.reserve,
        )

    def describe(self) -> Iterator[Metric]:
        """Name none: a second vault in one process may be shown beside the first."""
        return iter(())
