"""A real gRPC server of our chassis on loopback for a test's own servicers, and peers to it."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import grpc

from chassis import identity
from chassis.channel import Peer
from chassis.errors import Unauthenticated
from chassis.server import Server
from tests.ports import free_port

SECRET = b"a secret of the tests"
Add = Callable[[grpc.aio.Server], None]


async def nobody(_credential: str | None) -> identity.Caller:
    raise Unauthenticated("CREDENTIAL_MISSING", "services only")


@asynccontextmanager
async def serving(name: str, add: Add) -> AsyncIterator[Peer]:
    """Serve what *add* adds; yields a peer that speaks for the generator."""
    server, port = Server([(name, add)], secret=SECRET, resolve=nobody), free_port()
    await server.start("127.0.0.1", port, "PORT")
    peer = Peer(f"127.0.0.1:{port}", name, service="generator", secret=SECRET)
    try:
        yield peer
    finally:
        await peer.close()
        await server.stop(lame=0, grace=0)
