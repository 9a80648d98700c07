"""
Every process in turn is asked to end while clients call: it ends, its successor comes,
and no call fails, no event is missed and nothing is bought again.
"""

import asyncio
import signal
from pathlib import Path

import pytest

from tests.lab.process import Control
from tests.system.callers import Callers
from tests.system.stack import running_stack

MODEL = "flux-schnell"
AT_ONCE = 12


@pytest.fixture(scope="module")
def calm():
    quick = {"LAB_PACE": "0.3", "PUBLISH_WAIT": "2", "REPLICATE_MAX_PER_MINUTE": "0"}
    with running_stack("--lab", "--generators", "2", **quick) as stack:
        yield stack, Control(f"http://127.0.0.1:{stack.port('LAB_PORT')}")


@pytest.mark.parametrize("jobs", [40, pytest.param(400, marks=pytest.mark.release)])
@pytest.mark.parametrize("name", ["gateway", "generator-1", "generator-2", "storage", "catalog"])
async def test_who_is_asked_to_end_lets_no_call_fail(calm, name, jobs):
    stack, lab = calm
    lab.reset()
    lab.vendor("replicate", creates_per_minute=None, others_per_minute=None)
    lab.vendor("cloudinary", instant=True)
    callers = Callers(stack.port("EDGE_PORT"), MODEL)
    back = asyncio.Event()
    calling = asyncio.create_task(
        callers.keep_calling(
            AT_ONCE,
            lambda: (back.is_set() and len(callers.logs) >= jobs) or len(callers.failed) > jobs,
        )
    )
    try:
        while len(callers.logs) < AT_ONCE and not calling.done():
            await asyncio.sleep(0.02)
        await asyncio.to_thread(end, stack, name)
        back.set()
        await calling
    finally:
        await callers.close()
    assert callers.failed == []
    assert lab.requests()["replicate"]["create"] == len(callers.logs)
    charged = [charge["purchase_id"] for charge in lab.ledger()]
    assert len(charged) == len(set(charged)) == len(callers.logs)
    assert set(callers.seen) >= {"rest", "stream", "grpc", "grpc stream"}


def end(stack, name: str) -> None:
    """Ask *name* to end, which nobody hurries, and return once its successor is ready."""
    heard = len(stack.said)
    pid = stack.kill(name, signal.SIGTERM)
    ended = stack.await_(lambda: not Path(f"/proc/{pid}").exists())
    back = stack.await_(lambda: any(f"{name} is back" in line for line in stack.said[heard:]))
    print(f"{name} ended in {ended:.1f} s and was back {back:.1f} s later")
