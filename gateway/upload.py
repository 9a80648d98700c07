"""
A picture on its way in: as long as its bytes come, it may take its time.

Envoy counts its 60 s for an answer from the end of a request, and so do we: 25 MiB take minutes
on many a line. Only a client that falls silent, and a storage that does, are not waited for.
"""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass

from fastapi import Request
from starlette.requests import ClientDisconnect

from chassis.errors import Fault, Late
from gateway.problem import HttpFault
from gateway.services import Service
from imagestudio.storage.v1.storage_service_pb2 import (
    UploadAssetRequest,
    UploadAssetResponse,
    UploadHeader,
)

_WHOLE = 1800.0  # seconds for all of it: 25 MiB at 120 kbit/s
_CHUNK = 64 * 1024  # bytes


@dataclass(slots=True)
class Upload:
    """The body of *request*, *size* bytes; *silence* of its client and *patience* in seconds."""

    request: Request
    size: int
    silence: float = 45.0  # Envoy, where there is one, ends it after 60
    patience: float = 55.0  # for storage, after the last bytes: the edge's end after 60
    broken: Fault | None = None  # why not all of it came

    async def to(self, storage: Service) -> UploadAssetResponse:
        """Send it; raises Fault, also where its client is gone and nobody reads that."""
        try:
            async with asyncio.timeout(self.patience) as limit:
                sent = self.messages(limit)
                call = storage.peer.ask(storage.stub.UploadAsset, sent, timeout=_WHOLE)
                answer: UploadAssetResponse = await call
        except TimeoutError:
            raise _late() from None
        except Fault:  # storage says how many bytes are missing
            if self.broken:
                raise self.broken from None
            raise
        return answer

    async def messages(self, limit: asyncio.Timeout) -> AsyncIterator[UploadAssetRequest]:
        """Yield its messages, and move *limit* on as they come; ends early where it is `broken`."""
        yield UploadAssetRequest(header=UploadHeader(size_bytes=self.size))
        pieces = self.request.stream()
        try:
            while piece := await self._next(pieces):
                limit.reschedule(asyncio.get_running_loop().time() + self.patience)
                for at in range(0, len(piece), _CHUNK):
                    yield UploadAssetRequest(chunk=piece[at : at + _CHUNK])
        except ClientDisconnect:  # raised to gRPC, it would be a cancellation of ours
            self.broken = HttpFault(499, "The upload was broken off.")
        except TimeoutError:
            self.broken = HttpFault(
                408, f"No bytes of the upload came for {self.silence:g} s; send it again."
            )

    async def _next(self, pieces: AsyncIterator[bytes]) -> bytes:
        async with asyncio.timeout(self.silence):
            return await anext(pieces, b"")


def _late() -> Fault:
    return Late(
        "SERVICE_UNAVAILABLE",
        "The storage service did not answer in time; try again in a moment.",
        metadata={"service": "storage"},
        retry_after=1.0,
    )
