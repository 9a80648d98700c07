"""What a prediction that brought nothing costs: the images that Replicate bills for."""

import pytest

from services.generator.providers import predictions

SLUG = "black-forest-labs/flux-schnell"


def event(**found):
    return predictions.event(found, {SLUG: 3_000})


@pytest.mark.parametrize(
    "found",
    [
        {"status": "canceled"},
        {"status": "failed", "error": "memory"},
        {"status": "succeeded", "output": None},
        {"status": "succeeded", "output": ["https://r/1"], "data_removed": True},
    ],
    ids=repr,
)
def test_one_that_brought_nothing_costs_the_images_that_it_says_to_charge_for(found):
    ended = event(**found, model=SLUG, metrics={"image_count": 2})
    assert (ended.charged, ended.cost) == (True, 6_000)
    assert event(**found, model="another/one", metrics={"image_count": 2}).cost is None
    assert event(**found, model=SLUG).cost is None


@pytest.mark.parametrize("status", ["canceled", "succeeded"])
def test_that_no_image_is_to_be_charged_for_is_no_proof_where_its_status_is_charged(status):
    ended = event(status=status, model=SLUG, metrics={"image_count": 0})
    assert (ended.charged, ended.cost) == (True, None)
