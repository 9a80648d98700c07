"""
Bad days of those who draw and of those who publish: each ends in words that say what went
wrong and whether it was charged, and what was drawn is kept, once.
"""

import hashlib
from dataclasses import dataclass
from typing import Any

import pytest

from tests import patient
from tests.lab.process import running_lab
from tests.system.client import Job, generate, prove_whole
from tests.system.stack import running_stack

DRAW = {"prompt": "a lighthouse at dawn", "models": ["flux-schnell"]}
SKETCH = {"prompt": "a lighthouse at dawn", "models": ["sketch"], "size": "128x128"}
PRICE = 0.003  # an image of DRAW's model


def fault(vendor: str, where: str, kind: str, times: int = 1) -> dict[str, Any]:
    return {"vendor": vendor, "where": where, "kind": kind, "times": times}


def create(kind: str, times: int = 1) -> dict[str, Any]:
    return fault("replicate", "create", kind, times)


def numbered(job: Job) -> bool:
    return [number for _, number in job.durable] == [*range(1, job.last + 1)]


# -- It brings nothing, and says why


@dataclass(frozen=True, kw_only=True)
class Ends:
    """How an order ends that brings nothing; *charged* None: nobody can tell."""

    reason: str
    words: str
    charged: bool | None
    charges: int  # at the vendor


UNBOUGHT = {
    "no such model or version": ("status:404", "404 The requested resource could not be found"),
    "input refused": ("status:422", "422 Unprocessable"),
}
BARREN = {
    "refuse-me": Ends(reason="CONTENT_REFUSED", words="NSFW", charged=None, charges=0),
    "fail-me": Ends(reason="PROVIDER_FAILED", words="code: PA", charged=None, charges=0),
    "no-output": Ends(
        reason="PROVIDER_FAILED", words="its output is gone", charged=True, charges=1
    ),
}


def prove_ended(lit, vendors, job: Job, ends: Ends) -> None:
    """Its last words, in the event and in the outcome; what may be charged counts as spent."""
    completed, kinds = job.completed, [kind for kind, _ in job.durable]
    assert numbered(job)
    assert kinds[-2:] == ["purchase_ended", "completed"]
    assert (completed["state"], completed["images"]) == ("failed", [])
    (failure,) = completed["failures"]
    assert (failure["reason"], failure["charged"]) == (ends.reason, ends.charged)
    assert ends.words in failure["message"]
    assert completed["cost_usd"] == (0 if ends.charged is False else PRICE)
    assert len(vendors.ledger()) == ends.charges
    assert vendors.requests()["replicate"]["create"] == 1  # nothing is asked for again


@pytest.mark.parametrize("day", UNBOUGHT)
def test_what_the_vendor_does_not_take_is_not_charged(lit, vendors, day):
    kind, words = UNBOUGHT[day]
    vendors.faults([create(kind)])
    ends = Ends(reason="PROVIDER_FAILED", words=words, charged=False, charges=0)
    prove_ended(lit, vendors, generate(lit.url, DRAW), ends)


@pytest.mark.parametrize("word", BARREN)
def test_what_the_vendor_took_and_did_not_draw_says_what_it_may_cost(lit, vendors, word):
    job = generate(lit.url, DRAW | {"prompt": f"a lighthouse, {word}"})
    prove_ended(lit, vendors, job, BARREN[word])


def test_a_picture_whose_time_is_over_before_it_was_fetched_is_lost_and_charged(lit, vendors):
    """The file host is down until the vendor has removed what it drew."""
    vendors.vendor("replicate", expired_status=410)  # our clock does not leap with the lab's
    vendors.faults([fault("replicate", "file", "status:503")])
    with patient.Client(base_url=lit.url) as http:
        place = http.post("/images/generate", json=DRAW).headers["location"]
        lit.await_(lambda: vendors.faults()[0]["struck"] == 1)
        vendors.advance(3700)
        lit.await_(lambda: http.get(place).json()["ended_at"])
        completed = http.get(place).json()
    (failure,) = completed["failures"]
    assert (completed["state"], failure["reason"]) == ("failed", "OUTPUT_LOST")
    assert failure["charged"] is True
    assert "HTTP 410" in failure["message"]
    assert completed["cost_usd"] == PRICE == sum(charge["usd"] for charge in vendors.ledger())


