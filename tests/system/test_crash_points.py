"""
Kill -9 at every named point of the code, then look: one variant each, no gap, live links.

The rows come from the source: a new point without a scenario that passes it fails here.
"""

import hashlib

import pytest

from tests import patient
from tests.system.client import Job, prove_whole
from tests.system.crash_scenarios import SCENARIOS, SOLD, plain, shown
from tests.system.points import FOUND
from tests.system.stack import running_stack


@pytest.fixture(scope="module")
def faulty(tmp_path_factory):
    """A stack whose processes die where a file in its folder says so."""
    folder = tmp_path_factory.mktemp("faults")
    folder.chmod(0o777)
    lab = {"LAB_PACE": "0.1"}
    settings = {
        "LANGUAGE_SECONDS": "2",
        "WORKER_PATIENCE": "1",
        "LOOKUP_LAG": "0",
        "ANSWER_SECONDS": "1",
        "RECONCILE_SECONDS": "1",
        **lab,
    }
    with running_stack("--lab", FAULT_FOLDER=str(folder), **settings) as stack:
        yield stack, folder


@pytest.mark.parametrize("point", FOUND)
def test_a_kill_here_loses_and_doubles_nothing(faulty, point):
    stack, folder = faulty
    trap, before = folder / point, Vendors(stack)
    scenario = SCENARIOS.get(point) or SCENARIOS.get(point.partition(".")[0], plain)
    job, count = scenario(stack, trap)
    stack.await_(lambda: not trap.exists())  # somebody died there
    if count is None:
        prove_canceled(before, Vendors(stack), job)
        stack.await_(lambda: published(stack, job))  # else the next finds them
    elif count == 0:  # a vendor draws on where nobody listens any more, and charges at the end
        stack.await_(lambda: len(Vendors(stack).charges) > len(before.charges))
        prove_without(before, Vendors(stack), job, *NO_PICTURE[point.partition(".")[0]])
    else:
        prove_whole(job, count)
        stack.await_(lambda: published(stack, job))
        prove_once(before, Vendors(stack), shown(stack, job))
    stack.await_(lambda: patient.get(f"{stack.url}/readyz").status_code == 200)


class Vendors:
    """What the vendors know now: what they charged, and what the CDN holds."""

    def __init__(self, stack) -> None:
        lab = f"http://127.0.0.1:{stack.port('LAB_PORT')}/_lab"
        charges = patient.get(f"{lab}/ledger").json()["charges"]
        words = [each for each in charges if each["vendor"] == "openai" and not each["images"]]
        self.charges = [each for each in charges if each not in words]
        self.assets = {
            each["public_id"]: each["sha256"] for each in patient.get(f"{lab}/assets").json()
        }


def prove_once(before: Vendors, after: Vendors, images) -> None:
    """Each purchase of *images* was charged once, and each picture is one asset with its hash."""
    sold = [image for image in images if image["model"] in SOLD]
    charges = after.charges[len(before.charges) :]
    assert sum(charge["images"] for charge in charges) == len(sold)
    assert {charge["purchase_id"] for charge in charges} <= {one["purchase_id"] for one in sold}
    assert len(charges) == len({one["purchase_id"] for one in sold})
    kept = {image["image_hash"] for image in images}
    fresh = {key: found for key, found in after.assets.items() if key not in before.assets}
    assert set(fresh.values()) <= kept <= set(after.assets.values())
    assert len(fresh) <= len(kept)


def published(stack, job: Job) -> bool:
    """Whether all that was kept has its CDN's URL, and the CDN those bytes."""
    images = patient.get(f"{stack.url}{job.url}").json()["images"]
    if not all("/cloudinary/" in image["url"] for image in images):
        return False
    found = [patient.get(image["url"]).content for image in images]
    hashes = [hashlib.sha256(content).hexdigest() for content in found]
    assert hashes == [image["image_hash"] for image in images]
    return True


def prove_canceled(before: Vendors, after: Vendors, job: Job) -> None:
    """A log without gap, an end for each purchase, and every charge is told."""
    numbers = [number for _kind, number in job.durable]
    assert numbers == list(range(1, len(numbers) + 1))
    completed = job.completed
    assert completed["state"] in ("canceled", "succeeded", "partially_succeeded")
    [queued] = job.of("queued")
    assert len(completed["images"]) + len(completed["failures"]) == len(queued["purchases"])
    charged = {charge["purchase_id"] for charge in after.charges[len(before.charges) :]}
    told = {one["purchase_id"] for one in completed["failures"] if one["charged"] is not False}
    assert charged == told | {image["purchase_id"] for image in completed["images"] if charged}


NO_PICTURE = {
    "answer": ("PURCHASE_UNCLEAR", None),
    "preview": ("PURCHASE_UNCLEAR", None),
    "lose": ("OUTPUT_LOST", True),
}


def prove_without(
    before: Vendors, after: Vendors, job: Job, reason: str, charged: bool | None
) -> None:
    """It was charged once, and the job says why nothing came of it."""
    [charge] = after.charges[len(before.charges) :]
    [failure] = job.completed["failures"]
    assert (failure["reason"], failure["charged"]) == (reason, charged)
    assert failure["purchase_id"] == charge["purchase_id"]
    assert not job.completed["images"]
    assert job.completed["cost_usd"] >= charge["usd"]
