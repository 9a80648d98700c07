"""A request that is too much, and one that meets a defect: a short answer."""

import json
import uuid

import httpx
import pytest
from structlog.testing import capture_logs

from gateway.app import build
from gateway.sse import Streams
from tests import patient
from tests.gateway.scripted import Scripted

TOO_MUCH = {  # path, body, and the field that is named: `body` where nothing of it was read
    "models": ("/images/generate", {"prompt": "a", "models": [1] * 400_000}, "body"),
    "fallback_models": (
        "/images/estimate",
        {"prompt": "a", "fallback_models": [""] * 250_000},
        "body",
    ),
    "purchase_ids": (
        "/images/jobs/1/retry-unclear",
        {"purchase_ids": ["x"] * 200_000},
        "body",
    ),
    "unknown": ("/images/generate", {f"{number:x}": 1 for number in range(90_000)}, "0"),
    "parameters": (
        "/images/generate",
        {"prompt": "a", "parameters": {"a": {"b": [1] * 400_000}}},
        "body",
    ),
    "parameters of many": (
        "/images/generate",
        {"prompt": "a", "parameters": {str(number): 1 for number in range(9_000)}},
        "body",
    ),
    "models in range": ("/images/generate", {"prompt": "a", "models": ["a"] * 33}, "models"),
    "purchases in range": (
        "/images/jobs/1/retry-unclear",
        {"purchase_ids": [str(uuid.UUID(int=number)) for number in range(1001)]},
        "purchase_ids",
    ),
}


@pytest.fixture
async def asking(stage):
    services = await stage.play(Scripted([]))
    app = build(services.settings, services, Streams())
    transport = httpx.ASGITransport(app)
    async with patient.AsyncClient(transport=transport, base_url="http://127.0.0.1") as http:
        http.app = app
        yield http


@pytest.mark.parametrize("much", TOO_MUCH)
async def test_a_body_of_far_too_much_is_refused_before_it_is_read_and_shortly(asking, much):
    path, body, field = TOO_MUCH[much]
    answer = await asking.post(path, json=body)
    assert answer.status_code == 400
    assert len(answer.content) < 20_000
    assert field in answer.json()["fields"]
    assert len(answer.json()["fields"]) <= 20


async def test_a_defect_is_a_problem_as_any_other(asking):
    asking.app._app._app.state.resolve = None  # whoever asks who it is meets a defect
    with capture_logs() as lines:
        answer = await asking.get("/images/models")
    assert [line["event"] for line in lines] == ["a request failed"]
    assert answer.status_code == 500
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["code"] == "INTERNAL"
    assert "NoneType" not in answer.text


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ('{"prompt": "a", "max_cost_usd": 0, "max_cost_usd": 9}', "max_cost_usd"),
        ('{"prompt": "a", "max_cost_usd": null, "max_cost_usd": null}', "max_cost_usd"),
        (
            '{"prompt": "a", "references": [{"uri": "https://a", "uri": "https://b"}]}',
            "references.uri",
        ),
        ('{"prompt": "a", "parameters": {"m": {"n": 1, "n": 2}}}', "parameters.m.n"),
        ('{"prompt": "a", "promt": 1, "promt": 2}', "promt"),
    ],
)
@pytest.mark.parametrize(
    "path", ["/images/generate", "/images/generate/stream", "/images/estimate"]
)
async def test_a_name_given_twice_is_refused_by_name(asking, path, body, field):
    answer = await asking.post(path, content=body, headers={"Content-Type": "application/json"})
    assert answer.status_code == 400
    assert field in answer.json()["fields"]


async def test_a_slash_too_many_leads_nowhere(asking):
    answer = await asking.get("/images/models/")
    assert answer.status_code == 404
    assert "location" not in answer.headers
    assert json.loads(answer.content)["code"] == "RESOURCE_UNKNOWN"
