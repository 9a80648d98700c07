"""What a request becomes, and what is refused with which word."""

import pytest
from google.protobuf import json_format

from chassis.errors import Fault
from imagestudio.catalog.v1 import preset_pb2
from imagestudio.type.v1 import job_pb2
from services.generator import models, orders
from services.generator.models import Model, Registry
from services.generator.plan import Enhanced, Smart, plan, request_fingerprint

SEEDED = Model(
    key="seeded", display_name="Seeded", provider="sketch", slug="seeded", seed=True,
    shapes={"1:1": (512, 512)},
)  # fmt: skip
PLAIN = Model(
    key="plain", display_name="Plain", provider="sketch", slug="plain", price=40_000,
    shapes={"1:1": (512, 512)},
)  # fmt: skip
REGISTRY = Registry((*models.EVERY, PLAIN, SEEDED), configured={"sketch"}, default="sketch")
POSTER = preset_pb2.Preset(
    preset_key="poster", model_key="sketch-ink", batch_count=3, use_case="print",
    prompt_template="a poster of {prompt}, bold", negative_prompt="text",
    parameters={"format": "webp", "seconds": 2},
)  # fmt: skip


def spec(**fields) -> job_pb2.JobSpec:
    return json_format.ParseDict({"prompt": "a lighthouse"} | fields, job_pb2.JobSpec())


def refusal(preset=None, **fields) -> Fault:
    with pytest.raises(Fault) as refused:
        plan(spec(**fields), preset, REGISTRY)
    return refused.value


def test_a_bare_prompt_is_one_image_of_the_default_model():
    found = plan(spec(), None, REGISTRY)
    assert (list(found.spec.models), found.spec.count) == (["sketch"], 1)
    assert found.spec.title == found.original_prompt == "a lighthouse"
    (purchase,) = found.purchases
    assert (purchase.provider, purchase.model_key, purchase.ordinal) == ("sketch", "sketch", 0)
    assert found.estimate.reserved.usd_micros == 0


def test_what_is_left_out_comes_from_the_preset():
    found = plan(spec(), POSTER, REGISTRY)
    assert found.spec.prompt == "a poster of a lighthouse, bold"
    assert found.original_prompt == "a lighthouse"
    assert list(found.spec.models) == ["sketch-ink"]
    assert (found.spec.count, found.spec.use_case, found.preset_used) == (3, "print", "poster")
    assert found.spec.negative_prompt == "text"
    assert orders.parameters(found.spec, "sketch-ink") == {"format": "webp", "seconds": 2}


def test_what_is_said_wins_over_the_preset():
    asked = spec(count=1, negativePrompt="people", parameters={"sketch-ink": {"seconds": 5}})
    found = plan(asked, POSTER, REGISTRY)
    assert (found.spec.count, found.spec.negative_prompt) == (1, "people")
    assert orders.parameters(found.spec, "sketch-ink") == {"format": "webp", "seconds": 5}


def test_each_call_has_a_place_a_seed_and_an_id_of_its_own():
    found = plan(spec(models=["sketch", "sketch-ink"], count=2, seed="7"), None, REGISTRY)
    assert [each.ordinal for each in found.purchases] == [0, 1, 2, 3]
    assert [each.model_key for each in found.purchases] == ["sketch"] * 2 + ["sketch-ink"] * 2
    assert len({each.purchase_id for each in found.purchases}) == 4
    seeds = [
        orders.order(
            REGISTRY.known(each.model_key), found.spec, orders.place_of(each.ordinal, found.spec),
            1, each.purchase_id,
        ).inputs["seed"]
        for each in found.purchases
    ]  # fmt: skip
    assert seeds == [7, 8, 7, 8]


def test_without_a_seed_the_purchase_chooses_one_that_it_can_say_again():
    found = plan(spec(), None, REGISTRY)
    model, purchase_id = REGISTRY.known("sketch"), found.purchases[0].purchase_id
    first, again = (orders.order(model, found.spec, 0, 1, purchase_id) for _ in range(2))
    assert first.inputs["seed"] == again.inputs["seed"]
    assert 0 <= first.inputs["seed"] < 2**31


