"""A model that two sell is bought from the first whose key is set, and known as each sells it."""

import pytest

from chassis.errors import Precondition
from services.generator import models
from services.generator.models import Registry

KEY = "recraft-v3"
BOTH = [("recraft-v3", "recraft-ai/recraft-v3", "recraftv3")]
BOTH += [("recraft-v3-vector", "recraft-ai/recraft-v3-svg", "recraftv3_vector")]


@pytest.mark.parametrize("key", [key for key, _, _ in BOTH])
@pytest.mark.parametrize(
    ("configured", "provider"),
    [({"recraft"}, "recraft"), ({"replicate"}, "replicate"), ({"replicate", "recraft"}, "recraft")],
)
def test_who_is_configured_is_bought_from(configured: set[str], provider: str, key: str) -> None:
    for everyone in (models.EVERY, models.EVERY[::-1]):
        registry = Registry(everyone, configured=configured, default="sketch")
        if everyone is models.EVERY or len(configured) == 1:
            assert registry.usable(key).provider == provider
        assert [model.key for model in registry].count(key) == 1


def test_nobody_s_key_is_asked_of_the_first() -> None:
    registry = Registry(models.EVERY, configured={"sketch"}, default="sketch")
    with pytest.raises(Precondition, match="RECRAFT_API_TOKEN"):
        registry.usable(KEY)


@pytest.mark.parametrize(("key", "at_replicate", "at_recraft"), BOTH)
def test_what_was_ordered_elsewhere_is_known_as_it_was_sold_there(
    key: str, at_replicate: str, at_recraft: str
) -> None:
    registry = Registry(models.EVERY, configured={"replicate", "recraft"}, default="sketch")
    assert registry.known(key, "replicate").slug == at_replicate
    assert registry.known(key, "recraft").slug == at_recraft
    assert registry.known(key, "gone").provider == "recraft"
