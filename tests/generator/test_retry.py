"""An order again is the same order: of the lost images alone, in a spec that says so if it can."""

import dataclasses
from datetime import UTC, datetime, timedelta

import pytest

from chassis.errors import Fault, Invalid, Precondition
from imagestudio.catalog.v1 import ledger_pb2, ledger_service_pb2
from imagestudio.type.v1 import job_pb2, purchase_pb2
from services.generator import models, orders, retry
from services.generator.models import Registry
from services.generator.plan import Plan, plan, planned
from services.generator.retry import Wanted
from tests.generator.test_plan import PLAIN, spec

REGISTRY = Registry((*models.EVERY, PLAIN), configured={"sketch", "replicate"}, default="sketch")
ALL = Wanted("jobs/7", ())
ENDED, UNCLEAR = purchase_pb2.PURCHASE_STATE_ENDED, purchase_pb2.PURCHASE_STATE_UNCLEAR
TWO = ["sketch", "sketch-ink"]


def lost(made: ledger_pb2.PlannedPurchase, **more) -> ledger_pb2.LedgerPurchase:
    """What the ledger tells of *made* once nobody knows whether it was charged."""
    shown = purchase_pb2.Purchase(
        purchase_id=made.purchase_id, job="jobs/7", model=made.model_key, ordinal=made.ordinal,
        state=ENDED,
    )  # fmt: skip
    found = ledger_pb2.LedgerPurchase(
        purchase=shown, fingerprint=made.fingerprint, repeats=made.repeats or made.purchase_id
    )
    found.purchase.MergeFrom(purchase_pb2.Purchase(**more))
    return found


def told(
    first: Plan, gone: list[ledger_pb2.LedgerPurchase]
) -> ledger_service_pb2.ReadUnclearResponse:
    job = job_pb2.Job(
        name="jobs/7", spec=first.spec, original_prompt=first.original_prompt,
        preset_used=first.preset_used,
    )  # fmt: skip
    return ledger_service_pb2.ReadUnclearResponse(job=job, purchases=gone)


def again(first: Plan, *ordinals: int) -> Plan:
    gone = [lost(each) for each in first.purchases if each.ordinal in ordinals]
    return retry.plan(ALL, told(first, gone), REGISTRY)


def orders_of(found: Plan) -> list[tuple[str, str]]:
    """What each call sends, by its own words and the ledger's."""
    return [(each.model_key, each.fingerprint) for each in found.purchases]


def sent(found: Plan) -> list[str]:
    """The fingerprints of what a worker makes of *found*: those that were planned."""
    made = []
    for each in found.purchases:
        place = orders.place_of(each.ordinal, found.spec)
        images = orders.images_of(each.ordinal, found.spec, REGISTRY)
        model = REGISTRY.known(each.model_key)
        names = each.purchase_id, each.repeats
        made.append(orders.fingerprint(orders.order(model, found.spec, place, images, *names)))
    return made


CASES = {  # what was asked for, which calls are lost, and how many models and images remain
    "all of one": (spec(count=3), [0, 1, 2], (1, 3)),
    "one of three": (spec(count=3), [1], (1, 1)),
    "the last two": (spec(count=3), [1, 2], (1, 2)),
    "with a seed": (spec(count=4, seed="7"), [2, 3], (1, 2)),
    "with the last seed there is": (spec(count=4, seed=str(2**63 - 1)), [2, 3], (1, 2)),
    "one model of two": (spec(models=TWO, count=2, seed="7"), [2, 3], (1, 2)),
    "the same of both models": (spec(models=TWO, count=3), [1, 4], (2, 1)),
    "a gap between": (spec(count=3, seed="7"), [0, 2], (1, 3)),
    "other images of each model": (spec(models=TWO, count=2), [0, 1, 2], (2, 2)),
    "a call of several": (spec(models=["flux-schnell"], count=6), [4], (1, 2)),
    "calls of several": (spec(models=["flux-schnell"], count=10, seed="7"), [0, 4, 8], (1, 10)),
    "shape and parameters": (
        spec(models=TWO, count=2, aspect="16:9", parameters={"sketch": {"seconds": 2},
                                                             "sketch-ink": {"format": "webp"}}),
        [3], (1, 1)),
}  # fmt: skip


@pytest.mark.parametrize("case", CASES)
def test_it_is_the_same_order_of_the_lost_images_alone(case):
    asked, ordinals, (kinds, count) = CASES[case]
    first = plan(asked, None, REGISTRY)
    gone = [each for each in first.purchases if each.ordinal in ordinals]

    found = again(first, *ordinals)

    assert orders_of(found) == [(each.model_key, each.fingerprint) for each in gone]
    assert sent(found) == [each.fingerprint for each in found.purchases]
    assert (len(found.spec.models), found.spec.count) == (kinds, count)
    assert [each.repeats for each in found.purchases] == [each.purchase_id for each in gone]
    assert not {each.purchase_id for each in found.purchases} & {e.purchase_id for e in gone}
    assert sum(each.reserved_usd_micros for each in gone) == found.estimate.reserved.usd_micros
    assert (found.retry_of, found.original_prompt) == ("jobs/7", "a lighthouse")


@pytest.mark.parametrize("case", CASES)
def test_an_order_again_of_an_order_again_is_still_the_first(case):
    asked, ordinals, _left = CASES[case]
    first = plan(asked, None, REGISTRY)
    second = again(first, *ordinals)
    third = again(second, *(each.ordinal for each in second.purchases))
    assert orders_of(third) == orders_of(second)
    assert [each.repeats for each in third.purchases] == [e.repeats for e in second.purchases]