def test_the_greatest_seed_does_not_overflow():
    found = plan(spec(seed=str(2**63 - 1), count=2), None, REGISTRY)
    order = orders.order(REGISTRY.known("sketch"), found.spec, 1, 1, "x")
    assert order.inputs["seed"] == -(2**63)


@pytest.mark.parametrize(
    ("seed", "count"), [(2**31, 1), (-1, 1), (2**31 - 2, 3), (2**63 - 1, 2), (-(2**63), 1)]
)
def test_a_seed_that_a_model_does_not_take_is_refused_before_anything_is_bought(seed, count):
    for asked in ({"models": ["seeded"]}, {"models": ["sketch"], "fallbackModels": ["seeded"]}):
        fault = refusal(**asked, seed=str(seed), count=count)
        assert fault.reason == "MODEL_FEATURE_UNSUPPORTED"
        assert fault.metadata == {"model": "seeded", "field": "seed"}
        assert "from 0 to 2147483647" in fault.fields["seed"]


def test_the_greatest_seed_of_a_model_is_taken():
    found = plan(spec(models=["seeded"], seed=str(2**31 - 2), count=2), None, REGISTRY)
    model = REGISTRY.known("seeded")
    seeds = [orders.order(model, found.spec, place, 1, "x").inputs["seed"] for place in (0, 1)]
    assert seeds == [2**31 - 2, 2**31 - 1]


def test_a_seed_that_is_left_out_is_not_judged():
    assert plan(spec(models=["plain"], seed=str(-(2**63))), None, REGISTRY).warnings


def test_what_a_model_lacks_is_left_out_with_a_warning():
    found = plan(spec(models=["plain"], seed="7", negativePrompt="text"), None, REGISTRY)
    assert [each.model for each in found.warnings] == ["plain", "plain"]
    assert {each.reason for each in found.warnings} == {"MODEL_FEATURE_UNSUPPORTED"}


@pytest.mark.parametrize("shape", [{"aspect": "2:3"}, {"size": "640x960"}])
def test_a_presets_shape_becomes_the_jobs_and_no_parameter(shape):
    for key in ("sketch-ink", ""):
        wide = preset_pb2.Preset(preset_key="wide", model_key=key)
        wide.parameters.update(shape)
        found = plan(spec(), wide, REGISTRY)
        assert found.spec.WhichOneof("shape") == next(iter(shape))
        assert not any(own.fields for own in found.spec.parameters.values())
        assert plan(spec(aspect="16:9"), wide, REGISTRY).spec.aspect == "16:9"


def test_a_presets_shape_that_a_model_lacks_is_left_out_with_a_warning():
    odd = preset_pb2.Preset(preset_key="odd")
    odd.parameters.update({"aspect": "7:5"})
    found = plan(spec(), odd, REGISTRY)
    assert (found.spec.WhichOneof("shape"), len(found.warnings)) == (None, 1)


def test_a_preset_without_a_model_is_for_every_model_that_knows_its_parameters():
    slow = preset_pb2.Preset(preset_key="slow")
    slow.parameters.update({"seconds": 3, "glow": True})
    found = plan(spec(models=["sketch", "plain"]), slow, REGISTRY)
    assert orders.parameters(found.spec, "sketch") == {"seconds": 3}
    assert list(found.spec.parameters) == ["sketch"]
    assert [each.model for each in found.warnings] == ["sketch", "plain", "plain"]


def test_a_presets_smart_prompt_is_left_out_with_a_warning():
    smart = preset_pb2.Preset(preset_key="smart", smart_prompt_enabled=True)
    assert len(plan(spec(), smart, REGISTRY).warnings) == 1
    assert not plan(spec(smartPrompt=False), smart, REGISTRY).warnings


BETTER = Enhanced(prompt="a lighthouse in a storm", enhanced_by="some-model")


