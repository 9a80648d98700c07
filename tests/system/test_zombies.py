"""
Who is stopped, taken for dead and goes on writes nothing more and buys nothing again; and a
service that only sleeps for a moment costs nobody his work.
"""

import os
import signal
import threading
import uuid
from contextlib import contextmanager, suppress

import grpc
import pytest

from tests.lab.process import Control
from tests.system.books import ask, books, states
from tests.system.client import PATIENCE, Job, generate, prove_whole
from tests.system.replica import asleep, kinds, nap, replicas, sleeps
from tests.system.stack import running_stack

BOUGHT = {"prompt": "a lighthouse at dawn", "models": ["flux-schnell"]}
DRAWN_HERE = {"prompt": "a boat", "models": ["sketch"], "size": {"width": 64, "height": 64}}
LONG = 300  # seconds, that pass at once where they are waited for
LATE = {"kind": f"hang:{LONG}", "times": 1, "vendor": "replicate"}
USUAL = ["buy.before_send", "ticket.before_commit", "keep.before_commit"]
ALL = [
    *("claim.before_commit", "claim.after_commit", "buy.after_send", "ticket.after_commit"),
    *("follow.before", "follow.after", "drawn.before_commit", "drawn.after_commit"),
    *("import.before", "import.after", "keep.after_commit"),
    *("publish.before_call", "publish.after_call", "publish.before_commit"),
]


@pytest.fixture(scope="module")
def pair(tmp_path_factory):
    """A stack with two generators that go to sleep where a file in its folder says so."""
    folder = tmp_path_factory.mktemp("faults")
    folder.chmod(0o777)
    lab = {"LAB_PACE": "0.05"}
    quick = {"WORKER_PATIENCE": "3", "LOOKUP_LAG": "1", "FAULT_FOLDER": str(folder), **lab}
    with running_stack("--lab", "--generators", "2", **quick) as stack:
        yield stack, folder


@pytest.fixture
def lab(pair):
    control = Control(f"http://127.0.0.1:{pair[0].port('LAB_PORT')}")
    control.reset()
    return control


class Sleeper:
    """A generator that was stopped; *awake* is the other one."""

    def __init__(self, stack) -> None:
        self.stack, pids = stack, stack.ps()
        both = replicas(stack, 2)
        self.asleep = next(one for one in both if sleeps(pids[one.name]))
        self.awake = next(one for one in both if one is not self.asleep)
        self.pid = pids[self.asleep.name]
        self.written = len(stack.logs(self.asleep.name))

    def wake(self) -> None:
        """Let it go on until all that it still had to write was heard, and refused."""
        os.kill(self.pid, signal.SIGCONT)
        self.stack.await_(lambda: "taken for dead" in self.said)
        self.stack.await_(lambda: len(workers(self.stack)) == 2)  # until then it takes no work
        # Its edges are written one call after the other: a job of its own comes after all of them.
        assert kinds(self.asleep.generate(DRAWN_HERE))[-1] == "completed"

    @property
    def said(self) -> str:
        return self.stack.logs(self.asleep.name)[self.written :]


@contextmanager
def sleeping(stack):
    """The one that sleeps by now, which is waked at the end whatever happens."""
    sleeper = Sleeper(stack)
    try:
        yield sleeper
    finally:
        with suppress(ProcessLookupError):
            os.kill(sleeper.pid, signal.SIGCONT)


def prove_untouched(stack, lab, sleeper: Sleeper, jobs: list[str]) -> None:
    """Wake whom all take for dead: not a row of *jobs* moves, nothing is charged or ordered."""
    stack.await_(lambda: len(workers(stack)) == 1)  # the other one may have been done long ago
    told, charges = books(stack, jobs), lab.ledger()
    orders = lab.requests()["replicate"]["create"]
    assert len(charges) == len({one["purchase_id"] for one in charges}) == len(jobs)
    sleeper.wake()
    assert books(stack, jobs) == told
    assert lab.ledger() == charges
    assert lab.requests()["replicate"]["create"] == orders


@pytest.mark.parametrize(
    "point", [*USUAL, *(pytest.param(each, marks=pytest.mark.release) for each in ALL)]
)
def test_who_fell_asleep_at_any_step_finds_it_done_by_another(pair, lab, point):
    stack, folder = pair
    trap, request = folder / point, str(uuid.uuid4())
    trap.write_text("sleep")
    start = threading.Thread(target=ask_for, args=(replicas(stack, 2)[0], request))
    start.start()
    stack.await_(lambda: not trap.exists())
    with sleeping(stack) as sleeper:
        job = sleeper.awake.start(BOUGHT, request)
        events = sleeper.awake.watch(job)
        assert events[-1].completed.job.images
        assert [event.sequence for event in events] == [*range(1, len(events) + 1)]
        prove_untouched(stack, lab, sleeper, [job])
    start.join()


