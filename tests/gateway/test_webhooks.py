"""Webhooks at the gateway: raw bytes and three headers go on, and what is refused is said."""

import asyncio

import httpx
import pytest

from chassis.errors import Missing, Unauthenticated
from chassis.identity import Caller, current
from gateway.app import build
from gateway.edge import LARGEST_BODY
from gateway.sse import Streams
from imagestudio.generator.v1 import generator_service_pb2 as wire
from tests import patient
from tests.gateway.scripted import CUT, Scripted

ID = "01890000-0000-7000-8000-000000000001"
SIGNED = {"Webhook-Id": "m1", "Webhook-Timestamp": "1800000000", "Webhook-Signature": "v1,x v1,y"}
RAW = b'{"id": "p1",\r\n  "logs": "\xff\x00"}'  # no JSON, and passed on all the same


class Generator(Scripted):
    """Takes webhooks as the next line says."""

    async def ReceiveWebhook(self, request, context):
        assert current.get().service == "gateway"
        assert current.get().user_id == 0
        async for _ in self._play(request, context):
            pass
        return wire.ReceiveWebhookResponse()


@pytest.fixture
def sending(stage):
    async def send(script, path="/webhooks/replicate", content=RAW, headers=None, patience=60.0):
        services = await stage.play(script)
        services.webhook_patience = patience
        app = build(services.settings, services, Streams())
        transport = httpx.ASGITransport(app)
        async with patient.AsyncClient(transport=transport, base_url="http://127.0.0.1") as http:
            return await http.post(path, content=content, headers=SIGNED | (headers or {}))

    return send


async def test_it_is_passed_on_as_it_came_and_nothing_else_of_it(sending):
    script = Generator([])
    current.set(Caller(7))  # whoever was asking before
    more = {"Authorization": "Bearer isk_of_somebody", "Cookie": "c=1"}
    answer = await sending(script, f"/webhooks/replicate?purchase_id={ID}", headers=more)
    assert (answer.status_code, answer.content) == (204, b"")
    [asked] = script.asked
    assert (asked.provider, asked.body, asked.purchase_id) == ("replicate", RAW, ID)
    assert dict(asked.headers) == {name.lower(): value for name, value in SIGNED.items()}


@pytest.mark.parametrize("junk", ["", "x", "1", ID + "0", "%00", "../jobs/1"])
async def test_an_id_that_is_none_is_left_out(sending, junk):
    script = Generator([])
    assert (await sending(script, f"/webhooks/replicate?purchase_id={junk}")).status_code == 204
    assert script.asked[0].purchase_id == ""


@pytest.mark.parametrize(
    ("fault", "status", "code"),
    [
        (Unauthenticated("WEBHOOK_FORGED", "not signed"), 401, "WEBHOOK_FORGED"),
        (Missing("RESOURCE_UNKNOWN", "not set up"), 404, "RESOURCE_UNKNOWN"),
    ],
    ids=repr,
)
async def test_what_the_generator_refuses_is_said_as_a_problem(sending, fault, status, code):
    answer = await sending(Generator([fault]))
    assert (answer.status_code, answer.json()["code"]) == (status, code)


async def test_a_generator_that_goes_away_is_asked_again(sending):
    script = Generator([CUT], [])
    assert (await sending(script)).status_code == 204
    assert len(script.asked) == 2


async def test_a_generator_that_is_silent_does_not_hold_the_provider_up(sending):
    async with asyncio.timeout(60):
        answer = await sending(Generator(["hang"]), patience=0.05)
    assert answer.status_code == 503
    assert "not stored in time" in answer.json()["detail"]
    assert "retry-after" in answer.headers


@pytest.mark.parametrize(("size", "status"), [(LARGEST_BODY, 204), (LARGEST_BODY + 1, 413)])
async def test_a_body_of_more_than_a_mebibyte_is_not_read(sending, size, status):
    script = Generator([])
    assert (await sending(script, content=b"x" * size)).status_code == status
    assert len(script.asked) == (status == 204)


async def test_a_page_in_a_browser_cannot_send_one(sending):
    script = Generator([])
    answer = await sending(script, headers={"Sec-Fetch-Site": "cross-site"})
    assert answer.status_code == 403
    assert not script.asked