def test_a_better_prompt_goes_into_the_presets_place_and_the_users_is_kept():
    asked, smart = spec(smartPrompt=True), Smart(cost=7, told=BETTER)
    found = plan(asked, POSTER, REGISTRY, smart)
    assert found.spec.prompt == "a poster of a lighthouse in a storm, bold"
    assert (found.original_prompt, found.spec.title) == ("a lighthouse", "a lighthouse")
    assert (found.enhanced, found.spec.smart_prompt) == (BETTER, True)
    assert found.estimate.smart_prompt.usd_micros == 7
    assert not found.warnings
    assert found.fingerprint == request_fingerprint(asked)


def test_a_prompt_that_nobody_bettered_is_drawn_as_it_is_with_a_warning():
    smart = Smart(cost=7, reason="LANGUAGE_ANSWER_LOST", why="It was lost.")
    found = plan(spec(smartPrompt=True), None, REGISTRY, smart)
    assert (found.spec.prompt, found.enhanced, found.spec.smart_prompt) == (
        "a lighthouse", None, False)  # fmt: skip
    [warning] = found.warnings
    assert (warning.reason, "as it is. It was lost." in warning.message) == (smart.reason, True)


def test_what_a_better_prompt_may_cost_is_of_the_models_that_are_planned():
    """And so of the very question that is asked; the prompt is the user's."""
    asked, told = spec(smartPrompt=True, useCase="a card"), []

    def wish(*of):
        told.append(of)
        return 9

    found = plan(asked, POSTER, REGISTRY, wish)
    assert found.estimate.smart_prompt.usd_micros == 9
    assert told == [("a lighthouse", [*found.spec.models], found.spec.use_case)]
    assert (found.enhanced, found.spec.smart_prompt, found.warnings) == (None, False, [])
    limited = spec(smartPrompt=True, models=["plain"], maxCostUsdMicros="40008")
    with pytest.raises(Fault, match=r"0\.040009"):
        plan(limited, None, REGISTRY, wish)


def test_the_most_that_a_request_allows_covers_its_better_prompt():
    smart, asked = Smart(cost=8), spec(models=["plain"], maxCostUsdMicros="40007", smartPrompt=True)
    with pytest.raises(Fault, match=r"0\.040008"):
        plan(asked, None, REGISTRY, smart)
    assert plan(asked, None, REGISTRY, Smart(cost=7)).estimate.reserved.usd_micros == 40_000


def test_the_reservation_covers_the_dearest_fallback():
    found = plan(spec(count=2, fallbackModels=["plain"]), None, REGISTRY)
    assert found.estimate.reserved.usd_micros == 80_000
    assert found.estimate.expected.usd_micros == 0
    assert [each.reserved_usd_micros for each in found.purchases] == [40_000] * 2


