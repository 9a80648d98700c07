"""Lists in a request are bounded before they are looked at: the time for a refusal is short."""

import time

import pytest

from chassis.errors import Invalid
from imagestudio.type.v1 import job_pb2
from services.generator import retry, words


@pytest.mark.parametrize("field", ["models", "fallback_models"])
@pytest.mark.parametrize("keys", [["sketch"] * 33, [f"{number:x}" for number in range(150_000)]])
def test_more_models_than_anybody_asks_are_refused_at_once(field, keys):
    asked = job_pb2.JobSpec(prompt="a", **{field: keys})
    began = time.process_time()
    with pytest.raises(Invalid, match="32 at most") as refusal:
        words.check(asked)
    assert time.process_time() - began < 1
    assert refusal.value.fields.keys() == {field}


def test_as_many_as_are_allowed_pass_and_a_double_does_not():
    keys = [f"m{number}" for number in range(64)]
    asked = job_pb2.JobSpec(prompt="a", models=keys[:32], fallback_models=keys[32:])
    words.check(asked)
    asked.fallback_models[31] = "m0"
    with pytest.raises(Invalid, match="names 'm0' twice"):
        words.check(asked)


def test_one_purchase_named_very_often_is_refused():
    with pytest.raises(Invalid, match="1000 at most"):
        retry.checked(["0" * 8 + "-0000-0000-0000-" + "0" * 12] * 1001)
