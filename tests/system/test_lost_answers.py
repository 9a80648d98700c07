"""
An order's answer is lost, or whoever waited for the picture is killed: by whatever way the
purchase is found again, it is charged once and kept once.
"""

import json
import os
import signal
import threading
from contextlib import contextmanager, suppress

import pytest

from tests import patient
from tests.generator.test_added_models import ENTRY, put
from tests.lab.process import Control
from tests.system.client import PATIENCE, Job, generate, prove_whole
from tests.system.stack import running_stack

DRAW = {"prompt": "a lighthouse at dawn", "models": ["flux-schnell"]}
LAG = 3600  # seconds, for ever here, in which the list of `wary` need not show what was bought
SELDOM = {"prompt": "a lighthouse at dawn", "models": ["flux-dev"]}
USUAL = 3600  # seconds that SELDOM's model is said to take, after which we look by ourselves
DRAWING = 300  # seconds, of the lab's clock
DROPPED = {"vendor": "replicate", "where": "create", "kind": "drop_after", "times": 1}
DEAF = {"vendor": "replicate", "where": "webhook", "kind": "drop_before"}
BLIND = {"vendor": "replicate", "where": "list", "kind": "status:500", "times": 1}


@pytest.fixture(scope="module")
def wary(tmp_path_factory):
    """A stack that trusts no list before an hour is over, and its lab."""
    models = put(tmp_path_factory.mktemp("models"), json.loads(ENTRY) | {"typical": USUAL})
    quick = {"LAB_PACE": "0.05", "LOOKUP_LAG": str(LAG), "WORKER_PATIENCE": "1"}
    quick |= {"MODELS_DIR": str(models)}
    with running_stack("--lab", **quick) as stack:
        yield stack, Control(f"http://127.0.0.1:{stack.port('LAB_PORT')}")


@pytest.fixture
def killed(wary):
    """The same with drawings that take as long as a test lets them, while somebody dies."""
    stack, lab = wary
    lab.reset()
    lab.pace(DRAWING)
    return stack, lab


def prove_bought_once(stack, lab, job: Job) -> None:
    """One order left, one charge came, and the CDN has one copy."""
    prove_whole(job, 1)
    assert lab.requests()["replicate"]["create"] == 1
    (charge,) = lab.ledger()
    (image,) = job.completed["images"]
    assert charge["purchase_id"] == image["purchase_id"]
    assert job.completed["cost_usd"] == charge["usd"]
    stack.await_(lambda: copies(lab, image) == 1)
    of = {"job": job.completed["job_id"]}
    (shown,) = patient.get(f"{stack.url}/images/variants", params=of).json()["variants"]
    assert shown["image_hash"] == image["image_hash"]


def copies(lab, image) -> int:
    return [one["sha256"] for one in lab.assets()].count(image["image_hash"])


def test_a_webhook_alone_brings_it_home_before_we_would_look(wary):
    stack, lab = wary
    lab.reset()
    job = generate(stack.url, SELDOM)
    prove_bought_once(stack, lab, job)
    assert lab.requests()["replicate"]["get"] <= 3  # at once, and at each word of the vendor


def test_a_webhook_settles_a_lost_answer_long_before_the_list_need_show_it(wary):
    stack, lab = wary
    lab.reset()
    lab.faults([DROPPED])
    job = generate(stack.url, DRAW)
    prove_bought_once(stack, lab, job)
    assert job.of("unclear")
    assert "list" not in lab.requests()["replicate"]


def test_without_webhooks_the_list_settles_it(lit, vendors):
    vendors.faults([DROPPED, DEAF])
    job = generate(lit.url, DRAW)
    prove_bought_once(lit, vendors, job)
    assert job.of("unclear")
    assert vendors.requests()["replicate"]["list"] >= 1


def test_without_webhooks_and_while_the_list_fails_nothing_is_bought_again(lit, vendors):
    vendors.faults([DROPPED, DEAF, BLIND])
    job = generate(lit.url, DRAW)
    prove_bought_once(lit, vendors, job)
    assert vendors.faults()[2]["struck"] == 1
    assert vendors.requests()["replicate"]["list"] >= 2


@contextmanager
def being_drawn(url: str):
    """A job on a thread of its own, watched to its end; the body runs once it was bought."""
    job, bought = Job(""), threading.Event()

    def heard() -> None:
        if job.of("purchased"):
            bought.set()

    thread = threading.Thread(
        target=generate, args=(url, DRAW), kwargs={"job": job, "heard": heard}
    )
    thread.start()
    try:
        assert bought.wait(PATIENCE), job.events
        yield job
    finally:
        thread.join()


def test_who_follows_it_is_killed_and_another_follows_on(killed):
    stack, lab = killed
    with being_drawn(stack.url) as job:
        pid = stack.kill("generator-1")
        assert not lab.ledger()  # it is still being drawn
        lab.advance(DRAWING)
    assert stack.ps()["generator-1"] != pid
    prove_bought_once(stack, lab, job)


def test_everything_but_the_vendor_is_killed_at_once(killed):
    stack, lab = killed
    with being_drawn(stack.url) as job:
        pids = [pid for name, pid in stack.ps().items() if name != "lab"]
        assert len(pids) >= 7
        for pid in pids:
            with suppress(ProcessLookupError):  # it has died with another one
                os.kill(pid, signal.SIGKILL)
        assert not lab.ledger()
        lab.advance(DRAWING)
    assert job.breaks
    prove_bought_once(stack, lab, job)