@pytest.mark.parametrize(
    ("fields", "reason", "field"),
    [
        ({"prompt": ""}, "REQUEST_INVALID", "prompt"),
        ({"prompt": " \n\t"}, "REQUEST_INVALID", "prompt"),
        ({"prompt": "a\0b"}, "REQUEST_INVALID", "prompt"),
        ({"prompt": "x" * 32_001}, "REQUEST_INVALID", "prompt"),
        ({"negativePrompt": "a\0b"}, "REQUEST_INVALID", "negative_prompt"),
        ({"title": "t" * 201}, "REQUEST_INVALID", "title"),
        ({"count": 0}, "REQUEST_INVALID", "count"),
        ({"count": -1}, "REQUEST_INVALID", "count"),
        ({"count": 1_000_000_000}, "REQUEST_INVALID", "count"),
        ({"models": ["sketch", "sketch"]}, "REQUEST_INVALID", "models"),
        ({"fallbackModels": ["sketch-ink"] * 2}, "REQUEST_INVALID", "fallback_models"),
        ({"fallbackModels": ["sketch"]}, "REQUEST_INVALID", "fallback_models[0]"),
        ({"smartPrompt": True}, "REQUEST_INVALID", "smart_prompt"),
        ({"maxCostUsdMicros": "-1"}, "REQUEST_INVALID", "max_cost"),
        ({"parameters": {"plain": {}}}, "REQUEST_INVALID", "parameters.plain"),
        ({"aspect": "5:4"}, "MODEL_FEATURE_UNSUPPORTED", "aspect"),
        ({"size": {"width": 63, "height": 64}}, "MODEL_FEATURE_UNSUPPORTED", "size"),
        ({"size": {"width": 64, "height": 2049}}, "MODEL_FEATURE_UNSUPPORTED", "size"),
        (
            {"references": [{"asset": f"assets/{'a' * 64}"}]},
            "MODEL_FEATURE_UNSUPPORTED",
            "references",
        ),
        ({"parameters": {"sketch": {"seconds": 61}}}, "PARAMETER_INVALID", "sketch.seconds"),
        ({"parameters": {"sketch": {"seconds": "1"}}}, "PARAMETER_INVALID", "sketch.seconds"),
        ({"parameters": {"sketch": {"seconds": True}}}, "PARAMETER_INVALID", "sketch.seconds"),
        ({"parameters": {"sketch": {"format": "gif"}}}, "PARAMETER_INVALID", "sketch.format"),
        ({"parameters": {"sketch": {"speed": 1}}}, "PARAMETER_INVALID", "sketch.speed"),
    ],
    ids=repr,
)
def test_bad_input_is_refused_by_its_field(fields, reason, field):
    refused = refusal(**fields)
    assert refused.reason == reason
    assert any(name.endswith(field) for name in refused.fields)
    assert refused.message.endswith(".")


def test_a_model_that_fits_no_size_says_which_it_has():
    refused = refusal(models=["plain"], size={"width": 64, "height": 64})
    assert "512x512" in refused.message


def test_the_longest_prompt_is_taken_and_counted_in_characters():
    assert plan(spec(prompt="🌊" * 32_000), None, REGISTRY).purchases


@pytest.mark.parametrize("key", ["nobody", "", "x" * 1000])
def test_an_unknown_model_is_named(key):
    refused = refusal(models=["plain", key])
    assert (refused.reason, refused.code.name) == ("MODEL_UNKNOWN", "NOT_FOUND")
    assert [*refused.fields] == ["models[1]"]
    assert [*refusal(fallbackModels=[key]).fields] == ["fallback_models[0]"]


def test_an_unknown_model_of_a_preset_is_the_preset_s():
    refused = refusal(preset_pb2.Preset(preset_key="mine", model_key="nobody"))
    assert [*refused.fields] == ["preset"]


def test_a_model_without_credentials_is_told_from_an_unknown_one():
    with pytest.raises(Fault) as refused:
        plan(spec(), None, Registry(models.EVERY, configured=(), default="sketch"))
    assert refused.value.reason == "PROVIDER_NOT_CONFIGURED"


def test_the_cost_limit_is_held_against_what_is_reserved():
    assert refusal(models=["plain"], maxCostUsdMicros="39999").reason == "COST_LIMIT_EXCEEDED"
    assert plan(spec(models=["plain"], maxCostUsdMicros="40000"), None, REGISTRY).purchases


def test_the_fingerprint_tells_requests_apart_and_not_the_order_of_their_parameters():
    both = {"sketch": {"seconds": 1, "format": "png"}, "sketch-ink": {"seconds": 2}}
    turned = {key: dict(reversed(both[key].items())) for key in reversed(both)}
    assert request_fingerprint(spec(parameters=both)) == request_fingerprint(
        spec(parameters=turned)
    )
    assert request_fingerprint(spec()) != request_fingerprint(spec(prompt="a harbour"))


@pytest.mark.parametrize("number", [float("nan"), float("inf"), float("-inf")])
def test_a_number_that_json_has_not_is_refused(number):
    asked = spec()
    asked.parameters["sketch"].update({"seconds": number})
    with pytest.raises(Fault) as refused:
        plan(asked, None, REGISTRY)
    assert refused.value.fields == {"parameters": "must hold numbers, not NaN or infinity"}
