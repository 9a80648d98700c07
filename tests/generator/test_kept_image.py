"""What stands beside a picture, and could keep it out of the catalog, is bounded or left out."""

import pytest

from imagestudio.type.v1 import job_pb2
from services.generator import edges, models, orders
from services.generator.provider import Drawn, Link
from services.generator.standing import Terms

ID = "01890000-0000-7000-8000-000000000001"


def kept(heard=None, **drawn):
    model = models.EVERY[0]
    spec = job_pb2.JobSpec(prompt="a lighthouse", count=1, models=[model.key])
    usual = {"images": (Link("https://r/1", None),), "seconds": 1.5}
    known = edges.Known(
        purchase_id=ID, fence=1, model=model, terms=Terms(askable=True),
        order=orders.order(model, spec, 0, 1, ID), images=1,
        price=lambda _images: 0, most=lambda _images: 0,
        next=lambda _other: None, drawn=Drawn(**usual | drawn), seconds=heard,
    )  # fmt: skip
    return edges.kept_image(known)


@pytest.mark.parametrize(
    ("said", "told"),
    [("v1", "v1"), ("v\0one", "vone"), ("v\ud8001", "v1"), ("v" * 5000, "v" * 200)],
    ids=["plain", "nul", "half a letter", "long"],
)
def test_a_version_is_text_that_the_catalog_can_hold(said, told):
    assert kept(version=said).model_version == told


@pytest.mark.parametrize("seconds", [3e6, -1.0, float("inf"), float("nan")])
def test_a_time_that_no_picture_takes_is_not_told(seconds):
    assert kept(seconds=1.5).generation_time.ToMilliseconds() == 1500
    assert not kept(seconds=seconds).HasField("generation_time")


def test_a_time_that_the_vendor_does_not_tell_is_the_one_that_was_measured():
    assert kept(heard=2.25, seconds=None).generation_time.ToMilliseconds() == 2250
    assert kept(heard=2.25, seconds=1.5).generation_time.ToMilliseconds() == 1500
    assert not kept(heard=None, seconds=None).HasField("generation_time")


@pytest.mark.parametrize("seed", [2**63, -(2**63) - 1])
def test_a_seed_that_is_no_number_of_64_bits_is_not_told(seed):
    assert kept(seed=2**63 - 1).seed == 2**63 - 1
    assert kept(seed=seed).seed != seed
