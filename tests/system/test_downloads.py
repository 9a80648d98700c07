"""From a vendor's file host into the vault, through the lab: whatever the host does meanwhile."""

import hashlib

import httpx
import pytest

from tests.ports import free_port
from tests.system.client import generate
from tests.system.stack import running_stack

PROMPT = {"prompt": "a lighthouse at dawn", "models": ["flux-schnell"], "count": 1}


@pytest.fixture(scope="module")
def lit():
    """A stack that draws with the lab."""
    port = free_port()
    with running_stack("--lab", LAB_PORT=str(port)) as stack:
        yield stack, f"http://127.0.0.1:{port}/_lab"


def drawn(stack, lab: str, kind: str) -> dict:
    """A job whose file host behaves so once."""
    fault = {"vendor": "replicate", "where": "file", "kind": kind, "rate": 1, "times": 1, "seed": 1}
    assert httpx.put(f"{lab}/faults", json=[fault]).is_success
    return generate(stack.url, PROMPT).completed


@pytest.mark.parametrize("kind", ["html", "truncate", "status:503", "drop_after"])
def test_a_picture_whose_host_fails_once_is_kept_whole(lit, kind):
    stack, lab = lit
    completed = drawn(stack, lab, kind)
    assert completed["state"] == "succeeded", completed
    (image,) = completed["images"]
    assert image["media_type"].startswith("image/")
    assert image["width"] == 1024
    content = httpx.get(image["url"]).content
    assert hashlib.sha256(content).hexdigest() == image["image_hash"]


def test_a_picture_that_is_gone_is_lost_at_once_and_the_reason_is_said(lit):
    stack, lab = lit
    completed = drawn(stack, lab, "status:404")
    assert (completed["state"], completed["images"]) == ("failed", [])
    (failure,) = completed["failures"]
    assert (failure["reason"], failure["charged"]) == ("OUTPUT_LOST", True)
    assert "HTTP 404" in failure["message"]
