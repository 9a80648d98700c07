"""
The pictures that are to be described, as storage shows them: made small and written anew.

So nothing reaches a language model of what a file has beside its picture.
"""

import re
from contextlib import aclosing
from dataclasses import dataclass

from chassis.channel import Peer
from chassis.errors import Invalid
from imagestudio.storage.v1 import storage_service_pb2, storage_service_pb2_grpc
from imagestudio.type.v1 import image_pb2
from services.generator import words
from services.generator.language.seam import Picture

_TIMEOUT = 20.0  # seconds; a thumbnail may have to be made
_ASSET = re.compile(r"assets/[0-9a-f]{64}")


@dataclass(frozen=True, slots=True)
class Looks:
    """Reads at storage for the user of the running call."""

    storage: Peer
    vault: "storage_service_pb2_grpc.StorageServiceAsyncStub"

    @staticmethod
    def asset(reference: image_pb2.ReferenceImage) -> str:
        """The name of a reference's asset; Invalid where it names none."""
        if not _ASSET.fullmatch(reference.asset):
            raise words.invalid("references", "must each name an asset: 'assets/' and its SHA-256")
        return reference.asset

    async def picture(self, asset: str) -> Picture:
        """
        The thumbnail of an *asset* of the caller's.

        Missing where there is no such asset, Invalid where nobody can read it.
        """
        request = storage_service_pb2.DownloadAssetRequest(name=asset, thumbnail=True)
        media_type, content = "", b""
        answers = self.storage.stream(self.vault.DownloadAsset, request, timeout=_TIMEOUT)
        async with aclosing(answers):  # type: ignore[type-var]
            async for answer in answers:
                if answer.HasField("header"):
                    if answer.header.stand_in:
                        raise _unreadable(asset)
                    media_type = answer.header.media_type
                content += answer.chunk
        return Picture(media_type, content)


def _unreadable(asset: str) -> Invalid:
    return Invalid(
        "IMAGE_UNREADABLE",
        f"references: {asset} cannot be decoded, so there is nothing to describe.",
        metadata={"field": "references"},
        fields={"references": "send a PNG, a JPEG or a WebP"},
    )
