"""An image that may come as a series: so many are reserved, and what came is what it costs."""

from functools import partial

import pytest
from google.protobuf import json_format

from chassis.errors import Fault, Precondition
from imagestudio.catalog.v1 import ledger_pb2, ledger_service_pb2
from imagestudio.type.v1 import cost_pb2, job_pb2, purchase_pb2
from services.generator import edges, models, moves, orders, retry
from services.generator.models import Registry
from services.generator.plan import plan
from services.generator.provider import Drawn, Link
from services.generator.standing import Terms

KEY, PRICE = "seedream-4.5", 40_000
REGISTRY = Registry(models.EVERY, configured={"sketch", "replicate"}, default="sketch")
ID = "01890000-0000-7000-8000-000000000001"


def spec(parameters, **fields) -> job_pb2.JobSpec:
    asked = {"prompt": "a story", "models": [KEY], "parameters": {KEY: parameters}} | fields
    return json_format.ParseDict(asked, job_pb2.JobSpec())


def series(most: int, **fields) -> job_pb2.JobSpec:
    return spec({"sequential_image_generation": "auto", "max_images": most}, **fields)


@pytest.mark.parametrize(
    ("parameters", "count", "reserved"),
    [
        ({}, 2, [1, 1]),
        ({"max_images": 9}, 2, [1, 1]),  # without the other it draws one
        ({"sequential_image_generation": "auto"}, 1, [1]),
        ({"sequential_image_generation": "auto", "max_images": 4}, 1, [4]),
        ({"sequential_image_generation": "auto", "max_images": 15}, 2, [15, 15]),
        ({"sequential_image_generation": "disabled", "max_images": 15}, 1, [1]),
    ],
)
def test_all_that_may_come_is_reserved(parameters, count, reserved):
    found = plan(spec(parameters, count=count), None, REGISTRY)
    assert [each.reserved_usd_micros for each in found.purchases] == [
        PRICE * images for images in reserved
    ]
    assert found.estimate.reserved.usd_micros == sum(reserved) * PRICE
    assert found.estimate.expected.usd_micros == sum(reserved) * PRICE


def test_a_spare_that_may_bring_a_series_is_reserved_for():
    asked = series(5, fallbackModels=[KEY])
    asked.models[:] = ["flux-schnell"]
    [purchase] = plan(asked, None, REGISTRY).purchases
    assert (purchase.model_key, purchase.reserved_usd_micros) == ("flux-schnell", 5 * PRICE)


def test_a_request_that_allows_less_is_refused():
    with pytest.raises(Precondition) as no:
        plan(series(4, maxCostUsdMicros=str(4 * PRICE - 1)), None, REGISTRY)
    assert no.value.reason == "COST_LIMIT_EXCEEDED"


def test_what_is_bought_again_is_reserved_for_likewise():
    asked = plan(series(4), None, REGISTRY)
    lost = ledger_pb2.LedgerPurchase(fingerprint=asked.purchases[0].fingerprint)
    lost.purchase.purchase_id, lost.repeats = ID, asked.purchases[0].purchase_id
    lost.purchase.model, lost.purchase.provider = KEY, "replicate"
    lost.purchase.state = purchase_pb2.PURCHASE_STATE_ENDED
    found = ledger_service_pb2.ReadUnclearResponse(purchases=[lost])
    found.job.spec.CopyFrom(asked.spec)
    again = retry.plan(retry.Wanted("jobs/1", ()), found, REGISTRY)
    assert [each.reserved_usd_micros for each in again.purchases] == [4 * PRICE]
    assert again.estimate.expected.usd_micros == 4 * PRICE


def known(most: int, came: int, cost: int | None) -> edges.Known:
    model, asked = REGISTRY.known(KEY), plan(series(most), None, REGISTRY).spec
    links = tuple(Link(f"https://r/{number}", None) for number in range(came))
    return edges.Known(
        purchase_id=ID, fence=1, model=model, terms=Terms(askable=True),
        order=orders.order(model, asked, 0, 1, ID),
        images=1, most_images=orders.most_images(model, asked, 1),
        price=partial(orders.price, model, asked), most=partial(orders.most, model, asked),
        next=lambda _other: None, ticket="p1", drawn=Drawn(seconds=1.5, images=links, cost=cost),
    )  # fmt: skip


