"""A preset that no model could draw is refused when it is saved, and not when it is used."""

import uuid

import pytest

from chassis.errors import Exhausted, Precondition
from gateway import recipes
from imagestudio.catalog.v1.preset_pb2 import Preset
from tests.gateway.scripted import CUT, Scripted

NEW = {"name": "Mine", "batch_count": 2}


def key() -> str:
    return f"p{uuid.uuid4().hex[:12]}"


@pytest.mark.parametrize(
    ("wrong", "code", "says"),
    [
        ({"model_key": "no-such"}, "MODEL_UNKNOWN", '"model_key": "is no model: no-such"'),
        (
            {"model_key": "sketch", "parameters": {"seconds": 61}},
            "PARAMETER_INVALID",
            "parameters.sketch.seconds",
        ),
        ({"model_key": "sketch", "parameters": {"x": 1}}, "PARAMETER_INVALID", "is unknown"),
        ({"model_key": "dall-e-3"}, "MODEL_RETIRED", '"model_key": "The model'),
        (
            {"model_key": "sketch", "parameters": {"aspect": "5:4"}},
            "MODEL_FEATURE_UNSUPPORTED",
            "parameters.aspect",
        ),
        (
            {"model_key": "sketch", "parameters": {"size": "63x64"}},
            "MODEL_FEATURE_UNSUPPORTED",
            "parameters.size",
        ),
        ({"model_key": "sketch", "parameters": {"size": "big"}}, "REQUEST_INVALID", "1024x768"),
        ({"model_key": "sketch", "parameters": {"aspect": 5}}, "REQUEST_INVALID", "aspect"),
    ],
)
def test_what_no_model_draws_is_not_saved(http, wrong, code, says):
    asked = NEW | {"preset_key": key()} | wrong
    refused = http.post("/images/presets", json=asked)
    assert (refused.status_code, refused.json()["code"]) == (400, code)
    assert says in refused.text
    assert http.get(f"/images/presets/{asked['preset_key']}").status_code == 404


@pytest.mark.parametrize(
    "right",
    [
        {"model_key": "sketch", "parameters": {"seconds": 2, "aspect": "16:9"}},
        {"model_key": "sketch", "parameters": {"size": "640x480"}},
        {"model_key": "flux-schnell"},  # without a key of its provider's here
        {"parameters": {"whatever": 1}},  # for whichever model knows it
    ],
)
def test_what_a_model_draws_is_saved(http, right):
    saved = http.post("/images/presets", json=NEW | {"preset_key": key()} | right)
    assert saved.status_code == 201, saved.text


def test_a_change_is_judged_with_what_it_leaves_as_it_is(http):
    asked = NEW | {"preset_key": key(), "model_key": "sketch", "parameters": {"seconds": 2}}
    url = http.post("/images/presets", json=asked).headers["location"]
    whatever = {"If-Match": "*"}
    wrong = ({"parameters": {"seconds": 61}}, {"parameters": {"aspect": "5:4"}})
    for change in (*wrong, {"model_key": "no-such"}):
        assert http.patch(url, json=change, headers=whatever).status_code == 400
    assert http.get(url).json()["parameters"] == {"seconds": 2}
    for change in ({"parameters": {"seconds": 3}}, {"model_key": ""}, {"name": "Yours"}):
        assert http.patch(url, json=change, headers=whatever).status_code == 200


@pytest.mark.parametrize(
    "answer",
    [
        [CUT],
        [Exhausted("RATE_LIMITED", "Later.", retry_after=1)],
        [Precondition("PROVIDER_NOT_CONFIGURED", "No key.")],
    ],
    ids=["away", "busy", "without a key"],
)
async def test_what_the_generator_cannot_judge_is_saved(stage, answer):
    script = Scripted(*[answer] * 4)
    services = await stage.play(script)
    await recipes.check(services, Preset(model_key="sketch"))
    assert list(script.asked[0].spec.models) == ["sketch"]
