"""
Before a job is admitted, its input images become assets of the user that may go to providers:
from then on its spec names those alone.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass

from chassis import errors, faults
from chassis.beside import Beside
from chassis.channel import Peer
from imagestudio.catalog.v1 import catalog_service_pb2, catalog_service_pb2_grpc
from imagestudio.storage.v1 import storage_service_pb2 as pb
from imagestudio.storage.v1 import storage_service_pb2_grpc
from imagestudio.type.v1 import image_pb2, job_pb2
from services.generator import references, words
from services.generator.provider import Role

_LOOK = 10.0  # seconds for which file a variant is
_TIMEOUT = 45.0  # seconds for one: storage ends a download after 15, and decodes for 20


@dataclass(frozen=True, slots=True)
class Preparation:
    """
    Has storage, over *peer*, prepare the input images of the running call's user.

    Which file a variant is *library* knows, over *catalog*.
    """

    peer: Peer
    stub: "storage_service_pb2_grpc.StorageServiceAsyncStub"
    catalog: Peer
    library: "catalog_service_pb2_grpc.CatalogServiceAsyncStub"

    async def of(self, asked: job_pb2.JobSpec) -> job_pb2.JobSpec:
        """Return *asked* with assets in place of whatever it names; Invalid says which and why."""
        spec = job_pb2.JobSpec()
        spec.CopyFrom(asked)
        working = Beside()
        wanted = (self._prepared(place, each) for place, each in enumerate(asked.references))
        try:
            assets = await asyncio.gather(*map(working.start, wanted))
        finally:  # one that is refused ends the others: they have the user's places at storage
            await working.close()
        _check_masks(asked, assets)
        for reference, asset in zip(spec.references, assets, strict=True):
            reference.asset, reference.media_type = asset.name, asset.media_type
        return spec

    async def check(self, asked: job_pb2.JobSpec) -> None:
        """Refuse as `of` does what names no picture of the user's; no URL is asked."""
        places = enumerate(asked.references)
        await asyncio.gather(*(self._checked(place, each) for place, each in places))

    async def _checked(self, place: int, given: image_pb2.ReferenceImage) -> None:
        asset = given.asset
        if given.WhichOneof("source") == "variant":
            asset = await self._file(place, given.variant)
        if not asset:
            return
        try:
            request = pb.GetAssetRequest(name=asset)
            await self.peer.insist(self.stub.GetAsset, request, timeout=_LOOK)
        except errors.Denied:  # a key that may use it and not read it: it is seen when it is used
            return
        except errors.Missing as fault:
            raise _refused(references.field(place), fault) from fault

    async def _prepared(self, place: int, given: image_pb2.ReferenceImage) -> pb.Asset:
        named = given.WhichOneof("source") or "asset"
        source = {named: getattr(given, named)}
        if named == "variant":
            source = {"asset": await self._file(place, given.variant)}
        request = pb.PrepareReferenceRequest(
            **source, media_type=given.media_type, mask=references.role(given) is Role.MASK
        )
        faults.point("reference.before_prepare")
        try:
            answer = await self.peer.insist(self.stub.PrepareReference, request, timeout=_TIMEOUT)
        except (errors.Invalid, errors.Missing, errors.DataLoss) as fault:
            raise _refused(references.field(place), fault) from fault
        faults.point("reference.after_prepare")
        asset: pb.Asset = answer.asset
        return asset

    async def _file(self, place: int, variant: str) -> str:
        request = catalog_service_pb2.GetVariantRequest(name=variant)
        try:
            found = await self.catalog.insist(self.library.GetVariant, request, timeout=_LOOK)
        except errors.Missing:
            named = references.field(place, "variant")
            raise words.invalid(named, "is no variant of yours") from None
        return f"assets/{found.variant.image_hash}"


def _refused(named: str, fault: errors.Fault) -> errors.Invalid:
    """Say of which input image storage speaks; it calls each of them the source."""
    why = fault.fields.get("source") or fault.message.removeprefix("source: ")
    reason = fault.reason if fault.reason.startswith("IMAGE_") else "REQUEST_INVALID"
    return errors.Invalid(
        reason,
        f"{named}: {fault.message.removeprefix('source: ')}",
        metadata={**fault.metadata, "field": named},
        fields={named: why},
    )


def _check_masks(asked: job_pb2.JobSpec, assets: Sequence[pb.Asset]) -> None:
    """Refuse a mask that does not lie on its edit base, pixel by pixel."""
    roles = [references.role(each) for each in asked.references]
    if Role.MASK not in roles:
        return
    place = roles.index(Role.MASK)
    mask, base = assets[place].size, assets[roles.index(Role.EDIT_BASE)].size
    if (mask.width, mask.height) != (base.width, base.height):
        raise words.invalid(
            references.field(place),
            f"is a mask of {mask.width}x{mask.height} pixels, and its edit base has "
            f"{base.width}x{base.height}",
        )
