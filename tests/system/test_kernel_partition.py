"""
A generator that is parted from everything by the kernel, which drops its packets in silence, as a
network does that is cut: the others finish what it had bought, and it is home once it is whole.

Run as a module it is the test itself, within a network namespace of its own.
"""

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack

import pytest

from tests import patient
from tests.lab.process import Control
from tests.leash import leashed
from tests.ports import free_port
from tests.system import namespace
from tests.system.replica import Replica, kinds, one_more, told
from tests.system.stack import CHECKOUT, Stack, running_stack
from tests.system.test_partitions import BOUGHT, DRAWN, EACH, follow

SLOW = DRAWN | {"parameters": {"sketch": {"seconds": 5}}}
QUICK = {"WORKER_PATIENCE": "2", "LOOKUP_LAG": "1", "LAB_PACE": "5", "PUBLISH_WAIT": "0"}


@pytest.mark.skipif(bool(why := namespace.missing()), reason=why)
def test_a_generator_whose_packets_the_kernel_drops_loses_and_doubles_nothing():
    inside = ["unshare", "--net", sys.executable, "-m", __name__]
    done = subprocess.run(
        leashed(inside), cwd=CHECKOUT, check=False, capture_output=True, text=True
    )
    assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"


def main() -> None:
    with ExitStack() as parts:
        there = parts.enter_context(namespace.beside_ours())
        stack = parts.enter_context(running_stack("--lab", **QUICK))
        lab = Control(f"http://127.0.0.1:{stack.port('LAB_PORT')}")
        port = free_port()
        place = {"GENERATOR_PORT": str(port), "HOST": there.address}
        environment = told(stack, "generator-1") | place
        started = one_more(stack, "services.generator", "cut", environment, there.command)
        parts.enter_context(started)
        cut = Replica("cut", port, there.address)
        cut.await_ready()
        pool = parts.enter_context(ThreadPoolExecutor(2 * EACH))
        jobs = [cut.start(spec) for spec in [BOUGHT, SLOW] * EACH]
        watches = [pool.submit(follow, cut, job) for job in jobs]
        stack.await_(lambda: lab.requests().get("replicate", {}).get("create") == EACH)
        with there.parted():
            stack.await_(lambda: all(ended(stack, job) for job in jobs))
            assert not any(watch.done() for watch in watches)
        for watch in watches:
            events = watch.result(120)
            assert [event.sequence for event in events] == [*range(1, len(events) + 1)]
            assert len(events[-1].completed.job.images) == 1
        charged = [charge["purchase_id"] for charge in lab.ledger()]
        assert len(charged) == len(set(charged)) == EACH
        assert kinds(follow(cut, cut.start(DRAWN)))[-1] == "completed"


def ended(stack: Stack, job: str) -> bool:
    found = patient.get(f"{stack.url}/images/{job}").json()
    return bool(found["ended_at"])


if __name__ == "__main__":
    main()
