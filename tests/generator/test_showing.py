"""What ListModels says of every model: whether it can be used here, and what it can do."""

import pytest

from imagestudio.generator.v1 import generator_service_pb2 as pb
from imagestudio.generator.v1 import model_pb2
from services.generator import models, showing
from services.generator.health import Health
from services.generator.models import KEYS, Registry
from services.generator.standing import Terms
from tests.generator.test_settings import vendor

NO_KEY, ACTIVE = model_pb2.MODEL_STATE_DISABLED, model_pb2.MODEL_STATE_ACTIVE
RETIRED = model_pb2.MODEL_STATE_RETIRED


def shown(*keys: str, terms: dict[str, Terms] | None = None, states=()):
    """The list, by key of each model, where so many providers' keys are set."""
    registry = Registry(models.EVERY, configured={"sketch", *keys}, default="sketch")
    request = pb.ListModelsRequest(states=states)
    found = showing.listed(request, registry, terms or {}, Health()).models
    return {model.key: model for model in found}


@pytest.mark.parametrize("key", KEYS)
def test_a_model_is_active_where_its_key_is_set_and_says_that_it_has_none_elsewhere(key):
    sold = {model.key for model in models.EVERY if model.provider == key and not model.retired}
    of_all, of_none = shown(key), shown()
    assert sold
    assert {of_all[each].state for each in sold} == {ACTIVE}
    assert {of_none[each].state for each in sold} == {NO_KEY}
    assert {each for each, model in of_all.items() if model.state == ACTIVE} == sold | {
        "sketch", "sketch-ink", "sketch-mosaic"
    }  # fmt: skip
    assert sold <= shown(states=[NO_KEY]).keys()
    assert not sold & shown(key, states=[NO_KEY]).keys()


def test_what_is_retired_is_so_with_a_key_and_without():
    assert shown(states=[RETIRED]).keys() == shown(*KEYS, states=[RETIRED]).keys()
    assert shown(states=[RETIRED]).keys() == {"dall-e-3", "imagen-3"}


def test_previews_are_of_those_that_can_be_asked_for_them():
    takes = {each.key: each.parameters.get("properties", {}) for each in models.EVERY}
    asked = {key for key, parameters in takes.items() if "partial_images" in parameters}
    assert {key for key, each in shown().items() if each.capabilities.previews} == asked
    assert {key.partition("-2")[0] for key in asked} == {"gpt-image"}


async def test_resumable_is_what_a_lost_answer_is_looked_up_for():
    """Of the others a lost answer is unclear, as the contract says of the field."""
    terms = {name: (await vendor(name)).terms for name in KEYS}
    found = shown(*KEYS, terms=terms)
    resumable = {each.provider for each in found.values() if each.capabilities.resumable}
    assert resumable == {"replicate"}


def test_what_costs_money_says_where_and_when_its_price_was_read():
    paid = [each for each in models.EVERY if each.price]
    assert [each.key for each in paid if not (each.price_source and each.price_date)] == []
