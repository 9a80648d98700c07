"""Lists in a request are bounded before what they hold is looked at."""

import pytest

from chassis.errors import Invalid
from imagestudio.type.v1 import job_pb2
from services.generator import retry, words


@pytest.mark.parametrize("field", ["models", "fallback_models"])
def test_more_models_than_anybody_asks_are_refused_before_they_are_compared(field):
    asked = job_pb2.JobSpec(prompt="a", **{field: ["sketch"] * 33})
    with pytest.raises(Invalid, match="32 at most") as refusal:
        words.check(asked)
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
