"""CatalogService over gRPC: decode, command, encode."""

import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import grpc

from chassis import identity
from imagestudio.catalog.v1 import catalog_service_pb2 as pb
from imagestudio.catalog.v1 import catalog_service_pb2_grpc
from imagestudio.type.v1 import job_pb2
from services.catalog import present
from services.catalog.library import Library
from services.catalog.pages import page

Context = grpc.aio.ServicerContext[Any, Any]


@dataclass(slots=True, kw_only=True)
class CatalogHandler(catalog_service_pb2_grpc.CatalogServiceServicer):
    """*public_url* is put in front of links; *resolve* knows whose a credential is."""

    library: Library
    public_url: str
    resolve: identity.Resolve

    async def GetJob(self, request: pb.GetJobRequest, context: Context) -> pb.GetJobResponse:
        return pb.GetJobResponse(job=await self._job(_user("read"), request.name))

    async def ListJobs(self, request: pb.ListJobsRequest, context: Context) -> pb.ListJobsResponse:
        user = _user("read")
        found = await self.library.jobs.newest(user, request.filter, page(request, user))
        jobs = [
            present.job(row, self.public_url, risk=found.risks.get(row["job_id"]))
            for row in found.jobs
        ]
        return pb.ListJobsResponse(jobs=jobs, next_page_token=found.more)

    async def GetVariant(
        self, request: pb.GetVariantRequest, context: Context
    ) -> pb.GetVariantResponse:
        row = await self.library.variants.get(_user("read"), request.name)
        return pb.GetVariantResponse(variant=present.variant(row, self.public_url))

    async def ListVariants(
        self, request: pb.ListVariantsRequest, context: Context
    ) -> pb.ListVariantsResponse:
        user = _user("read")
        rows, more = await self.library.variants.newest(user, request, page(request, user))
        variants = [present.variant(row, self.public_url) for row in rows]
        return pb.ListVariantsResponse(variants=variants, next_page_token=more)

    async def SearchVariants(
        self, request: pb.SearchVariantsRequest, context: Context
    ) -> pb.SearchVariantsResponse:
        user = _user("read")
        rows, more = await self.library.variants.search(user, request, page(request, user))
        hits = [
            pb.VariantHit(variant=present.variant(row, self.public_url), rank=row["rank"])
            for row in rows
        ]
        return pb.SearchVariantsResponse(hits=hits, next_page_token=more)

    async def UpdateVariant(
        self, request: pb.UpdateVariantRequest, context: Context
    ) -> pb.UpdateVariantResponse:
        user, changed = _user("write"), request.variant
        row = await self.library.variants.update(user, changed, request.update_mask)
        return pb.UpdateVariantResponse(variant=present.variant(row, self.public_url))

    async def DeleteVariant(
        self, request: pb.DeleteVariantRequest, context: Context
    ) -> pb.DeleteVariantResponse:
        row = await self.library.variants.delete(_user("write"), request.name, request.etag)
        return pb.DeleteVariantResponse(variant=present.variant(row, self.public_url))

    async def RestoreVariant(
        self, request: pb.RestoreVariantRequest, context: Context
    ) -> pb.RestoreVariantResponse:
        row = await self.library.variants.restore(_user("write"), request.name, request.etag)
        return pb.RestoreVariantResponse(variant=present.variant(row, self.public_url))

    async def CreatePreset(
        self, request: pb.CreatePresetRequest, context: Context
    ) -> pb.CreatePresetResponse:
        user, once = _user("write"), request.request_id
        row = await self.library.presets.create(user, request.preset, once)
        return pb.CreatePresetResponse(preset=present.preset(row))

    async def GetPreset(
        self, request: pb.GetPresetRequest, context: Context
    ) -> pb.GetPresetResponse:
        row = await self.library.presets.get(_user("read"), request.name)
        return pb.GetPresetResponse(preset=present.preset(row))

    async def ListPresets(
        self, request: pb.ListPresetsRequest, context: Context
    ) -> pb.ListPresetsResponse:
        user = _user("read")
        rows, more = await self.library.presets.by_key(user, request, page(request, user))
        return pb.ListPresetsResponse(presets=map(present.preset, rows), next_page_token=more)

    async def UpdatePreset(
        self, request: pb.UpdatePresetRequest, context: Context
    ) -> pb.UpdatePresetResponse:
        user, changed = _user("write"), request.preset
        row = await self.library.presets.update(user, changed, request.update_mask)
        return pb.UpdatePresetResponse(preset=present.preset(row))

    async def DeletePreset(
        self, request: pb.DeletePresetRequest, context: Context
    ) -> pb.DeletePresetResponse:
        user, missing = _user("write"), request.allow_missing
        await self.library.presets.delete(user, request.name, request.etag, allow_missing=missing)
        return pb.DeletePresetResponse()

    async def GetUsage(self, request: pb.GetUsageRequest, context: Context) -> pb.GetUsageResponse:
        report = await self.library.usage.report(_user("read"), request)
        return pb.GetUsageResponse(
            cap=present.spend_cap(report.cap),
            lines=map(present.usage_line, report.lines),
            total_usd_micros=report.total,
            language_usd_micros=report.language,
            at_risk_count=report.at_risk["count"],
            at_risk_usd_micros=report.at_risk["micros"],
        )

    async def UpdateSpendCap(
        self, request: pb.UpdateSpendCapRequest, context: Context
    ) -> pb.UpdateSpendCapResponse:
        wanted = request.cap_usd_micros if request.HasField("cap_usd_micros") else None
        cap = await self.library.usage.set_cap(_user("caps"), wanted)
        return pb.UpdateSpendCapResponse(cap=present.spend_cap(cap))

    async def SettleCharge(
        self, request: pb.SettleChargeRequest, context: Context
    ) -> pb.SettleChargeResponse:
        user = _user("caps")
        row = await self.library.settlements.settle(user, request)
        job = await self._job(user, request.name)
        return pb.SettleChargeResponse(job=job, settlement=present.settlement(row))

    async def WatchUser(
        self, request: pb.WatchUserRequest, context: Context
    ) -> AsyncIterator[pb.WatchUserResponse]:
        events = self.library.feeds.watch(_user("read"), request.after_sequence)
        async with contextlib.aclosing(events):  # type: ignore[type-var]
            async for event in events:
                await self._still_known(context)
                yield pb.WatchUserResponse(event=event)

    async def CreateApiKey(
        self, request: pb.CreateApiKeyRequest, context: Context
    ) -> pb.CreateApiKeyResponse:
        row, secret = await self.library.keys.create(_caller("keys"), request)
        return pb.CreateApiKeyResponse(api_key=present.api_key(row), secret=secret)

    async def ListApiKeys(
        self, request: pb.ListApiKeysRequest, context: Context
    ) -> pb.ListApiKeysResponse:
        caller, everyone = _caller("keys"), request.all_users
        asked = page(request, caller.user_id)
        rows, more = await self.library.keys.newest(caller, asked, all_users=everyone)
        return pb.ListApiKeysResponse(api_keys=map(present.api_key, rows), next_page_token=more)

    async def RevokeApiKey(
        self, request: pb.RevokeApiKeyRequest, context: Context
    ) -> pb.RevokeApiKeyResponse:
        row = await self.library.keys.revoke(_caller("keys"), request.name)
        return pb.RevokeApiKeyResponse(api_key=present.api_key(row))

    async def _still_known(self, context: Context) -> None:
        """Let a call go on while its key is good: a feed outlives many. Services see to it."""
        if not identity.current.get().service:
            metadata: dict[str, Any] = dict(context.invocation_metadata() or ())
            await self.resolve(identity.bearer(metadata.get("authorization")))

    async def _job(self, user: int, name: str) -> job_pb2.Job:
        found = await self.library.jobs.get(user, name)
        return present.job(found.job, self.public_url, found.images, found.failures, found.risk)


def _caller(scope: str) -> identity.Caller:
    caller = identity.current.get()
    caller.require_scope(scope)
    return caller


def _user(scope: str) -> int:
    return _caller(scope).require_user()
