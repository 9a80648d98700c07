"""Smart prompts on a whole stack: rewritten before anything is planned, paid once, kept."""

import threading
import uuid

import pytest

from tests import patient
from tests.system.client import Job, generate, prove_whole

SMART = {"prompt": "the sea", "models": ["sketch"], "size": "64x64", "smart_prompt": True}
BETTER = "the sea, in golden light, finely drawn"


def variants(stack, job):
    found = [
        patient.get(f"{stack.url}/images/variants/{image['variant_id']}").json()
        for image in job.completed["images"]
    ]
    return [(v["original_prompt"], v["enhanced_prompt"], v["enhanced_by"]) for v in found]


def writings(vendors):
    return vendors.requests().get("openai", {}).get("chat", 0)


def test_a_prompt_is_rewritten_before_anything_is_planned(lit, vendors):
    job = generate(lit.url, SMART | {"count": 2})
    prove_whole(job, 2)
    assert [kind for kind, _ in job.durable[:3]] == ["accepted", "prompt_enhanced", "queued"]
    [told] = job.of("prompt_enhanced")
    assert (told["prompt"], told["enhanced_by"]) == (BETTER, "gpt-6-luna")
    [charge] = vendors.ledger()
    assert told["cost_usd"] == pytest.approx(charge["usd"], abs=1e-6)
    assert variants(lit, job) == [("the sea", BETTER, "gpt-6-luna")] * 2
    shown = patient.get(f"{lit.url}{job.url}").json()
    assert (shown["prompt"], shown["enhanced_prompt"]) == ("the sea", BETTER)


def test_the_same_order_again_is_the_same_job_and_pays_nothing(lit, vendors):
    body = SMART | {"request_id": str(uuid.uuid4())}
    first = patient.post(f"{lit.url}/images/generate", json=body).json()
    again = patient.post(f"{lit.url}/images/generate", json=body).json()
    assert (again["job_id"], again["replayed"]) == (first["job_id"], True)
    other = patient.post(f"{lit.url}/images/generate", json=body | {"prompt": "x"})
    assert (other.status_code, other.json()["code"]) == (422, "REQUEST_ID_REUSED")
    assert writings(vendors) == 1


def test_the_same_order_many_times_at_once_is_written_once(lit, vendors):
    body = SMART | {"request_id": str(uuid.uuid4())}
    jobs = [Job("") for _ in range(4)]
    asking = [threading.Thread(target=generate, args=(lit.url, body), kwargs={"job": job})
              for job in jobs]  # fmt: skip
    for thread in asking:
        thread.start()
    for thread in asking:
        thread.join()
    assert len({job.url for job in jobs}) == 1
    assert writings(vendors) == 1
    assert variants(lit, jobs[0]) == [("the sea", BETTER, "gpt-6-luna")]


@pytest.mark.parametrize(
    ("kind", "reason"),
    [("drop_after", "LANGUAGE_ANSWER_LOST"), ("status:429", "PROVIDER_RATE_LIMITED"),
     ("status:401", "PROVIDER_CREDENTIAL_REFUSED")],
)  # fmt: skip
def test_where_nobody_rewrites_it_the_job_goes_on_and_says_so(lit, vendors, kind, reason):
    vendors.faults([{"vendor": "openai", "where": "chat", "kind": kind}])
    job = generate(lit.url, SMART)
    prove_whole(job, 1)
    [warning] = job.of("warning")
    assert (warning["reason"], "used as it is" in warning["message"]) == (reason, True)
    assert not job.of("prompt_enhanced")
    assert variants(lit, job) == [("the sea", "", "")]
    assert writings(vendors) == 1


def test_what_it_may_cost_is_estimated_and_limited(lit, vendors):
    found = patient.post(f"{lit.url}/images/estimate", json=SMART).json()
    assert found["smart_prompt_usd"] > 0
    refused = patient.post(f"{lit.url}/images/generate", json=SMART | {"max_cost_usd": 0.0001})
    assert (refused.status_code, refused.json()["code"]) == (402, "COST_LIMIT_EXCEEDED")
    assert vendors.requests() == {}


def test_what_cannot_be_drawn_is_refused_before_its_prompt_is_paid_for(lit, vendors):
    refused = patient.post(f"{lit.url}/images/generate", json=SMART | {"size": "5x5"})
    assert refused.status_code == 400
    assert vendors.requests() == {}


def test_a_better_prompt_that_costs_more_than_the_order_allows_is_not_drawn_with(lit, vendors):
    """It is paid for by then: the job goes on with the prompt that fits."""
    order = SMART | {
        "models": ["gpt-image-2"], "size": "1024x1024", "count": 20,
        "parameters": {"gpt-image-2": {"quality": "low"}},
        "fallback_models": ["sketch"],  # which draws one a call: the prompt is read twenty times
    }  # fmt: skip
    told = patient.post(f"{lit.url}/images/estimate", json=order).json()
    most = told["reserved_usd"] + told["smart_prompt_usd"]
    job = generate(lit.url, order | {"max_cost_usd": most})
    prove_whole(job, 20)
    [warning] = [each for each in job.of("warning") if each["reason"] == "COST_LIMIT_EXCEEDED"]
    assert "does not fit" in warning["message"]
    assert {written for _, written, _ in variants(lit, job)} == {""}
