"""Recraft is a provider like any other, on the shipped transport against the lab."""

import asyncio
import base64
import io
import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import httpx
import pytest
from PIL import Image

from chassis.errors import Unavailable
from services.generator import provider as seam
from services.generator.providers import transport
from services.generator.providers.recraft import Recraft
from tests.generator.conformance.answered_shop import ID, AnsweredShop
from tests.generator.conformance.provider_suite import ProviderSuite
from tests.generator.memory_receipts import SEAL
from tests.lab.process import Lab, running_lab

PICTURE = base64.b64encode(b"picture" * 30).decode()


class RecraftShop(AnsweredShop):
    vendor, model = "recraft", "recraft-v3"

    def __init__(self, lab: Lab, http: httpx.AsyncClient) -> None:
        super().__init__(lab, http)
        self.provider = Recraft(http=http, receipts=self.receipts)


@pytest.fixture(scope="session")
def lab():
    with running_lab() as found:
        yield found


@pytest.fixture
async def shop(lab: Lab):
    lab.reset()
    lab.pace(0)
    http = transport.client(f"{lab.url}/recraft", {"Authorization": "Bearer lab"})
    yield RecraftShop(lab, http)
    await http.aclose()


class TestRecraft(ProviderSuite):
    @pytest.mark.parametrize(("key", "kind"), [("recraft-v3", "WEBP"), ("recraft-v3-vector", "")])
    async def test_several_pictures_come_as_ordered_at_the_price_it_tells(self, shop, key, kind):
        ticket = await shop.buy(shop.order(key=key, images=3, aspect="16:9", seed=7))
        drawn = await shop.told(ticket)
        assert ticket.reference == f"receipt:{ID}"
        assert drawn.cost == 3 * shop.sold[key].price
        pictures = [shop.bytes_of(ID, image) for image in drawn.images]
        assert len(set(pictures)) == 3
        for picture in pictures:
            if kind:
                with Image.open(io.BytesIO(picture)) as opened:
                    assert (opened.format, opened.size) == (kind, (1820, 1024))
            else:
                assert picture.startswith(b"<svg")
        assert shop.charges() == [(ID, shop.sold[key].slug, 3)]

    @pytest.mark.parametrize(
        ("token", "error", "remedy"),
        [
            ("wrong", seam.NotKnown, r"set RECRAFT_API_TOKEN .* \(401\)"),
            ("poor", seam.NoCredit, r"buy API units .* \(402 "),
        ],
    )
    async def test_who_may_not_buy_is_told_what_to_do(self, shop, token, error, remedy):
        shop.http.headers["Authorization"] = f"Bearer {token}"
        with pytest.raises(error, match=remedy):
            await shop.buy(shop.order())
        assert shop.charges() == []

    async def test_what_it_will_not_draw_is_refused_for_its_content(self, shop):
        with pytest.raises(seam.ContentRefused, match="moderation"):
            await shop.buy(shop.order(prompt="refuse-me"))

    @pytest.mark.parametrize(
        ("kind", "error", "charged"),
        [("status:429", seam.Busy, 0), ("status:400", seam.Refused, 0),
         ("status:500", seam.Unclear, 0), ("status:503", seam.Unclear, 0),
         ("drop_before", seam.Unclear, 0), ("drop_after", seam.Unclear, 1),
         ("truncate", seam.Unclear, 1)],
    )  # fmt: skip
    async def test_a_call_that_goes_wrong_says_what_it_may_have_cost(
        self, shop, kind, error, charged
    ):
        shop.fault(kind)
        with pytest.raises(seam.ProviderError) as raised:
            await shop.buy(shop.order())
        assert type(raised.value) is error
        assert len(shop.charges()) == charged
        assert not shop.receipts.kept

    async def test_an_answer_that_takes_too_long_is_unclear(self, shop):
        shop.provider = Recraft(http=shop.http, receipts=shop.receipts, patience=0.3)
        shop.fault("hang:30")
        with pytest.raises(seam.Unclear):
            await shop.buy(shop.order())

    async def test_a_page_in_place_of_an_answer_is_kept_and_ends_it(self, shop):
        shop.fault("html")
        ended = await shop.told(await shop.buy(shop.order()))
        assert isinstance(ended, seam.Ended)
        assert ended.charged is None
        assert b"<html" in shop.receipts.kept[ID]

    @pytest.mark.parametrize(
        ("answer", "charged"),
        [('{"data": [], "credits": 0}', False), ('{"data": [], "credits": 40}', True),
         ('{"data": [{"url": 1}], "credits": 40}', True), ('{"data": 1}', None),
         ('{"data": []}', None),
         ('{"credits": "x", "data": []}', None), ("[]", None),
         ('{"data": [{"b64_json": "short"}]}', None)],
    )  # fmt: skip
    async def test_an_answer_without_a_picture_ends_it(self, shop, answer, charged):
        ended = await shop.answered(answer.encode())
        assert isinstance(ended, seam.Ended)
        assert ended.charged is charged

    async def test_a_link_in_place_of_a_picture_is_one_all_the_same(self, shop):
        """It is paid for, and lives for a day."""
        told = {"created": 0, "credits": 40, "data": [{"url": "https://img.recraft.ai/x"}]}
        drawn = await shop.answered(json.dumps(told).encode())
        expiry = datetime.fromtimestamp(0, UTC) + timedelta(days=1)
        link = seam.Link("https://img.recraft.ai/x", expiry)
        assert (drawn.images, drawn.cost) == ((link,), 40_000)

    @pytest.mark.parametrize(
        ("credits_", "cost"),
        [(80, 80_000), (40.5, 40_500), (None, None), ("40.0", None), (True, None), (-1, None),
         (1e30, None), (float("inf"), None), (float("nan"), None), ([], None)],
    )  # fmt: skip
    async def test_what_makes_no_sense_beside_a_picture_hides_none(self, shop, credits_, cost):
        odd = [None, "x", {}, {"b64_json": "short"}, {"b64_json": None}, {"b64_json": 3}]
        picture = {"b64_json": PICTURE}
        answer = {"data": [picture, *odd, picture], "credits": credits_}
        drawn = await shop.answered(json.dumps(answer).encode())
        assert (len(drawn.images), drawn.cost) == (2, cost)

    async def test_stopped_in_the_middle_nothing_is_kept(self, shop):
        shop.lab.pace(60)
        buying = asyncio.create_task(shop.buy(shop.order()))
        while not (await asyncio.to_thread(shop.lab.requests)).get("recraft", {}).get("create"):
            await asyncio.sleep(0.01)
        buying.cancel()
        with pytest.raises(asyncio.CancelledError):
            await buying
        assert not shop.receipts.kept

    @pytest.mark.parametrize("fault", [None, Unavailable("SERVICE_UNAVAILABLE", "it died")])
    async def test_stopped_while_it_is_kept_it_is_kept_to_the_end(self, shop, fault):
        receipt, closing, go = shop.receipts.sink(ID), asyncio.Event(), asyncio.Event()
        keep = receipt.close

        async def close():
            closing.set()
            await go.wait()
            if fault:
                raise fault
            await keep()

        receipt.close = close
        buying = asyncio.create_task(shop.provider.buy(shop.order(), receipt, lambda _s: None))
        await closing.wait()
        buying.cancel()
        go.set()
        if fault:
            with pytest.raises(seam.Unkept, match="not kept"):
                await buying
        else:
            assert (await buying).reference == f"receipt:{ID}"
            assert ID in shop.receipts.kept

    async def test_what_our_storage_does_not_take_is_no_fault_of_the_vendors(self, shop):
        shop.receipts.broken = True
        with pytest.raises(seam.Unkept, match="not kept"):
            await shop.buy(shop.order())
        assert len(shop.charges()) == 1

    async def test_while_our_storage_is_away_nothing_is_known_of_a_receipt(self, shop):
        ticket = await shop.buy(shop.order())
        shop.receipts.broken = True
        for awaited in (True, False):
            with pytest.raises(seam.Unread):
                await shop.provider.look_up(replace(shop.order(), awaited=awaited))
        with pytest.raises(seam.Unread):
            await shop.told(ticket)

    async def test_a_look_up_leaves_its_place_to_an_answer_that_may_come(self, shop):
        order = replace(shop.order(), awaited=True)
        with pytest.raises(seam.Unclear, match="may still hear"):
            await shop.provider.look_up(order)
        assert ID not in shop.receipts.kept
        ticket = await shop.buy(order)
        assert (await shop.provider.look_up(order)).tickets == [ticket]

    async def test_a_place_that_is_sealed_holds_nothing_however_soon_it_is_looked_at(self, shop):
        assert (await shop.provider.look_up(shop.order())).tickets == []
        assert (await shop.provider.look_up(replace(shop.order(), awaited=True))).tickets == []

    async def test_a_look_up_seals_the_place_of_what_did_not_come(self, shop):
        order = shop.order()
        assert (await shop.provider.look_up(order)).tickets == []
        assert shop.receipts.kept[ID] == SEAL
        with pytest.raises(seam.Unkept, match="not kept"):
            await shop.buy(order)  # a late one finds the place taken