def test_what_a_fallback_model_lost_is_ordered_of_that_one():
    first = plan(spec(models=["plain"], fallbackModels=["sketch"], count=2), None, REGISTRY)
    model, place = REGISTRY.known("sketch"), first.purchases[1].ordinal
    tried = planned(model, first.spec, place, 1, 0)
    second = lost(tried)
    found = retry.plan(ALL, told(first, [second]), REGISTRY)
    [purchase] = found.purchases
    assert (purchase.model_key, purchase.reserved_usd_micros) == ("sketch", 0)
    assert list(found.spec.models) == ["plain"]
    assert list(found.spec.fallback_models) == ["sketch"]
    [line] = found.estimate.models
    assert (line.model, line.image_count, line.purchase_count) == ("sketch", 1, 1)


def test_what_this_release_would_order_otherwise_is_refused():
    several = dataclasses.replace(REGISTRY.known("flux-schnell"), most_per_call=3)
    older = Registry([several], configured={"replicate"}, default="flux-schnell")
    first = plan(spec(models=["flux-schnell"], count=6), None, older)
    gone = [lost(each) for each in first.purchases]
    assert len(retry.plan(ALL, told(first, gone), older).purchases) == 2
    with pytest.raises(Precondition, match="Order the image as a new job") as no:
        retry.plan(ALL, told(first, gone), REGISTRY)
    assert no.value.metadata["purchase_id"] == gone[0].purchase.purchase_id


def test_only_those_that_are_named_are_ordered():
    first = plan(spec(count=3), None, REGISTRY)
    gone = [lost(each) for each in first.purchases]
    name = gone[2].purchase.purchase_id
    found = retry.plan(Wanted("jobs/7", (name,)), told(first, gone), REGISTRY)
    assert [each.repeats for each in found.purchases] == [name]
    with pytest.raises(Precondition) as no:
        retry.plan(Wanted("jobs/7", ("x", name)), told(first, gone), REGISTRY)
    assert no.value.reason == "NOTHING_UNCLEAR"


def test_where_nothing_is_unclear_nothing_is_ordered():
    with pytest.raises(Precondition, match="it has none") as no:
        again(plan(spec(), None, REGISTRY))
    assert (no.value.reason, no.value.metadata) == ("NOTHING_UNCLEAR", {"job": "jobs/7"})


def test_what_is_still_looked_up_is_refused_and_says_until_when():
    first, now = plan(spec(count=2), None, REGISTRY), datetime.now(UTC)
    shown = purchase_pb2.Purchase(state=UNCLEAR)
    shown.not_before.FromDatetime(now + timedelta(seconds=90))
    shown.deadline.FromDatetime(now + timedelta(seconds=600))
    doubtful = lost(first.purchases[1])
    doubtful.purchase.MergeFrom(shown)
    with pytest.raises(Precondition, match="still being looked up") as no:
        retry.plan(ALL, told(first, [lost(first.purchases[0]), doubtful]), REGISTRY)
    assert no.value.reason == "STATE_CONFLICT"
    assert " UTC, or later where our own storage is away. It may have" in no.value.message
    assert datetime.fromisoformat(no.value.metadata["until"]) == now + timedelta(seconds=4200)
    assert datetime.fromisoformat(no.value.metadata["lookup_time"]) == now + timedelta(seconds=90)
    assert 60 < no.value.retry_after <= 90
    [other] = retry.plan(
        Wanted("jobs/7", (first.purchases[0].purchase_id,)),
        told(first, [lost(first.purchases[0]), doubtful]),
        REGISTRY,
    ).purchases
    assert other.repeats == first.purchases[0].purchase_id


def test_what_cannot_be_bought_here_any_more_is_refused_with_what_to_do():
    first = plan(spec(models=["flux-schnell"]), None, REGISTRY)
    gone = [lost(each) for each in first.purchases]
    poor = Registry(models.EVERY, configured={"sketch"}, default="sketch")
    with pytest.raises(Fault) as no:
        retry.plan(ALL, told(first, gone), poor)
    assert no.value.reason == "PROVIDER_NOT_CONFIGURED"


def test_the_limit_of_the_request_still_holds():
    asked = spec(models=["plain"], count=2, maxCostUsdMicros="80000")
    first = plan(asked, None, REGISTRY)
    assert again(first, 0, 1).estimate.reserved.usd_micros == 80_000
    first.spec.max_cost_usd_micros = 39_999
    with pytest.raises(Precondition) as no:
        again(first, 0)
    assert no.value.reason == "COST_LIMIT_EXCEEDED"


def test_asked_twice_without_an_id_it_is_the_same_request():
    a, b = "0190aaaa-0000-7000-8000-000000000001", "0190aaaa-0000-7000-8000-000000000002"
    both = Wanted("jobs/7", retry.checked([b, a.upper(), b]))
    assert both.purchase_ids == (a, b)
    assert both.request_id == Wanted("jobs/7", (a, b)).request_id
    others = {both.request_id, ALL.request_id, Wanted("jobs/8", ()).request_id}
    assert len({*others, Wanted("jobs/7", (a,)).request_id}) == 4
    with pytest.raises(Invalid):
        retry.checked(["x"])
    with pytest.raises(Invalid):
        retry.checked([f"{n:08d}-0000-7000-8000-000000000000" for n in range(1001)])
