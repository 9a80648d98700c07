"""A picture on its way out, while storage goes away: the bytes are whole all the same."""

import hashlib
from contextlib import asynccontextmanager

import grpc
import pytest

from chassis.server import Server
from gateway.services import Services
from imagestudio.storage.v1 import storage_service_pb2 as pb
from imagestudio.storage.v1 import storage_service_pb2_grpc as stubs
from tests.gateway.scripted import LEDGER, SECRET, add_ledger, settings
from tests.gateway.test_serving import serving
from tests.ports import free_port

PICTURE = bytes(range(256)) * 1000
LINK = "/i/" + "a" * 26


class Shelf(stubs.StorageServiceServicer):
    """Is cut off after so many bytes of each download, None: never; *asked* has the offsets."""

    def __init__(self, *cuts):
        self.cuts, self.asked, self.held = list(cuts), [], PICTURE

    async def DownloadAsset(self, request, context):
        self.asked.append(request.offset)
        cut = self.cuts.pop(0) if self.cuts else None
        if cut != 0:
            yield pb.DownloadAssetResponse(
                header=pb.DownloadHeader(
                    sha256=hashlib.sha256(self.held).hexdigest(),
                    size_bytes=len(self.held),
                    media_type="image/png",
                )
            )
            for start in range(request.offset, len(self.held), 10_000):
                if cut is not None and start - request.offset >= cut:
                    break
                yield pb.DownloadAssetResponse(chunk=self.held[start : start + 10_000])
        if cut is not None:
            await context.abort(grpc.StatusCode.UNAVAILABLE, "Socket closed")


@asynccontextmanager
async def served(shelf):
    """Serve *shelf* as storage; yield its port."""

    async def nobody(_credential):
        raise AssertionError("the gateway calls with a service token")

    def add(server):
        stubs.add_StorageServiceServicer_to_server(shelf, server)

    port, name = free_port(), "imagestudio.storage.v1.StorageService"
    server = Server([(name, add), (LEDGER, add_ledger)], secret=SECRET.encode(), resolve=nobody)
    await server.start("127.0.0.1", port, "PORT")
    try:
        yield port
    finally:
        await server.stop(lame=0, grace=0)


@asynccontextmanager
async def at_the_gateway(shelf):
    async with served(shelf) as port:
        services = Services(settings(port))
        try:
            async with serving(services) as (http, _):
                yield http
        finally:
            await services.close()


@pytest.mark.parametrize("cuts", [(0, 0), (1,), (20_000, 20_000), (0, 100_000, 0)])
async def test_the_rest_is_asked_for_where_storage_went_away(cuts):
    shelf = Shelf(*cuts)
    async with at_the_gateway(shelf) as http:
        answer = await http.get(LINK)
    assert answer.content == PICTURE
    assert len(shelf.asked) == len(cuts) + 1


async def test_a_part_that_is_cut_goes_on_inside_the_part():
    shelf = Shelf(None, 10_000)
    async with at_the_gateway(shelf) as http:
        answer = await http.get(LINK, headers={"Range": "bytes=1000-50999"})
    assert answer.status_code == 206
    assert answer.content == PICTURE[1000:51_000]
    assert shelf.asked == [0, 1000, 11_000]


async def test_who_stays_away_is_503_and_nothing_is_tried_for_ever():
    shelf = Shelf(*[0] * 10)
    async with at_the_gateway(shelf) as http:
        answer = await http.get(LINK)
    assert answer.status_code == 503
    assert len(shelf.asked) == 4
