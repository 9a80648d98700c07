"""What was not asked for is not paid for, and what was is, whoever leaves a language call."""

import asyncio
from contextlib import aclosing
from dataclasses import replace

import pytest

from chassis.errors import Invalid
from imagestudio.generator.v1 import generator_service_pb2 as pb
from imagestudio.storage.v1 import storage_service_pb2 as storage_pb
from imagestudio.storage.v1 import storage_service_pb2_grpc as storage_stubs
from imagestudio.type.v1 import cost_pb2, image_pb2
from services.generator.language.built_in import BuiltIn
from services.generator.language.call import Voice
from services.generator.language.linguist import Linguist
from services.generator.language.looks import Looks
from services.generator.models import Registry
from tests.generator.language.books import ENTRY, LATE, WHOLE, Pen
from tests.generator.wire import serving

PICTURE = image_pb2.ReferenceImage(asset="assets/" + "a" * 64)
SUGGEST = pb.SuggestPromptsRequest(seed_text="the sea")
ANALYZE = pb.AnalyzeReferencesRequest(references=[PICTURE])


class Album(storage_stubs.StorageServiceServicer):
    """Has one thumbnail, or what stands for it."""

    def __init__(self):
        self.stand_in = False

    async def DownloadAsset(self, request, context):
        yield storage_pb.DownloadAssetResponse(
            header=storage_pb.DownloadHeader(media_type="image/webp", stand_in=self.stand_in)
        )
        yield storage_pb.DownloadAssetResponse(chunk=b"a thumbnail")


@pytest.fixture
async def album():
    found = Album()
    add = lambda server: storage_stubs.add_StorageServiceServicer_to_server(found, server)  # noqa: E731
    async with serving("imagestudio.storage.v1.StorageService", add) as peer:
        found.looks = Looks(peer, storage_stubs.StorageServiceStub(peer.channel))
        yield found


@pytest.fixture
def pen():
    return Pen(WHOLE)


@pytest.fixture
def linguist(books, album, pen):
    return Linguist(
        meter=books.meter,
        voice=Voice(ENTRY, pen),
        built_in=BuiltIn(),
        registry=Registry((), configured=(), default=""),
        looks=album.looks,
    )


@pytest.mark.parametrize(("method", "request_"), [("suggest", SUGGEST), ("analyze", ANALYZE)])
async def test_a_stream_that_is_left_before_it_asks_pays_nothing(
    linguist, books, pen, method, request_
):
    async with aclosing(getattr(linguist, method)(request_)) as answers:
        assert (await anext(answers)).HasField("heartbeat")
    [call] = books.calls.values()
    assert (call.charged, pen.asked) == (cost_pb2.CHARGED_NO, 0)


async def test_a_picture_that_nobody_can_read_is_refused_before_money_is_held(
    linguist, books, album, pen
):
    album.stand_in = True
    with pytest.raises(Invalid) as refused:
        await anext(linguist.analyze(ANALYZE))
    assert (refused.value.reason, pen.asked, books.calls) == ("IMAGE_UNREADABLE", 0, {})


async def test_who_leaves_while_the_money_is_held_gets_it_back(linguist, books, pen):
    books.reserving.close()
    left = asyncio.create_task(linguist.enhance(pb.EnhancePromptRequest(prompt="the sea")))
    await books.reserving.came.wait()
    left.cancel()
    books.reserving.open()
    await asyncio.gather(left, return_exceptions=True)
    [call] = books.calls.values()
    assert (call.charged, pen.asked) == (cost_pb2.CHARGED_NO, 0)


async def test_who_leaves_while_it_is_settled_pays_what_it_cost(linguist, books):
    books.settling.close()
    left = asyncio.create_task(linguist.enhance(pb.EnhancePromptRequest(prompt="the sea")))
    await books.settling.came.wait()
    left.cancel()
    await asyncio.gather(left, return_exceptions=True)
    books.settling.open()
    async with asyncio.timeout(60):
        await books.settled.wait()
    [call] = books.calls.values()
    assert (call.charged, call.answer) == (cost_pb2.CHARGED_YES, "a stormy sea")


async def test_what_a_call_cost_is_told_until_it_is_heard(linguist, books):
    waited = []

    async def pause(seconds):
        waited.append(seconds)

    linguist = replace(linguist, meter=replace(books.meter, pause=pause))
    books.cut = {"settle": [LATE, LATE]}
    await linguist.enhance(pb.EnhancePromptRequest(prompt="the sea"))
    [call] = books.calls.values()
    assert (call.charged, len(waited)) == (cost_pb2.CHARGED_YES, 2)


async def test_who_ends_waits_for_what_is_being_settled(linguist, books):
    books.settling.close()
    left = asyncio.create_task(linguist.enhance(pb.EnhancePromptRequest(prompt="the sea")))
    await books.settling.came.wait()
    left.cancel()
    ending = asyncio.create_task(books.meter.close(20))
    await asyncio.gather(left, return_exceptions=True)
    assert not ending.done()
    books.settling.open()
    await ending
    [call] = books.calls.values()
    assert call.charged == cost_pb2.CHARGED_YES


async def test_who_ends_does_not_wait_for_ever(linguist, books):
    books.settling.close()
    left = asyncio.create_task(linguist.enhance(pb.EnhancePromptRequest(prompt="the sea")))
    await books.settling.came.wait()
    left.cancel()
    async with asyncio.timeout(60):
        await books.meter.close(0.05)
    books.settling.open()
