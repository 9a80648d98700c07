"""An order sent again is the job it has become, also where it would be refused by now."""

import uuid
from typing import Any

import httpx

from tests import patient
from tests.system.client import generate, prove_whole
from tests.system.stack import Stack

SMALL = {"prompt": "a lighthouse at dawn", "models": ["sketch"], "size": "64x64"}
FLUX = {"prompt": "a lighthouse at dawn", "models": ["flux-1.1-pro"]}


def sent(stack: Stack, body: dict[str, Any]) -> httpx.Response:
    return patient.post(f"{stack.url}/images/generate", json=body)


def new() -> dict[str, str]:
    return {"request_id": str(uuid.uuid4())}


def prove_told(stack: Stack, body: dict[str, Any], job: str, code: str) -> None:
    """Prove that *body* again is *job*, and as a new order refused with *code*."""
    assert sent(stack, body | new()).json()["code"] == code
    again = sent(stack, body).json()
    assert (again.get("job_id"), again.get("replayed")) == (job, True), again
    other = sent(stack, body | {"prompt": "a harbour"})
    assert (other.status_code, other.json()["code"]) == (422, "REQUEST_ID_REUSED")


def drawn_at(stack: Stack) -> str:
    """Have a picture drawn, and return its URL at the vendor."""
    image = generate(stack.url, FLUX).completed["images"][0]
    variant = patient.get(f"{stack.url}/images/variants/{image['variant_id']}").json()
    ticket = variant["replicate_prediction_id"]
    lab = f"http://127.0.0.1:{stack.port('LAB_PORT')}/replicate/v1/predictions/{ticket}"
    output = patient.get(lab, headers={"Authorization": "Bearer r8_lab"}).json()["output"]
    return output if isinstance(output, str) else output[0]


def test_a_picture_whose_url_has_died_is_not_asked_for_again(lit, vendors):
    body = FLUX | new() | {"references": [{"uri": drawn_at(lit)}]}
    job = generate(lit.url, body)
    prove_whole(job, 1)
    fetched = vendors.requests()["replicate"]["file"]
    assert sent(lit, body).json()["replayed"]
    assert vendors.requests()["replicate"]["file"] == fetched
    vendors.faults([{"vendor": "replicate", "where": "file", "kind": "status:404"}])
    prove_told(lit, body, job.completed["job_id"], "REQUEST_INVALID")
    assert len(vendors.ledger()) == 2  # the picture, and what was drawn from it


def test_a_preset_that_is_gone_is_not_missed(lit):
    key = f"p{uuid.uuid4().hex}"
    made = patient.post(
        f"{lit.url}/images/presets", json={"preset_key": key, "name": "Mine"}
    ).raise_for_status()
    body = SMALL | new() | {"preset": key}
    job = generate(lit.url, body).completed["job_id"]
    address = f"{lit.url}/images/presets/{made.json()['preset_id']}"
    patient.delete(address).raise_for_status()
    prove_told(lit, body, job, "PRESET_UNKNOWN")
