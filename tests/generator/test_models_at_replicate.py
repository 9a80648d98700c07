"""The models at Replicate: each shape, size, count and parameter as it goes on the wire."""

import math
from functools import partial

import pytest
from google.protobuf import json_format

from chassis import errors
from chassis.errors import Fault
from imagestudio.catalog.v1 import ledger_pb2
from imagestudio.generator.v1 import generator_service_pb2 as pb
from imagestudio.generator.v1 import model_pb2
from imagestudio.type.v1 import cost_pb2, image_pb2, job_pb2
from services.generator import edges, generations, models, orders, showing
from services.generator.health import Health
from services.generator.models import Registry
from services.generator.plan import plan
from services.generator.provider import Drawn, Link
from services.generator.standing import Terms

SOLD = {model.key: model for model in models.EVERY if model.provider == "replicate"}
REGISTRY = Registry(models.EVERY, configured={"sketch", "replicate"}, default="sketch")
V3 = "ideogram-v3-balanced", "ideogram-v3-quality", "ideogram-v3-turbo"
PURCHASE = "01890000-0000-7000-8000-000000000001"


def spec(*keys, **fields) -> job_pb2.JobSpec:
    asked = {"prompt": "a lighthouse", "models": list(keys)} | fields
    return json_format.ParseDict(asked, job_pb2.JobSpec())


def ordered(key, place=0, images=1, **fields):
    planned = plan(spec(key, **fields), None, REGISTRY).spec
    return dict(orders.order(REGISTRY.known(key), planned, place, images, PURCHASE).inputs)


def without(inputs, *names):
    return {name: value for name, value in inputs.items() if name not in names}


def refused(*keys, **fields) -> Fault:
    with pytest.raises(Fault) as failure:
        plan(spec(*keys, **fields), None, REGISTRY)
    return failure.value


def test_there_are_ten():
    assert sorted(SOLD) == [
        "flux-1.1-pro", "flux-schnell", "ideogram-v2", "ideogram-v2-turbo",
        *V3,
        "recraft-v3", "recraft-v3-vector", "seedream-4.5",
    ]  # fmt: skip
    assert {key: model.price for key, model in SOLD.items()} == {
        "flux-1.1-pro": 40_000, "flux-schnell": 3_000, "ideogram-v2": 80_000,
        "ideogram-v2-turbo": 50_000, **dict.fromkeys(V3, 90_000),
        "recraft-v3": 40_000, "recraft-v3-vector": 80_000, "seedream-4.5": 40_000,
    }  # fmt: skip
    assert all(model.price_source and "/" in model.slug for model in SOLD.values())


@pytest.mark.parametrize("key", sorted(SOLD))
def test_a_shape_has_the_pixels_that_its_name_says(key):
    for aspect, (width, height) in SOLD[key].shapes.items():
        across, down = map(int, aspect.split(":"))
        assert math.isclose(width / height, across / down, rel_tol=0.06), aspect


# -- shapes and sizes on the wire

SHAPES = {
    "flux-1.1-pro": lambda aspect, _w, _h: {"aspect_ratio": aspect},
    "flux-schnell": lambda aspect, _w, _h: {"aspect_ratio": aspect, "num_outputs": 1},
    **dict.fromkeys(
        ("ideogram-v2", "ideogram-v2-turbo"), lambda _aspect, w, h: {"resolution": f"{w}x{h}"}
    ),
    **dict.fromkeys(V3, lambda aspect, _w, _h: {"aspect_ratio": aspect}),
    **dict.fromkeys(
        ("recraft-v3", "recraft-v3-vector"), lambda _aspect, w, h: {"size": f"{w}x{h}"}
    ),
    "seedream-4.5": lambda _aspect, w, h: {
        "size": "custom", "width": w, "height": h,
        "sequential_image_generation": "disabled", "max_images": 1,
    },
}  # fmt: skip
EVERY_SHAPE = [
    (key, aspect, *size) for key, model in SOLD.items() for aspect, size in model.shapes.items()
]


