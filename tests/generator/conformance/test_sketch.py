"""Sketch is a provider like any other, and a vendor that charges nothing until it is kept."""

import asyncio
import io
import json

import pytest
from PIL import Image

from services.generator import provider as seam
from services.generator.providers.sketch import INDEX, Sketch
from services.generator.sketching.easel import Easel
from tests.generator.conformance.provider_suite import PROMPT, ProviderSuite, decoded
from tests.generator.memory_receipts import MemoryReceipts

ID = "01890000-0000-7000-8000-000000000009"


class SketchShop:
    def __init__(self, easel: Easel) -> None:
        self.receipts, self.paused = MemoryReceipts(), asyncio.Event()
        self.provider = Sketch(easel, self.receipts, self.pause)

    async def pause(self, _seconds: float) -> None:
        """Never ends by itself: whoever is paced waits here until he is stopped."""
        self.paused.set()
        await asyncio.Event().wait()

    def order(self, purchase_id: str, **inputs: object) -> seam.Order:
        wanted = {"prompt": PROMPT, "seed": 7, "width": 96, "height": 64} | inputs
        return seam.Order(purchase_id=purchase_id, slug="sketch", inputs=wanted, give_up_after=60)

    async def buy(self, order: seam.Order, report: seam.Report = lambda _s: None) -> seam.Ticket:
        return await self.provider.buy(order, self.receipts.sink(order.purchase_id), report)

    def bytes_of(self, purchase_id: str, image: seam.Inline | seam.Link) -> bytes:
        assert isinstance(image, seam.Inline)
        return decoded(self.receipts.kept[purchase_id], image)


@pytest.fixture
async def shop():
    easel = Easel(children=1)
    yield SketchShop(easel)
    await easel.close()


class TestSketch(ProviderSuite):
    @pytest.mark.parametrize("kind", ["png", "jpeg", "webp"])
    async def test_it_draws_the_size_and_format_that_were_ordered(self, shop, kind):
        ticket = await shop.buy(shop.order(ID, format=kind))
        (drawn,) = [seen async for seen in shop.provider.follow(ticket)]
        assert (drawn.cost, drawn.seed, drawn.version) == (0, 7, "1")
        assert drawn.images[0].start == INDEX
        assert shop.receipts.holding[ID] == drawn  # said before anybody could read it
        with Image.open(io.BytesIO(shop.bytes_of(ID, drawn.images[0]))) as picture:
            assert (picture.format.lower(), picture.size) == (kind, (96, 64))

    async def test_a_picture_of_an_earlier_release_is_base64_text(self, shop):
        told = {"version": "1", "images": [{"start": 9, "stop": 13}], "seconds": 1, "seed": 7}
        shop.receipts.kept[ID] = json.dumps(told).encode()
        (drawn,) = [seen async for seen in shop.provider.follow(seam.Ticket(f"receipt:{ID}"))]
        assert drawn.images == (seam.Inline(9, 13, raw=False),)

    async def test_stopped_before_it_is_drawn_nothing_was_bought(self, shop):
        buying = asyncio.create_task(shop.buy(shop.order(ID, seconds=60)))
        await shop.paused.wait()
        buying.cancel()
        with pytest.raises(seam.Refused):
            await buying
        assert shop.receipts.kept == {}

    async def test_stopped_while_it_is_kept_it_was_bought(self, shop):
        class Slow:
            def __init__(self, inner):
                self.inner, self.closing = inner, asyncio.Event()
                self.go_on = asyncio.Event()

            async def write(self, chunk):
                await self.inner.write(chunk)

            async def close(self, holding):
                self.closing.set()
                await self.go_on.wait()
                await self.inner.close(holding)

        sink = Slow(shop.receipts.sink(ID))
        buying = asyncio.create_task(shop.provider.buy(shop.order(ID), sink, lambda _s: None))
        await sink.closing.wait()
        buying.cancel()
        await asyncio.sleep(0)
        sink.go_on.set()
        assert await buying == seam.Ticket(f"receipt:{ID}")
        assert ID in shop.receipts.kept

    async def test_who_was_given_up_cannot_buy_any_more(self, shop):
        order = shop.order(ID)
        assert (
            await shop.provider.look_up(order)
        ).tickets == []  # another worker proves the absence
        with pytest.raises(seam.Unclear):
            await shop.buy(order)  # and the one that was taken for dead wakes up
        assert (await shop.provider.look_up(order)).tickets == []

    async def test_without_storage_nothing_was_bought_and_nothing_is_known(self, shop):
        shop.receipts.broken = True
        with pytest.raises(seam.Unavailable):
            await shop.buy(shop.order(ID))
        with pytest.raises(seam.Unread):
            await shop.provider.look_up(shop.order(ID))
        with pytest.raises(seam.Unread):
            [seen async for seen in shop.provider.follow(seam.Ticket(f"receipt:{ID}"))]

    async def test_the_same_order_is_the_same_picture(self, shop):
        first, second = ID, ID.replace("9", "8")
        for purchase_id in (first, second):
            await shop.buy(shop.order(purchase_id))
        pictures = {shop.receipts.kept[each][INDEX:] for each in (first, second)}
        assert len(pictures) == 1
