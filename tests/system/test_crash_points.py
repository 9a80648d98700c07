"""
Kill -9 at every named point of the code, then look: one variant each, no gap, live links.

The rows come from the source: a new point without a scenario that passes it fails here.
"""

import re
import threading
import time
from pathlib import Path

import httpx
import pytest

from tests.system.client import Job, generate, prove_whole, watch
from tests.system.stack import CHECKOUT, running_stack

POINT = re.compile(r'faults\.point\("([^"]+)"\)')
SOURCES = [path for top in ("services", "gateway") for path in (CHECKOUT / top).rglob("*.py")]
FOUND = sorted(name for path in SOURCES for name in POINT.findall(path.read_text()))
SLOW = {"parameters": {"sketch": {"seconds": 2}}}
PROMPT = {"prompt": "a lighthouse at dawn", "models": ["sketch"], "size": "128x128"}


@pytest.fixture(scope="module")
def faulty(tmp_path_factory):
    """A stack whose processes die where a file in its folder says so."""
    folder = tmp_path_factory.mktemp("faults")
    folder.chmod(0o777)
    with running_stack(FAULT_FOLDER=str(folder), WORKER_PATIENCE="1", LOOKUP_LAG="0") as stack:
        yield stack, folder


def test_every_point_has_a_name_of_its_own():
    assert len(FOUND) == len(set(FOUND)) >= 20


@pytest.mark.parametrize("point", FOUND)
def test_a_kill_here_loses_and_doubles_nothing(faulty, point):
    stack, folder = faulty
    trap = folder / point
    scenario = SCENARIOS.get(point) or SCENARIOS.get(point.partition(".")[0], plain)
    job, count = scenario(stack, trap)
    stack.await_(lambda: not trap.exists())  # somebody died there
    if count is None:
        prove_canceled(job)
    else:
        prove_whole(job, count)
    stack.await_(lambda: httpx.get(f"{stack.url}/readyz").status_code == 200)


def plain(stack, trap: Path) -> tuple[Job, int]:
    """Two images, with the trap set before anything is asked."""
    trap.touch(mode=0o666)
    return generate(stack.url, PROMPT | {"count": 2}), 2


def while_drawing(stack, trap: Path) -> tuple[Job, int]:
    """An image that takes two seconds; the trap is set once it is being drawn."""
    job: list[Job] = []
    thread = threading.Thread(target=lambda: job.append(generate(stack.url, PROMPT | SLOW)))
    thread.start()
    trap.touch(mode=0o666)
    thread.join()
    return job[0], 1


def unclear(stack, trap: Path) -> tuple[Job, int]:
    """A worker dies between the order and its answer, so that it must be looked up."""
    first = trap.with_name("buy.before_send")
    first.touch(mode=0o666)
    trap.touch(mode=0o666)
    return generate(stack.url, PROMPT), 1


def canceled(stack, trap: Path) -> tuple[Job, None]:
    """A slow job that is canceled, the cancel repeated until it is answered."""
    with httpx.Client(base_url=stack.url, timeout=10) as http:
        started = http.post("/images/generate", json=PROMPT | {"count": 2} | SLOW)
        assert started.status_code == 202, started.text
        location = started.headers["location"]
        trap.touch(mode=0o666)
        give_up = time.monotonic() + 30
        while time.monotonic() < give_up:
            try:
                if http.post(f"{location}/cancel").status_code == 200:
                    break
            except httpx.HTTPError:
                continue
    return watch(stack.url, location), None


def prove_canceled(job: Job) -> None:
    numbers = [number for _kind, number in job.durable]
    assert numbers == list(range(1, len(numbers) + 1))
    completed = job.completed
    assert completed["state"] in ("canceled", "succeeded", "partially_succeeded")
    assert len(completed["images"]) + len(completed["failures"]) == 2


SCENARIOS = {
    "sweep": while_drawing,
    "heartbeat": while_drawing,
    "lookup": unclear,
    "settle": unclear,
    "cancel": canceled,
    "ledger.before_cancel": canceled,
    "ledger.after_cancel": canceled,
}
