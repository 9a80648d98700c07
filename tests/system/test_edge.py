"""Envoy in front: REST, SSE, gRPC and gRPC-Web on one port, streams uncut and uncompressed."""

import struct
import uuid

import grpc
import pytest

from imagestudio.generator.v1 import generator_service_pb2 as pb
from imagestudio.generator.v1 import generator_service_pb2_grpc
from imagestudio.type.v1 import job_pb2
from tests import patient
from tests.system.client import frames, generate, prove_whole, watch

SMALL = {"prompt": "a lighthouse at dawn", "models": ["sketch"], "size": "64x64"}
EVERYTHING = {"Accept-Encoding": "gzip, br, zstd, deflate"}


@pytest.fixture(params=["through Envoy", "without it"])
def url(request, stack):
    if request.param == "through Envoy":
        return stack.url
    return f"http://127.0.0.1:{stack.port('GATEWAY_PORT')}"


def test_a_picture_comes_with_a_whole_log_and_a_link_that_works(url):
    prove_whole(generate(url, SMALL | {"count": 2}), 2)


def test_a_stream_is_never_compressed(url):
    path = f"{url}/images/generate/stream"
    with patient.stream("POST", path, json=SMALL, headers=EVERYTHING) as answer:
        assert answer.headers["content-type"].startswith("text/event-stream")
        assert "content-encoding" not in answer.headers
        assert answer.headers["cache-control"] == "no-store"
        assert answer.headers["x-accel-buffering"] == "no"
        raw = b"".join(answer.iter_raw())
    kinds = [kind for kind, _number, _data in frames(iter(raw.decode().split("\n")))]
    assert kinds[0] == "accepted"
    assert kinds[-1] == "completed"


def test_a_stream_taken_up_at_every_event_is_the_same_stream(stack):
    whole = generate(stack.url, SMALL)
    for number in range(whole.last):
        again = watch(stack.url, whole.url, after=number)
        assert again.durable == whole.durable[number:]
    finished = patient.get(
        f"{stack.url}{whole.url}/events", headers={"Last-Event-ID": str(whole.last)}
    )
    assert finished.status_code == 204


@pytest.mark.parametrize("junk", ["-1", "x", "1.5", "9" * 30, "99", "１", "0x1"])
def test_a_last_event_id_that_is_junk_is_refused_and_harms_nothing(stack, junk):
    job = generate(stack.url, SMALL)
    answer = patient.get(f"{stack.url}{job.url}/events", params={"after": junk})
    assert answer.status_code == 400
    assert answer.headers["content-type"] == "application/problem+json"
    assert watch(stack.url, job.url).durable == job.durable


async def test_grpc_goes_through_the_edge_with_its_deadline_and_errors(stack):
    async with grpc.aio.insecure_channel(stack.url.removeprefix("http://")) as channel:
        stub = generator_service_pb2_grpc.GeneratorServiceStub(channel)
        spec = job_pb2.JobSpec(prompt="a lighthouse", size={"width": 64, "height": 64})
        events = [
            answer.event.WhichOneof("event")
            async for answer in stub.GenerateImages(pb.GenerateImagesRequest(spec=spec), timeout=60)
        ]
        assert (events[0], events[-1]) == ("accepted", "completed")
        spec.models.append("no-such-model")
        with pytest.raises(grpc.aio.AioRpcError) as refusal:
            await stub.StartGeneration(pb.StartGenerationRequest(spec=spec), timeout=60)
    assert refusal.value.code() is grpc.StatusCode.NOT_FOUND
    trailers = dict(refusal.value.trailing_metadata())
    assert b"MODEL_UNKNOWN" in trailers["grpc-status-details-bin"]


async def test_events_that_are_there_at_once_come_together_for_those_who_say_so(stack):
    async with grpc.aio.insecure_channel(stack.url.removeprefix("http://")) as channel:
        stub = generator_service_pb2_grpc.GeneratorServiceStub(channel)
        spec = job_pb2.JobSpec(prompt="a lighthouse", size={"width": 64, "height": 64})
        asked = pb.GenerateImagesRequest(spec=spec, request_id=str(uuid.uuid4()))
        each = [answer async for answer in stub.GenerateImages(asked, timeout=60)]
        asked.several = True  # the same job, whose events are all there by now
        together = [answer async for answer in stub.GenerateImages(asked, timeout=60)]
    assert not any(answer.more for answer in each)
    assert len(together) < len(each)
    told = [event for answer in together for event in (answer.event, *answer.more)]
    durable = [answer.event for answer in each if answer.event.sequence]
    assert [event.sequence for event in told] == [event.sequence for event in durable]
    assert together[0].replayed


def test_grpc_web_goes_through_the_edge(stack):
    method = "/imagestudio.generator.v1.GeneratorService/ListModels"
    body = pb.ListModelsRequest().SerializeToString()
    answer = patient.post(
        stack.url + method,
        content=struct.pack(">BI", 0, len(body)) + body,
        headers={"Content-Type": "application/grpc-web+proto", "X-Grpc-Web": "1"},
    )
    kind, length = struct.unpack(">BI", answer.content[:5])
    assert kind == 0
    models = pb.ListModelsResponse.FromString(answer.content[5 : 5 + length]).models
    assert {"sketch", "sketch-ink", "sketch-mosaic"} <= {model.key for model in models}
    assert b"grpc-status:0" in answer.content[5 + length :].replace(b" ", b"").lower()


def test_a_strangers_page_may_not_call_us(stack):
    asked = patient.options(
        f"{stack.url}/imagestudio.generator.v1.GeneratorService/StartGeneration",
        headers={
            "Origin": "https://evil.example",
            "Access-Control-Request-Method": "POST",
            "Access-Control-Request-Headers": "content-type,x-grpc-web",
        },
    )
    assert "access-control-allow-origin" not in asked.headers


def test_what_is_for_us_alone_is_not_at_the_edge(stack):
    assert patient.get(f"{stack.url}/metrics").status_code == 404
    inside = patient.get(f"http://127.0.0.1:{stack.port('GATEWAY_PORT')}/metrics")
    assert "studio_" in inside.text or "http" in inside.text
    for name in ("CATALOG_PORT", "STORAGE_PORT", "GENERATOR_PORT"):
        metrics = patient.get(f"http://127.0.0.1:{stack.port(name) + 100}/metrics")
        assert "studio_rpc_seconds" in metrics.text
