"""A picture on its way in: it may take its time, and who breaks it off is no defect of ours."""

import asyncio
import logging
from pathlib import Path

import pytest
import yaml
from starlette.requests import Request
from structlog.testing import capture_logs

from chassis.errors import Invalid, Late
from gateway.edge import HTTP_SECONDS
from gateway.problem import HttpFault
from gateway.routes.language import ENHANCE
from gateway.services import Services
from gateway.upload import Upload
from imagestudio.storage.v1 import storage_service_pb2 as pb
from imagestudio.storage.v1 import storage_service_pb2_grpc as stubs
from tests.gateway.scripted import settings
from tests.gateway.test_downloads import at_the_gateway, served

EDGE = Path(__file__).parents[2] / "deploy/envoy.yaml"
HEAD = b"POST /images/references HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 100\r\n\r\n"


class Shelf(stubs.StorageServiceServicer):
    """Takes uploads; *silent*: and never answers. *began* when bytes have come."""

    def __init__(self, *, silent: bool = False) -> None:
        self.silent, self.began, self.left = silent, asyncio.Event(), asyncio.Event()
        self.remaining, self.taken = 0.0, b""

    async def UploadAsset(self, requests, context):
        async for request in requests:
            if request.chunk:
                self.taken += request.chunk
                self.remaining = context.time_remaining()
                self.began.set()
        if self.silent:
            try:
                await asyncio.Event().wait()
            finally:
                self.left.set()
        if len(self.taken) < 100:
            raise Invalid("REQUEST_INVALID", "header.size_bytes: 100 bytes were announced.")
        return pb.UploadAssetResponse(asset=pb.Asset(name="assets/a"))


def counted(status: int) -> float:
    labels = {"method": "POST", "route": "/images/references", "status": str(status)}
    [metric] = HTTP_SECONDS.collect()
    found = [each for each in metric.samples if each.name.endswith("_count")]
    return sum(each.value for each in found if each.labels == labels)


async def test_an_upload_that_its_client_breaks_off_ends_quietly(caplog):
    shelf, before = Shelf(), counted(499)
    with capture_logs() as lines, caplog.at_level(logging.WARNING):
        async with at_the_gateway(shelf) as http:
            await http.get("/healthz")  # it listens now
            _reader, writer = await asyncio.open_connection("127.0.0.1", http.base_url.port)
            writer.write(HEAD + b"x" * 10)
            await asyncio.wait_for(shelf.began.wait(), 60)
            writer.close()
            async with asyncio.timeout(60):
                while counted(499) == before:
                    await asyncio.sleep(0.02)
    assert shelf.taken == b"x" * 10
    assert [line for line in lines if line["log_level"] == "error"] == []
    assert [record for record in caplog.records if record.levelno >= logging.ERROR] == []


async def test_there_is_no_hurry_while_bytes_come():
    shelf = Shelf()
    async with at_the_gateway(shelf) as http:
        answer = await http.post("/images/references", content=b"x" * 100)
    assert answer.status_code == 201
    assert shelf.remaining > 1200  # seconds: 25 MiB come at 180 kbit/s


def request(*pieces: bytes) -> Request:
    """One that brings *pieces* and then falls silent."""
    left = [{"type": "http.request", "body": piece, "more_body": True} for piece in pieces]

    async def receive():
        return left.pop(0) if left else await asyncio.Event().wait()

    return Request({"type": "http"}, receive)


async def test_storage_is_waited_for_from_the_last_bytes_on():
    upload = Upload(request(b"a" * 50, b"a" * 50), 100, silence=0.01)
    now = asyncio.get_running_loop().time
    async with asyncio.timeout(30) as limit:
        sent = upload.messages(limit)
        assert (await anext(sent)).header.size_bytes == 100
        for _ in range(2):
            limit.reschedule(now() + 30)
            assert (await anext(sent)).chunk == b"a" * 50
            assert limit.when() > now() + 40


async def test_a_client_that_falls_silent_is_told():
    async with served(Shelf()) as port:
        services = Services(settings(port))
        with pytest.raises(HttpFault, match="No bytes") as failed:
            await Upload(request(b"a"), 100, silence=0.01).to(services.storage)
        await services.close()
    assert failed.value.status == 408


@pytest.mark.parametrize("pieces", [(b"a",), ()], ids=["after bytes", "before any"])
async def test_a_storage_that_falls_silent_is_left(pieces):
    shelf = Shelf(silent=True)
    async with served(shelf) as port:
        services = Services(settings(port))
        upload = Upload(request(*pieces), 100, silence=0.01, patience=5)
        with pytest.raises(Late, match="storage"):
            await asyncio.wait_for(upload.to(services.storage), 60)
        await asyncio.wait_for(shelf.left.wait(), 60)
        await services.close()


def test_what_waits_behind_the_edge_gives_up_before_it():
    """Else it is answered with a 504, and what was done and paid for is told to nobody."""
    config = yaml.safe_load(EDGE.read_text())
    [listener] = config["static_resources"]["listeners"]
    edge = listener["filter_chains"][0]["filters"][0]["typed_config"]
    [host] = edge["route_config"]["virtual_hosts"]
    others = host["routes"][-1]["route"]
    assert 50 < ENHANCE < float(others["timeout"].removesuffix("s"))
    upload = Upload(request(), 1)
    assert upload.patience < float(others["timeout"].removesuffix("s"))
    assert upload.silence < float(edge["stream_idle_timeout"].removesuffix("s"))
