"""How a campaign's clients and its killer deal with what they meet, on real sockets."""

import asyncio
import json
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager

import aiohttp
import grpc
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer
from grpc_status import rpc_status

from chassis import errors
from cli.chaos.ground import KILLABLE, Running
from cli.chaos.killer import Killer
from cli.chaos.rest import Rest
from cli.chaos.rpc import Rpc, channel
from cli.chaos.ways import Broken, Refused, Way, Wrong
from imagestudio.generator.v1.generator_service_pb2_grpc import (
    GeneratorServiceServicer,
    add_GeneratorServiceServicer_to_server,
)
from tests.ports import free_port, free_ports

CAP = errors.Exhausted("SPEND_CAP_EXCEEDED", "nothing is left")
LOST = errors.Missing("RESOURCE_UNKNOWN", "there is no such job")
OURS = errors.Fault("INTERNAL", "a defect")

# -- REST


@asynccontextmanager
async def rest(status: int, text: str) -> AsyncIterator[Way]:
    async def answer(_request: web.Request) -> web.Response:
        return web.Response(status=status, text=text)

    app = web.Application()
    app.add_routes([web.route("*", "/{path:.*}", answer)])
    async with TestServer(app) as server, aiohttp.ClientSession() as http:
        yield Rest(str(server.make_url("")).rstrip("/"), "key", http)


@pytest.mark.parametrize(
    ("status", "text", "means"),
    [
        (402, json.dumps({"code": "SPEND_CAP_EXCEEDED"}).replace(" ", ""), Refused),
        (402, '{"code":"COST_LIMIT_EXCEEDED"}', Wrong),
        (404, "", Wrong),
        (500, "", Wrong),
        (503, "", Broken),
        (200, 'event: error\ndata: {"status":503}\n\n', Broken),
        (200, 'event: error\ndata: {"status":404}\n\n', Wrong),
    ],
)
async def test_over_rest_a_client_comes_again_only_where_that_may_help(status, text, means):
    async with rest(status, text) as way:
        with pytest.raises(means):
            _ = [heard async for heard in way.watch("1", 0)]


async def test_events_are_parsed_with_the_comments_and_live_ones_between():
    stream = (
        ": a comment\n\nid: 1\nevent: accepted\ndata: {}\n\nevent: progress\ndata: {}\n\n"
        "id: 2\nevent: completed\ndata: {}\n\n"
    )
    async with rest(200, stream) as way:
        heard = [(each.sequence, each.kind) async for each in way.watch("1", 0)]
    assert heard == [(1, "accepted"), (0, "progress"), (2, "completed")]


# -- gRPC


class Ends(GeneratorServiceServicer):
    """Ends every stream with *fault*; None: as a transport does, without a word of ours."""

    def __init__(self, fault: errors.Fault | None) -> None:
        self.fault = fault

    async def WatchGeneration(self, _request, context):
        if self.fault is None:
            await context.abort(grpc.StatusCode.INTERNAL, "RST_STREAM")
        await context.abort_with_status(rpc_status.to_status(errors.to_status(self.fault)))


@pytest.mark.parametrize(
    ("fault", "means"), [(None, Broken), (OURS, Wrong), (CAP, Refused), (LOST, Wrong)]
)
async def test_over_grpc_a_reset_is_a_cut_and_a_defect_of_ours_is_none(fault, means):
    server, port = grpc.aio.server(), free_port()
    add_GeneratorServiceServicer_to_server(Ends(fault), server)
    server.add_insecure_port(f"127.0.0.1:{port}")
    await server.start()
    try:
        async with channel(f"127.0.0.1:{port}") as open_:
            with pytest.raises(means):
                _ = [heard async for heard in Rpc(open_, "key").watch("1", 0)]
    finally:
        await server.stop(None)


# -- The killer

LISTEN = (
    "import socket, sys; s = socket.create_server(('127.0.0.1', int(sys.argv[1])));"
    "print('on', flush=True)\nwhile True: s.accept()[0].close()"
)


class Listeners:
    """As many processes that listen as a campaign's stack has."""

    def __init__(self) -> None:
        self.ports = free_ports(KILLABLE)
        self.children = [self._start(port) for port in self.ports]
        self.looks = 0

    def running(self) -> list[Running]:
        self.looks += 1
        alive = enumerate(zip(self.children, self.ports, strict=True))
        return [Running(str(n), c.pid, port) for n, (c, port) in alive if c.poll() is None]

    def restart_dead(self) -> None:
        for number, child in enumerate(self.children):
            if child.poll() is not None:
                child.stdout.close()
                self.children[number] = self._start(self.ports[number])

    def dead(self) -> list[int]:
        return [child.poll() for child in self.children if child.poll() is not None]

    def _start(self, port: int) -> subprocess.Popen[bytes]:
        command = [sys.executable, "-S", "-c", LISTEN, str(port)]
        child = subprocess.Popen(command, stdout=subprocess.PIPE)
        assert child.stdout.readline()
        return child


@pytest.fixture
def listeners() -> Iterator[Listeners]:
    found = Listeners()
    yield found
    for child in found.children:
        child.kill()
        child.wait()
        child.stdout.close()


async def until(condition) -> None:
    async with asyncio.timeout(60):
        while not condition():
            await asyncio.sleep(0.005)


async def test_with_two_down_a_kill_waits_until_all_are_back(listeners):
    killer = Killer(listeners.running, seed=1, pause=0.01)
    killing = asyncio.create_task(killer.run())
    try:
        await until(lambda: len(listeners.dead()) == 2)
        assert listeners.dead() == [-signal.SIGKILL] * 2
        seen = listeners.looks
        await until(lambda: listeners.looks > seen + 10)
        assert killer.killed.total() == 2
        listeners.restart_dead()
        await until(lambda: killer.killed.total() > 2)
        assert killer.waited > 0
    finally:
        killing.cancel()
