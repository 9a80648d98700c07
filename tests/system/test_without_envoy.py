"""Where Envoy has no package the gateway takes the edge's port, and all but gRPC-Web is there."""

import json
from collections.abc import Iterator

import grpc
import pytest

from imagestudio.generator.v1 import generator_service_pb2 as pb
from imagestudio.generator.v1.generator_service_pb2_grpc import GeneratorServiceStub
from tests import patient
from tests.system.client import generate, prove_whole, watch
from tests.system.stack import Stack, running_stack

SMALL = {"prompt": "a lighthouse at dawn", "models": ["sketch"], "size": "64x64", "count": 2}


@pytest.fixture(scope="module")
def bare() -> Iterator[Stack]:
    with running_stack(EMBED_ENVOY="off") as stack:
        yield stack


def test_ps_has_the_gateway_on_the_edge_s_port_and_no_envoy(bare: Stack) -> None:
    found = {one["name"]: one["port"] for one in json.loads(bare.studio("ps", "--json").stdout)}
    assert found["gateway"] == bare.port("EDGE_PORT")
    assert set(found) == {"postgres", "nats", "catalog", "storage", "generator-1", "gateway"}


def test_a_whole_job_and_its_stream_taken_up_at_every_event(bare: Stack) -> None:
    job = generate(bare.url, SMALL)
    prove_whole(job, 2)
    for number in range(job.last):
        assert watch(bare.url, job.url, after=number).durable == job.durable[number:]


def test_a_command_draws_and_survives_the_gateway(bare: Stack) -> None:
    done = bare.studio("generate", "a boat", "--size", "64x64")
    assert done.returncode == 0, done.stderr
    bare.kill_and_await("gateway")
    assert patient.get(done.stdout.strip()).headers["content-type"] == "image/png"


async def test_grpc_is_on_the_generator_s_own_port(bare: Stack) -> None:
    async with grpc.aio.insecure_channel(f"127.0.0.1:{bare.port('GENERATOR_PORT')}") as channel:
        found = await GeneratorServiceStub(channel).ListModels(pb.ListModelsRequest(), timeout=60)
    assert "sketch" in {model.key for model in found.models}


def test_doctor_says_so_and_finds_nothing_wrong(bare: Stack) -> None:
    done = bare.studio("doctor", "--json")
    assert done.returncode == 0, done.stdout
    (envoy,) = [one for one in json.loads(done.stdout) if one["about"] == "Envoy"]
    assert f"takes port {bare.port('EDGE_PORT')}" in envoy["found"]
    assert "EMBED_ENVOY=off" in envoy["found"]
