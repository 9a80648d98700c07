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
from chassis.errors import Fault
from gateway.settings import Settings
from imagestudio.catalog.v1.catalog_service_pb2_grpc import CatalogServiceStub
from imagestudio.catalog.v1.ledger_service_pb2_grpc import LedgerServiceStub
from imagestudio.generator.v1.generator_service_pb2_grpc import GeneratorServiceStub
from imagestudio.storage.v1.storage_service_pb2 import GetRoomRequest
from imagestudio.storage.v1.storage_service_pb2_grpc import StorageServiceStub

PATIENCE = 8.0  # seconds for an answer
_SILENT = "does not answer"


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

    async def problem(self, timeout: float = 1.0) -> str:
        """Tell why the peer does not serve now; empty where it does."""
        check = health_pb2_grpc.HealthStub(self.peer.channel).Check
        try:
            answer = await check(health_pb2.HealthCheckRequest(), timeout=timeout)
        except grpc.aio.AioRpcError:
            return _SILENT
        return "" if answer.status == health_pb2.HealthCheckResponse.SERVING else _SILENT


@dataclass(slots=True)
class Services:
    """All services; made inside the running loop, since the channels belong to it."""

    settings: Settings
    webhook_patience: float = 4.0  # seconds; a provider takes silence for a failure
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

    async def problems(self) -> dict[str, str]:
        """Tell of each service what keeps it from its work now; empty where nothing does."""
        catalog, storage, generator = await asyncio.gather(
            self.catalog.problem(), self._storage_problem(), self.generator.problem()
        )
        return {"catalog": catalog, "storage": storage, "generator": generator}

    async def _storage_problem(self) -> str:
        """One whose vault takes nothing still serves what it has, and so calls itself healthy."""
        if problem := await self.storage.problem():
            return problem
        try:
            await self.storage.ask("GetRoom", GetRoomRequest(), user_id=0)
        except Fault as fault:
            return fault.message
        return ""

    async def close(self) -> None:
        """End the channels."""
        for service in (self.catalog, self.storage, self.generator):
            await service.peer.close()

    def _peer(self, target: str, name: str) -> Peer:
        secret = self.settings.service_secret.reveal().encode()
        return Peer(target, name, service="gateway", secret=secret)
