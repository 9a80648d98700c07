"""Every input that Replicate takes for a model of ours can be reached by a request."""

import json
from pathlib import Path

import pytest

from lab.replicate import catalogue
from services.generator import models

SOLD = {model.key: model for model in models.EVERY if model.provider == "replicate"}
CATALOGUE = Path(catalogue.__file__).with_name("models")
NOT_ASKED = {  # of the provider's inputs: what a request must not decide, or says otherwise
    ("seedream-4.5", "aspect_ratio"), ("ideogram-v2", "aspect_ratio"),
    ("ideogram-v2-turbo", "aspect_ratio"), ("recraft-v3", "aspect_ratio"),
}  # fmt: skip


@pytest.mark.parametrize("key", sorted(SOLD))
def test_every_input_of_the_provider_can_be_reached(key):
    """The lab's schemas are the provider's own: nothing that it takes is out of reach."""
    model, wire = SOLD[key], SOLD[key].wire
    schema = json.loads((CATALOGUE / f"{key}.json").read_text())["input"]["properties"]
    said = {"prompt", wire.size, wire.aspect, wire.count, *wire.custom, *wire.fixed}
    said |= {"seed"} if model.seed else set()
    said |= {"negative_prompt"} if model.negative_prompt else set()
    said |= {"width", "height"} if model.sides else set()
    said |= model.parameters["properties"].keys() | {slot.input for slot in model.references}
    assert {(key, name) for name in schema.keys() - said} <= NOT_ASKED
    assert {name for name in said if name} <= schema.keys()