def ask_for(one, request: str) -> None:
    with suppress(grpc.RpcError):  # it may fall asleep before it has answered
        one.start(BOUGHT, request, timeout=PATIENCE)


def test_who_is_stopped_with_work_at_every_stage_writes_nothing_when_he_wakes(pair, lab):
    stack, _folder = pair
    one = replicas(stack, 2)[0]
    lab.faults([LATE | {"where": "create"}, LATE | {"where": "file"}])
    jobs = [one.start(BOUGHT)]  # sending
    stack.await_(lambda: lab.faults()[0]["struck"])
    lab.pace(LONG)
    jobs.append(one.start(BOUGHT))  # running
    stack.await_(lambda: states(stack, jobs)[1] == "running")
    lab.pace(0.05)
    jobs.append(one.start(BOUGHT))  # drawn, and being fetched
    stack.await_(lambda: lab.faults()[1]["struck"] and states(stack, jobs)[2] == "drawn")
    stack.kill(one.name, signal.SIGSTOP)
    stack.await_(lambda: sleeps(stack.ps()[one.name]))
    assert states(stack, jobs) == ["sending", "running", "drawn"]
    with sleeping(stack) as sleeper:
        lab.advance(LONG)
        for job in jobs:
            assert sleeper.awake.watch(job)[-1].completed.job.images
        prove_untouched(stack, lab, sleeper, jobs)


def test_storage_sleeps_under_receipts_and_imports_and_nothing_is_lost(pair, lab):
    stack, _folder = pair
    lab.faults([LATE | {"where": "file", "kind": "hang:0.5", "times": None}])
    with drawing(stack, BOUGHT, 3) as bought, drawing(stack, DRAWN, 3) as drawn:
        stack.await_(lambda: lab.faults()[0]["struck"] >= 1)
        nap(stack, "storage", NAP)
    for job in bought + drawn:
        prove_whole(job, 1)
    assert len(lab.ledger()) == lab.requests()["replicate"]["create"] == 3


def test_the_catalog_sleeps_and_takes_nobody_for_dead_who_could_not_reach_it(pair, lab):
    stack, _folder = pair
    lab.pace(3)
    owners = workers(stack)
    with drawing(stack, BOUGHT, 3) as bought:
        stack.await_(lambda: all(job.of("purchased") for job in bought))
        nap(stack, "catalog", NAP)
    for job in bought:
        prove_whole(job, 1)
        assert not job.of("unclear")
    assert workers(stack) == owners
    assert len(lab.ledger()) == lab.requests()["replicate"]["create"] == 3


ANSWERED = {"prompt": "a lighthouse at dawn", "models": ["recraft-v3"]}


@pytest.mark.parametrize("name", ["catalog", "postgres"])
def test_who_only_sleeps_costs_nobody_an_answer_that_comes_once(pair, lab, name):
    stack, _folder = pair
    lab.pace(LONG)
    owners = workers(stack)
    with drawing(stack, ANSWERED, 3) as ordered:
        stack.await_(lambda: lab.requests().get("recraft", {}).get("create") == 3)
        nap(stack, name, NAP)
        lab.advance(LONG)
    for job in ordered:
        prove_whole(job, 1)
        assert not job.of("unclear")
    assert workers(stack) == owners
    assert len(lab.ledger()) == 3


def test_a_generator_that_was_taken_for_dead_hears_what_only_it_can(pair, lab):
    stack, _folder = pair
    lab.pace(LONG)
    one = replicas(stack, 2)[0]
    jobs = [one.start(ANSWERED | {"models": [each]}) for each in ("recraft-v3", "gpt-image-2")]
    stack.await_(
        lambda: all(lab.requests().get(v, {}).get("create") for v in ("recraft", "openai"))
    )
    with asleep(stack, one.name):
        stack.await_(lambda: states(stack, jobs) == ["unclear"] * 2)
    lab.advance(LONG)
    for job in jobs:
        events = replicas(stack, 2)[1].watch(job)
        assert "unclear" in kinds(events)
        assert events[-1].completed.job.images
    assert len(lab.ledger()) == lab.requests()["recraft"]["create"] + 1 == 2


DRAWN = {"prompt": "a boat", "models": ["sketch"], "size": "64x64"}
NAP = 9.0  # seconds: three times the silence that is death


def workers(stack) -> set[str]:
    return {row["worker_id"] for row in ask(stack, "SELECT worker_id FROM workers")}


@contextmanager
def drawing(stack, body, count: int):
    """Jobs on threads of their own, each watched to its end."""
    jobs = [Job("") for _ in range(count)]
    threads = [
        threading.Thread(target=generate, args=(stack.url, body), kwargs={"job": job})
        for job in jobs
    ]
    for thread in threads:
        thread.start()
    try:
        yield jobs
    finally:
        for thread in threads:
            thread.join()
