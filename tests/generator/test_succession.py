"""A model that its provider has switched off is refused by name, or replaced where that may be."""

from datetime import date

import pytest
from google.protobuf import json_format

from chassis.errors import Invalid, Precondition
from imagestudio.generator.v1 import generator_service_pb2, model_pb2
from imagestudio.type.v1 import job_pb2
from services.generator import models, orders, showing
from services.generator.health import Health
from services.generator.models import Registry
from services.generator.models.entry import Model
from services.generator.plan import plan

SHAPES = {"1:1": (1024, 1024), "7:4": (1792, 1024)}
MODELS = [
    Model(
        key="old", display_name="Old", provider="shop", slug="old", shapes=SHAPES,
        retired="2026-05-12", successor="middle",
        parameters={"properties": {"quality": {"enum": ["hd"]}, "style": {"type": "string"}}},
    ),
    Model(
        key="middle", display_name="Middle", provider="shop", slug="m", shapes=SHAPES, price=7,
        retired="2026-12-01", successor="new",
        parameters={
            "properties": {"quality": {"enum": ["high"]}, "style": {"type": "string"}},
            "additionalProperties": False,
        },
    ),
    Model(key="new", display_name="New", provider="shop", slug="n", shapes=SHAPES, price=9),
    Model(
        key="last", display_name="Last", provider="shop", slug="l", shapes=SHAPES,
        retired="2026-01-01",
    ),
]  # fmt: skip


def registry(day: str = "2026-11-27", configured=("shop",)) -> Registry:
    return Registry(
        MODELS, configured=configured, default="new", today=lambda: date.fromisoformat(day)
    )


def spec(*keys: str, **fields) -> job_pb2.JobSpec:
    asked = {"prompt": "a lighthouse", "models": keys} | fields
    return json_format.ParseDict(asked, job_pb2.JobSpec())


def test_it_is_refused_with_what_to_use_instead():
    with pytest.raises(
        Precondition, match=r"'old' was switched off .* 2026-05-12: use 'middle'"
    ) as no:
        plan(spec("old"), None, registry())
    assert no.value.reason == "MODEL_RETIRED"
    assert no.value.metadata == {
        "model": "old", "retire_time": "2026-05-12T00:00:00Z", "successor": "middle"
    }  # fmt: skip


def test_it_is_refused_as_a_fallback_and_before_a_key_is_missed():
    for found in (registry(), registry(configured=())):
        with pytest.raises(Precondition) as refused:
            plan(spec("old"), None, found)
        assert refused.value.reason == "MODEL_RETIRED"
    with pytest.raises(Precondition, match="switched off"):
        plan(spec("new", fallbackModels=["old"]), None, registry())


@pytest.mark.parametrize(
    ("day", "state"), [("2026-11-30", "middle"), ("2026-12-01", "new"), ("2026-05-11", "old")]
)
def test_where_it_is_allowed_the_successor_of_that_day_is_bought(day, state):
    found = plan(spec("old", allowSuccessor=True), None, registry(day))
    assert list(found.spec.models) == [state]
    assert [each.model_key for each in found.purchases] == [state]
    told = [(each.reason, each.model) for each in found.warnings]
    assert told == ([] if state == "old" else [("MODEL_RETIRED", state)])


def test_its_parameters_go_on_as_far_as_the_successor_takes_them():
    asked = spec("old", allowSuccessor=True, parameters={"old": {"quality": "hd", "style": "x"}})
    found = plan(asked, None, registry())
    assert orders.parameters(found.spec, "middle") == {"style": "x"}
    assert list(found.spec.parameters) == ["middle"]
    assert [each.reason for each in found.warnings] == [
        "MODEL_RETIRED", "MODEL_FEATURE_UNSUPPORTED"
    ]  # fmt: skip
    assert "quality" in found.warnings[1].message
    own = {"old": {"style": "x"}, "middle": {"style": "own"}}
    both = plan(spec("old", "middle", allowSuccessor=True, parameters=own), None, registry())
    assert orders.parameters(both.spec, "middle") == {"style": "own"}


def test_a_successor_that_is_asked_already_is_asked_once():
    found = plan(spec("old", "middle", allowSuccessor=True), None, registry())
    assert list(found.spec.models) == ["middle"]
    [told] = found.warnings
    assert told.model == "middle"
    assert "asked for besides and draws for both, once" in told.message


def test_what_has_no_successor_is_refused_all_the_same():
    with pytest.raises(Precondition, match=r"on 2026-01-01: choose another.*GET /images/models"):
        plan(spec("last", allowSuccessor=True), None, registry())


def test_the_list_tells_when_and_what_instead():
    request = generator_service_pb2.ListModelsRequest()
    shown = {each.key: each for each in showing.listed(request, registry(), {}, Health({})).models}
    assert shown.keys() == {"middle", "new"}
    assert shown["middle"].retire_time.ToJsonString() == "2026-12-01T00:00:00Z"
    assert shown["middle"].successor == "new"
    assert not shown["new"].HasField("retire_time")
    request.states.append(model_pb2.MODEL_STATE_RETIRED)
    gone = showing.listed(request, registry(), {}, Health({})).models
    assert [(each.key, each.successor) for each in gone] == [("last", ""), ("old", "middle")]


def test_dall_e_3_is_one_and_its_successor_is_sold():
    found = Registry(models.EVERY, configured={"openai"}, default="sketch")
    assert found.retired(found.known("dall-e-3"))
    assert found.usable(found.current("dall-e-3").key).key == "gpt-image-2"


@pytest.mark.parametrize(
    ("size", "drawn"),
    [("1024x1024", True), ("3840x2160", True), ("2160x3840", True), ("1552x528", True),
     ("3840x2176", False), ("1568x512", False), ("512x1568", False), ("1000x1000", False),
     ("240x240", False), ("3856x1600", False)],
)  # fmt: skip
def test_sizes_are_those_that_openai_draws(size, drawn):
    found = Registry(models.EVERY, configured={"openai"}, default="sketch")
    width, height = map(int, size.split("x"))
    asked = spec("gpt-image-2", size={"width": width, "height": height})
    if drawn:
        assert plan(asked, None, found).purchases
    else:
        with pytest.raises(Invalid, match="to 3:1"):
            plan(asked, None, found)


def test_successors_that_go_round_end_where_they_began():
    pair = [
        Model(
            key=key, display_name=key, provider="shop", slug=key, shapes=SHAPES,
            retired="2026-01-01", successor=other,
        )
        for key, other in (("a", "b"), ("b", "a"))
    ]  # fmt: skip
    round_ = Registry(pair, configured=("shop",), default="a")
    with pytest.raises(Precondition, match="'b'"):
        plan(spec("a", allowSuccessor=True), None, round_)
