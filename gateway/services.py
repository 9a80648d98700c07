"""
The services behind the gateway, and how they are asked.

A call that may be made twice (its contract says IDEMPOTENT or that it only reads) is made
again where its peer was gone for a moment, with the same request; one that may not, once.
"""

import asyncio
from collections.abc import AsyncGenerator
from dataclasses import dataclass, field
from typing import Any, cast

import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc

from chassis.channel import Peer, insisting
from gateway.settings import Settings
from imagestudio.catalog.v1.catalog_service_pb2_grpc import CatalogServiceStub
from imagestudio.catalog.v1.ledger_service_pb2_grpc import LedgerServiceStub
from imagestudio.generator.v1.generator_service_pb2_grpc import GeneratorServiceStub
from imagestudio.storage.v1.storage_service_pb2_grpc import StorageServiceStub

PATIENCE = 8.0  # seconds for an answer


@dataclass(slots=True)
class Service:
    """A peer and the *stub* that calls it."""

    peer: Peer
    stub: Any

    async def ask(
        self,
        method: str,
        request: Any,
        *,
        user_id: int | None = None,
        timeout: float = PATIENCE,
    ) -> Any:
        """Call *method* for the running caller, again while the peer was gone; raises Fault."""
        call = getattr(self.stub, method)
        return await self.peer.insist(call, request, timeout=timeout, user_id=user_id)

    async def once(self, method: str, request: Any, *, timeout: float) -> Any:
        """Call *method* for the running caller at most once: it may be paid for each time."""
        return await self.peer.ask(getattr(self.stub, method), request, timeout=timeout)

    def stream(
        self, method: str, request: Any, *, timeout: float | None = None, user_id: int | None = None
    ) -> AsyncGenerator[Any]:
        """Yield what the streaming *method* answers."""
        call = getattr(self.stub, method)
        stream = self.peer.stream(call, request, timeout=timeout, user_id=user_id)
        return cast("AsyncGenerator[Any]", stream)

    async def begin(
        self, method: str, request: Any, *, timeout: float, user_id: int | None = None
    ) -> tuple[Any, AsyncGenerator[Any]]:
        """Return the first answer of the streaming *method*, and the others; again as `ask`."""

        async def once() -> tuple[Any, AsyncGenerator[Any]]:
            answers = self.stream(method, request, timeout=timeout, user_id=user_id)
            return await anext(answers), answers

        return await insisting(once)

    async def is_ready(self, timeout: float = 1.0) -> bool:
        """Tell whether the peer serves now."""
        check = health_pb2_grpc.HealthStub(self.peer.channel).Check
        try:
            answer = await check(health_pb2.HealthCheckRequest(), timeout=timeout)
        except grpc.aio.AioRpcError:
            return False
        return bool(answer.status == health_pb2.HealthCheckResponse.SERVING)


@dataclass(slots=True)
class Services:
    """All services; made inside the running loop, since the channels belong to it."""

    settings: Settings
    catalog: Service = field(init=False)
    ledger: Service = field(init=False)
    storage: Service = field(init=False)
    generator: Service = field(init=False)

    def __post_init__(self) -> None:
        found = self.settings
        catalog = self._peer(found.catalog_target, "catalog")
        storage = self._peer(found.storage_target, "storage")
        generator = self._peer(found.generator_target, "generator")
        self.catalog = Service(catalog, CatalogServiceStub(catalog.channel))
        self.ledger = Service(catalog, LedgerServiceStub(catalog.channel))
        self.storage = Service(storage, StorageServiceStub(storage.channel))
        self.generator = Service(generator, GeneratorServiceStub(generator.channel))

    async def readiness(self) -> dict[str, bool]:
        """Tell which services serve now, by name."""
        asked = {"catalog": self.catalog, "storage": self.storage, "generator": self.generator}
        ready = await asyncio.gather(*(service.is_ready() for service in asked.values()))
        return dict(zip(asked, ready, strict=True))

    async def close(self) -> None:
        """End the channels."""
        for service in (self.catalog, self.storage, self.generator):
            await service.peer.close()

    def _peer(self, target: str, name: str) -> Peer:
        secret = self.settings.service_secret.reveal().encode()
        return Peer(target, name, service="gateway", secret=secret)
