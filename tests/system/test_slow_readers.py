"""Who opens a stream and does not read costs little, at the gateway and at the generator."""

import asyncio
import socket
from contextlib import ExitStack

import grpc
import pytest

from imagestudio.generator.v1 import generator_service_pb2 as pb
from imagestudio.generator.v1.generator_service_pb2_grpc import GeneratorServiceStub
from tests.system.client import generate
from tests.system.replica import settled
from tests.system.stack import running_stack

LONG = {  # a log of some 200 KB
    "prompt": "a boat " * 100,
    "models": ["sketch", "sketch-ink", "sketch-mosaic"],
    "size": "64x64",
    "count": 32,
}
READERS = 50
MOST = 256 * 1024  # bytes that a slow reader may cost


@pytest.fixture(scope="module")
def told():
    """A stack with a job that has much to tell."""
    with running_stack() as stack:
        yield stack, generate(stack.url, LONG)


def slow_listener(port: int, path: str) -> socket.socket:
    """Ask for a stream, and read nothing of it."""
    listener = socket.socket()
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    listener.connect(("127.0.0.1", port))
    listener.sendall(f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n".encode())
    return listener


@pytest.mark.parametrize("place", ["GATEWAY_PORT", "EDGE_PORT"])
def test_slow_readers_of_server_sent_events(told, place):
    stack, job = told
    path = f"{job.url.removeprefix(stack.url)}/events"
    names = ("gateway", "generator-1", "envoy")

    def listen(parts: ExitStack) -> None:
        for _ in range(READERS):
            parts.enter_context(slow_listener(stack.port(place), path))

    with ExitStack() as warm:  # the first time also loads what is loaded once
        listen(warm)
        settled(stack, names)
    before = settled(stack, names)
    with ExitStack() as parts:
        listen(parts)
        cost = {name: each - before[name] for name, each in settled(stack, names).items()}
    print(place, {name: each // READERS for name, each in cost.items()}, "bytes each")
    assert sum(cost.values()) < READERS * MOST


@pytest.mark.parametrize("place", ["GENERATOR_PORT", "EDGE_PORT"])
async def test_slow_readers_over_grpc(told, place):
    stack, job = told
    names = ("generator-1", "envoy")
    request = pb.WatchGenerationRequest(name=job.url.removeprefix("/images/"))
    small = [("grpc.http2.lookahead_bytes", 1024), ("grpc.http2.bdp_probe", 0)]
    for _ in range(2):  # the first time also loads what is loaded once
        before = settled(stack, names)
        async with grpc.aio.insecure_channel(
            f"127.0.0.1:{stack.port(place)}", options=small
        ) as channel:
            calls = [GeneratorServiceStub(channel).WatchGeneration(request) for _ in range(READERS)]
            for call in calls:
                await call.read()
            now = await asyncio.to_thread(settled, stack, names)
            cost = {name: now[name] - before[name] for name in names}
    print(place, {name: each // READERS for name, each in cost.items()}, "bytes each")
    assert sum(cost.values()) < READERS * MOST
