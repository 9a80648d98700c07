"""Animations and drawings: what goes with them is known before anything is spent."""

import pytest
from google.protobuf import json_format

from chassis.errors import Fault
from imagestudio.type.v1 import job_pb2
from services.generator import models, orders, schema
from services.generator.models import Registry
from services.generator.plan import Plan, plan
from tests.lab.sdk import openai

FLARE = "gpt-image-2.6-flare"
REGISTRY = Registry(models.EVERY, configured={"openai", "replicate"}, default=FLARE)
NOT_ASKED = {  # of the vendor's fields: what a request says otherwise, or what only DALL-E had
    *("prompt", "model", "n", "size", "user", "safety_identifier", "response_format", "style"),
}
EDIT = [
    {"asset": f"assets/{'a' * 64}", "role": "REFERENCE_ROLE_EDIT_BASE"},
    {"asset": f"assets/{'b' * 64}", "role": "REFERENCE_ROLE_MASK"},
]


def planned(key: str = FLARE, *, more: dict | None = None, **parameters: object) -> Plan:
    asked = {"prompt": "a ball", "models": [key], "parameters": {key: parameters}} | (more or {})
    return plan(json_format.ParseDict(asked, job_pb2.JobSpec()), None, REGISTRY)


@pytest.mark.parametrize("key", ["gpt-image-2.6-flare", "gpt-image-2.6-sunburst"])
def test_all_that_openai_s_own_client_takes_can_be_asked_for(key):
    taken = openai.types.image_generate_params.ImageGenerateParamsBase.__annotations__
    offered = REGISTRY.known(key).parameters["properties"]
    assert taken.keys() - offered.keys() - NOT_ASKED == set()
    assert {"gif", "svg"} <= {*offered["output_format"]["enum"]}


@pytest.mark.parametrize(
    "right",
    [
        {"output_format": "gif"},
        {"output_format": "gif", "frame_count": 16, "frame_duration_ms": 80},
        {"output_format": "svg", "svg": {"model": "gpt-5.6", "reasoning": {"effort": "low"}}},
        {"output_format": "svg", "complexity": "high", "partial_images": 0},
        {"output_format": "webp", "output_compression": 40, "background": "transparent"},
        {"background": "transparent", "partial_images": 3},
    ],
    ids=repr,
)
def test_what_goes_together_is_ordered_as_it_was_said(right):
    found = planned(**right)
    order = orders.order(REGISTRY.known(FLARE), found.spec, 0, 1, "0190")
    assert right.items() <= order.inputs.items()


@pytest.mark.parametrize(
    ("wrong", "field", "says"),
    [
        ({"frame_count": 4}, "output_format", "is required where frame_count asks for it"),
        ({"frame_count": 4, "output_format": "png"}, "output_format", "must be one of gif where"),
        ({"frame_count": 17, "output_format": "gif"}, "frame_count", "from 2 to 16"),
        ({"frame_count": 1, "output_format": "gif"}, "frame_count", "from 2 to 16"),
        ({"frame_duration_ms": 80, "output_format": "svg"}, "output_format", "one of gif where"),
        ({"svg": {"model": "a"}, "output_format": "gif"}, "output_format", "one of svg where"),
        ({"svg": {}, "output_format": "svg"}, "svg.model", "is required"),
        ({"partial_images": 1, "output_format": "svg"}, "output_format", "png, webp, jpeg where"),
        ({"partial_images": 1, "output_format": "gif"}, "output_format", "where partial_images"),
        ({"output_compression": 9, "output_format": "gif"}, "output_format", "webp, jpeg where"),
        ({"output_compression": 9}, "output_format", "where output_compression"),
        ({"background": "transparent", "output_format": "svg"}, "output_format", "png, webp where"),
    ],
    ids=repr,
)
def test_what_does_not_go_together_is_refused_by_name(wrong, field, says):
    with pytest.raises(Fault) as refused:
        planned(**wrong)
    assert refused.value.reason == "PARAMETER_INVALID"
    assert says in refused.value.fields[f"parameters.{FLARE}.{field}"]


@pytest.mark.parametrize("key", ["gpt-image-2", "gpt-image-2.5-sunburst"])
@pytest.mark.parametrize("wrong", [{"output_format": "gif"}, {"complexity": "low"}])
def test_only_those_that_draw_them_are_asked(key, wrong):
    with pytest.raises(Fault, match=r"must be one of|is unknown"):
        planned(key, **wrong)


@pytest.mark.parametrize(
    ("parameters", "times"),
    [({"output_format": "gif"}, 9), ({"output_format": "gif", "frame_count": 3}, 3), ({}, 1)],
)
def test_each_frame_is_reserved_like_a_picture(parameters, times):
    one = REGISTRY.known(FLARE).price_of((1024, 1024), {"quality": "low"})
    found = planned(quality="low", more={"count": 2}, **parameters)
    expected = found.estimate.expected.usd_micros
    assert 2 * times * one <= expected <= 2 * times * one + 100
    assert [each.reserved_usd_micros >= expected for each in found.purchases] == [True]
    dearest = planned(quality="auto", output_format="gif", frame_count=16)
    assert dearest.estimate.expected.usd_micros <= REGISTRY.known(FLARE).price


@pytest.mark.parametrize(
    ("parameters", "fallback", "calls"),
    [({}, [], [4]), ({"output_format": "svg"}, [], [1] * 4), ({}, ["flux-schnell"], [4])],
)
def test_a_drawing_is_the_only_one_of_its_call(parameters, fallback, calls):
    found = planned(more={"count": 4, "fallbackModels": fallback}, **parameters)
    ordinals = [each.ordinal for each in found.purchases]
    assert [orders.images_of(each, found.spec, REGISTRY) for each in ordinals] == calls
    assert found.estimate.models[0].purchase_count == len(calls)


@pytest.mark.parametrize(("kind", "fits"), [("gif", False), ("svg", True), ("png", True)])
def test_an_animation_takes_no_mask(kind, fits):
    if fits:
        assert planned(output_format=kind, more={"references": EDIT}).purchases
        return
    with pytest.raises(Fault, match="with a reference for mask and output_format gif"):
        planned(output_format=kind, more={"references": EDIT})


def test_who_takes_no_images_says_so_in_english():
    with pytest.raises(Fault, match="does not draw from an image; it takes no input images"):
        planned("flux-schnell", more={"references": EDIT[:1]})


def test_a_rule_holds_where_its_condition_does_and_only_there():
    rule = {"if": {"required": ["a"]}, "then": {"required": ["b"]}}
    assert not [*schema.problems({"allOf": [rule]}, {}, "p")]
    [(where, what)] = schema.problems({"allOf": [rule]}, {"a": 1}, "p")
    assert (where, what) == ("p.b", "is required where a asks for it")