@pytest.mark.parametrize(("key", "aspect", "width", "height"), EVERY_SHAPE)
def test_every_shape_is_said_in_the_models_own_words(key, aspect, width, height):
    expected = {"prompt": "a lighthouse"} | SHAPES[key](aspect, width, height)
    assert without(ordered(key, aspect=aspect), "seed") == expected
    by_size = ordered(key, size={"width": width, "height": height})
    assert without(by_size, "seed") == expected


@pytest.mark.parametrize("key", sorted(SOLD))
def test_without_a_shape_it_is_a_square(key):
    assert ordered(key) == ordered(key, aspect="1:1")


def test_every_size_of_ideogram_is_one_that_it_lists():
    model = SOLD["ideogram-v2"]
    every = {*model.shapes.values(), *model.sizes}
    assert len(every) == len(model.shapes) + len(model.sizes) == 78
    for width, height in every:
        inputs = ordered("ideogram-v2", size={"width": width, "height": height})
        assert inputs["resolution"] == f"{width}x{height}"


@pytest.mark.parametrize(("width", "height"), [(256, 1440), (1440, 256), (1024, 992)])
def test_flux_pro_draws_any_size_of_its_grid(width, height):
    inputs = ordered("flux-1.1-pro", size={"width": width, "height": height})
    assert without(inputs, "prompt", "seed") == {
        "aspect_ratio": "custom", "width": width, "height": height
    }  # fmt: skip


@pytest.mark.parametrize(("width", "height"), [(1024, 4096), (2000, 1999)])
def test_seedream_draws_any_size(width, height):
    inputs = ordered("seedream-4.5", size={"width": width, "height": height})
    assert (inputs["size"], inputs["width"], inputs["height"]) == ("custom", width, height)


# -- seeds, negative prompts, parameters


def test_seeds_and_negative_prompts_go_where_the_model_has_them():
    fields = {"seed": "7", "negativePrompt": "text"}
    said = {key: ordered(key, place=1, count=2, **fields) for key in SOLD}
    assert {key: inputs.get("seed") for key, inputs in said.items()} == {
        "flux-1.1-pro": 8, "flux-schnell": 8, "ideogram-v2": 8, "ideogram-v2-turbo": 8,
        **dict.fromkeys(V3, 8),
        "recraft-v3": None, "recraft-v3-vector": None, "seedream-4.5": None,
    }  # fmt: skip
    negative = [key for key in sorted(said) if "negative_prompt" in said[key]]
    assert negative == ["ideogram-v2", "ideogram-v2-turbo"]
    warned = plan(spec(*SOLD, **fields), None, REGISTRY).warnings
    assert sorted(each.model for each in warned) == [
        "flux-1.1-pro", "flux-schnell", *V3,
        "recraft-v3", "recraft-v3", "recraft-v3-vector", "recraft-v3-vector",
        "seedream-4.5", "seedream-4.5",
    ]  # fmt: skip


def test_a_whole_number_stays_one_on_the_wire():
    given = {"num_inference_steps": 4, "output_quality": 90, "go_fast": False}
    inputs = ordered("flux-schnell", parameters={"flux-schnell": given})
    assert {name: (inputs[name], type(inputs[name])) for name in given} == {
        name: (value, type(value)) for name, value in given.items()
    }


WRONG = [
    ("flux-1.1-pro", {"aspect": "21:9"}, "aspect"),
    ("flux-1.1-pro", {"size": {"width": 255, "height": 512}}, "size"),
    ("flux-1.1-pro", {"size": {"width": 512, "height": 1441}}, "size"),
    ("flux-1.1-pro", {"size": {"width": 1000, "height": 1024}}, "size"),  # not of 32
    ("flux-schnell", {"aspect": "16:10"}, "aspect"),
    ("flux-schnell", {"size": {"width": 1024, "height": 992}}, "size"),
    ("ideogram-v2", {"aspect": "21:9"}, "aspect"),
    ("ideogram-v2", {"size": {"width": 1024, "height": 1000}}, "size"),
    ("recraft-v3", {"aspect": "21:9"}, "aspect"),
    ("recraft-v3", {"size": {"width": 1024, "height": 992}}, "size"),
    ("seedream-4.5", {"aspect": "5:4"}, "aspect"),
    ("seedream-4.5", {"size": {"width": 1023, "height": 2048}}, "size"),
    ("seedream-4.5", {"prompt": "x" * 4001}, "prompt"),
    *((key, {"references": [{"asset": f"assets/{'a' * 64}"}] * 15}, "references") for key in SOLD),
]  # fmt: skip


