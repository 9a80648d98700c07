"""Webhooks at the generator: only what verifies goes on, and only services may bring it."""

import base64
import hashlib
import hmac
import json
import random

import pytest

from chassis.bus import Bus
from chassis.errors import Denied, Missing, Unauthenticated, Unavailable
from chassis.identity import Caller, current
from imagestudio.catalog.v1 import ledger_service_pb2, ledger_service_pb2_grpc
from imagestudio.generator.v1 import generator_service_pb2 as pb
from services.generator import provider as seam
from services.generator.handler import Handler
from services.generator.health import Health
from services.generator.hints import Hints
from services.generator.standing import Terms
from services.generator.vendor import Vendor
from services.generator.webhooks import Webhooks
from tests.generator.wire import serving

LEDGER = "imagestudio.catalog.v1.LedgerService"
ID = "01890000-0000-7000-8000-000000000001"
KEY, NOW = b"a key of the tests", 1_800_000_000
BODY = json.dumps({"id": "p1", "status": "succeeded", "output": ["https://evil.example/x"]})


class Signer:
    """A provider that signs as Standard Webhooks has it, and lets 300 s pass at most."""

    def __init__(self) -> None:
        self.reachable = True

    async def open_webhook(self, headers, body, /):
        if not self.reachable:
            raise seam.Unavailable("no key", retry_after=2)
        signed = signature(headers.get("webhook-id"), headers.get("webhook-timestamp"), body)
        given = headers.get("webhook-signature", "").split(" ")
        if not any(hmac.compare_digest(signed.encode(), one.encode()) for one in given):
            raise seam.Forged("the signature")
        if abs(int(headers["webhook-timestamp"]) - NOW) > 300:
            raise seam.Forged("the time")
        return seam.Webhook(webhook_id=headers["webhook-id"], reference=json.loads(body)["id"])


def signature(webhook_id, at, body: bytes) -> str:
    digest = hmac.digest(KEY, f"{webhook_id}.{at}.".encode() + body, hashlib.sha256)
    return f"v1,{base64.b64encode(digest).decode()}"


def signed(body: str = BODY, at: int = NOW, provider: str = "replicate"):
    headers = {
        "Webhook-Id": "m1",
        "Webhook-Timestamp": str(at),
        "Webhook-Signature": signature("m1", at, body.encode()),
    }
    return pb.ReceiveWebhookRequest(
        provider=provider, headers=headers, body=body.encode(), purchase_id=ID
    )


class Inbox(ledger_service_pb2_grpc.LedgerServiceServicer):
    """Stores each once; *broken*: it does not answer."""

    def __init__(self) -> None:
        self.stored: list[ledger_service_pb2.StoreWebhookRequest] = []
        self.broken = self.stray = False

    async def StoreWebhook(self, request, context):
        current.get().require_service("StoreWebhook")
        if self.broken:
            raise Unavailable("SERVICE_UNAVAILABLE", "the database is away")
        known = any(request.webhook_id == one.webhook_id for one in self.stored)
        self.stored += [] if known else [request]
        return ledger_service_pb2.StoreWebhookResponse(duplicate=known, stray=self.stray)


class World:
    def __init__(self, inbox, signer, hints, handler) -> None:
        self.inbox, self.signer, self.hints, self.handler = inbox, signer, hints, handler
        self.noticed: list[str] = []
        handler.webhooks.notice = self.noticed.append

    async def receive(self, request):
        return await self.handler.ReceiveWebhook(request, None)


@pytest.fixture
async def world():
    inbox, signer = Inbox(), Signer()

    def add(server):
        ledger_service_pb2_grpc.add_LedgerServiceServicer_to_server(inbox, server)

    current.set(Caller(0, service="gateway"))
    async with serving(LEDGER, add) as peer:
        hints = Hints(Bus("nats://127.0.0.1:1", "nobody is there"))
        terms = Terms(askable=True)
        vendors = {
            "replicate": Vendor(name="replicate", provider=signer, terms=terms, time_limit=60),
            "silent": Vendor(name="silent", provider=object(), terms=terms, time_limit=60),
        }
        webhooks = Webhooks(
            vendors=vendors, hints=hints, catalog=peer,
            ledger=ledger_service_pb2_grpc.LedgerServiceStub(peer.channel),
        )  # fmt: skip
        yield World(inbox, signer, hints, Handler(None, None, webhooks, {}, Health()))


async def test_a_signed_webhook_wakes_who_waits_and_is_stored_once_without_its_body(world):
    assert not (await world.receive(signed())).duplicate
    assert (await world.receive(signed())).duplicate
    [stored] = world.inbox.stored
    assert (stored.webhook_id, stored.provider) == ("m1", "replicate")
    assert (stored.purchase_id, stored.ticket) == (ID, "p1")
    assert b"evil" not in stored.SerializeToString()
    await world.hints.wait("p1", 60)  # it came early, and is not lost


async def test_notice_is_given_of_a_stray_and_of_nothing_else(world):
    await world.receive(signed())
    assert world.noticed == []
    world.inbox.stray = True
    await world.receive(signed())
    assert world.noticed == ["replicate"]


async def test_of_a_thousand_mutants_none_is_stored(world):
    dice, whole = random.Random(7), signed()
    for _ in range(1000):
        mutant = pb.ReceiveWebhookRequest()
        mutant.CopyFrom(whole)
        field = dice.choice((*whole.headers, "body", "absent"))
        if field == "body":
            mutant.body = bytes(flipped(bytearray(whole.body), dice))
        elif field == "absent":
            del mutant.headers[dice.choice(list(whole.headers))]
        else:
            text = flipped(bytearray(whole.headers[field].encode()), dice)
            mutant.headers[field] = text.decode("latin-1")
        with pytest.raises(Unauthenticated) as refused:
            await world.receive(mutant)
        assert refused.value.reason == "WEBHOOK_FORGED"
    assert not world.inbox.stored
    assert not world.hints._early


def flipped(text: bytearray, dice: random.Random) -> bytearray:
    text[dice.randrange(len(text))] ^= 1 << dice.randrange(7)
    return text


@pytest.mark.parametrize(("age", "taken"), [(0, True), (299, True), (301, False), (-301, False)])
async def test_what_is_too_old_or_from_the_future_is_forged(world, age, taken):
    if taken:
        await world.receive(signed(at=NOW - age))
    else:
        with pytest.raises(Unauthenticated):
            await world.receive(signed(at=NOW - age))
    assert len(world.inbox.stored) == taken


@pytest.mark.parametrize("provider", ["recraft", "silent", "", "x" * 500])
async def test_a_provider_that_is_not_set_up_or_sends_none_is_not_there(world, provider):
    with pytest.raises(Missing):
        await world.receive(signed(provider=provider))


async def test_a_person_may_not_bring_one(world):
    current.set(Caller(7))
    with pytest.raises(Denied):
        await world.receive(signed())
    assert not world.inbox.stored


async def test_what_cannot_be_verified_or_stored_now_is_asked_for_again(world):
    world.signer.reachable = False
    with pytest.raises(Unavailable) as later:
        await world.receive(signed())
    assert later.value.retry_after == 2
    world.signer.reachable, world.inbox.broken = True, True
    with pytest.raises(Unavailable):
        await world.receive(signed())
    world.inbox.broken = False
    assert not (await world.receive(signed())).duplicate
