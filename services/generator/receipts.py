"""
Receipts at the storage service: a synchronous provider's raw answer, durable before it is
parsed.

The first bytes of what this process wrote are remembered, so that the `follow` right after
a `buy` asks nobody.
"""

import asyncio
import contextlib
from collections import OrderedDict
from collections.abc import AsyncIterator
from dataclasses import dataclass, field

from chassis import errors, faults
from chassis.channel import Peer
from imagestudio.storage.v1 import storage_service_pb2 as pb
from imagestudio.storage.v1 import storage_service_pb2_grpc

_CHUNK = 256 * 1024  # bytes of a message; a smaller answer is one
_HEAD = 4096  # bytes remembered of each receipt
_REMEMBERED = 4096  # receipts
_TIMEOUT = 30.0  # seconds to write a receipt once it is all there, or to read one
_SEAL = b'{"sealed": "nothing was bought"}\n'


@dataclass(slots=True)
class Receipts:
    """Reads, seals and writes receipts; see the seam's `Receipts` and `ReceiptSink`."""

    peer: Peer
    stub: "storage_service_pb2_grpc.StorageServiceAsyncStub"
    _heads: OrderedDict[str, bytes] = field(default_factory=OrderedDict)

    def sink(self, purchase_id: str, provider: str, user_id: int = 0) -> "Sink":
        """What takes the answer to *purchase_id*, bought for a user, or for nobody."""
        header = pb.ReceiptHeader(purchase_id=purchase_id, provider=provider)
        return Sink(self, header, user_id)

    async def read(self, purchase_id: str, start: int, stop: int, /) -> bytes | None:
        head = self._heads.get(purchase_id, b"")
        if stop <= len(head):
            return head[start:stop]
        found = bytearray()
        request = pb.DownloadAssetRequest(name=f"receipts/{purchase_id}", offset=start)
        answers = self.peer.stream(self.stub.DownloadAsset, request, timeout=_TIMEOUT)
        try:
            async with contextlib.aclosing(answers):  # type: ignore[type-var]
                async for answer in answers:
                    found += answer.chunk
                    if len(found) >= stop - start:
                        break
        except errors.Missing:
            return None
        return bytes(found[: stop - start])

    async def seal(self, purchase_id: str, /) -> bool:
        sink = self.sink(purchase_id, "sealed")
        try:
            await sink.write(_SEAL)
            await sink.close()
        except errors.Precondition as fault:
            if fault.reason == "STATE_CONFLICT":
                return False
            raise
        return True

    def remember(self, purchase_id: str, head: bytes) -> None:
        """Keep the first bytes of a receipt that is durable now."""
        self._heads[purchase_id] = head
        if len(self._heads) > _REMEMBERED:
            self._heads.popitem(last=False)

    def forget(self, purchase_id: str) -> None:
        """Drop what is remembered of a purchase that is done with."""
        self._heads.pop(purchase_id, None)


@dataclass(slots=True)
class Sink:
    """One receipt on its way; what fits in one message waits there for the end.

    It leaves nothing unless closed.
    """

    receipts: Receipts
    header: pb.ReceiptHeader
    user_id: int
    _queue: asyncio.Queue[pb.PutReceiptRequest | None] = field(default_factory=asyncio.Queue)
    _sending: asyncio.Task[pb.PutReceiptResponse] | None = None
    _size: int = 0
    _head: bytes = b""
    _held: bytes = b""

    async def write(self, chunk: bytes, /) -> None:
        if self._sending and self._sending.done():
            await self._sending  # it broke: say how
        self._size += len(chunk)
        self._head += chunk[: _HEAD - len(self._head)]
        held = self._held + chunk
        full = (len(held) - 1) // _CHUNK * _CHUNK  # the last message is never empty
        for start in range(0, full, _CHUNK):
            self._put(pb.PutReceiptRequest(chunk=held[start : start + _CHUNK]))
        self._held = held[full:]

    async def close(self) -> None:
        if not self._size:
            raise ValueError("an empty receipt proves nothing")
        end = pb.ReceiptEnd(size_bytes=self._size)
        sending = self._put(pb.PutReceiptRequest(chunk=self._held, end=end))
        self._queue.put_nowait(None)
        faults.point("receipt.before_close")
        await sending
        faults.point("receipt.after_close")
        self.receipts.remember(self.header.purchase_id, self._head)

    def abandon(self) -> None:
        """Stop; what was not closed is not kept."""
        if self._sending and not self._sending.done():
            self._sending.cancel()

    def _put(self, message: pb.PutReceiptRequest) -> asyncio.Task[pb.PutReceiptResponse]:
        """Send *message* after those before it; the first one brings the header."""
        if self._sending is None:
            message.header.CopyFrom(self.header)
            self._sending = asyncio.create_task(self._send())
        self._queue.put_nowait(message)
        return self._sending

    async def _send(self) -> pb.PutReceiptResponse:
        method, peer = self.receipts.stub.PutReceipt, self.receipts.peer
        response: pb.PutReceiptResponse = await peer.ask(
            method, self._messages(), timeout=_TIMEOUT, user_id=self.user_id
        )
        return response

    async def _messages(self) -> AsyncIterator[pb.PutReceiptRequest]:
        while (message := await self._queue.get()) is not None:
            yield message
