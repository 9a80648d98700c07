"""A worker dies with very much work in hand: all of it has an owner again soon, and comes home."""

import asyncio
import signal
import time
import uuid
from collections import Counter

import grpc
import pytest

from imagestudio.generator.v1 import generator_service_pb2 as pb
from imagestudio.generator.v1.generator_service_pb2_grpc import GeneratorServiceStub
from imagestudio.type.v1.job_pb2 import JobSpec
from tests.lab.process import Control
from tests.system.books import ask
from tests.system.stack import running_stack

SOON = 5.0  # seconds from a death until all is owned again, of which three are the silence
BUSY = 20.0  # the same beside busy neighbours
DRAWING = 600  # seconds, of the lab's clock
HOME = 90.0  # seconds
OWNED = """
    SELECT count(*) FILTER (WHERE p.state = 'running' AND p.owner = w.worker_id) AS owned,
           count(*) AS "all"
    FROM purchases p LEFT JOIN workers w ON w.worker_id = p.owner AND w.worker_id <> $1
"""


async def order(port: int, count: int) -> None:
    """Start so many jobs at one generator."""
    turns = asyncio.Semaphore(64)
    async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
        stub = GeneratorServiceStub(channel)

        async def one(number: int) -> None:
            spec = JobSpec(prompt=f"a lighthouse, {number}", models=["flux-schnell"])
            request = pb.StartGenerationRequest(spec=spec, request_id=str(uuid.uuid4()))
            async with turns:
                await stub.StartGeneration(request, timeout=60)

        await asyncio.gather(*(one(number) for number in range(count)))


@pytest.mark.parametrize(
    ("count", "soon"), [(300, BUSY), pytest.param(1000, SOON, marks=pytest.mark.release)]
)
def test_all_that_a_dead_worker_had_is_owned_again_at_once(count, soon):
    quick = {"PUBLISH_WAIT": "0", "REPLICATE_MAX_PER_MINUTE": "0", "LAB_PACE": str(DRAWING)}
    with running_stack("--lab", "--generators", "2", **quick) as stack:
        lab = Control(f"http://127.0.0.1:{stack.port('LAB_PORT')}")
        lab.vendor("replicate", creates_per_minute=None, others_per_minute=None)
        asyncio.run(order(stack.port("GENERATOR_PORT"), count))
        stack.await_(lambda: owned(stack, "") == count, HOME)
        owners = Counter(row["owner"] for row in ask(stack, "SELECT owner FROM purchases"))
        [(dead, most)] = owners.most_common(1)
        assert most > count / 2  # the other one may have had some
        began = time.monotonic()
        stack.kill("generator-1", signal.SIGKILL)
        stack.await_(lambda: owned(stack, dead) == count, HOME)
        took = time.monotonic() - began
        print(f"{count} purchases are owned again after {took:.1f} s")
        lab.advance(DRAWING + 1)
        stack.await_(lambda: through(stack) == count, HOME)
        charged = [charge["purchase_id"] for charge in lab.ledger()]
        assert len(charged) == len(set(charged)) == count
        assert took < soon


def owned(stack, dead: str) -> int:
    return ask(stack, OWNED, dead)[0]["owned"]


def through(stack) -> int:
    succeeded = "SELECT count(*) FROM image_jobs WHERE state = 'succeeded'"
    return ask(stack, succeeded)[0]["count"]
