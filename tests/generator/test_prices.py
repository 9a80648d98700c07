"""What an image costs depends on what is asked for: in the plan, in the books, in the list."""

import json
from functools import partial

import pytest
from google.protobuf import json_format

from imagestudio.catalog.v1 import ledger_pb2, ledger_service_pb2
from imagestudio.generator.v1 import generator_service_pb2
from imagestudio.type.v1 import image_pb2, job_pb2, purchase_pb2
from services.generator import edges, moves, orders, retry, showing
from services.generator.health import Health
from services.generator.models import Registry, files
from services.generator.models.entry import Model, Price, Wire
from services.generator.models.tokens import Tokens
from services.generator.plan import plan
from services.generator.provider import Drawn, Link
from services.generator.standing import Terms

ID = "0190a5c0-0000-7000-8000-000000000001"
ENTRY = {
    "display_name": "Dear",
    "slug": "dear-1",
    "price": 900,
    "prices": [
        {"asked": {"quality": "high", "size": "1024x1024"}, "price": 210},
        {"asked": {"quality": "high"}, "pixels": 1_572_864, "price": 315},
        {"asked": {"quality": "low"}, "price": 6},
    ],
    "shapes": {"1:1": [1024, 1024], "2:3": [1024, 1536], "16:9": [3840, 2160]},
    "wire": {"size": "size", "count": "n"},
    "most_per_call": 4,
    "parameters": {
        "type": "object",
        "properties": {"quality": {"enum": ["low", "high", "auto"], "default": "low"}},
    },
}


@pytest.fixture(scope="module")
def registry(tmp_path_factory) -> Registry:
    """A model by the file, and one without rows that costs 100."""
    folder = tmp_path_factory.mktemp("entries")
    (folder / "dear.json").write_text(json.dumps(ENTRY))
    flat = Model(
        key="flat", display_name="Flat", provider="shop", slug="flat", price=100,
        shapes={key: tuple(size) for key, size in ENTRY["shapes"].items()}, most_per_call=4,
    )  # fmt: skip
    return Registry([*files.models("shop", folder), flat], configured={"shop"}, default="dear")


def spec(quality: str = "", **fields) -> job_pb2.JobSpec:
    asked = {"prompt": "a lighthouse", "models": ["dear"]} | fields
    if quality:
        asked["parameters"] = {"dear": {"quality": quality}}
    return json_format.ParseDict(asked, job_pb2.JobSpec())


@pytest.mark.parametrize(
    ("quality", "aspect", "price"),
    [
        ("high", "1:1", 210),
        ("high", "2:3", 315),
        ("high", "16:9", 900),  # more pixels than any row has
        ("auto", "1:1", 900),  # nobody knows: the dearest
        ("low", "16:9", 6),
        ("", "2:3", 6),  # what the model does where nothing is said
    ],
)
def test_the_first_row_that_fits_is_the_price_in_every_part_of_a_plan(
    registry, quality, aspect, price
):
    found = plan(spec(quality, aspect=aspect, count=3), None, registry)
    assert [each.reserved_usd_micros for each in found.purchases] == [3 * price]
    assert found.estimate.expected.usd_micros == 3 * price
    assert found.estimate.reserved.usd_micros == 3 * price
    assert [line.cost.usd_micros for line in found.estimate.models] == [3 * price]


def test_a_size_of_its_own_counts_by_its_pixels(registry):
    wide = registry.known("dear").price_of((1536, 1024), {"quality": "high"})
    wider = registry.known("dear").price_of((1552, 1024), {"quality": "high"})
    assert (wide, wider) == (315, 900)


def test_reserved_is_the_dearest_of_those_that_may_draw_it(registry):
    found = plan(spec("low", fallbackModels=["flat"]), None, registry)
    assert found.estimate.expected.usd_micros == 6
    assert found.estimate.reserved.usd_micros == 100
    found = plan(spec("high", fallbackModels=["flat"]), None, registry)
    assert found.estimate.reserved.usd_micros == 210


TOKENS = Tokens(text_in=2_000_000, image_in=3_000_000, text_out=500_000, shown=10, beside=30)


@pytest.mark.parametrize(
    ("prompt", "shown", "expected", "reserved"),
    [("a boat and a lighthouse.", 0, 100 + 12, 100 + 48 + 15),
     ("a boat and a lighthouse.", 2, 100 + 12 + 60, 100 + 48 + 60 + 15),
     ("\N{SAILBOAT}", 0, 100 + 2, 100 + 6 + 15)],
)  # fmt: skip
def test_tokens_are_expected_as_usual_and_reserved_at_their_most(prompt, shown, expected, reserved):
    model = Model(
        key="flat", display_name="Flat", provider="shop", slug="flat", price=100,
        shapes={"1:1": (64, 64)}, tokens=TOKENS, max_references=2,
    )  # fmt: skip
    asked = job_pb2.JobSpec(prompt=prompt, models=["flat"], count=1)
    asked.references.extend([image_pb2.ReferenceImage(asset=f"assets/{'ab' * 32}")] * shown)
    assert (orders.price(model, asked, 1), orders.most(model, asked, 1)) == (expected, reserved)
    estimate = plan(asked, None, Registry([model], configured={"shop"}, default="flat")).estimate
    assert estimate.expected.usd_micros == expected
    assert estimate.reserved.usd_micros == reserved


