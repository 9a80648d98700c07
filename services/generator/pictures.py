"""
Input images at the storage service, for the adapters to send on: the seam's `Pictures`.

An asset's name is worth something to its user only, and an adapter does not know for whom it
buys: whoever has it buy says so by `for_user`.
"""

import contextlib
from collections.abc import Iterator
from contextvars import ContextVar
from dataclasses import dataclass

from chassis import errors
from chassis.channel import Peer
from imagestudio.storage.v1 import storage_service_pb2 as pb
from imagestudio.storage.v1 import storage_service_pb2_grpc
from services.generator import provider as seam

BIGGEST = 20 << 20  # bytes of one
_NEVER = (errors.Missing, errors.DataLoss)  # it is gone, or is not what was kept
_user: ContextVar[int] = ContextVar("user of the input images")


@contextlib.contextmanager
def for_user(user_id: int) -> Iterator[None]:
    """Read the input images of this user within."""
    token = _user.set(user_id)
    try:
        yield
    finally:
        _user.reset(token)


@dataclass(frozen=True, slots=True)
class Pictures:
    """Reads over *peer*, one in *patience* seconds in all; see the seam's `Pictures`."""

    peer: Peer
    stub: "storage_service_pb2_grpc.StorageServiceAsyncStub"
    patience: float = 30.0

    async def read(self, asset: str, /) -> bytes:
        try:
            return await self._read(asset)
        except _NEVER as fault:
            raise seam.Unfit(f"the input image {asset}: {fault}") from fault
        except errors.Fault as fault:
            why = f"the input image {asset} cannot be read: {fault}"
            raise seam.NotReady(why, retry_after=fault.retry_after) from fault

    async def _read(self, asset: str) -> bytes:
        found, request = bytearray(), pb.DownloadAssetRequest(name=f"assets/{asset}")
        answers = self.peer.stream(
            self.stub.DownloadAsset, request, timeout=self.patience, user_id=_user.get(0)
        )
        async with contextlib.aclosing(answers):  # type: ignore[type-var]
            async for answer in answers:
                found += answer.chunk
                if len(found) > BIGGEST:
                    raise seam.Unfit(f"the input image {asset} has more than {BIGGEST} bytes")
        return bytes(found)
