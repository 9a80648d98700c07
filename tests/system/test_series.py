"""An image that may come as a series, on a whole stack: all that comes is kept and paid once."""

import pytest

from tests import patient
from tests.system.client import generate, prove_whole

STORY = {"prompt": "a boat leaves, sails, arrives", "models": ["seedream-4.5"]}
SERIES = {"sequential_image_generation": "auto", "max_images": 4, "size": "2K"}


def reserved(stack) -> float:
    return patient.get(f"{stack.url}/images/usage").json()["cap"]["reserved_usd"]


@pytest.mark.parametrize(("prompt", "came"), [("a story", 4), ("a story, too-few", 3)])
def test_what_came_is_kept_and_paid_and_the_rest_is_given_back(lit, vendors, prompt, came):
    asked = STORY | {"prompt": prompt, "parameters": {"seedream-4.5": SERIES}, "aspect": "16:9"}
    before = reserved(lit)
    job = generate(lit.url, asked)
    prove_whole(job, came)
    [charge] = vendors.ledger()
    assert (charge["images"], charge["usd"]) == (came, pytest.approx(came * 0.04))
    assert job.completed["cost_usd"] == pytest.approx(came * 0.04)
    assert not job.of("warning")
    [accepted] = job.of("accepted")
    assert accepted["estimate"]["reserved_usd"] == pytest.approx(4 * 0.04)
    assert reserved(lit) == before
    assert {round(one["width"] / one["height"], 2) for one in job.completed["images"]} == {1.78}
