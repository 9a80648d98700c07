"""
What every provider must do, whoever it is. A provider's own test derives from it:

    class TestSketch(ProviderSuite): …with `shop`, which makes its world.
"""

import base64
from typing import Protocol

from services.generator import provider as seam

PROMPT = "a lighthouse at dawn"


class Shop(Protocol):
    """A provider and the world that it sells in."""

    provider: seam.Provider

    def order(self, purchase_id: str) -> seam.Order: ...

    async def buy(self, order: seam.Order, report: seam.Report) -> seam.Ticket: ...

    def bytes_of(self, purchase_id: str, image: seam.Inline | seam.Link) -> bytes: ...


class ProviderSuite:
    """The tests themselves; a subclass has a fixture `shop`."""

    async def test_what_was_bought_can_be_followed_to_its_pictures(self, shop: Shop):
        order = shop.order("01890000-0000-7000-8000-000000000001")
        ticket = await shop.buy(order, lambda _seen: None)
        *working, drawn = [seen async for seen in shop.provider.follow(ticket)]
        assert all(isinstance(seen, seam.Working) for seen in working)
        assert isinstance(drawn, seam.Drawn)
        assert drawn.images
        for image in drawn.images:
            assert shop.bytes_of(order.purchase_id, image)

    async def test_following_again_tells_the_same(self, shop: Shop):
        ticket = await shop.buy(shop.order("01890000-0000-7000-8000-000000000002"), lambda _s: None)
        told = [[seen async for seen in shop.provider.follow(ticket)][-1] for _ in range(2)]
        assert told[0] == told[1]

    async def test_a_look_up_finds_what_was_bought(self, shop: Shop):
        order = shop.order("01890000-0000-7000-8000-000000000003")
        ticket = await shop.buy(order, lambda _seen: None)
        assert isinstance(shop.provider, seam.CanBeAsked)
        assert (await shop.provider.look_up(order)).tickets == [ticket]

    async def test_a_look_up_finds_nothing_where_nothing_was_bought(self, shop: Shop):
        order = shop.order("01890000-0000-7000-8000-000000000004")
        assert isinstance(shop.provider, seam.CanBeAsked)
        assert (await shop.provider.look_up(order)).tickets == []
        assert (await shop.provider.look_up(order)).tickets == []

    async def test_progress_goes_up_and_stays_within_bounds(self, shop: Shop):
        seen: list[float] = []

        def report(event: seam.Working) -> None:
            if event.fraction is not None:
                seen.append(event.fraction)

        await shop.buy(shop.order("01890000-0000-7000-8000-000000000005"), report)
        assert seen == sorted(seen)
        assert all(0 <= fraction <= 1 for fraction in seen)

    async def test_a_ticket_of_nothing_is_out_of_sight_and_never_an_end(self, shop: Shop):
        try:
            told = [seen async for seen in shop.provider.follow(seam.Ticket("receipt:nothing"))]
        except seam.Unclear:
            return
        raise AssertionError(f"it told {told} of what was never bought")


def decoded(receipt: bytes, image: seam.Inline) -> bytes:
    """The picture that lies in a part of *receipt*."""
    part = receipt[image.start : image.stop]
    return part if image.raw else base64.b64decode(part, validate=True)
