"""What Recraft itself would refuse is refused before anything is sent, by its field."""

import pytest
from google.protobuf import json_format

from chassis.errors import Invalid
from imagestudio.catalog.v1 import preset_pb2
from imagestudio.type.v1 import job_pb2
from services.generator import models, orders
from services.generator.models import Registry
from services.generator.plan import plan

REGISTRY = Registry(models.EVERY, configured={"sketch", "recraft", "openai"}, default="sketch")
KEYS = ("recraft-v3", "recraft-v3-vector")
MADE = "0b1b6a4e-0000-4000-8000-000000000000"
STYLE = {"asset": f"assets/{'a' * 64}", "role": "REFERENCE_ROLE_STYLE"}


def spec(*keys: str, **fields) -> job_pb2.JobSpec:
    return json_format.ParseDict({"prompt": "a boat", "models": keys} | fields, job_pb2.JobSpec())


@pytest.mark.parametrize("key", KEYS)
def test_a_style_of_ones_own_goes_in_place_of_another_and_not_beside_it(key):
    usual = REGISTRY.known(key).parameters["properties"]["style"]["default"]
    found = plan(spec(key, parameters={key: {"style_id": MADE}}), None, REGISTRY)
    order = orders.order(REGISTRY.known(key), found.spec, 0, 1, "id")
    assert (order.inputs["style_id"], "style" in order.inputs) == (MADE, False)
    both = spec(key, parameters={key: {"style_id": MADE, "style": usual}})
    with pytest.raises(Invalid, match=r"style must be left out where style_id asks for it") as no:
        plan(both, None, REGISTRY)
    assert [*no.value.fields] == [f"parameters.{key}.style"]


@pytest.mark.parametrize("key", KEYS)
@pytest.mark.parametrize("bound", [False, True], ids=["for all", "bound"])
def test_the_style_that_is_asked_for_goes_before_the_presets_of_either_kind(key, bound):
    usual = REGISTRY.known(key).parameters["properties"]["style"]["default"]
    one, other = {"style_id": MADE}, {"style": usual}
    for asked, own in ((one, other), (other, one)):
        preset = preset_pb2.Preset(preset_key="mine", model_key=key if bound else "")
        preset.parameters.update(own)
        found = plan(spec(key, parameters={key: asked}), preset, REGISTRY)
        assert orders.parameters(found.spec, key) == asked


@pytest.mark.parametrize("key", KEYS)
@pytest.mark.parametrize("as_spare", [False, True])
def test_a_picture_for_the_style_is_refused_since_it_makes_no_style_of_one(key, as_spare):
    asked = ("gpt-image-2", key) if as_spare else (key, "gpt-image-2")
    wanted = spec(asked[0], fallbackModels=[asked[1]], references=[STYLE])
    with pytest.raises(Invalid, match=f"'{key}' .* takes no input images") as no:
        plan(wanted, None, REGISTRY)
    assert [*no.value.fields] == ["references"]


@pytest.mark.parametrize("key", KEYS)
@pytest.mark.parametrize(("seed", "count"), [(-1, 1), (2**31, 1), (2**31 - 1, 2), (2**40, 1)])
def test_a_seed_out_of_its_range_is_refused_with_the_range(key, seed, count):
    with pytest.raises(Invalid, match="takes from 0 to 2147483647") as no:
        plan(spec(key, seed=str(seed), count=count), None, REGISTRY)
    assert [*no.value.fields] == ["seed"]


@pytest.mark.parametrize(("asked", "sent"), [({}, "webp"), ({"image_format": "png"}, "png")])
def test_a_picture_comes_in_the_format_that_is_asked_for(asked, sent):
    found = plan(spec("recraft-v3", parameters={"recraft-v3": asked}), None, REGISTRY)
    order = orders.order(REGISTRY.known("recraft-v3"), found.spec, 0, 1, "id")
    assert order.inputs["image_format"] == sent
