"""
Generators that are parted from the catalog, from storage and from NATS while they work: nothing
is lost, nothing is doubled, and soon after the network is whole again all is home.
"""

import re
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack

import grpc
import pytest

from tests.lab.process import Control
from tests.system.books import states
from tests.system.replica import Replica, beside, kinds, told
from tests.system.stack import running_stack
from tests.system.wire import Wire, part, parted

BOUGHT = {"prompt": "a lighthouse at dawn", "models": ["flux-schnell"]}
ANSWERED = {"prompt": "a lighthouse at dawn", "models": ["recraft-v3"]}
DRAWN = {"prompt": "a boat", "models": ["sketch"], "size": {"width": 64, "height": 64}}
PARTED = {"catalog": "CATALOG_PORT", "storage": "STORAGE_PORT", "nats": "NATS_PORT"}
EACH = 3  # jobs of either kind at each generator


def follow(replica: Replica, job: str) -> list:
    """All events of *job* from its own generator, taken up again wherever the watch ends."""
    events = []
    give_up = time.monotonic() + 120
    while not events or kinds(events)[-1] != "completed":
        assert time.monotonic() < give_up, kinds(events)
        try:
            events += replica.watch(job, events[-1].sequence if events else 0)
        except grpc.RpcError:
            time.sleep(0.05)
    return events


@pytest.mark.parametrize("seconds", [8, pytest.param(30, marks=pytest.mark.release)])
def test_a_generator_that_is_cut_off_loses_and_doubles_nothing(seconds):
    quick = {"WORKER_PATIENCE": "2", "LOOKUP_LAG": "1", "LAB_PACE": "5", "PUBLISH_WAIT": "0"}
    with running_stack("--lab", **quick) as stack, ExitStack() as parts:
        lab = Control(f"http://127.0.0.1:{stack.port('LAB_PORT')}")
        wires = {name: parts.enter_context(Wire(stack.port(port))) for name, port in PARTED.items()}
        nats = told(stack, "generator-1")["NATS_URL"]
        ways = {
            "catalog": {"CATALOG_TARGET": f"127.0.0.1:{wires['catalog'].port}"},
            "storage": {"STORAGE_TARGET": f"127.0.0.1:{wires['storage'].port}"},
            "nats": {"NATS_URL": re.sub(r"\d+$", str(wires["nats"].port), nats)},
        }
        cut = [parts.enter_context(beside(stack, f"cut-{to}", **way)) for to, way in ways.items()]
        for each in cut:
            each.await_ready()
        pool = parts.enter_context(ThreadPoolExecutor(2 * EACH * len(cut)))
        slow = DRAWN | {"parameters": {"sketch": {"seconds": 5}}}
        jobs = [(each, each.start(spec)) for each in cut for spec in [BOUGHT, slow] * EACH]
        watches = [pool.submit(follow, *job) for job in jobs]
        stack.await_(lambda: lab.requests().get("replicate", {}).get("create") == EACH * len(cut))
        part(wires.values(), seconds)
        assert not all(watch.done() for watch in watches)  # who cannot store anything waits
        began = time.monotonic()
        for watch in watches:
            events = watch.result(120)
            assert [event.sequence for event in events] == [*range(1, len(events) + 1)]
            assert len(events[-1].completed.job.images) == 1
        took = time.monotonic() - began
        charged = [charge["purchase_id"] for charge in lab.ledger()]
        assert len(charged) == len(set(charged)) == EACH * len(cut)
        for each in cut:
            assert kinds(follow(each, each.start(DRAWN)))[-1] == "completed"
        print(f"all is home {took:.1f} s after the healing")


def test_an_answer_comes_to_who_is_cut_off_from_the_catalog_alone():
    """It is taken for dead meanwhile, and another looks for what only it can hear."""
    quick = {"WORKER_PATIENCE": "2", "LAB_PACE": "300", "PUBLISH_WAIT": "0"}
    with running_stack("--lab", **quick) as stack, ExitStack() as parts:
        lab = Control(f"http://127.0.0.1:{stack.port('LAB_PORT')}")
        wire = parts.enter_context(Wire(stack.port("CATALOG_PORT")))
        way = {"CATALOG_TARGET": f"127.0.0.1:{wire.port}"}
        cut = parts.enter_context(beside(stack, "cut", **way))
        cut.await_ready()
        pool = parts.enter_context(ThreadPoolExecutor(1))
        job = cut.start(ANSWERED)
        watch = pool.submit(follow, cut, job)
        stack.await_(lambda: lab.requests().get("recraft", {}).get("create"))
        with parted([wire]):
            stack.await_(lambda: states(stack, [job]) == ["unclear"])
        lab.advance(300)
        events = watch.result(120)
        assert "unclear" in kinds(events)
        assert len(events[-1].completed.job.images) == len(lab.ledger()) == 1
