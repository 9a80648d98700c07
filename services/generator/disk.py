"""Whether the vault's disk takes what new work brings: asked once a second at the most."""

import asyncio
from dataclasses import dataclass

from chassis import errors, logs
from chassis.channel import Peer
from imagestudio.storage.v1 import storage_service_pb2, storage_service_pb2_grpc

_FRESH = 1.0  # seconds
_TIMEOUT = 6.0  # seconds; a disk that hangs is told as unwritable before
_AGAIN = 5.0  # seconds until it may be worth while to ask again
log = logs.get()


@dataclass(slots=True)
class Disk:
    """Asks storage; where it does not answer, work is admitted and waits for it."""

    storage: Peer
    vault: "storage_service_pb2_grpc.StorageServiceAsyncStub"
    _room: storage_service_pb2.GetRoomResponse | None = None
    _heard: float = 0.0  # the room; who asks meanwhile asks, too, and goes by no older one

    async def check(self) -> None:
        """Refuse new work below the reserve, DISK_FULL, and while nothing can be written."""
        now = asyncio.get_running_loop().time()
        if self._room is None or now - self._heard > _FRESH:
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
            self._heard = asyncio.get_running_loop().time()
        except errors.Fault as fault:
            self._room = None
            if fault.reason == "VAULT_UNAVAILABLE":
                raise
            log.warning("room not known", error=str(fault))
