"""A model that is a file in MODELS_DIR is listed, tried, drawn and paid for like any of ours."""

import json
from pathlib import Path

from services.generator.models import files
from tests import patient
from tests.generator.test_added_models import put
from tests.lab.process import Lab
from tests.system.client import generate, prove_whole
from tests.system.stack import running_stack

RECRAFT = "recraft-v3"
OURS = Path(files.__file__).parent / "recraft" / f"{RECRAFT}.json"
OLD = json.loads(OURS.read_text()) | {"price": 30_000}


def test_the_page_is_followed(tmp_path):
    put(tmp_path, OLD, f"recraft/{RECRAFT}.json")
    settings = {"LAB_PACE": "0", "MODELS_DIR": str(put(tmp_path))}
    with running_stack("--lab", **settings) as stack:
        listed = patient.get(f"{stack.url}/images/models").json()["models"]
        [model] = [each for each in listed if each["key"] == "flux-dev"]
        assert model["price_per_image_usd"] == 0.025
        order = {
            "prompt": "a lighthouse at dawn", "models": ["flux-dev"], "count": 2, "seed": 4,
            "aspect": "16:9", "parameters": {"flux-dev": {"guidance": 2.5}},
        }  # fmt: skip
        job = generate(stack.url, order)
        prove_whole(job, 2)
        assert all(each["width"] > 1.7 * each["height"] for each in job.completed["images"])
        lab = Lab(f"http://127.0.0.1:{stack.port('LAB_PORT')}", None)
        assert [(c["images"], c["usd"]) for c in lab.ledger()] == [(2, 0.05)]
        assert job.completed["cost_usd"] == 0.05
        tried = stack.studio("models", "--check", "--only", "flux-dev")
        assert tried.returncode == 0, tried.stdout + tried.stderr
        beyond = {**order, "parameters": {"flux-dev": {"guidance": 11}}}
        refused = patient.post(f"{stack.url}/images/generate", json=beyond)
        assert refused.status_code == 400
        assert "parameters.flux-dev.guidance" in refused.text
        told_of_another_price(stack.url)


def told_of_another_price(url):
    """Where the price of an entry is out of date, what its vendor says counts, and is told."""
    job = generate(url, {"prompt": "a lighthouse at dawn", "models": [RECRAFT], "count": 2})
    prove_whole(job, 2)
    [warning] = job.of("warning")
    assert (warning["reason"], warning["model"]) == ("COST_DIFFERS", RECRAFT)
    assert "It cost 0.080000 USD, and 0.060000 was the estimate" in warning["message"]
    assert job.completed["cost_usd"] == 0.08
