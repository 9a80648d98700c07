"""Every input that Replicate takes for a model of ours can be reached by a request."""

import json
from pathlib import Path

import pytest

from lab.replicate import catalogue
from tests.generator.test_models_at_replicate import SOLD, V3, ordered

CATALOGUE = Path(catalogue.__file__).with_name("models")
NOT_ASKED = {  # of the provider's inputs: what a request must not decide, or says otherwise
    ("recraft-v3-vector", "aspect_ratio"), ("ideogram-v2", "aspect_ratio"),
    ("ideogram-v2-turbo", "aspect_ratio"), ("recraft-v3", "aspect_ratio"),
}  # fmt: skip


@pytest.mark.parametrize("key", sorted(SOLD))
def test_every_input_of_the_provider_can_be_reached(key):
    """
    The lab's schemas are the provider's own: nothing that it takes is out of reach.

    What an order always says is no more in reach than what none says.
    """
    model, wire = SOLD[key], SOLD[key].wire
    name = model.slug.rpartition("/")[2]
    schema = json.loads((CATALOGUE / f"{name}.json").read_text())["input"]["properties"]
    said = {"prompt", wire.size, wire.aspect, wire.count}
    said |= {"seed"} if model.seed else set()
    said |= {"negative_prompt"} if model.negative_prompt else set()
    said |= {"width", "height"} if model.sides else set()
    said |= model.parameters["properties"].keys() | {slot.input for slot in model.references}
    assert {(key, name) for name in schema.keys() - said} <= NOT_ASKED
    assert {name for name in said if name} <= schema.keys()


PARAMETERS = [
    ("flux-1.1-pro", {"safety_tolerance": 6, "prompt_upsampling": True,
                      "output_format": "jpg", "output_quality": 0}),
    ("flux-schnell", {"num_inference_steps": 1, "go_fast": False, "megapixels": "0.25",
                      "output_format": "png", "output_quality": 100,
                      "disable_safety_checker": True}),
    ("ideogram-v2", {"magic_prompt_option": "Off", "style_type": "Render 3D"}),
    ("ideogram-v2-turbo", {"magic_prompt_option": "On", "style_type": "Anime"}),
    *((key, {
        "magic_prompt_option": "Off", "style_type": "Design", "style_preset": "Bauhaus",
        "resolution": "512x1536",
    }) for key in V3),
    ("recraft-v3", {"style": "realistic_image/studio_portrait"}),
    ("recraft-v3-vector", {"style": "linocut"}),
    ("seedream-4.5", {"disable_safety_checker": True, "size": "4K",
                      "sequential_image_generation": "auto", "max_images": 15}),
]  # fmt: skip


@pytest.mark.parametrize(("key", "given"), PARAMETERS)
def test_a_models_own_parameters_are_sent_as_they_are(key, given):
    assert given.keys() == SOLD[key].parameters["properties"].keys()
    inputs = ordered(key, parameters={key: given})
    assert given.items() <= inputs.items()
