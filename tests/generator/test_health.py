"""What a worker tells of its providers, hears of them, and does with what may not be sent."""

import asyncio
from dataclasses import replace

import prometheus_client
import pytest

from chassis import errors
from imagestudio.catalog.v1 import edge_pb2, ledger_pb2
from imagestudio.type.v1 import cost_pb2
from services.generator import provider as seam
from services.generator.models import Registry
from tests.generator.hired import soon
from tests.generator.scripted_ledger import ID

LEFT = seam.Allowance(3, 20.0)


def allowing(error):
    error.allowance = LEFT
    return error


@pytest.mark.parametrize(
    ("answer", "sign", "reason"),
    [
        (seam.Ticket("t1", allowance=LEFT), "WELL", None),
        (allowing(seam.Refused("no")), "WELL", "PROVIDER_FAILED"),
        (allowing(seam.Busy("429", retry_after=7)), "UNSPECIFIED", "PROVIDER_RATE_LIMITED"),
        (allowing(seam.Unavailable("no connection")), "FAILS", "PROVIDER_UNAVAILABLE"),
        (allowing(seam.Unclear("cut")), "FAILS", "PURCHASE_UNCLEAR"),
        (allowing(seam.Unkept("no room in the vault")), "UNSPECIFIED", "PURCHASE_UNCLEAR"),
        (allowing(seam.Unfit("too many")), "UNSPECIFIED", "PROVIDER_FAILED"),
        (allowing(seam.NotReady("storage")), "UNSPECIFIED", "PROVIDER_UNAVAILABLE"),
        (allowing(seam.NoCredit("pay")), "REFUSES_US", "PROVIDER_BALANCE_EMPTY"),
        (allowing(seam.NotKnown("who?")), "REFUSES_US", "PROVIDER_CREDENTIAL_REFUSED"),
    ],
    ids=repr,
)
async def test_what_an_order_told_of_its_provider_goes_with_its_edge(world, answer, sign, reason):
    world.shop.answer = answer
    world.worker.take(ID, "sketch")
    kind = await soon(world.catalog.written.get())
    written = world.catalog.edges[-1]
    heard, allowance = written.heard, written.heard.allowance
    assert edge_pb2.ProviderSign.Name(heard.sign) == f"PROVIDER_SIGN_{sign}"
    assert (allowance.orders_left, allowance.renewal.seconds) == (3, 20)
    if reason:
        assert errors.from_status(getattr(written, kind).error).reason == reason
    if sign == "REFUSES_US":
        refusal = errors.from_status(heard.refusal)
        assert (refusal.reason, refusal.message) == (reason, str(answer))
        assert (written.end.charged, written.end.next.purchase_id) == (cost_pb2.CHARGED_NO, "")


async def test_a_defect_of_ours_and_what_never_came_so_far_tell_nothing_of_the_provider(world):
    world.shop.answer = ConnectionResetError("what an adapter must not raise")
    world.worker.take(ID, "sketch")
    assert await soon(world.catalog.written.get()) == "unclear"
    assert not world.catalog.edges[-1].HasField("heard")
    told = errors.from_status(world.catalog.edges[-1].unclear.error)
    assert told.message == "a defect of ours (ConnectionResetError), and it is logged"


async def test_what_may_not_be_sent_is_not_and_a_fallback_model_is_tried(world):
    world.catalog.fallback = "sketch-ink"
    refusal = errors.Precondition("PROVIDER_BALANCE_EMPTY", "Add credit there.")
    world.catalog.refusal = errors.to_status(refusal)
    world.worker.take(ID, "sketch")
    assert await soon(world.catalog.written.get()) == "end"
    end = world.catalog.edges[-1].end
    told = errors.from_status(end.error)
    assert (told.reason, told.message) == ("PROVIDER_BALANCE_EMPTY", "Add credit there.")
    assert (end.charged, end.next.model_key) == (cost_pb2.CHARGED_NO, "sketch-ink")
    assert world.shop.asked == 0


@pytest.mark.parametrize(
    ("answer", "edge"),
    [
        (seam.Refused("sold out"), "end"),
        (seam.ContentRefused("no such thing"), "end"),
        (seam.Busy("later", retry_after=5), "release"),
        (seam.Unavailable("no connection"), "release"),
        (seam.OverLimit("limit: 0"), "release"),
    ],
    ids=repr,
)
async def test_what_was_not_bought_stays_so_where_no_other_model_can_be_planned(
    world, answer, edge
):
    sketch, ink = (world.worker.tools.registry.known(key) for key in ("sketch", "sketch-ink"))
    broken = replace(ink, wire=replace(ink.wire, usual={"style": object()}))  # no JSON has it
    configured = {"sketch"}
    world.worker.tools.registry = Registry(
        [sketch, broken], configured=configured, default="sketch"
    )
    world.catalog.fallback, world.shop.answer = "sketch-ink", answer
    world.worker.take(ID, "sketch")
    assert await soon(world.catalog.written.get()) == edge
    end = world.catalog.edges[-1].end
    assert edge == "release" or (end.charged, end.HasField("next")) == (cost_pb2.CHARGED_NO, False)


async def test_how_the_providers_do_is_heard_with_the_heartbeat(world):
    world.catalog.health.add(provider="far", state=ledger_pb2.BREAKER_STATE_OPEN)
    health = world.worker.tools.health
    async with asyncio.timeout(60):
        while health.trouble("far") is None:
            await asyncio.sleep(0.01)
    assert health.trouble("far") == ("PROVIDER_UNAVAILABLE", "")
    assert health.trouble("sketch") is None
    shown = prometheus_client.REGISTRY.get_sample_value(
        "studio_provider_breaker", {"provider": "far"}
    )
    assert shown == 2
