"""What a browser sends for a foreign page, through Envoy: refused by gRPC-Web as by REST."""

import struct

import grpc
import httpx
import pytest
from google.protobuf.message import Message

from imagestudio.catalog.v1 import catalog_service_pb2 as catalog
from imagestudio.generator.v1 import generator_service_pb2 as pb
from imagestudio.generator.v1 import generator_service_pb2_grpc
from imagestudio.storage.v1 import storage_service_pb2 as storage
from imagestudio.type.v1 import job_pb2
from tests import patient

ORDER = pb.StartGenerationRequest(spec=job_pb2.JobSpec(prompt="for a stranger", models=["sketch"]))
CALLS = {
    "generator.v1.GeneratorService/StartGeneration": ORDER,
    "catalog.v1.CatalogService/CreateApiKey": catalog.CreateApiKeyRequest(),
    "catalog.v1.CatalogService/ListJobs": catalog.ListJobsRequest(),
    "storage.v1.StorageService/GetAsset": storage.GetAssetRequest(name=f"assets/{'0' * 64}"),
}
PAGES = {
    "rebinding": {"Host": "evil.example:8080", "Origin": "http://evil.example:8080"},
    "cross-site": {"Origin": "https://evil.example", "Sec-Fetch-Site": "cross-site"},
    "old browser": {"Origin": "https://evil.example"},
    "localhost": {"Origin": "http://localhost:3999", "Sec-Fetch-Site": "same-site"},
    "its own word": {"Host": "evil.example", "Origin": "http://evil.example",
                     "X-Forwarded-Host": "127.0.0.1"},
}  # fmt: skip


def called(stack, method: str, message: Message, headers: dict[str, str]) -> httpx.Response:
    body = message.SerializeToString()
    return patient.post(
        f"{stack.url}/imagestudio.{method}",
        content=struct.pack(">BI", 0, len(body)) + body,
        headers={"Content-Type": "application/grpc-web+proto"} | headers,
    )


def jobs(stack) -> list[str]:
    found = patient.get(f"{stack.url}/images/jobs", params={"q": "stranger"}).json()["jobs"]
    return [each["prompt"] for each in found]


@pytest.mark.parametrize("page", PAGES)
def test_a_foreign_page_calls_nothing_and_buys_nothing(stack, page):
    for method, message in CALLS.items():
        answer = called(stack, method, message, PAGES[page])
        assert answer.headers["grpc-status"] == str(grpc.StatusCode.PERMISSION_DENIED.value[0])
        assert b"isk_" not in answer.content
    assert jobs(stack) == []


@pytest.mark.parametrize("kind", ["application/grpc", "text/plain"])  # one needs no preflight
def test_nor_does_it_by_any_other_name_of_its_body(stack, kind):
    method = "generator.v1.GeneratorService/StartGeneration"
    answer = called(stack, method, ORDER, PAGES["cross-site"] | {"Content-Type": kind})
    assert answer.headers.get("grpc-status") != "0"
    assert jobs(stack) == []


@pytest.mark.parametrize("page", PAGES)
def test_rest_says_the_same(stack, page):
    answer = patient.post(f"{stack.url}/images/generate", json={"prompt": "for a stranger"},
                        headers=PAGES[page])  # fmt: skip
    assert answer.status_code == 403
    assert jobs(stack) == []


def test_nor_does_a_page_of_this_machine_read_anything_without_keys_but_pictures(stack):
    """CORS would let it: any program that shows pages here is on localhost."""
    for path in ("/images/jobs", "/images/events", "/images/variants", "/images/usage"):
        answer = patient.get(f"{stack.url}{path}", headers=PAGES["localhost"])
        assert answer.status_code == 403, path
    picture = patient.get(f"{stack.url}/i/{'a' * 26}", headers=PAGES["localhost"])
    assert picture.status_code == 404  # it is looked for


def test_our_own_page_may_call(stack):
    own = {"Origin": stack.url, "Sec-Fetch-Site": "same-origin"}
    answer = called(stack, "catalog.v1.CatalogService/ListJobs", catalog.ListJobsRequest(), own)
    assert answer.content[:1] == b"\0"
    assert b"grpc-status:0" in answer.content.replace(b" ", b"").lower()


async def test_a_client_that_is_no_browser_may_call_us_by_any_name(stack):
    options = (("grpc.default_authority", "studio.internal"),)
    target = stack.url.removeprefix("http://")
    async with grpc.aio.insecure_channel(target, options=options) as channel:
        stub = generator_service_pb2_grpc.GeneratorServiceStub(channel)
        assert (await stub.ListModels(pb.ListModelsRequest(), timeout=60)).models
