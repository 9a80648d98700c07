"""Replicate is a provider like any other, on the shipped transport against the lab."""

import asyncio
import io
import re
import urllib.request
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import httpx
import pytest
from PIL import Image

from services.generator import models, orders
from services.generator import provider as seam
from services.generator.identifiers import uuid7
from services.generator.providers import transport
from services.generator.providers.replicate import Replicate
from services.storage import decoder
from tests.generator.conformance.provider_suite import PROMPT, ProviderSuite
from tests.generator.memory_pictures import MemoryPictures, files_of
from tests.lab.process import Lab, running_lab
from tests.storage.pictures import picture

SOLD = [model for model in models.EVERY if model.provider == "replicate"]
SCHNELL = next(model for model in SOLD if model.key == "flux-schnell")
HOOK = httpx.URL("http://127.0.0.1:9/webhooks/replicate")  # nobody listens: a hint is lost


class ReplicateShop:
    def __init__(self, lab: Lab, http: httpx.AsyncClient, hook: httpx.URL | None = None) -> None:
        self.lab, self.pauses = lab, 0
        self.pictures = MemoryPictures()
        self.provider = Replicate(
            http=http, files=files_of(self.pictures, http), hook=hook, pause=self.pause,
            usual={model.slug: model.typical for model in SOLD},
            prices={model.slug: model.price for model in SOLD},
        )  # fmt: skip

    async def pause(self, _reference: str, seconds: float) -> None:
        """The lab's time passes, and ours does not."""
        self.pauses += 1
        await asyncio.to_thread(self.lab.advance, seconds)

    def order(self, purchase_id: str, model=SCHNELL, images=1, prompt=PROMPT) -> seam.Order:
        spec = orders.job_pb2.JobSpec(prompt=prompt, models=[model.key], count=images)
        made = orders.order(model, spec, 0, images, purchase_id)
        return replace(made, asked=datetime.now(UTC), account="user/lab")

    async def buy(self, order: seam.Order, report: seam.Report = lambda _s: None) -> seam.Ticket:
        return await self.provider.buy(order, None, report)

    async def told(self, ticket: seam.Ticket) -> seam.Working | seam.Drawn | seam.Ended:
        return [seen async for seen in self.provider.follow(ticket)][-1]

    def bytes_of(self, _purchase_id: str, image: seam.Inline | seam.Link) -> bytes:
        assert isinstance(image, seam.Link)
        with urllib.request.urlopen(image.url, timeout=30) as answer:
            return answer.read()


@pytest.fixture(scope="session")
def lab():
    with running_lab() as found:
        yield found


@pytest.fixture
async def http(lab):
    lab.reset()
    async with transport.client(f"{lab.url}/replicate", {"Authorization": "Bearer r8_x"}) as found:
        yield found


@pytest.fixture
def shop(lab, http):
    return ReplicateShop(lab, http, HOOK)


@pytest.fixture
def hookless(lab, http):
    """As where PUBLIC_URL is not https: a purchase is known by its inputs alone."""
    return ReplicateShop(lab, http)


def pixels(picture: bytes) -> tuple[int, int]:
    """The width and height of a picture, or of an SVG in its first words."""
    if not picture.startswith(b"<svg"):
        return Image.open(io.BytesIO(picture)).size
    width, height = re.findall(rb'\b(?:width|height)="(\d+)"', picture)[:2]
    return int(width), int(height)


