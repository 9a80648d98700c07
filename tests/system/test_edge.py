"""The edge on the real stack: what passes Envoy, how, and what does not."""

import time

import grpc
import httpx
import pytest

from chassis import identity
from imagestudio.catalog.v1 import catalog_service_pb2 as catalog
from imagestudio.catalog.v1 import ledger_service_pb2 as ledger
from imagestudio.catalog.v1.catalog_service_pb2_grpc import CatalogServiceStub
from imagestudio.catalog.v1.ledger_service_pb2_grpc import LedgerServiceStub
from imagestudio.generator.v1 import generator_service_pb2 as generator
from imagestudio.generator.v1.generator_service_pb2_grpc import GeneratorServiceStub
from tests.system.stack import Stack

GREEDY = {"Accept-Encoding": "gzip, br, zstd, deflate"}
SMALL = {"prompt": "a lighthouse", "models": ["sketch"], "size": "64x64"}
LEDGER = "/imagestudio.catalog.v1.LedgerService/ReadEvents"


def events(answer: httpx.Response) -> list[tuple[str, float]]:
    """Return each event with the seconds from the answer's start to its arrival."""
    began = time.monotonic()
    return [
        (line.removeprefix("event: "), time.monotonic() - began)
        for line in answer.iter_lines()
        if line.startswith("event: ")
    ]


def test_event_streams_come_through_uncompressed_and_at_once(stack: Stack) -> None:
    slow = SMALL | {"parameters": {"sketch": {"seconds": 2}}}
    with httpx.stream(
        "POST", f"{stack.url}/images/generate/stream", json=slow, headers=GREEDY, timeout=60
    ) as answer:
        assert answer.headers["content-type"].startswith("text/event-stream")
        assert "content-encoding" not in answer.headers
        assert answer.headers["x-accel-buffering"] == "no"
        found = events(answer)
    assert (found[0][0], found[-1][0]) == ("accepted", "completed")
    assert found[-1][1] - found[0][1] > 1  # not held back until the end


@pytest.mark.release
def test_a_stream_of_twenty_seconds_is_not_cut(stack: Stack) -> None:
    slow = SMALL | {"parameters": {"sketch": {"seconds": 20}}}
    with httpx.stream(
        "POST", f"{stack.url}/images/generate/stream", json=slow, timeout=60
    ) as answer:
        assert events(answer)[-1][0] == "completed"


def test_json_is_compressed_and_pictures_are_not(stack: Stack) -> None:
    presets = httpx.get(f"{stack.url}/images/presets", headers=GREEDY)
    assert presets.headers["content-encoding"] == "gzip"
    job = httpx.post(f"{stack.url}/images/generate", json=SMALL).json()["job_id"]
    outcome = {}
    stack.await_(lambda: "url" in outcome or bool(outcome.update(kept(stack, job))))
    picture = httpx.get(outcome["url"], headers=GREEDY)
    assert "content-encoding" not in picture.headers
    assert picture.headers["content-type"] == "image/png"


def kept(stack: Stack, job: str) -> dict[str, str]:
    images = httpx.get(f"{stack.url}/images/jobs/{job}").json()["images"]
    return images[0] if images else {}


@pytest.mark.parametrize(
    "path", ["/metrics", "//metrics", "/%6detrics", "/metrics/x", "/./metrics"]
)
def test_metrics_stay_inside(stack: Stack, path: str) -> None:
    assert httpx.get(f"{stack.url}{path}").status_code == 404
    assert httpx.get(f"http://127.0.0.1:{stack.port('GATEWAY_PORT')}/metrics").status_code == 200


def service_token(stack: Stack) -> tuple[tuple[str, str]]:
    secret = (stack.data / "secrets" / "service_secret").read_bytes().strip()
    return ((identity.HEADER, identity.mint(secret, identity.Caller(0, service="generator"))),)


def test_a_service_s_token_is_worth_nothing_from_outside(stack: Stack) -> None:
    request, token = catalog.ListApiKeysRequest(all_users=True), service_token(stack)
    inside = f"127.0.0.1:{stack.port('CATALOG_PORT')}"
    with grpc.insecure_channel(inside) as channel:
        CatalogServiceStub(channel).ListApiKeys(request, metadata=token, timeout=10)
    outside = grpc.insecure_channel(stack.url.removeprefix("http://"))
    with outside as channel, pytest.raises(grpc.RpcError) as refused:
        CatalogServiceStub(channel).ListApiKeys(request, metadata=token, timeout=10)
    assert refused.value.code() == grpc.StatusCode.PERMISSION_DENIED


def test_the_ledger_is_not_routed(stack: Stack) -> None:
    request, token = ledger.ReadEventsRequest(), service_token(stack)
    outside = grpc.insecure_channel(stack.url.removeprefix("http://"))
    with outside as channel, pytest.raises(grpc.RpcError) as refused:
        LedgerServiceStub(channel).ReadEvents(request, metadata=token, timeout=10)
    assert refused.value.code() == grpc.StatusCode.UNIMPLEMENTED
    framed = httpx.post(
        f"{stack.url}{LEDGER}", headers={"content-type": "application/grpc-web+proto"},
        content=b"\0\0\0\0\0",
    )  # fmt: skip
    assert framed.headers.get("grpc-status") == "12" or framed.status_code == 404


def test_grpc_comes_through(stack: Stack) -> None:
    with grpc.insecure_channel(stack.url.removeprefix("http://")) as channel:
        answer = GeneratorServiceStub(channel).ListModels(generator.ListModelsRequest(), timeout=10)
    assert "sketch" in [model.key for model in answer.models]


def test_grpc_web_comes_through(stack: Stack) -> None:
    answer = httpx.post(
        f"{stack.url}/imagestudio.generator.v1.GeneratorService/ListModels",
        headers={"content-type": "application/grpc-web+proto", "x-grpc-web": "1"},
        content=b"\0\0\0\0\0",
    )
    length = int.from_bytes(answer.content[1:5])
    models = generator.ListModelsResponse.FromString(answer.content[5 : 5 + length]).models
    assert "sketch" in [model.key for model in models]
    assert b"grpc-status:0" in answer.content[5 + length :]


@pytest.mark.parametrize(
    ("origin", "allowed"),
    [("http://localhost:5173", True), ("http://127.0.0.1", True), ("https://evil.example", False),
     ("http://localhost.evil.example", False), ("null", False)],
)  # fmt: skip
def test_pages_of_this_machine_may_ask_and_no_others(
    stack: Stack, origin: str, allowed: bool
) -> None:
    answer = httpx.options(
        f"{stack.url}/images/generate",
        headers={"Origin": origin, "Access-Control-Request-Method": "POST",
                 "Access-Control-Request-Headers": "content-type, idempotency-key"},
    )  # fmt: skip
    assert (answer.headers.get("access-control-allow-origin") == origin) is allowed


def test_the_edge_survives_a_restart_of_the_gateway_without_an_error(stack: Stack) -> None:
    stack.kill("gateway")
    assert httpx.get(f"{stack.url}/images/models", timeout=30).status_code == 200
