"""Whether the vault's disk has room for new work: asked once a second at the most."""

import asyncio
from dataclasses import dataclass

from chassis import errors, logs
from chassis.channel import Peer
from imagestudio.storage.v1 import storage_service_pb2, storage_service_pb2_grpc

_FRESH = 1.0  # seconds
_TIMEOUT = 2.0  # seconds
_AGAIN = 5.0  # seconds until it may be worth while to ask again
log = logs.get()


@dataclass(slots=True)
class Disk:
    """Asks storage; where it does not answer, work is admitted and waits for it."""

    storage: Peer
    vault: "storage_service_pb2_grpc.StorageServiceAsyncStub"
    _room: storage_service_pb2.GetRoomResponse | None = None
    _asked: float = 0.0

    async def check(self) -> None:
        """Refuse new work below the reserve: DISK_FULL."""
        now = asyncio.get_running_loop().time()
        if self._room is None or now - self._asked > _FRESH:
            self._asked = now
            await self._ask()
        room = self._room
        if room is not None and room.free_bytes < room.reserve_bytes:
            raise errors.Exhausted(
                "DISK_FULL",
                "The disk of the vault is full: free some space on it, or move VAULT_URL to a "
                "larger one. Nothing that was kept is lost.",
                metadata={"free_bytes": str(room.free_bytes)},
                retry_after=_AGAIN,
            )

    async def _ask(self) -> None:
        request = storage_service_pb2.GetRoomRequest()
        try:
            self._room = await self.storage.ask(
                self.vault.GetRoom, request, timeout=_TIMEOUT, user_id=0
            )
        except errors.Fault as fault:
            self._room = None
            log.warning("room not known", error=str(fault))