@pytest.mark.parametrize("came", [1, 3, 4])
@pytest.mark.parametrize("told", [False, True])
def test_it_costs_what_came_and_neither_number_is_an_alarm(came, told):
    cost = came * PRICE if told else None
    made = edges.edge(moves.Brought(), known(4, came, cost), {}).drawn
    assert made.cost.usd_micros == came * PRICE
    assert made.ordered_count == 1  # so that no image is missed
    assert made.HasField("estimate") == told
    if told:
        assert made.estimate.usd_micros == came * PRICE  # it is not said to be dearer


def test_more_than_may_come_is_dearer_than_was_expected():
    made = edges.edge(moves.Brought(), known(4, 6, 6 * PRICE), {}).drawn
    assert (made.cost.usd_micros, made.estimate.usd_micros) == (6 * PRICE, 4 * PRICE)


@pytest.mark.parametrize("charged", [True, None])
def test_one_that_brought_nothing_counts_as_all_that_might_have_come(charged):
    end = moves.Ended("CANCELED", charged, "JOB_CANCELED", "canceled")
    made = edges.edge(end, known(4, 0, None), {}).end
    assert made.cost.usd_micros == 4 * PRICE


@pytest.mark.parametrize(
    ("most", "cost", "charged"),
    [
        (4, None, cost_pb2.CHARGED_UNKNOWN),  # of how many: somebody may say it from an invoice
        (4, 2 * PRICE, cost_pb2.CHARGED_YES),
        (1, None, cost_pb2.CHARGED_YES),
    ],
)
def test_what_a_series_that_brought_nothing_cost_can_be_settled(most, cost, charged):
    end = moves.Ended("CANCELED", True, "JOB_CANCELED", "canceled", cost=cost)
    made = edges.edge(end, known(most, 0, None), {}).end
    assert (made.charged, made.cost.usd_micros) == (charged, cost or most * PRICE)


# -- classes of sizes


def inputs(parameters, **fields):
    asked = plan(spec(parameters, **fields), None, REGISTRY).spec
    return dict(orders.order(REGISTRY.known(KEY), asked, 0, 1, ID).inputs)


SQUARE, WIDE = {"width": 2048, "height": 2048}, {"width": 2560, "height": 1440}
REFERENCES = [{"asset": f"assets/{'a' * 64}", "role": "REFERENCE_ROLE_STYLE"}]


@pytest.mark.parametrize(
    ("parameters", "fields", "shape"),
    [
        ({}, {}, {"size": "custom", **SQUARE}),
        ({"size": "custom"}, {"aspect": "16:9"}, {"size": "custom", **WIDE}),
        ({"size": "custom"}, {"size": {"width": 1024, "height": 4096}},
         {"size": "custom", "width": 1024, "height": 4096}),
        ({"size": "4K"}, {}, {"size": "4K", "aspect_ratio": "1:1"}),
        ({"size": "2K"}, {"aspect": "16:9"}, {"size": "2K", "aspect_ratio": "16:9"}),
        ({"size": "4K"}, {"references": REFERENCES},
         {"size": "4K", "aspect_ratio": "match_input_image"}),
        ({}, {"references": REFERENCES}, {"size": "2K", "aspect_ratio": "match_input_image"}),
    ],
)  # fmt: skip
def test_a_class_of_sizes_goes_with_an_aspect_and_pixels_without(parameters, fields, shape):
    found = inputs(parameters, **fields)
    names = ("size", "aspect_ratio", "width", "height")
    assert {name: found[name] for name in names if name in found} == shape


def test_a_size_in_pixels_beside_a_class_is_refused():
    with pytest.raises(Fault) as no:
        plan(spec({"size": "4K"}, size=WIDE), None, REGISTRY)
    assert (no.value.reason, [*no.value.fields]) == ("MODEL_FEATURE_UNSUPPORTED", ["size"])
    assert "4K" in no.value.message
