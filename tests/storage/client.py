"""Storage as its callers see it: over the wire."""

from dataclasses import dataclass
from typing import Any

import grpc

from chassis import errors
from chassis.channel import Peer
from imagestudio.storage.v1 import storage_service_pb2 as pb
from imagestudio.storage.v1 import storage_service_pb2_grpc as pb_grpc

SECRET = "a secret for tests, long enough"
LINK_KEY = "a link key for tests, long enough"
PURCHASE = "0192d7a0-7b1c-7def-8a11-3f5d0c9e4b21"
OTHER = "0192d7a0-7b1c-7def-8a11-3f5d0c9e4b22"
ANNA, BERT = 7, 8
PATIENCE = 120.0  # seconds; a process that just starts beside busy neighbours takes 20


@dataclass
class Client:
    """Calls as the service "generator", for *user_id*; as a person where *key* is set."""

    target: str
    user_id: int = ANNA
    key: str | None = None
    secret: str = SECRET

    def __post_init__(self) -> None:
        self.peer = Peer(self.target, "storage", service="generator", secret=self.secret.encode())
        self.stub = pb_grpc.StorageServiceStub(self.peer.channel)

    async def upload(self, content: bytes, purchase_id: str = "", **header: Any):
        said = {"size_bytes": len(content), "purchase_id": purchase_id, **header}
        parts = [content[at : at + 65_536] for at in range(0, len(content), 65_536)]
        return await self.upload_parts(pb.UploadHeader(**said), parts)

    async def upload_parts(self, header: pb.UploadHeader, parts: list[bytes]):
        requests = [pb.UploadAssetRequest(header=header)]
        requests += [pb.UploadAssetRequest(chunk=part) for part in parts]
        return await self.ask(self.stub.UploadAsset, iter(requests))

    async def put_receipt(
        self, answer: bytes, purchase_id: str = PURCHASE, *, size=None, pictures=()
    ):
        header = pb.ReceiptHeader(
            purchase_id=purchase_id,
            provider="openai",
            media_type="application/json",
            pictures=pictures,
        )
        requests = [pb.PutReceiptRequest(header=header)]
        requests += [
            pb.PutReceiptRequest(chunk=answer[at : at + 65_536])
            for at in range(0, len(answer), 65_536)
        ]
        end = pb.ReceiptEnd(size_bytes=len(answer) if size is None else size)
        requests += [pb.PutReceiptRequest(end=end)]
        return await self.ask(self.stub.PutReceipt, iter(requests))

    async def import_(self, start: int, stop: int, purchase_id: str = PURCHASE, **more: Any):
        source = f"receipt:{purchase_id}#{start}-{stop}"
        request = pb.ImportAssetRequest(source_uri=source, purchase_id=purchase_id, **more)
        return await self.ask(self.stub.ImportAsset, request)

    async def fetch(self, url: str, purchase_id: str = PURCHASE, **more: Any):
        said = {"provider": "replicate", "source_uri": url, "purchase_id": purchase_id, **more}
        return await self.ask(self.stub.ImportAsset, pb.ImportAssetRequest(**said))

    async def prepare(self, **wanted: Any):
        request = pb.PrepareReferenceRequest(**wanted)
        return (await self.ask(self.stub.PrepareReference, request)).asset

    async def download(self, name: str, offset: int = 0, *, thumbnail: bool = False):
        """Return the header and the bytes."""
        request = pb.DownloadAssetRequest(name=name, offset=offset, thumbnail=thumbnail)
        header, chunks = None, []
        if self.key is None:
            answers = self.peer.stream(
                self.stub.DownloadAsset, request, timeout=PATIENCE, user_id=self.user_id
            )
        else:
            answers = self.as_person(self.stub.DownloadAsset, request)
        async for answer in answers:
            if answer.WhichOneof("payload") == "header":
                assert header is None
                header = answer.header
            else:
                assert len(answer.chunk) <= 65_536
                chunks.append(answer.chunk)
        return header, b"".join(chunks)

    async def publish(self, name: str, display_name: str = "sketch_12_1"):
        request = pb.PublishAssetRequest(name=name, display_name=display_name)
        return (await self.ask(self.stub.PublishAsset, request)).asset

    async def record(self, variant: str, purchase_id: str = PURCHASE):
        number = pb.VariantNumber(purchase_id=purchase_id, variant=variant, version_number=1)
        await self.ask(self.stub.RecordVariants, pb.RecordVariantsRequest(variants=[number]))

    async def get(self, name: str):
        return (await self.ask(self.stub.GetAsset, pb.GetAssetRequest(name=name))).asset

    async def delete(self, name: str, *, allow_missing: bool = False):
        request = pb.DeleteAssetRequest(name=name, allow_missing=allow_missing)
        await self.ask(self.stub.DeleteAsset, request)

    async def room(self):
        return await self.ask(self.stub.GetRoom, pb.GetRoomRequest())

    async def ask(self, method: Any, request: Any):
        if self.key is None:
            return await self.peer.ask(method, request, timeout=PATIENCE, user_id=self.user_id)
        try:
            return await method(request, timeout=PATIENCE, metadata=self._bearer())
        except grpc.aio.AioRpcError as error:
            raise errors.from_rpc(error, "storage") from error

    async def as_person(self, method: Any, request: Any):
        try:
            async for answer in method(request, timeout=PATIENCE, metadata=self._bearer()):
                yield answer
        except grpc.aio.AioRpcError as error:
            raise errors.from_rpc(error, "storage") from error

    async def close(self) -> None:
        await self.peer.close()

    def _bearer(self) -> tuple[tuple[str, str], ...]:
        return (("authorization", f"Bearer {self.key}"),) if self.key else ()


def link_of(asset: pb.Asset) -> str:
    return f"links/{asset.path.removeprefix('/i/')}"