# -- It is drawn all the same, and paid for once

MENDED = {  # what happens to the order, whether it is in doubt, and how often it is sent
    "a page in place of the answer": ([create("html")], True, 1),
    "the answer is lost": ([create("drop_after")], True, 1),
    "the order is lost": ([create("drop_before")], True, 2),
    "503": ([create("status:503")], True, 2),
    "429, twice": ([create("status:429", 2)], False, 3),
}


@pytest.mark.parametrize("day", MENDED)
def test_an_order_that_goes_astray_is_drawn_and_charged_once(lit, vendors, day):
    faults, doubted, sent = MENDED[day]
    vendors.faults(faults)
    job = generate(lit.url, DRAW)
    prove_whole(job, 1)
    assert bool(job.of("unclear")) is doubted
    assert vendors.requests()["replicate"]["create"] == sent
    (charge,) = vendors.ledger()
    assert charge["purchase_id"] == job.completed["images"][0]["purchase_id"]
    assert job.completed["cost_usd"] == charge["usd"] == PRICE


# -- The CDN

PASSING = ["status:420", "status:429", "status:500", "html", "drop_after"]


@pytest.mark.parametrize("kind", PASSING)
def test_what_the_cdn_does_not_take_now_it_has_later_once(lit, vendors, kind):
    vendors.faults([fault("cloudinary", "upload", kind)])
    job = generate(lit.url, SKETCH)
    prove_whole(job, 1)
    lit.await_(lambda: "/cloudinary/" in shown(lit.url, job)["url"])
    assert vendors.faults()[0]["struck"] == 1
    image = shown(lit.url, job)
    found = patient.get(image["url"]).content
    assert hashlib.sha256(found).hexdigest() == image["image_hash"]
    mine = [one for one in vendors.assets() if one["sha256"] == image["image_hash"]]
    assert len(mine) == 1


def test_what_is_too_big_for_the_cdns_plan_is_served_by_the_vault(lit, vendors):
    vendors.vendor("cloudinary", image_max_bytes=1000)
    before = len(lit.logs("storage"))
    job = generate(lit.url, SKETCH)
    prove_whole(job, 1)
    assert "/i/" in job.completed["images"][0]["url"]
    assert not vendors.assets()
    assert "Cloudinary answered 400 File size too large" in lit.logs("storage")[before:]


def shown(url: str, job: Job) -> dict[str, Any]:
    (image,) = patient.get(f"{url}{job.url}").json()["images"]
    return image


# -- Credentials of one's own that are no good


@pytest.mark.parametrize(
    ("token", "reason", "words"),
    [
        (
            "r8_wrong-and-secret",
            "PROVIDER_CREDENTIAL_REFUSED",
            "to a valid one, then start anew (401)",
        ),
        (
            "r8_poor-and-secret",
            "PROVIDER_BALANCE_EMPTY",
            "add credit at replicate.com/account/billing (402 You have insufficient credit",
        ),
    ],
)
def test_credentials_that_are_no_good_cost_nothing_and_are_in_no_log(token, reason, words):
    secret = "not-the-labs-secret"
    with running_lab() as lab:
        told = {
            "LAB_URL": lab.url, "REPLICATE_API_TOKEN": token, "PUBLISH_WAIT": "1",
            "REPLICATE_BASE_URL": f"{lab.url}/replicate",
            "CLOUDINARY_URL": f"cloudinary://lab:{secret}@lab",
            "CLOUDINARY_BASE_URL": f"{lab.url}/cloudinary",
        }  # fmt: skip
        with running_stack(**told) as stack:
            ends = Ends(reason=reason, words=words, charged=False, charges=0)
            prove_ended(stack, lab, generate(stack.url, DRAW), ends)
            stack.await_(lambda: reason in stack.studio("doctor").stdout)  # by the next heartbeat
            job = generate(stack.url, SKETCH)
            prove_whole(job, 1)
            assert "/i/" in job.completed["images"][0]["url"]
            assert not lab.assets()
            assert "Cloudinary answered 401 Invalid Signature" in stack.logs("storage")
            logs = "".join(path.read_text() for path in (stack.data / "logs").iterdir())
            assert token not in logs
            assert secret not in logs
