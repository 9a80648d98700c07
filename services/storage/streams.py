"""Reads the streams of requests: the header first and once, then chunks, perhaps an end."""

from collections.abc import AsyncIterator

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
    first = await anext(requests, None)
    if first is None or not first.HasField("header"):
        raise invalid("header", "send it first")
    return first.header, _ended(first, requests)


async def _first(requests: AsyncIterator[pb.UploadAssetRequest]) -> pb.UploadAssetRequest:
    async for request in requests:
        if request.WhichOneof("payload") == "header":
            return request
        break
    raise invalid("header", "send it first")


async def _chunks(requests: AsyncIterator[pb.UploadAssetRequest]) -> AsyncIterator[bytes]:
    async for request in requests:
        if request.WhichOneof("payload") != "chunk":
            raise invalid("payload", "send chunks after the header")
        yield request.chunk


async def _ended(
    first: pb.PutReceiptRequest, others: AsyncIterator[pb.PutReceiptRequest]
) -> AsyncIterator[bytes]:
    size, request = 0, first
    while True:
        if chunk := request.chunk:  # looked at once: each look copies it
            size += len(chunk)
            yield chunk
        if request.HasField("end"):
            break
        following = await anext(others, None)
        if following is None:
            raise invalid("end", "the stream broke before it: send the whole answer again")
        if following.HasField("header"):
            raise invalid("header", "send it once")
        request = following
    if request.end.size_bytes != size:
        raise invalid("end.size_bytes", f"{size} bytes came: send the whole answer again")
