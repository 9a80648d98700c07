"""The short way of an order: nobody can tell it from the usual one, and it is the shorter one."""

import json

import httpx
import pytest
from starlette.requests import Request

from chassis.errors import Exhausted, Unauthenticated
from gateway import direct
from gateway.app import build
from gateway.edge import LARGEST_BODY
from gateway.sse import Streams
from tests import patient
from tests.gateway.scripted import Scripted, event

PATH = "/images/generate/stream"
JSON = {"Content-Type": "application/json"}
KEY = {"Idempotency-Key": "mine"}
ORDER = b'{"prompt": "a lighthouse", "count": 2, "size": "64x64"}'
SENT = {
    "an order": (JSON, ORDER),
    "with a charset": ({"Content-Type": "Application/JSON ; charset=utf-8"}, ORDER),
    "of a kind of JSON": ({"Content-Type": "application/x+json"}, ORDER),
    "with a key": (JSON | KEY, ORDER),
    "with a bad key": (JSON | {"Idempotency-Key": "x" * 256}, ORDER),
    "no type": ({}, ORDER),
    "as text": ({"Content-Type": "text/plain"}, ORDER),
    "nothing": (JSON, b""),
    "no JSON": (JSON, b'{"prompt": '),
    "no UTF-8": (JSON, b'{"prompt": "\xff"}'),
    "too deep": (JSON, b"[" * 100_000),
    "a list": (JSON, b"[]"),
    "null": (JSON, b"null"),
    "nothing asked": (JSON, b"{}"),
    "a number as the prompt": (JSON, b'{"prompt": 1}'),
    "an unknown field": (JSON, b'{"prompt": "a", "colour": "red"}'),
    "a field twice": (JSON, b'{"prompt": "a", "max_cost_usd": 1, "max_cost_usd": 9}'),
    "too large": (JSON, b'{"prompt": "' + b"a" * LARGEST_BODY + b'"}'),
}


@pytest.fixture
async def asking(stage):
    """Ask an application, directly or the usual way, what `SENT` has under a name."""

    async def ask(sent: str, *, usually: bool, line: list | None = None, resolve=None):
        script = Scripted(line or [event(1), event(2, kind="completed")])
        services = await stage.play(script)
        app = build(services.settings, services, Streams())
        routes = app._app._app
        if usually:
            app._app = routes
        if resolve:
            routes.state.resolve = resolve
        headers, content = SENT[sent]
        transport = httpx.ASGITransport(app)
        async with patient.AsyncClient(transport=transport, base_url="http://127.0.0.1") as http:
            answer = await http.post(PATH, headers=headers, content=content)
        for asked in script.asked if "key" not in sent else ():
            asked.request_id = ""  # made anew each time
        return answer, script.asked

    return ask


def told(answer: httpx.Response):
    """What an answer says, without what differs each time."""
    headers = {name: said for name, said in answer.headers.items() if name != "content-length"}
    lines = [line for line in answer.text.splitlines() if not line.startswith("retry:")]
    return answer.status_code, headers, lines


@pytest.mark.parametrize("sent", SENT)
async def test_nobody_can_tell_it_from_the_usual_way(asking, sent):
    answer, asked = await asking(sent, usually=False)
    expected, also = await asking(sent, usually=True)
    assert told(answer) == told(expected)
    assert asked == also
    assert (answer.status_code == 200) == bool(asked)


async def test_what_a_service_refuses_is_told_alike(asking):
    full = Exhausted("DISK_FULL", "Free some space.", retry_after=30)
    answer, _ = await asking("an order", usually=False, line=[full])
    expected, _ = await asking("an order", usually=True, line=[full])
    assert told(answer) == told(expected)
    assert answer.status_code == 507


@pytest.mark.parametrize("sent", ["an order", "nothing asked", "no JSON", "too large"])
async def test_who_has_no_key_is_told_alike(asking, sent):
    async def nobody(_credential):
        raise Unauthenticated("CREDENTIAL_INVALID", "Send a key.")

    answer, asked = await asking(sent, usually=False, resolve=nobody)
    expected, _ = await asking(sent, usually=True, resolve=nobody)
    assert told(answer) == told(expected)
    assert asked == []


async def test_an_order_that_is_right_meets_nothing_of_the_usual_way(stage):
    services = await stage.play(Scripted([event(1), event(2, kind="completed")]))
    app = build(services.settings, services, Streams())
    routes = app._app._app

    class Unused:
        state = routes.state

        async def __call__(self, *_args):
            raise AssertionError("the usual way was taken")

    app._app = direct.Direct(Unused())
    transport = httpx.ASGITransport(app)
    async with patient.AsyncClient(transport=transport, base_url="http://127.0.0.1") as http:
        answer = await http.post(PATH, json=json.loads(ORDER))
    assert answer.status_code == 200
    assert answer.text.count("event: ") == 2


async def test_a_client_that_leaves_in_its_body_starts_nothing_and_is_no_defect(stage):
    script = Scripted([event(1)])
    services = await stage.play(script)
    app = build(services.settings, services, Streams())
    sent = []
    coming = [{"type": "http.request", "body": b"{", "more_body": True}]

    async def receive():
        return coming.pop() if coming else {"type": "http.disconnect"}

    async def send(message):
        sent.append(message)

    scope = {
        "type": "http",
        "method": "POST",
        "path": PATH,
        "headers": [(b"host", b"127.0.0.1"), (b"content-type", b"application/json")],
        "query_string": b"",
        "server": ("127.0.0.1", 80),
        "scheme": "http",
    }
    assert Request(scope).url.path == PATH
    await app(scope, receive, send)
    assert sent[0]["status"] == 400
    assert script.asked == []
