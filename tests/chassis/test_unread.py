"""Who opens a stream and does not read it is let go, and is told where to go on."""

import asyncio
import functools

import pytest
from structlog.testing import capture_logs

from chassis import errors
from chassis.channel import Peer
from chassis.server import Server
from imagestudio.storage.v1 import storage_service_pb2 as pb
from imagestudio.storage.v1 import storage_service_pb2_grpc as stubs
from tests.ports import free_port

SECRET = b"0123456789abcdef"
NAME = "imagestudio.storage.v1.StorageService"
MOST = 256 * 1024  # bytes that are on the way to one reader


class Shelf(stubs.StorageServiceServicer):
    """Sends for ever; *left* tells that it does no longer, and was ended by who began it."""

    def __init__(self):
        self.sent, self.left, self.held = 0, asyncio.Event(), []

    def DownloadAsset(self, request, context):
        self.held.append(self._endless())  # none ends because nobody knows it any more
        return self.held[-1]

    async def _endless(self):
        try:
            while True:
                self.sent += 1024
                yield pb.DownloadAssetResponse(chunk=b"x" * 1024)
        finally:
            self.left.set()


async def test_a_stream_that_is_not_read_holds_little_and_ends_in_words_that_help():
    shelf, port = Shelf(), free_port()
    add = functools.partial(stubs.add_StorageServiceServicer_to_server, shelf)
    server = Server([(NAME, add)], secret=SECRET, resolve=None, stuck=1.0)
    await server.start("127.0.0.1", port, "PORT")
    peer = Peer(f"127.0.0.1:{port}", "shelf", service="tests", secret=SECRET)
    download = stubs.StorageServiceStub(peer.channel).DownloadAsset
    answers = peer.stream(download, pb.DownloadAssetRequest(), timeout=None, user_id=1)
    await anext(answers)
    await asyncio.wait_for(shelf.left.wait(), 60)
    assert shelf.sent <= MOST
    with pytest.raises(errors.Unavailable, match="go on after the last event"):
        async for _ in answers:
            pass
    await peer.close()
    await server.stop(lame=0, grace=0)


async def test_who_leaves_a_stream_is_no_defect_and_no_line_in_the_log():
    shelf, port = Shelf(), free_port()
    add = functools.partial(stubs.add_StorageServiceServicer_to_server, shelf)
    server = Server([(NAME, add)], secret=SECRET, resolve=None)
    await server.start("127.0.0.1", port, "PORT")
    peer = Peer(f"127.0.0.1:{port}", "shelf", service="tests", secret=SECRET)
    download = stubs.StorageServiceStub(peer.channel).DownloadAsset
    with capture_logs() as lines:
        for _ in range(20):
            shelf.left.clear()
            answers = peer.stream(download, pb.DownloadAssetRequest(), timeout=None, user_id=1)
            await anext(answers)
            await answers.aclose()
            await asyncio.wait_for(shelf.left.wait(), 60)
        await peer.close()
        await server.stop(lame=0, grace=0)
    assert lines == []
