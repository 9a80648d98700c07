"""
Every process in turn is asked to end while clients call: it ends in time, its successor comes,
and no call fails, no event is missed and nothing is bought again. Of PostgreSQL and Envoy, which
hand nothing over, calls fail that are worth another try, and nothing else does.
"""

import asyncio
import json
import re
import signal
from collections import Counter
from pathlib import Path

import pytest

from tests import patient
from tests.lab.process import Control
from tests.system.callers import Callers
from tests.system.stack import running_stack

MODEL = "flux-schnell"
DRAIN = 10.0  # seconds that a process may take to end, by its own word
AT_ONCE = 12
OURS = ("gateway", "generator-1", "generator-2", "storage", "catalog")
ALONE = {  # who is asked while nobody stands in for it, and how calls fail meanwhile
    "postgres": r": 503 .*SERVICE_UNAVAILABLE|UNAVAILABLE ",
    "envoy": r"ConnectError|ReadError|RemoteProtocolError|UNAVAILABLE ",
}


@pytest.fixture(scope="module")
def calm():
    quick = {"LAB_PACE": "0.3", "PUBLISH_WAIT": "2", "REPLICATE_MAX_PER_MINUTE": "0"}
    with running_stack("--lab", "--generators", "2", **quick) as stack:
        yield stack, Control(f"http://127.0.0.1:{stack.port('LAB_PORT')}")


@pytest.mark.parametrize("jobs", [40, pytest.param(400, marks=pytest.mark.release)])
@pytest.mark.parametrize("name", [*OURS, "nats"])
async def test_who_is_asked_to_end_lets_no_call_fail(calm, name, jobs):
    stack, lab = calm
    callers = await called(stack, lab, name, jobs)
    assert callers.failed == []
    if name in OURS:
        assert drained(stack, name) <= DRAIN
    assert lab.requests()["replicate"]["create"] == len(callers.logs)
    charged = [charge["purchase_id"] for charge in lab.ledger()]
    assert len(charged) == len(set(charged)) == len(callers.logs)
    assert set(callers.seen) >= {"rest", "stream", "grpc", "grpc stream"}


@pytest.mark.parametrize("name", ALONE)
async def test_of_who_hands_nothing_over_calls_are_worth_another_try(calm, name):
    stack, lab = calm
    callers = await called(stack, lab, name, 40)
    assert [words for words in callers.failed if not re.search(ALONE[name], words)] == []
    stack.await_(lambda: not any(lasting(stack)))
    charges = Counter(charge["purchase_id"] for charge in lab.ledger())
    assert set(charges.values()) == {1}
    assert lab.requests()["replicate"]["create"] == len(charges) >= len(callers.logs)
    newest = patient.get(f"{stack.url}/images/variants", params={"page_size": 200})
    kept = newest.json()["variants"]
    assert charges.keys() <= {variant["purchase_id"] for variant in kept}


async def called(stack, lab, name: str, jobs: int) -> Callers:
    """Have clients call while *name* is asked to end, and before and after: *jobs* at least."""
    lab.reset()
    lab.vendor("replicate", creates_per_minute=None, others_per_minute=None)
    lab.vendor("cloudinary", instant=True)
    callers = Callers(stack.port("EDGE_PORT"), MODEL)
    back = asyncio.Event()
    calling = asyncio.create_task(
        callers.keep_calling(AT_ONCE, lambda: back.is_set() and len(callers.logs) >= jobs)
    )
    try:
        while len(callers.logs) < AT_ONCE and not calling.done():
            await asyncio.sleep(0.02)
        await asyncio.to_thread(end, stack, name)
        back.set()
        await calling
    finally:
        await callers.close()
    return callers


def end(stack, name: str) -> None:
    """Ask *name* to end, and return once its successor is ready."""
    heard = len(stack.said)
    pid = stack.kill(name, signal.SIGTERM)
    stack.await_(lambda: not Path(f"/proc/{pid}").exists())
    stack.await_(lambda: any(f"{name} is back" in line for line in stack.said[heard:]))


def drained(stack, name: str) -> float:
    """Return the seconds that the last end of *name* took, as its log tells."""
    lines = [json.loads(line) for line in stack.logs(name).splitlines() if line.startswith("{")]
    *_, last = (line["seconds"] for line in lines if line["event"] == "drained")
    print(f"{name} ended in {last} s")
    return last


def lasting(stack) -> list[str]:
    """Return the jobs that have not ended."""
    found = patient.get(f"{stack.url}/images/jobs", params={"page_size": 200}).json()["jobs"]
    return [job["job_id"] for job in found if job["state"] in ("queued", "running")]
