"""
A sick Replicate (the lab) beside a healthy sketch, on a whole stack with two generators: its
rates, an empty account, a breaker that all share, and room that it cannot take from others.
"""

from collections.abc import Iterator

import httpx
import pytest

from tests import patient
from tests.lab.process import Control
from tests.system.client import generate, prove_whole, watch
from tests.system.stack import Stack, running_stack

DRAW = {"prompt": "a lighthouse at dawn", "models": ["flux-1.1-pro"]}  # one image a call
SKETCH = {"prompt": "a lighthouse at dawn", "models": ["sketch"], "size": "128x128"}
ROOM = 24  # purchases that each generator works on at most


@pytest.fixture(scope="module")
def stack() -> Iterator[Stack]:
    settings = {"LAB_PACE": "0.05", "PUBLISH_WAIT": "0", "LOOKUP_LAG": "0"}
    with running_stack("--lab", "--generators", "2", MAX_PURCHASES=str(ROOM), **settings) as found:
        yield found


@pytest.fixture
def lab(stack: Stack) -> Iterator[Control]:
    control = Control(f"http://127.0.0.1:{stack.port('LAB_PORT')}")
    control.reset()
    yield control
    control.reset()
    mended(stack)


def state(stack: Stack) -> tuple[str, str]:
    models = patient.get(f"{stack.url}/images/models").json()["models"]
    [found] = [each for each in models if each["key"] == "flux-1.1-pro"]
    return found["state"], found["state_reason"]


def mended(stack: Stack) -> None:
    """Order until one was bought: the pause is over, and the breaker closed."""

    def bought() -> bool:
        asked = patient.post(f"{stack.url}/images/generate", json=DRAW)
        if asked.status_code != 202:
            return False
        return watch(stack.url, asked.headers["location"]).completed["state"] == "succeeded"

    stack.await_(bought, 90)
    stack.await_(lambda: state(stack) == ("active", ""))


def refusals(lab: Control) -> int:
    """How many orders were answered without a charge: by a 429, where nothing else is wrong."""
    return lab.requests()["replicate"]["create"] - len(lab.ledger())


def in_the_background(stack: Stack, count: int) -> str:
    asked = patient.post(f"{stack.url}/images/generate", json=DRAW | {"count": count})
    assert asked.status_code == 202, asked.text
    return asked.headers["location"]


# -- Rates


def test_what_the_vendor_still_takes_is_read_ahead_by_all_generators(stack: Stack, lab: Control):
    """Without its headers the same jobs run into their 429s; all of them are drawn either way."""
    found = {}
    for headers in (False, True):
        lab.reset()
        mended(stack)
        lab.reset()
        lab.vendor("replicate", creates_per_minute=120, creates_burst=8, rate_headers=headers)
        mended(stack)  # it has said what it says of its rates
        places = [in_the_background(stack, 24) for _ in range(2)]
        for place in places:
            prove_whole(watch(stack.url, place), 24)
        found[headers] = refusals(lab)
    assert found[True] < found[False], found


# -- An empty account


@pytest.mark.parametrize(
    ("kind", "reason", "status", "remedy"),
    [
        ("status:402", "PROVIDER_BALANCE_EMPTY", 402, "add credit"),
        ("status:401", "PROVIDER_CREDENTIAL_REFUSED", 409, "set REPLICATE_API_TOKEN"),
    ],
)
def test_an_account_of_no_use_is_said_everywhere_and_tried_again_later(
    stack: Stack, lab: Control, kind: str, reason: str, status: int, remedy: str
):
    lab.faults([{"vendor": "replicate", "where": "create", "kind": kind}])
    job = generate(stack.url, DRAW | {"count": 3})
    failures = job.completed["failures"]
    assert [(each["reason"], each["charged"]) for each in failures] == [(reason, False)] * 3
    assert all(remedy in each["message"] for each in failures)
    assert len(job.of("purchase_ended")) == 3

    refused = refused_early(stack)
    told = refused.json()
    assert (refused.status_code, told["code"]) == (status, reason)
    assert remedy in told["detail"]
    assert 0 < told["retry_after"] <= 60
    stack.await_(lambda: state(stack) == ("degraded", reason))  # by one of the generators
    words = reason.replace("_", " ").lower()
    stack.await_(lambda: words in stack.studio("models").stdout)
    doctor = stack.studio("doctor")
    assert reason in doctor.stdout
    assert remedy in doctor.stdout
    assert doctor.returncode == 1

    elsewhere = generate(stack.url, DRAW | {"fallback_models": ["sketch"]})
    assert [image["model"] for image in elsewhere.completed["images"]] == ["sketch"]
    assert lab.ledger() == []
    lab.faults([])
    mended(stack)


def refused_early(stack: Stack) -> httpx.Response:
    """What a new job is answered; where the pause was over it was the probe, and the next is."""
    while True:
        answer = patient.post(f"{stack.url}/images/generate", json=DRAW)
        if answer.status_code != 202:
            return answer
        watch(stack.url, answer.headers["location"])


# -- A breaker


def test_a_vendor_that_fails_is_left_alone_and_nothing_fails_because_of_it(
    stack: Stack, lab: Control
):
    lab.faults([{"vendor": "replicate", "where": "create", "kind": "drop_before"}])
    few = in_the_background(stack, 8)  # enough to open it; all may be out before that
    stack.await_(lambda: state(stack) == ("degraded", "PROVIDER_UNAVAILABLE"))
    stack.await_(lambda: breaker(stack) > 0)
    assert lab.requests()["replicate"]["create"] < 40  # sent again and again they are more
    many = in_the_background(stack, 32)
    sent = lab.requests()["replicate"]["create"]
    prove_whole(generate(stack.url, SKETCH), 1)
    assert lab.requests()["replicate"]["create"] - sent < 16  # probes alone, not the many
    lab.faults([])
    prove_whole(watch(stack.url, few), 8)
    prove_whole(watch(stack.url, many), 32)
    charges = lab.ledger()
    assert len(charges) == len({charge["purchase_id"] for charge in charges}) == 40
    stack.await_(lambda: breaker(stack) == 0)


def breaker(stack: Stack) -> float:
    """As the first generator's metrics tell it: 0 is closed."""
    metrics = patient.get(f"http://127.0.0.1:{stack.port('GENERATOR_PORT') + 100}/metrics").text
    [line] = [
        line for line in metrics.splitlines()
        if line.startswith('studio_provider_breaker{provider="replicate"}')
    ]  # fmt: skip
    return float(line.split()[1])


# -- Room


def test_a_vendor_that_takes_its_time_takes_no_room_from_another(stack: Stack, lab: Control):
    lab.vendor("replicate", creates_per_minute=None, rate_headers=False)
    mended(stack)  # it limits nobody: all that have room are sent
    before = lab.requests()["replicate"]["create"]
    lab.pace(300)  # longer than all the sketches are waited for
    places = [in_the_background(stack, 32) for _ in range(3)]
    stack.await_(lambda: lab.requests()["replicate"]["create"] - before >= ROOM)
    for _ in range(3):
        prove_whole(generate(stack.url, SKETCH), 1)
    assert lab.requests()["replicate"]["create"] - before < 2 * ROOM
    lab.pace(0.05)
    lab.advance(300)
    for place in places:
        prove_whole(watch(stack.url, place), 32)
