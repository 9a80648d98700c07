"""Webhooks of Replicate: only what it signed, just now, is believed to be its."""

import asyncio
import base64
import hashlib
import hmac
import json
import sys
import time

import httpx
import pytest

from services.generator.provider import Forged, Unclear, Webhook
from tests.generator.scripted_wire import Script, replicate, says

KEY = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
HOOK = httpx.URL("https://studio.test/webhooks/replicate")
BODY = json.dumps({"id": "p1", "status": "succeeded", "input": {"prompt": "🌊"}}).encode()
needs_package = pytest.mark.skipif(
    sys.version_info >= (3, 14), reason="the package that checks signatures does not load here"
)


def signed(body=BODY, at=None, late=0, key=KEY, **changed):
    """The headers of a webhook; *changed* replaces, or with None removes, one of them."""
    stamp = str(int(time.time() - late if at is None else at))
    secret = base64.b64decode(key.removeprefix("whsec_"))
    text = b".".join([b"msg_1", stamp.encode(), body])
    signature = base64.b64encode(hmac.new(secret, text, hashlib.sha256).digest()).decode()
    headers = {"webhook-id": "msg_1", "webhook-timestamp": stamp,
               "webhook-signature": f"v1,{signature}"}  # fmt: skip
    headers |= {name.replace("_", "-"): value for name, value in changed.items()}
    return {name: value for name, value in headers.items() if value is not None}


@pytest.fixture
def script():
    return Script(says(key=KEY))


@pytest.fixture
def provider(script):
    return replicate(script, hook=HOOK)


@needs_package
async def test_what_was_signed_just_now_is_opened_and_the_secret_asked_for_once(provider, script):
    opened = await asyncio.gather(*(provider.open_webhook(signed(), BODY) for _ in range(5)))
    assert opened == [Webhook(webhook_id="msg_1", reference="p1")] * 5
    assert script.asked == ["GET /v1/webhooks/default/secret"]
    assert KEY not in repr(provider)


@needs_package
async def test_one_of_several_signatures_is_enough(provider):
    several = signed()
    several["webhook-signature"] = f"v1,AAAA {several['webhook-signature']}"
    assert (await provider.open_webhook(several, BODY)).reference == "p1"


@needs_package
@pytest.mark.parametrize(
    ("change", "body"),
    [
        ({}, BODY + b" "),
        ({}, BODY.replace(b"p1", b"p2")),
        ({}, b""),
        ({"body": b"\xff"}, b"\xff"),
        ({"body": b"{"}, b"{"),
        ({"body": b"[]"}, b"[]"),
        ({"body": b'{"id": 7}'}, b'{"id": 7}'),
        ({"body": b'{"id": ""}'}, b'{"id": ""}'),
        ({"late": 400}, BODY),
        ({"late": -400}, BODY),
        ({"at": 0}, BODY),
        ({"key": "whsec_" + "A" * 32}, BODY),
        ({"webhook_id": "msg_2"}, BODY),
        ({"webhook_id": None}, BODY),
        ({"webhook_timestamp": None}, BODY),
        ({"webhook_timestamp": "soon"}, BODY),
        ({"webhook_timestamp": "9" * 5000}, BODY),
        ({"webhook_signature": None}, BODY),
        ({"webhook_signature": ""}, BODY),
        ({"webhook_signature": "v1"}, BODY),
        ({"webhook_signature": "v1,é"}, BODY),
        ({"webhook_signature": "v1,="}, BODY),
        (None, BODY),
    ],
)
async def test_what_it_did_not_sign_just_now_is_forged(provider, change, body):
    """Signed when the test runs, or most rows would only be too old."""
    headers = {} if change is None else signed(**change)
    with pytest.raises(Forged):
        await provider.open_webhook(headers, body)


@needs_package
@pytest.mark.parametrize("key", ["whsec_", "whsec_____"])
async def test_with_an_empty_key_anybody_could_sign(key):
    provider = replicate(Script(says(key=key)), hook=HOOK)
    with pytest.raises(Forged):
        await provider.open_webhook(signed(key=key), BODY)


@needs_package
async def test_a_key_of_another_form_is_in_no_word_of_the_error():
    provider = replicate(Script(says(key="whsec_not_of_this_form")), hook=HOOK)
    with pytest.raises(Forged) as refused:
        await provider.open_webhook(signed(), BODY)
    assert "not_of_this_form" not in repr(refused.value)
    assert refused.value.__cause__ is None


@needs_package
@pytest.mark.parametrize(
    "answer", [says(500), says(401), says(key=""), says(key=7), httpx.ReadError("cut")], ids=repr
)
async def test_without_the_secret_nobody_can_tell_and_it_is_asked_for_again(answer):
    script = Script(answer, says(key=KEY))
    provider = replicate(script, hook=HOOK)
    with pytest.raises(Unclear):
        await provider.open_webhook(signed(), BODY)
    assert (await provider.open_webhook(signed(), BODY)).reference == "p1"


@needs_package
async def test_a_secret_that_was_changed_is_asked_for_again_and_not_for_every_forgery():
    new, now = "whsec_" + "B" * 32, [0.0]
    script = Script(says(key=KEY), says(key=new), says(500))
    provider = replicate(script, hook=HOOK, clock=lambda: now[0])
    changed = signed(key=new)
    await provider.open_webhook(signed(), BODY)
    with pytest.raises(Forged):
        await provider.open_webhook(changed, BODY)  # we have only just asked
    now[0] = 60.0
    assert (await provider.open_webhook(changed, BODY)).reference == "p1"
    for _ in range(3):
        with pytest.raises(Forged):
            await provider.open_webhook(signed(), BODY)
    assert len(script.asked) == 2
    now[0] = 120.0
    with pytest.raises(Unclear):
        await provider.open_webhook(signed(), BODY)
    with pytest.raises(Forged):
        await provider.open_webhook(signed(), BODY)
    assert len(script.asked) == 3


async def test_who_asked_for_no_webhooks_takes_none():
    script = Script()
    with pytest.raises(Forged):
        await replicate(script).open_webhook(signed(), BODY)
    assert script.asked == []