@pytest.mark.parametrize(("key", "fields", "field"), WRONG)
def test_what_a_model_does_not_draw_is_refused_by_its_field(key, fields, field):
    fault = refused(key, **fields)
    assert fault.reason == "MODEL_FEATURE_UNSUPPORTED"
    assert list(fault.fields) == [field]
    assert repr(key) in fault.message


def test_the_longest_prompt_of_a_model_is_taken():
    assert plan(spec("seedream-4.5", prompt="🌊" * 4000), None, REGISTRY).purchases


WRONG_PARAMETERS = [
    ("flux-1.1-pro", "safety_tolerance", 0),
    ("flux-1.1-pro", "safety_tolerance", 7),
    ("flux-1.1-pro", "safety_tolerance", 1.5),
    ("flux-1.1-pro", "safety_tolerance", "2"),
    ("flux-1.1-pro", "prompt_upsampling", 1),
    ("flux-1.1-pro", "output_format", "gif"),
    ("flux-1.1-pro", "output_quality", 101),
    ("flux-1.1-pro", "image_prompt", "https://x.test/a.png"),  # only checked pixels go there
    ("flux-1.1-pro", "aspect_ratio", "1:1"),  # the request's own field says it
    ("flux-1.1-pro", "seed", 7),
    ("flux-schnell", "num_outputs", 4),
    ("flux-schnell", "num_inference_steps", 5),
    ("flux-schnell", "megapixels", "2"),
    ("flux-schnell", "megapixels", 1),
    ("ideogram-v2", "resolution", "1024x1024"),
    ("ideogram-v2", "magic_prompt_option", "auto"),
    ("ideogram-v2", "style_type", "Baroque"),
    ("ideogram-v2", "mask", "https://x.test/a"),
    ("recraft-v3", "style", "digital_illustration/baroque"),
    ("recraft-v3", "size", "1024x1024"),
    ("seedream-4.5", "image_input", ["https://x.test/a"]),
    ("seedream-4.5", "sequential_image_generation", "always"),
    ("seedream-4.5", "max_images", 16),
    ("seedream-4.5", "max_images", 0),
    ("seedream-4.5", "size", "1K"),
]


@pytest.mark.parametrize(("key", "name", "value"), WRONG_PARAMETERS)
def test_a_wrong_parameter_is_refused_by_its_name(key, name, value):
    fault = refused(key, parameters={key: {name: value}})
    assert fault.reason == "PARAMETER_INVALID"
    assert list(fault.fields) == [f"parameters.{key}.{name}"]


# -- several images a call


