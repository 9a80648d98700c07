"""gRPC on one side, commands on the other; nothing is decided here but who may call."""

from collections.abc import AsyncIterator

from chassis.identity import Caller, current
from chassis.server import Context
from imagestudio.storage.v1 import storage_service_pb2 as pb
from imagestudio.storage.v1 import storage_service_pb2_grpc as pb_grpc
from services.storage import present, requests, streams
from services.storage.assets import Assets
from services.storage.imports import Imports
from services.storage.keep import Keep, Kept
from services.storage.numbers import Numbers
from services.storage.publish import Publish
from services.storage.receipts import Receipts
from services.storage.references import References
from services.storage.room import Room

NAME = "imagestudio.storage.v1.StorageService"


class Handler(pb_grpc.StorageServiceServicer):
    """StorageService."""

    def __init__(
        self,
        keep: Keep,
        receipts: Receipts,
        imports: Imports,
        assets: Assets,
        publish: Publish,
        room: Room,
        numbers: Numbers,
        references: References,
    ) -> None:
        self._keep, self._receipts, self._imports = keep, receipts, imports
        self._assets, self._publish, self._room = assets, publish, room
        self._numbers, self._references = numbers, references

    async def ImportAsset(
        self, request: pb.ImportAssetRequest, context: Context
    ) -> pb.ImportAssetResponse:
        source, origin, claim = requests.of_import(request, _service("ImportAsset"))
        kept = await self._imports.take(source, origin, claim)
        return self._imported(kept)

    async def UploadAsset(
        self, messages: AsyncIterator[pb.UploadAssetRequest], context: Context
    ) -> pb.UploadAssetResponse:
        header, chunks = await streams.upload(messages)
        origin, claim = requests.of_upload(header, _with("write"))
        return present.uploaded(await self._keep.keep(chunks, origin, claim))

    async def PrepareReference(
        self, request: pb.PrepareReferenceRequest, context: Context
    ) -> pb.PrepareReferenceResponse:
        caller = _service("PrepareReference")
        note = await self._references.prepare(caller, requests.of_reference(request))
        return pb.PrepareReferenceResponse(asset=present.asset(note))

    async def PutReceipt(
        self, messages: AsyncIterator[pb.PutReceiptRequest], context: Context
    ) -> pb.PutReceiptResponse:
        caller = _service("PutReceipt")
        header, chunks = await streams.receipt(messages)
        receipt = await self._receipts.put(chunks, requests.of_receipt(header, caller))
        kept = await self._imports.pictured(receipt, requests.of_pictures(header, caller))
        return present.receipt(receipt.note, [self._imported(each) for each in kept])

    async def DownloadAsset(
        self, request: pb.DownloadAssetRequest, context: Context
    ) -> AsyncIterator[pb.DownloadAssetResponse]:
        content = await self._assets.open(
            _with("read"), request.name, request.offset, thumbnail=request.thumbnail
        )
        yield present.opened(content)
        if request.header_only:
            return
        async for chunk in content.chunks:
            yield pb.DownloadAssetResponse(chunk=chunk)

    async def GetAsset(self, request: pb.GetAssetRequest, context: Context) -> pb.GetAssetResponse:
        note = await self._assets.whole(_with("read"), request.name)
        return pb.GetAssetResponse(asset=present.asset(note))

    async def PublishAsset(
        self, request: pb.PublishAssetRequest, context: Context
    ) -> pb.PublishAssetResponse:
        name, shown = requests.of_publication(request)
        note = await self._publish.publish(_service("PublishAsset"), name, shown)
        return pb.PublishAssetResponse(asset=present.asset(note))

    async def RecordVariants(
        self, request: pb.RecordVariantsRequest, context: Context
    ) -> pb.RecordVariantsResponse:
        _service("RecordVariants")
        await self._numbers.record(request.variants)
        return pb.RecordVariantsResponse()

    async def GetRoom(self, request: pb.GetRoomRequest, context: Context) -> pb.GetRoomResponse:
        _service("GetRoom")
        left = await self._room.left()
        return pb.GetRoomResponse(free_bytes=left, reserve_bytes=self._room.reserve)

    async def DeleteAsset(
        self, request: pb.DeleteAssetRequest, context: Context
    ) -> pb.DeleteAssetResponse:
        allow = request.allow_missing
        await self._assets.delete(_with("write"), request.name, allow_missing=allow)
        return pb.DeleteAssetResponse()

    def _imported(self, kept: Kept) -> pb.ImportAssetResponse:
        return present.imported(kept, publishable=self._publish.takes(kept.note))


def _with(scope: str) -> Caller:
    caller = current.get()
    caller.require_scope(scope)
    return caller


def _service(method: str) -> Caller:
    caller = current.get()
    caller.require_service(method)
    return caller
