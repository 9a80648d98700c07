"""GeneratorService over gRPC: decode, command, encode."""

import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass

from chassis import identity
from chassis.server import Context
from imagestudio.generator.v1 import generator_service_pb2 as pb
from imagestudio.generator.v1 import generator_service_pb2_grpc
from services.generator import showing
from services.generator.generations import Generations
from services.generator.health import Health
from services.generator.language.linguist import Linguist
from services.generator.standing import Terms
from services.generator.webhooks import Webhooks

NAME = "imagestudio.generator.v1.GeneratorService"


@dataclass(slots=True)
class Handler(generator_service_pb2_grpc.GeneratorServiceServicer):
    """GeneratorService; *terms* are the providers' by name."""

    generations: Generations
    linguist: Linguist
    webhooks: Webhooks
    terms: dict[str, Terms]
    health: Health

    async def StartGeneration(
        self, request: pb.StartGenerationRequest, context: Context
    ) -> pb.StartGenerationResponse:
        _require("generate")
        found = await self.generations.start(request.spec, request.request_id)
        return pb.StartGenerationResponse(
            job=found.job, replayed=found.replayed, estimate=found.estimate
        )

    async def GenerateImages(
        self, request: pb.GenerateImagesRequest, context: Context
    ) -> AsyncIterator[pb.GenerateImagesResponse]:
        _require("generate")
        messages = self.generations.generate(
            request.spec, request.request_id, several=request.several
        )
        async with contextlib.aclosing(messages):  # type: ignore[type-var]
            async for message in messages:
                yield message

    async def WatchGeneration(
        self, request: pb.WatchGenerationRequest, context: Context
    ) -> AsyncIterator[pb.WatchGenerationResponse]:
        _require("read")
        events = self.generations.follow(request.name, request.after_sequence)
        async with contextlib.aclosing(events):  # type: ignore[type-var]
            async for event in events:
                yield pb.WatchGenerationResponse(event=event)

    async def GetGeneration(
        self, request: pb.GetGenerationRequest, context: Context
    ) -> pb.GetGenerationResponse:
        _require("read")
        wait = request.wait.ToMilliseconds() / 1000
        return pb.GetGenerationResponse(job=await self.generations.get(request.name, wait))

    async def CancelGeneration(
        self, request: pb.CancelGenerationRequest, context: Context
    ) -> pb.CancelGenerationResponse:
        _require("generate")
        return pb.CancelGenerationResponse(job=await self.generations.cancel(request.name))

    async def RetryUnclear(
        self, request: pb.RetryUnclearRequest, context: Context
    ) -> pb.RetryUnclearResponse:
        _require("generate")
        wanted = request.name, request.purchase_ids, request.request_id
        found = await self.generations.retry(*wanted)
        return pb.RetryUnclearResponse(
            job=found.job, replayed=found.replayed, estimate=found.estimate
        )

    async def EstimateCost(
        self, request: pb.EstimateCostRequest, context: Context
    ) -> pb.EstimateCostResponse:
        _require("read")
        return await self.generations.estimate(request.spec)

    async def ListModels(
        self, request: pb.ListModelsRequest, context: Context
    ) -> pb.ListModelsResponse:
        _require("read")
        return showing.listed(request, self.generations.registry, self.terms, self.health)

    async def EnhancePrompt(
        self, request: pb.EnhancePromptRequest, context: Context
    ) -> pb.EnhancePromptResponse:
        _require("generate")
        return await self.linguist.enhance(request)

    async def AnalyzeReferences(
        self, request: pb.AnalyzeReferencesRequest, context: Context
    ) -> AsyncIterator[pb.AnalyzeReferencesResponse]:
        _require("generate")
        answers = self.linguist.analyze(request)
        async with contextlib.aclosing(answers):  # type: ignore[type-var]
            async for answer in answers:
                yield answer

    async def SuggestPrompts(
        self, request: pb.SuggestPromptsRequest, context: Context
    ) -> AsyncIterator[pb.SuggestPromptsResponse]:
        _require("generate")
        answers = self.linguist.suggest(request)
        async with contextlib.aclosing(answers):  # type: ignore[type-var]
            async for answer in answers:
                yield answer

    async def ReceiveWebhook(
        self, request: pb.ReceiveWebhookRequest, context: Context
    ) -> pb.ReceiveWebhookResponse:
        identity.current.get().require_service("GeneratorService/ReceiveWebhook")
        return pb.ReceiveWebhookResponse(duplicate=not await self.webhooks.receive(request))


def _require(scope: str) -> None:
    caller = identity.current.get()
    caller.require_scope(scope)
    caller.require_user()
