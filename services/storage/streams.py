"""Reads the streams of requests: the header first and once, then chunks, perhaps an end."""

from collections.abc import AsyncIterator
from typing import Any

from imagestudio.storage.v1 import storage_service_pb2 as pb
from services.storage.names import invalid


async def upload(
    requests: AsyncIterator[pb.UploadAssetRequest],
) -> tuple[pb.UploadHeader, AsyncIterator[bytes]]:
    """Return the header of an upload and what follows it."""
    first = await _first(requests)
    return first.header, _chunks(requests)


async def receipt(
    requests: AsyncIterator[pb.PutReceiptRequest],
) -> tuple[pb.ReceiptHeader, AsyncIterator[bytes]]:
    """Return the header of a receipt and what follows it; Invalid where its end is missing."""
    first = await _first(requests)
    return first.header, _ended(requests)


async def _first(requests: AsyncIterator[Any]) -> Any:
    async for request in requests:
        if request.WhichOneof("payload") == "header":
            return request
        break
    raise invalid("header", "send it first")


async def _chunks(requests: AsyncIterator[pb.UploadAssetRequest]) -> AsyncIterator[bytes]:
    async for request in requests:
        yield _chunk(request)


async def _ended(requests: AsyncIterator[pb.PutReceiptRequest]) -> AsyncIterator[bytes]:
    size = 0
    async for request in requests:
        if request.WhichOneof("payload") == "end":
            if request.end.size_bytes != size:
                raise invalid("end.size_bytes", f"{size} bytes came: send the whole answer again")
            return
        chunk = _chunk(request)
        size += len(chunk)
        yield chunk
    raise invalid("end", "the stream broke before it: send the whole answer again")


def _chunk(request: Any) -> bytes:
    if request.WhichOneof("payload") != "chunk":
        raise invalid("payload", "send chunks after the header")
    chunk: bytes = request.chunk
    return chunk
