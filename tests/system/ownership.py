"""Very much work in hand, and whose it is by the ledger's word."""

import asyncio
import uuid
from collections import Counter
from typing import Any

import grpc

from imagestudio.generator.v1 import generator_service_pb2 as pb
from imagestudio.generator.v1.generator_service_pb2_grpc import GeneratorServiceStub
from imagestudio.type.v1.job_pb2 import JobSpec
from tests.lab.process import Control
from tests.system.books import ask

DRAWING = 600  # seconds, of the lab's clock
UNHURRIED = {
    "PUBLISH_WAIT": "0",
    "REPLICATE_MAX_PER_MINUTE": "0",
    "LAB_PACE": str(DRAWING),
    "LOG_LEVEL": "warning",
}
_PATIENCE = 180.0  # seconds
OWNED = """
    SELECT clock_timestamp() AS at,
           count(*) FILTER (WHERE p.owner::text = $1) AS left,
           count(*) FILTER (WHERE p.state = 'running' AND w.worker_id::text <> $1) AS owned,
           (SELECT heartbeat_at FROM workers WHERE worker_id::text = $1) AS heard_at
    FROM purchases p LEFT JOIN workers w ON w.worker_id = p.owner
"""


def put_in_hand(stack: Any, count: int) -> str:
    """Have *count* purchases drawn at the lab, by one generator for the most part; return that."""
    lab = Control(f"http://127.0.0.1:{stack.port('LAB_PORT')}")
    lab.vendor("replicate", creates_per_minute=None, others_per_minute=None)
    lab.vendor("cloudinary", instant=True)
    asyncio.run(_order(stack.port("GENERATOR_PORT"), count))
    stack.await_(lambda: ask(stack, OWNED, "")[0]["owned"] == count, _PATIENCE)
    owners = Counter(row["owner"] for row in ask(stack, "SELECT owner FROM purchases"))
    [(owner, most)] = owners.most_common(1)
    assert most > count / 2  # the other one may have had some
    return str(owner)


def seat_of(stack: Any, worker: str) -> str:
    """The process that is *worker*: most work goes to who is asked, and he may have been late."""
    seats = (stack.data / "seats").iterdir()
    [name] = [seat.name for seat in seats if seat.read_text().strip() == worker]
    return str(name)


async def _order(port: int, count: int) -> None:
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
