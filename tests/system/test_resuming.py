"""
Two hundred clients whose streams are cut at any byte and taken up at another replica: each has
heard the whole log in the end, every event once.
"""

import asyncio
import random
import time
from collections.abc import Callable
from contextlib import ExitStack

import grpc
import httpx
import pytest

from imagestudio.generator.v1 import generator_service_pb2 as pb
from imagestudio.generator.v1.generator_service_pb2_grpc import GeneratorServiceStub
from tests import patient
from tests.ports import free_port
from tests.system.callers import frames
from tests.system.replica import one_more, replicas, told
from tests.system.stack import running_stack
from tests.system.wire import Wire

JOBS = 10
SPEC = {"prompt": "a boat", "models": ["sketch"], "size": "64x64", "count": 6}
PACED = SPEC | {"parameters": {"sketch": {"seconds": 4}}}
_PATIENCE = 150.0  # seconds


def short(dice: random.Random) -> Callable[[], int | None]:
    """Bytes until a connection is cut: some never are, so that everybody comes to the end."""
    return lambda: dice.choice([None, dice.randrange(1, 800), dice.randrange(1, 8000)])


@pytest.fixture(scope="module")
def crossing():
    """A stack with two generators and two gateways, each behind a wire that keeps breaking."""
    dice = random.Random(7)
    with running_stack("--generators", "2") as stack, ExitStack() as parts:
        second = free_port()
        environment = told(stack, "gateway") | {"GATEWAY_PORT": str(second)}
        parts.enter_context(one_more(stack, "gateway", "gateway-2", environment))
        places = [stack.port("EDGE_PORT"), stack.port("GATEWAY_PORT"), second]
        rest = [parts.enter_context(Wire(port, short(dice))) for port in places]
        near = [one.port for one in replicas(stack, 2)]
        calls = [parts.enter_context(Wire(port, short(dice))) for port in near]
        yield stack, rest, calls


async def by_sse(
    http: httpx.AsyncClient, path: str, wires: list[Wire], dice: random.Random
) -> list[tuple]:
    """Hear a job's log over any of *wires*, for as long as it takes."""
    heard: list[tuple] = []
    give_up = time.monotonic() + _PATIENCE
    while not heard or heard[-1][1] != "completed":
        assert time.monotonic() < give_up, heard[-1:]
        last = {"Last-Event-ID": str(heard[-1][0] if heard else 0)}
        url = f"http://127.0.0.1:{dice.choice(wires).port}{path}/events"
        try:
            async with http.stream("GET", url, headers=last) as answer:
                assert answer.status_code in (200, 503), await answer.aread()
                async for kind, number, data in frames(answer.aiter_lines()):
                    if number:
                        heard.append((number, kind, data))
        except httpx.HTTPError:
            continue
    return heard


async def by_grpc(job: str, wires: list[Wire], dice: random.Random) -> list[tuple]:
    """The same over gRPC."""
    heard: list[tuple] = []
    give_up = time.monotonic() + _PATIENCE
    while not heard or heard[-1][1] != "completed":
        assert time.monotonic() < give_up, heard[-1:]
        request = pb.WatchGenerationRequest(name=job, after_sequence=heard[-1][0] if heard else 0)
        alone = [("grpc.use_local_subchannel_pool", 1)]
        place = f"127.0.0.1:{dice.choice(wires).port}"
        async with grpc.aio.insecure_channel(place, options=alone) as channel:
            try:
                async for answer in GeneratorServiceStub(channel).WatchGeneration(request):
                    event = answer.event
                    if event.sequence:
                        kind = event.WhichOneof("event")
                        heard.append((event.sequence, kind, event.SerializeToString()))
            except grpc.aio.AioRpcError:
                continue
    return heard


@pytest.fixture
async def http():
    """A client that makes a connection for each call, since a wire's life is a connection's."""
    limits = httpx.Limits(max_connections=None, max_keepalive_connections=0)
    async with patient.AsyncClient(limits=limits) as client:
        yield client


@pytest.mark.parametrize("many", [40, pytest.param(100, marks=pytest.mark.release)])
async def test_however_often_a_stream_is_cut_its_pieces_are_the_log(crossing, http, many):
    """*many* of either kind: half of them far from the generators, half of them near."""
    stack, rest, calls = crossing
    dice = random.Random(11)
    url = f"{stack.url}/images/generate"
    starts = [await http.post(url, json=PACED) for _ in range(JOBS)]
    paths = [answer.headers["location"] for answer in starts]
    jobs = [path.removeprefix("/images/") for path in paths]
    before = [sum(wire.cuts for wire in wires) for wires in (rest, calls)]
    heard = await asyncio.gather(
        *(by_sse(http, paths[n % JOBS], rest, dice) for n in range(many)),
        *(by_grpc(jobs[n % JOBS], calls, dice) for n in range(many)),
    )
    cuts = [sum(wire.cuts for wire in wires) for wires in (rest, calls)]
    print(f"cut {cuts} times")
    assert all(now - then > many / 2 for now, then in zip(cuts, before, strict=True))
    whole = Wire(stack.port("GATEWAY_PORT")), Wire(stack.port("GENERATOR_PORT"))
    with whole[0], whole[1]:
        for n in range(JOBS):
            log = await by_sse(http, paths[n], [whole[0]], dice)
            assert [number for number, _kind, _data in log] == [*range(1, len(log) + 1)]
            assert all(each == log for each in heard[n:many:JOBS])
            log = await by_grpc(jobs[n], [whole[1]], dice)
            assert [number for number, _kind, _data in log] == [*range(1, len(log) + 1)]
            assert all(each == log for each in heard[many + n :: JOBS])
