"""From a vendor's file host into the vault, through the lab: whatever the host does meanwhile."""

import pytest

from tests.system.client import generate, prove_whole

PROMPT = {"prompt": "a lighthouse at dawn", "models": ["flux-schnell"], "count": 1}


def drawn(lit, vendors, kind: str):
    """A job whose file host behaves so once; it is bought once, whatever becomes of it."""
    vendors.faults([{"vendor": "replicate", "where": "file", "kind": kind, "times": 1}])
    job = generate(lit.url, PROMPT)
    assert vendors.faults()[0]["struck"] == 1
    (charge,) = vendors.ledger()
    assert job.completed["cost_usd"] == charge["usd"]
    return job


@pytest.mark.parametrize("kind", ["html", "truncate", "status:404", "status:503", "drop_after"])
def test_a_picture_whose_host_fails_once_is_kept_whole(lit, vendors, kind):
    job = drawn(lit, vendors, kind)
    prove_whole(job, 1)
    (image,) = job.completed["images"]
    assert image["media_type"].startswith("image/")
    assert image["width"] == 1024


def test_a_picture_that_is_gone_is_lost_at_once_and_the_reason_is_said(lit, vendors):
    completed = drawn(lit, vendors, "status:410").completed
    assert (completed["state"], completed["images"]) == ("failed", [])
    (failure,) = completed["failures"]
    assert (failure["reason"], failure["charged"]) == ("OUTPUT_LOST", True)
    assert "HTTP 410" in failure["message"]