def test_a_call_for_several_reads_its_prompt_and_its_input_images_once():
    model = Model(
        key="flat", display_name="Flat", provider="shop", slug="flat", price=100,
        shapes={"1:1": (64, 64)}, tokens=TOKENS, max_references=2, most_per_call=3,
        wire=Wire(count="n"),
    )  # fmt: skip
    asked = job_pb2.JobSpec(prompt="a boat and a lighthouse.", models=["flat"], count=4)
    asked.references.extend([image_pb2.ReferenceImage(asset=f"assets/{'ab' * 32}")] * 2)
    found = plan(asked, None, Registry([model], configured={"shop"}, default="flat"))
    read = 48 + 60  # and the words that come beside each picture
    most = [3 * (100 + 15) + read, 100 + 15 + read]
    assert [each.reserved_usd_micros for each in found.purchases] == most
    assert found.estimate.reserved.usd_micros == sum(most)
    assert found.estimate.expected.usd_micros == 4 * 100 + 2 * (12 + 60)
    [line] = found.estimate.models
    assert (line.image_count, line.purchase_count) == (4, 2)


def test_an_order_for_what_was_lost_is_planned_at_the_same_price(registry):
    asked = plan(spec("high", count=2), None, registry)
    lost = ledger_pb2.LedgerPurchase(fingerprint=asked.purchases[0].fingerprint)
    lost.purchase.purchase_id, lost.repeats = ID, asked.purchases[0].purchase_id
    lost.purchase.model, lost.purchase.provider = "dear", "shop"
    lost.purchase.state = purchase_pb2.PURCHASE_STATE_ENDED
    found = ledger_service_pb2.ReadUnclearResponse(purchases=[lost])
    found.job.spec.CopyFrom(asked.spec)
    again = retry.plan(retry.Wanted("jobs/1", ()), found, registry)
    assert again.estimate.expected.usd_micros == again.estimate.reserved.usd_micros == 420


def known(registry: Registry, **drawn) -> edges.Known:
    model, asked = registry.known("dear"), spec("high", count=2)
    return edges.Known(
        purchase_id=ID, fence=1, model=model, terms=Terms(askable=True),
        order=orders.order(model, asked, 0, 2, ID), images=2,
        price=partial(orders.price, model, asked),
        most=lambda images: orders.most(model, asked, images) + 40 * images,
        next=lambda _other: None, drawn=Drawn(seconds=1.0, images=(Link("https://r/1", None),) * 2,
        **drawn),
    )  # fmt: skip


def test_what_the_provider_tells_goes_to_the_ledger_beside_the_estimate(registry):
    told = edges.edge(moves.Brought(), known(registry, cost=500), {}).drawn
    assert (told.cost.usd_micros, told.estimate.usd_micros) == (500, 420)


def test_what_only_the_table_tells_costs_what_was_asked_for_and_is_not_compared(registry):
    told = edges.edge(moves.Brought(), known(registry), {}).drawn
    assert (told.cost.usd_micros, told.HasField("estimate")) == (420, False)


def test_one_that_was_charged_and_brought_nothing_costs_what_was_asked_for(registry):
    end = moves.Ended("FAILED", True, "PROVIDER_FAILED", "broken")
    assert edges.edge(end, known(registry), {}).end.cost.usd_micros == 420


def test_one_that_may_have_been_charged_costs_the_most_that_it_can(registry):
    end = moves.Ended("FAILED", None, "PROVIDER_FAILED", "no sense in the answer")
    assert edges.edge(end, known(registry), {}).end.cost.usd_micros == 500


def test_the_list_tells_the_price_of_what_is_drawn_where_nothing_is_said(registry):
    request = generator_service_pb2.ListModelsRequest()
    models = showing.listed(request, registry, {}, Health({})).models
    assert {each.key: each.price_per_image.usd_micros for each in models} == {
        "dear": 6, "flat": 100
    }  # fmt: skip


def test_a_price_may_go_with_the_pixels_and_with_what_comes_beside():
    model = Model(
        key="m", display_name="M", provider="p", slug="m", shapes={"1:1": (1024, 1024)},
        prices=(Price(price=100, per=1000, asked={"quality": "low"}), Price(price=3)),
        surcharges={"parts": 7}, wire=Wire(usual={"quality": "low"}), price=900,
        parameters={"properties": {"quality": {}, "parts": {}}},
    )  # fmt: skip
    assert model.price_of((10, 100), {}) == 100
    assert model.price_of((10, 101), {}) == 101
    assert model.price_of((1, 1), {}) == 1  # never less than it costs
    assert model.price_of((10, 100), {"quality": "high"}) == 3
    assert model.price_of((10, 100), {"parts": 3}) == 121
    assert model.price_of((10, 100), {"parts": 3}, alone=False) == 100
    shown = json_format.ParseDict({"parameters": {"m": {"parts": 3}}}, job_pb2.JobSpec())
    assert orders.price(model, shown, 2) == 2 * (orders.price(model, shown, 1) - 21)
    order = orders.order(model, job_pb2.JobSpec(prompt="x"), 0, 1, ID)
    assert order.inputs["quality"] == "low"
    said = json_format.ParseDict({"parameters": {"m": {"quality": "high"}}}, job_pb2.JobSpec())
    assert orders.order(model, said, 0, 1, ID).inputs["quality"] == "high"
