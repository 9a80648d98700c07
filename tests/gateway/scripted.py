"""Services that play scripts over real gRPC, to see what the gateway makes of them."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import grpc

from chassis.errors import Fault
from chassis.server import Server
from chassis.settings import Secret
from gateway.services import Services
from gateway.settings import Settings
from imagestudio.catalog.v1.catalog_service_pb2 import WatchUserResponse
from imagestudio.catalog.v1.catalog_service_pb2_grpc import (
    CatalogServiceServicer,
    add_CatalogServiceServicer_to_server,
)
from imagestudio.catalog.v1.ledger_service_pb2 import ResolveCredentialResponse
from imagestudio.catalog.v1.ledger_service_pb2_grpc import (
    LedgerServiceServicer,
    add_LedgerServiceServicer_to_server,
)
from imagestudio.generator.v1 import generator_service_pb2 as wire
from imagestudio.generator.v1 import generator_service_pb2_grpc as stubs
from imagestudio.storage.v1.storage_service_pb2 import GetRoomResponse
from imagestudio.storage.v1.storage_service_pb2_grpc import (
    StorageServiceServicer,
    add_StorageServiceServicer_to_server,
)
from imagestudio.type.v1.job_event_pb2 import JobEvent
from tests.ports import free_port

NAME = "imagestudio.generator.v1.GeneratorService"
CATALOG = "imagestudio.catalog.v1.CatalogService"
LEDGER = "imagestudio.catalog.v1.LedgerService"
SECRET = "a secret of the tests"
CUT = "cut"  # the process dies
HANG = "hang"  # it lives and says nothing more


def event(sequence: int, *, kind: str = "warning") -> JobEvent:
    found = JobEvent(sequence=sequence, job="jobs/7")
    getattr(found, kind).SetInParent()
    return found


class Scripted(stubs.GeneratorServiceServicer, CatalogServiceServicer, StorageServiceServicer):
    """
    Each call plays the next line: events, and how it ends; *asked* has the requests.
    A list of events is one message of GenerateImages.

    *unwritable* is what storage says of its vault.
    """

    def __init__(self, *lines: list[Any]) -> None:
        self.lines, self.asked = list(lines), []
        self.unwritable: Fault | None = None
        self.left = asyncio.Event()

    async def GenerateImages(self, request, context):
        async for found in self._play(request, context):
            events = found if isinstance(found, list) else [found]
            yield wire.GenerateImagesResponse(event=events[0], more=events[1:])

    async def WatchGeneration(self, request, context):
        async for found in self._play(request, context):
            yield wire.WatchGenerationResponse(event=found)

    async def WatchUser(self, request, context):
        async for found in self._play(request, context):
            yield WatchUserResponse(event=found)

    async def StartGeneration(self, request, context):
        async for _ in self._play(request, context):
            pass
        return wire.StartGenerationResponse()

    async def SuggestPrompts(self, request, context):
        async for found in self._play(request, context):
            yield found

    async def EnhancePrompt(self, request, context):
        async for _ in self._play(request, context):
            pass
        return wire.EnhancePromptResponse()

    async def EstimateCost(self, request, context):
        async for _ in self._play(request, context):
            pass
        return wire.EstimateCostResponse()

    async def GetRoom(self, request, context):
        if self.unwritable:
            raise self.unwritable
        return GetRoomResponse()

    async def _play(self, request, context) -> AsyncIterator[Any]:
        self.asked.append(request)
        for one in self.lines.pop(0):
            if one == CUT:
                await context.abort(grpc.StatusCode.UNAVAILABLE, "Socket closed")
            elif one == HANG:
                try:
                    await asyncio.Event().wait()
                finally:
                    self.left.set()
            elif isinstance(one, Exception):
                raise one
            else:
                yield one


class _Ledger(LedgerServiceServicer):
    """Everybody is user 5."""

    async def ResolveCredential(self, request, context):
        return ResolveCredentialResponse(user="users/5", scopes=["generate"])


def add_ledger(server: grpc.aio.Server) -> None:
    """Resolve every credential."""
    add_LedgerServiceServicer_to_server(_Ledger(), server)


def _nothing(_server: grpc.aio.Server) -> None:
    """The script that plays the generator plays this one, too."""


class Stage:
    """Serves scripts, each on a port of its own, until the test is over."""

    def __init__(self) -> None:
        self._open: list[tuple[Services, Server]] = []

    async def play(self, script: Scripted) -> Services:
        """Serve *script*; return services whose generator, catalog and storage it is."""

        async def nobody(_credential):
            raise AssertionError("the gateway calls with a service token")

        def add(server: grpc.aio.Server) -> None:
            stubs.add_GeneratorServiceServicer_to_server(script, server)
            add_CatalogServiceServicer_to_server(script, server)
            add_StorageServiceServicer_to_server(script, server)

        port = free_port()
        server = Server(
            [(NAME, add), (CATALOG, _nothing), (LEDGER, add_ledger)],
            secret=SECRET.encode(),
            resolve=nobody,
        )
        await server.start("127.0.0.1", port, "GENERATOR_PORT")
        services = Services(settings(port))
        self._open.append((services, server))
        return services

    async def close(self) -> None:
        while self._open:
            services, server = self._open.pop()
            await services.close()
            await server.stop(lame=0, grace=0)


def settings(port: int) -> Settings:
    """Settings under which everything is on *port*."""
    target = f"127.0.0.1:{port}"
    return Settings(
        host="127.0.0.1",
        port=port,
        public_url="http://127.0.0.1",
        auth="none",
        service_secret=Secret(SECRET),
        catalog_target=target,
        storage_target=target,
        generator_target=target,
        lame=0.01,
    )