class TestReplicate(ProviderSuite):
    @pytest.mark.parametrize("model", SOLD, ids=lambda model: model.key)
    async def test_each_model_draws_and_costs_what_the_lab_charges(self, shop, model):
        images = model.most_per_call
        ticket = await shop.buy(shop.order(uuid7(), model, images))
        drawn = await shop.told(ticket)
        (charge,) = shop.lab.ledger()
        assert (charge["ticket"], charge["images"]) == (ticket.reference, images)
        assert drawn.cost == round(charge["usd"] * 1e6) == images * model.price
        assert len(drawn.images) == images
        assert all(link.expires_at > datetime.now(UTC) for link in drawn.images)

    @pytest.mark.parametrize("model", SOLD, ids=lambda model: model.key)
    async def test_a_picture_has_the_size_that_the_model_tells(self, shop, model):
        ticket = await shop.buy(shop.order(uuid7(), model))
        drawn = await shop.told(ticket)
        picture = await asyncio.to_thread(shop.bytes_of, "", drawn.images[0])
        assert pixels(picture) == model.size("")

    @pytest.mark.parametrize(
        "model", [m for m in SOLD if m.references], ids=lambda model: model.key
    )
    @pytest.mark.parametrize("large", [False, True], ids=["inside", "uploaded"])
    async def test_input_images_reach_each_model_that_takes_some(self, shop, lab, model, large):
        mask = decoder.mask(picture("PNG", (1024, 300)))
        for slot in model.references:
            content = picture("PNG", (700, 300) if large else (8, 8), seed=len(slot.input))
            shop.pictures.add(mask if slot.inverted else content)
        made = shop.order(uuid7(), model)
        given = [
            seam.Reference(asset=asset, media_type="image/png", role=slot.roles[0])
            for slot, asset in zip(model.references, shop.pictures.kept, strict=True)
        ]
        order = replace(made, references=tuple(given))
        drawn = await shop.told(await shop.buy(order))
        assert isinstance(drawn, seam.Drawn)
        assert drawn.cost == round(sum(charge["usd"] for charge in lab.ledger()) * 1e6)

    async def test_an_order_with_input_images_is_found_again_by_them(self, hookless, lab):
        model = next(model for model in SOLD if model.key == "seedream-4.5")  # it has no seed
        shop = hookless
        few, many = (
            replace(
                shop.order(uuid7(), model),
                references=tuple(
                    shop.pictures.add(picture("PNG", size, seed=seed)) for seed in range(number)
                ),
            )
            for number, size in ((1, (8, 8)), (2, (700, 300)))
        )
        tickets = [await shop.buy(order) for order in (few, many)]
        assert (await shop.provider.look_up(few)).tickets == tickets[:1]
        assert (await shop.provider.look_up(many)).tickets == tickets[1:]

    async def test_a_slow_one_is_followed_with_its_own_progress(self, shop, lab):
        lab.pace(20.0)
        ticket = await shop.buy(shop.order(uuid7()))
        *working, drawn = [seen async for seen in shop.provider.follow(ticket)]
        fractions = [seen.fraction for seen in working if seen.fraction is not None]
        assert isinstance(drawn, seam.Drawn)
        assert fractions == sorted(fractions)
        assert fractions

    async def test_canceled_before_its_end_it_is_stopped_and_charged(self, shop, lab):
        lab.pace(60.0)
        ticket = await shop.buy(shop.order(uuid7()))
        await shop.pause("", 1.0)
        await shop.provider.cancel(ticket)
        ended = await shop.told(ticket)
        assert (ended.stopped, ended.charged) == (True, bool(lab.ledger()))

    async def test_what_takes_too_long_stops_by_itself(self, shop, lab):
        lab.pace(1000.0)
        ticket = await shop.buy(shop.order(uuid7()))
        ended = await shop.told(ticket)
        assert (ended.stopped, ended.charged) == (True, True)

    async def test_a_refusal_of_the_content_is_told_from_a_failure(self, shop, lab):
        for prompt, content in (("refuse-me", True), ("fail-me", False)):
            ended = await shop.told(await shop.buy(shop.order(uuid7(), prompt=prompt)))
            assert (ended.content, ended.charged, ended.stopped) == (content, None, False)

    async def test_after_an_hour_the_pictures_are_gone_and_were_paid_for(self, shop, lab):
        ticket = await shop.buy(shop.order(uuid7()))
        await shop.told(ticket)
        lab.advance(3601)
        assert await shop.told(ticket) == seam.Ended(
            charged=True, reason="succeeded, and its output is gone", cost=3_000
        )

    @pytest.mark.parametrize("hook", [HOOK, None], ids=["by its hook", "by its inputs"])
    async def test_one_whose_answer_was_lost_is_found_among_many(self, hook, http, lab):
        shop = ReplicateShop(lab, http, hook)
        lab.vendor("replicate", fills_in_defaults=True)
        for _ in range(105):
            await shop.buy(shop.order(uuid7()))
        order = shop.order(uuid7())
        lab.faults([{"vendor": "replicate", "where": "create", "kind": "drop_after", "times": 1}])
        with pytest.raises(seam.Unclear):
            await shop.buy(order)
        for _ in range(105):
            await shop.buy(shop.order(uuid7()))
        (found,) = (await shop.provider.look_up(order)).tickets
        assert await shop.provider.recognize(order, found)
        drawn = await shop.told(found)
        assert isinstance(drawn, seam.Drawn)
        assert len(lab.ledger()) == 211

    @pytest.mark.parametrize("hook", [HOOK, None], ids=["by its hook", "by its inputs"])
    async def test_a_clock_of_ours_that_is_ahead_proves_no_absence(self, hook, http, lab):
        """What the lab has just sold is to us twelve minutes old."""
        shop = ReplicateShop(lab, http, hook)
        ours = datetime.now(UTC) + timedelta(minutes=12)
        order = replace(shop.order(uuid7()), sent=ours, asked=ours)
        lab.faults([{"vendor": "replicate", "where": "create", "kind": "drop_after", "times": 1}])
        with pytest.raises(seam.Unclear):
            await shop.buy(order)
        (found,) = (await shop.provider.look_up(order)).tickets
        assert [charge["ticket"] for charge in lab.ledger()] == [found.reference]

    async def test_without_a_hook_what_is_blanked_cannot_be_excluded(self, hookless, lab):
        order = hookless.order(uuid7())
        await hookless.told(await hookless.buy(hookless.order(uuid7())))
        assert (await hookless.provider.look_up(order)).tickets == []
        lab.advance(3601)
        with pytest.raises(seam.Unclear):
            await hookless.provider.look_up(order)

    @pytest.mark.parametrize(
        ("kind", "expected"),
        [
            ("drop_before", seam.Unclear), ("drop_after", seam.Unclear),
            ("status:500", seam.Unclear), ("status:503", seam.Unclear),
            ("status:429", seam.Unavailable), ("status:402", seam.Refused),
            ("truncate", seam.Unclear), ("html", seam.Unclear),
        ],
    )  # fmt: skip
    async def test_a_bad_answer_to_an_order_is_never_tried_again(self, shop, lab, kind, expected):
        lab.faults([{"vendor": "replicate", "where": "create", "kind": kind, "times": 1}])
        with pytest.raises(expected):
            await shop.buy(shop.order(uuid7()))
        assert lab.requests()["replicate"]["create"] == 1

    @pytest.mark.parametrize("kind", ["drop_before", "status:500", "truncate", "html"])
    async def test_a_bad_answer_to_a_look_ends_nothing(self, shop, lab, kind):
        ticket = await shop.buy(shop.order(uuid7()))
        lab.faults([{"vendor": "replicate", "where": "get", "kind": kind, "times": 2}])
        assert isinstance(await shop.told(ticket), seam.Drawn)