@pytest.mark.parametrize(
    ("key", "count", "calls"),
    [
        ("flux-schnell", 1, [(0, 1)]),
        ("flux-schnell", 4, [(0, 4)]),
        ("flux-schnell", 6, [(0, 4), (4, 2)]),
        ("flux-schnell", 32, [(place, 4) for place in range(0, 32, 4)]),
        ("flux-1.1-pro", 3, [(0, 1), (1, 1), (2, 1)]),
        ("seedream-4.5", 2, [(0, 1), (1, 1)]),
    ],
)
def test_a_count_becomes_as_few_calls_as_the_model_allows(key, count, calls):
    found = plan(spec(key, count=count), None, REGISTRY)
    price = REGISTRY.known(key).price
    assert [(each.ordinal, each.reserved_usd_micros // price) for each in found.purchases] == calls
    (line,) = found.estimate.models
    assert (line.image_count, line.purchase_count) == (count, len(calls))
    assert found.estimate.reserved.usd_micros == found.estimate.expected.usd_micros == count * price
    for ordinal, images in calls:
        assert orders.images_of(ordinal, found.spec, REGISTRY) == images
        inputs = ordered(key, ordinal, images, count=count, seed="7")
        assert inputs.get("num_outputs", 1) == images
        assert inputs.get("seed", 7 + ordinal) == 7 + ordinal


def test_each_model_of_a_job_has_ordinals_of_its_own():
    found = plan(spec("flux-schnell", "flux-1.1-pro", count=3), None, REGISTRY)
    assert [(each.model_key, each.ordinal) for each in found.purchases] == [
        ("flux-schnell", 0), ("flux-1.1-pro", 3), ("flux-1.1-pro", 4), ("flux-1.1-pro", 5),
    ]  # fmt: skip
    ordinals = [each.ordinal for each in found.purchases]
    assert [orders.images_of(each, found.spec, REGISTRY) for each in ordinals] == [3, 1, 1, 1]


def test_a_call_asks_for_no_more_than_its_fallbacks_can_draw():
    found = plan(spec("flux-schnell", count=3, fallbackModels=["recraft-v3"]), None, REGISTRY)
    assert [each.ordinal for each in found.purchases] == [0, 1, 2]
    assert [each.reserved_usd_micros for each in found.purchases] == [40_000] * 3
    assert found.estimate.models[0].purchase_count == 3
    assert orders.images_of(0, found.spec, REGISTRY) == 1


# -- what is kept, told and shown


def known(key, count, **drawn):
    model = REGISTRY.known(key)
    found = plan(spec(key, count=count, seed="7"), None, REGISTRY).spec
    return edges.Known(
        purchase_id=PURCHASE, fence=1, model=model, terms=Terms(askable=True),
        order=orders.order(model, found, 0, count, PURCHASE), images=count,
        price=partial(orders.price, model, found),
        most=partial(orders.most, model, found),
        next=lambda _other: None, ticket="p1", drawn=Drawn(seconds=1.5, **drawn),
    )  # fmt: skip


def links(count):
    return tuple(Link(f"https://r/{number}", None) for number in range(count))


@pytest.mark.parametrize(
    ("drawn", "micros", "basis"),
    [
        ({"images": links(4), "cost": 12_000}, 12_000, cost_pb2.COST_BASIS_METERED),
        ({"images": links(3)}, 9_000, cost_pb2.COST_BASIS_ESTIMATED),
        ({"images": links(5)}, 15_000, cost_pb2.COST_BASIS_ESTIMATED),
    ],
)
def test_a_call_costs_what_it_brought(drawn, micros, basis):
    edge = edges.edge(edges.moves.Brought(), known("flux-schnell", 4, **drawn), {})
    assert (edge.drawn.cost.usd_micros, edge.drawn.cost.basis) == (micros, basis)
    assert [output.source for output in edge.drawn.outputs] == [
        link.url for link in drawn["images"]
    ]


@pytest.mark.parametrize(
    ("told", "cost"),
    [(None, (12_000, cost_pb2.COST_BASIS_ESTIMATED)), (12, (12, cost_pb2.COST_BASIS_METERED))],
)
def test_one_that_brought_nothing_cost_what_is_told_or_all_that_was_ordered(told, cost):
    end = edges.moves.Ended("CANCELED", True, "JOB_CANCELED", "canceled", cost=told)
    edge = edges.edge(end, known("flux-schnell", 4, images=()), {})
    assert (edge.end.cost.usd_micros, edge.end.cost.basis) == cost


def test_an_image_is_kept_with_its_prediction_its_version_and_what_was_sent():
    asset = edges.storage_service_pb2.Asset(name="assets/ab", path="/i/x")
    drawn = known("flux-schnell", 2, images=links(2), version="9fe3", seed=11)
    image = edges.edge(edges.moves.Kept(1), drawn, {1: asset}).keep.image
    assert image.replicate_prediction_id == "p1"
    assert (image.model_version, image.seed) == ("9fe3", 11)
    assert json_format.MessageToDict(image.parameters) == {
        "aspect_ratio": "1:1", "num_outputs": 2.0
    }  # fmt: skip


def test_the_list_of_models_tells_it_all():
    terms = {"replicate": Terms(askable=True, cancelable=True)}
    request = pb.ListModelsRequest(providers=["replicate"])
    shown = {each.key: each for each in showing.listed(request, REGISTRY, terms, Health()).models}
    assert shown.keys() == SOLD.keys()
    schnell, ideogram = shown["flux-schnell"], shown["ideogram-v2"]
    assert schnell.state == model_pb2.MODEL_STATE_ACTIVE
    assert schnell.capabilities.max_images_per_purchase == 4
    assert schnell.capabilities.cancelable
    assert schnell.capabilities.resumable
    assert schnell.price_per_image.usd_micros == 3_000
    assert (schnell.price_source, schnell.price_date) == (
        "replicate.com/pricing, read by a third party", "2026-10-07"
    )  # fmt: skip
    assert schnell.typical_time.ToMilliseconds() == 840
    assert len(ideogram.capabilities.sizes) == 78
    assert set(ideogram.capabilities.aspect_ratios) == SOLD["ideogram-v2"].shapes.keys()
    assert shown["flux-1.1-pro"].capabilities.flexible_size
    assert not schnell.capabilities.flexible_size
    assert shown["seedream-4.5"].capabilities.max_prompt_characters == 4_000
    assert "num_inference_steps" in schnell.parameters_schema["properties"]
    assert (schnell.capabilities.max_references, ideogram.capabilities.max_references) == (0, 2)
    roles = image_pb2.REFERENCE_ROLE_EDIT_BASE, image_pb2.REFERENCE_ROLE_MASK
    assert (*ideogram.capabilities.reference_roles,) == roles


@pytest.mark.parametrize("refusal", [None, errors.Precondition("PROVIDER_BALANCE_EMPTY", "Pay.")])
def test_the_list_tells_of_a_provider_that_is_not_well(refusal):
    found = ledger_pb2.ProviderHealth(provider="replicate", state=ledger_pb2.BREAKER_STATE_OPEN)
    if refusal:
        found.refusal.CopyFrom(errors.to_status(refusal))
    health = Health()
    health.learn([found])
    request = pb.ListModelsRequest(states=[model_pb2.MODEL_STATE_DEGRADED])
    shown = showing.listed(request, REGISTRY, {}, health).models
    assert {each.key for each in shown} == SOLD.keys()
    told = {(each.state_reason, each.state_message) for each in shown}
    assert told == {("PROVIDER_BALANCE_EMPTY", "Pay.") if refusal else ("PROVIDER_UNAVAILABLE", "")}
    found.state = ledger_pb2.BREAKER_STATE_CLOSED
    health.learn([found])
    assert not showing.listed(request, REGISTRY, {}, health).models


@pytest.mark.parametrize(
    ("keys", "spares", "needed"),
    [
        (["flux-schnell"], [], ["replicate"]),
        (["flux-schnell", "sketch"], [], ["replicate", "sketch"]),
        (["flux-schnell"], ["recraft-v3"], ["replicate"]),
        (["flux-schnell"], ["recraft-v3", "sketch"], []),
        (["flux-schnell", "sketch"], ["sketch-ink"], ["sketch"]),
    ],
)
def test_a_provider_is_needed_where_no_other_may_draw_in_its_place(keys, spares, needed):
    assert generations.needed(spec(*keys, fallbackModels=spares), REGISTRY) == needed


def test_without_a_token_they_are_there_and_say_what_is_missing():
    bare = Registry(models.EVERY, configured={"sketch"}, default="sketch")
    request = pb.ListModelsRequest(providers=["replicate"])
    shown = showing.listed(request, bare, {}, Health()).models
    assert {each.state for each in shown} == {model_pb2.MODEL_STATE_DISABLED}
    with pytest.raises(Fault) as failure:
        plan(spec("flux-schnell"), None, bare)
    assert failure.value.reason == "PROVIDER_NOT_CONFIGURED"
    assert "REPLICATE_API_TOKEN" in failure.value.message
