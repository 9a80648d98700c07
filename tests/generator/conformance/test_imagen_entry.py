"""Imagen 3 is an entry still, so that who asks for it is told what took its place."""

import pytest

from chassis.errors import Precondition
from imagestudio.type.v1 import job_pb2
from services.generator import models, orders
from services.generator.models import Registry

KEY = "imagen-3"
REGISTRY = Registry(models.EVERY, configured={"google"}, default="sketch")


def test_who_asks_for_it_is_told_of_its_successor():
    with pytest.raises(Precondition, match=r"2026-08-17.*gemini-nano-banana-2\.1") as refused:
        REGISTRY.usable(KEY)
    assert refused.value.reason == "MODEL_RETIRED"
    assert REGISTRY.current(KEY).key == "gemini-nano-banana-2.1"


def test_what_was_ordered_of_it_is_known_in_its_own_words():
    spec = job_pb2.JobSpec(prompt="a boat", models=[KEY], count=3, aspect="16:9")
    model = REGISTRY.known(KEY, "google")
    order = orders.order(model, spec, 0, 3, "01890000-0000-7000-8000-000000000009")
    assert order.slug == "imagen-3.0-generate-002"
    assert order.inputs == {"prompt": "a boat", "aspect_ratio": "16:9", "sampleCount": 3}
