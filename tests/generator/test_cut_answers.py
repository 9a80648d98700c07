"""A paid answer whose connection breaks: what came whole is kept, on the shipped transport."""

import asyncio
import base64
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import httpx
import pytest

from services.generator import provider as seam
from services.generator.models.tokens import Tokens
from services.generator.providers import transport
from services.generator.providers.google import Google
from services.generator.providers.openai import OpenAI
from services.generator.providers.recraft import Recraft
from tests import patient
from tests.generator.conformance.provider_suite import decoded
from tests.generator.memory_pictures import MemoryPictures
from tests.generator.memory_receipts import MemoryReceipts
from tests.generator.scripted_wire import ID, Script

BYTES = b"picture" * 30
PICTURE = base64.b64encode(BYTES).decode()
USAGE = {
    "input_tokens": 5, "output_tokens": 439,
    "input_tokens_details": {"text_tokens": 5, "image_tokens": 0},
}  # fmt: skip
SEVERAL = {"prompt": "a boat", "n": 2}
ONE = {"prompt": "a boat", "partial_images": 1}
GOOGLES = {"candidates": [{"content": {"parts": [
    {"inlineData": {"mimeType": "image/png", "data": PICTURE}}]}}]}  # fmt: skip


def event(kind: str, **data: object) -> bytes:
    kind = f"image_generation.{kind}"
    return f"event: {kind}\ndata: {json.dumps({'type': kind, **data})}\n\n".encode()


PARTIAL = event("partial_image", b64_json=PICTURE, partial_image_index=0)
DONE = event("completed", b64_json=PICTURE, usage=USAGE)
WHOLE = json.dumps({"created": 1, "data": [{"b64_json": PICTURE}] * 2, "credits": 80}).encode()


@asynccontextmanager
async def cutting(answer: bytes):
    """A vendor that sends *answer* and hangs up before the last chunk."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        await reader.readexactly(int(head.lower().split(b"content-length: ")[1].split()[0]))
        writer.write(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n")
        writer.write(b"%x\r\n%b\r\n" % (len(answer), answer))
        await writer.drain()
        writer.close()

    async with await asyncio.start_server(serve, "127.0.0.1", 0) as server:
        url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        async with transport.client(url, {}) as http:
            yield http, 60.0


@asynccontextmanager
async def falling_silent(answer: bytes):
    """One that sends *answer* and no end; all patience is over when it has."""

    async def body() -> AsyncIterator[bytes]:
        yield answer
        await asyncio.Event().wait()

    script = Script(httpx.Response(200, content=body()))
    async with patient.AsyncClient(transport=script, base_url="https://v.test") as http:
        yield http, 0.0


def provider(name: str, http, receipts: MemoryReceipts, patience: float) -> seam.Provider:
    settings = {"http": http, "receipts": receipts, "patience": patience}
    if name == "recraft":
        return Recraft(**settings)
    tokens = {"m": Tokens(text_in=1_000_000, image_out=1_000_000)}
    kind = OpenAI if name == "openai" else Google
    return kind(**settings, pictures=MemoryPictures(), tokens=tokens)


async def buy(name: str, ends, answer: bytes, inputs: dict, receipts: MemoryReceipts):
    """Buy of a vendor whose answer *ends* so, and tell what the ticket brings."""
    async with ends(answer) as (http, patience):
        found = provider(name, http, receipts, patience)
        order = seam.Order(purchase_id=ID, slug="m", inputs=inputs, give_up_after=10)
        ticket = await found.buy(order, receipts.sink(ID), lambda _seen: None)
        assert (await found.look_up(order)).tickets == [ticket]
        return [seen async for seen in found.follow(seam.Ticket(ticket.reference, slug="m"))][-1]


@pytest.mark.parametrize("ends", [cutting, falling_silent])
@pytest.mark.parametrize("rest", [b"", b"event: x\ndata: {", DONE[:-300]], ids=["", "x", "again"])
async def test_a_stream_is_kept_whose_picture_came_whole(ends, rest):
    receipts = MemoryReceipts()
    drawn = await buy("openai", ends, PARTIAL + DONE + rest, ONE, receipts)
    [image] = drawn.images
    assert decoded(receipts.kept[ID], image) == BYTES
    assert drawn.cost == 5 + 439


@pytest.mark.parametrize("ends", [cutting, falling_silent])
@pytest.mark.parametrize(
    ("name", "answer", "images"),
    [("openai", WHOLE, 2), ("recraft", WHOLE, 2), ("google", json.dumps(GOOGLES).encode(), 1)],
    ids=["openai", "recraft", "google"],
)
async def test_an_answer_is_kept_that_came_whole_but_for_its_end(name, answer, images, ends):
    receipts = MemoryReceipts()
    drawn = await buy(name, ends, answer, SEVERAL if images > 1 else {"prompt": "a"}, receipts)
    assert [decoded(receipts.kept[ID], image) for image in drawn.images] == [BYTES] * images


@pytest.mark.parametrize(
    ("ends", "why"),
    [(cutting, "broke off before the whole answer"), (falling_silent, "in 0 seconds")],
)
@pytest.mark.parametrize(
    "answer",
    [PARTIAL, PARTIAL + DONE[:200], WHOLE[:-40], b"<html>a page</html>", b"[DONE]", b'{"a": "'],
    ids=["partial", "half", "JSON", "page", "no event", "text"],
)
async def test_what_came_without_its_picture_is_unclear_and_not_kept(answer, ends, why):
    receipts = MemoryReceipts()
    with pytest.raises(seam.Unclear, match=why):
        await buy("openai", ends, answer, ONE, receipts)
    assert not receipts.kept
