"""
Receipts at the storage service: a synchronous provider's raw answer, durable before it is
parsed.

The first bytes of what this process wrote are remembered, so that the `follow` right after
a `buy` asks nobody.
"""

import asyncio
import contextlib
from collections import OrderedDict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from functools import partial
from itertools import chain, repeat
from typing import Protocol

import grpc

from chassis import errors, faults, logs
from chassis.channel import Peer
from imagestudio.storage.v1 import storage_service_pb2 as pb
from imagestudio.storage.v1 import storage_service_pb2_grpc
from services.generator.provider import Drawn

_CHUNK = 256 * 1024  # bytes of a message; a smaller answer is one
_HEAD = 4096  # bytes remembered of each receipt
_REMEMBERED = 4096  # receipts
_TIMEOUT = 30.0  # seconds to write a receipt once it is all there, or to read a piece of one
_SLOWEST = 1024 * 1024  # bytes that a vault on a slow line takes in one second more
_AGAIN = (0.2, 0.5, 1.0, 2.0, 4.0, 8.0)  # seconds until a receipt is sent again
_PATIENCE = 300.0  # seconds that a whole answer waits for storage, which may need room made
_SEALING = 15.0  # seconds likewise of a seal, which can be tried another time
_SEAL = b'{"sealed": "nothing was bought"}\n'
_PUT = "/imagestudio.storage.v1.StorageService/PutReceipt"
log = logs.get()


def seconds_for(size: int) -> float:
    """How long it may take to write a receipt of *size* bytes once it is all there."""
    return _TIMEOUT + size / _SLOWEST


class Owner(Protocol):
    """Whose receipt it is: hears why it waits, and of the pictures that were kept with it."""

    def warn(self, fault: errors.Fault, /) -> None: ...
    def pictures(self, drawn: Drawn, /) -> Iterable[pb.ImportAssetRequest]: ...
    def pictured(self, kept: Iterable[pb.ImportAssetResponse], /) -> None: ...


@dataclass(slots=True)
class Receipts:
    """
    Reads, seals and writes receipts; see the seam's `Receipts` and `ReceiptSink`.

    *patience* is in seconds: so long is a whole answer sent again that storage does not take.
    """

    peer: Peer
    stub: "storage_service_pb2_grpc.StorageServiceAsyncStub"
    patience: float = _PATIENCE
    put_whole: "grpc.aio.UnaryUnaryMultiCallable[pb.PutReceiptRequest, pb.PutReceiptResponse]" = (
        field(init=False)
    )
    _heads: OrderedDict[str, bytes] = field(default_factory=OrderedDict)

    def __post_init__(self) -> None:
        """
        Make PutReceipt callable with one message, as most receipts are.

        On the wire a stream of one is what a unary call is, and here it costs half as much.
        """
        self.put_whole = self.peer.channel.unary_unary(
            _PUT,
            request_serializer=pb.PutReceiptRequest.SerializeToString,
            response_deserializer=pb.PutReceiptResponse.FromString,
        )

    def sink(
        self, purchase_id: str, provider: str, user_id: int = 0, owner: Owner | None = None
    ) -> "Sink":
        """What takes the answer to *purchase_id*, bought for a user, or for nobody."""
        header = pb.ReceiptHeader(purchase_id=purchase_id, provider=provider)
        return Sink(self, header, user_id, self.patience, owner)

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
        sink.patience = _SEALING
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
    """
    One receipt on its way; nothing is kept unless it is closed.

    All of it stays in memory until then, and is sent when it is whole: who still draws would hold
    a call to storage open. Where storage goes away, or its disk is full, it is sent again, since
    a vendor's answer is paid for and comes once. Only another answer that is kept in its place
    ends that before *patience*, in seconds, does. *owner* hears each time why.
    """

    receipts: Receipts
    header: pb.ReceiptHeader
    user_id: int
    patience: float
    owner: Owner | None
    _pieces: list[bytes] = field(default_factory=list)  # each but the last is full
    _held: bytes = b""  # what does not fill one yet

    async def write(self, chunk: bytes, /) -> None:
        held = self._held + chunk
        full = len(held) // _CHUNK * _CHUNK
        self._pieces += (held[start : start + _CHUNK] for start in range(0, full, _CHUNK))
        self._held = held[full:]

    def written(self) -> Iterable[bytes]:
        return chain(self._pieces, (self._held,))

    async def close(self, holding: Drawn | None = None, /) -> None:
        if self._held:
            self._pieces.append(self._held)
        if not self._pieces:
            raise ValueError("an empty receipt proves nothing")
        if holding and self.owner:
            self.header.pictures.extend(self.owner.pictures(holding))
        faults.point("receipt.before_close")
        await self._sent()
        faults.point("receipt.after_close")
        self.receipts.remember(self.header.purchase_id, self._pieces[0][:_HEAD])

    async def _sent(self) -> None:
        """Send it until it is durable; see `Sink` for how often."""
        clock = asyncio.get_running_loop().time
        until, waits = clock() + self.patience, chain(_AGAIN, repeat(_AGAIN[-1]))
        while True:
            try:
                await self._send()
            except errors.Fault as fault:
                wait = max(next(waits), fault.retry_after or 0.0)
                if not _may_pass(fault) or clock() + wait > until:
                    raise
                log.warning("a receipt is sent again", error=str(fault))
                if self.owner:
                    self.owner.warn(fault)
                await asyncio.sleep(wait)
            else:
                return

    async def _send(self) -> None:
        receipts, messages = self.receipts, self._messages()
        timeout = seconds_for(sum(map(len, self._pieces)))
        ask = partial(receipts.peer.ask, timeout=timeout, user_id=self.user_id)
        if len(self._pieces) == 1:
            answer = await ask(receipts.put_whole, next(messages))
        else:
            answer = await ask(receipts.stub.PutReceipt, messages)
        if self.owner:
            self.owner.pictured(answer.pictures)

    def _messages(self) -> Iterator[pb.PutReceiptRequest]:
        """All pieces; the first brings the header, the last the end."""
        for place, piece in enumerate(self._pieces):
            message = pb.PutReceiptRequest(chunk=piece)
            if place == 0:
                message.header.CopyFrom(self.header)
            if place == len(self._pieces) - 1:
                message.end.size_bytes = sum(map(len, self._pieces))
            yield message


def _may_pass(fault: errors.Fault) -> bool:
    """Whether the same receipt may be taken later: all but another one in its place passes."""
    return not isinstance(fault, errors.Precondition)
