"""What users and logs are told of a failure is a sentence, and nothing that Python prints."""

import asyncio
import re
import socket

import pytest

from services.generator import masks
from services.generator import provider as seam
from services.generator.models.tokens import Tokens
from services.generator.providers import predictions, transport
from services.generator.providers.google import Google
from services.generator.providers.openai import OpenAI
from services.generator.providers.recraft import Recraft
from services.generator.providers.sketch import Sketch
from services.generator.sketching.easel import Easel
from tests import patient
from tests.generator.memory_pictures import MemoryPictures
from tests.generator.memory_receipts import MemoryReceipts
from tests.generator.scripted_wire import ID

_PRINTED = re.compile(r"\w+(Error|Timeout|Exception)\b|\{'|[(\[]'|Errno|object at 0x|NoneType")
TOKENS = {"m": Tokens(text_in=1, text_out=1, image_in=1, image_out=1)}


def plain(words: str) -> str:
    """*words*, once they are seen to be for people."""
    assert words
    assert not _PRINTED.search(words), words
    return words


async def asked(url: str, seconds: float, kind: type[seam.ProviderError]) -> str:
    """What is said of a call to *url* that fails."""
    async with transport.client(url, {}) as http:
        with pytest.raises(kind) as failed:
            await transport.answer(http.get("/"), seconds, never_sent=seam.Unavailable)
    return plain(str(failed.value))


async def hang_up(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.close()


async def test_a_server_that_hangs_up():
    async with await asyncio.start_server(hang_up, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        assert "broke off" in await asked(f"http://127.0.0.1:{port}", 20, seam.Unclear)


async def test_a_server_that_says_nothing():
    with socket.create_server(("127.0.0.1", 0)) as deaf:
        url = f"http://127.0.0.1:{deaf.getsockname()[1]}"
        assert await asked(url, 0.05, seam.Unclear) == "no whole answer came in time"


@pytest.mark.parametrize("host", ["127.0.0.1", "no-such-host.invalid"])
async def test_a_server_that_is_not_there(host):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # and does not listen
        url = f"http://{host}:{taken.getsockname()[1]}"
        assert "check the network" in await asked(url, 20, seam.Unavailable)


@pytest.mark.parametrize("kept", [b"<html>", b"[]", b'{"data": 7}', b'{"error": 7, "data": [3]}'])
@pytest.mark.parametrize("name", ["openai", "google", "recraft"])
async def test_an_answer_that_makes_no_sense(name, kept):
    receipts, http = MemoryReceipts(), patient.AsyncClient()
    receipts.kept[ID] = kept
    shop = {"http": http, "receipts": receipts}
    vendor = {
        "openai": lambda: OpenAI(**shop, pictures=MemoryPictures(), tokens=TOKENS),
        "google": lambda: Google(**shop, pictures=MemoryPictures(), tokens=TOKENS),
        "recraft": lambda: Recraft(**shop),
    }[name]()
    [ended] = [seen async for seen in vendor.follow(seam.Ticket(f"receipt:{ID}"))]
    assert isinstance(ended, seam.Ended)
    assert ended.charged is None
    plain(ended.reason)


@pytest.mark.parametrize("found", [{"status": None}, {"status": "succeeded", "output": {"a": 1}}])
def test_a_prediction_that_makes_no_sense(found):
    with pytest.raises(seam.Unclear) as failed:
        predictions.event(found, {})
    plain(str(failed.value))


@pytest.mark.parametrize("kept", [b"", b"{}", b'{"images": [{}]}'])
async def test_a_drawing_whose_receipt_cannot_be_read(kept):
    receipts = MemoryReceipts()
    receipts.kept[ID] = kept
    with pytest.raises(seam.Unclear) as failed:
        async for _seen in Sketch(Easel(), receipts).follow(seam.Ticket(f"receipt:{ID}")):
            pass
    plain(str(failed.value))


async def test_a_drawing_that_cannot_be_made():
    inputs = {"prompt": "a boat", "seed": 1, "width": 0, "height": 64}
    order = seam.Order(purchase_id=ID, slug="sketch", inputs=inputs, give_up_after=9)
    easel, receipts = Easel(), MemoryReceipts()
    with pytest.raises(seam.Refused, match="cannot be drawn: ") as failed:
        await Sketch(easel, receipts).buy(order, receipts.sink(ID), lambda _seen: None)
    await easel.close()
    plain(str(failed.value))


@pytest.mark.parametrize("content", [b"", b"no picture" * 40, masks._HEAD + bytes(9)])
def test_a_mask_that_is_none(content):
    with pytest.raises(seam.Unfit, match="send it again") as failed:
        masks.alpha(content)
    assert "unpack" not in plain(str(failed.value))
