"""OpenAI is a provider like any other, on the shipped transport against the lab."""

import base64
import io
import json
from dataclasses import replace

import httpx
import pytest
from PIL import Image

from imagestudio.catalog.v1 import edge_pb2
from imagestudio.type.v1 import image_pb2, job_pb2
from services.generator import orders
from services.generator import provider as seam
from services.generator.providers import transport
from services.generator.providers.openai import OpenAI
from services.generator.signs import of_error
from services.storage import decoder
from tests import patient
from tests.generator.conformance.answered_shop import ID, AnsweredShop
from tests.generator.conformance.provider_suite import ProviderSuite
from tests.generator.memory_pictures import MemoryPictures
from tests.generator.scripted_wire import Script
from tests.lab.process import Lab, running_lab

FLARE = "gpt-image-2.5-flare"
MOVES = "gpt-image-2.6-flare"
PICTURE = base64.b64encode(b"picture" * 30).decode()
USAGE = {
    "input_tokens": 30, "output_tokens": 200, "total_tokens": 230,
    "input_tokens_details": {"text_tokens": 10, "image_tokens": 20},
}  # fmt: skip
BLOCKED = {"code": "moderation_blocked", "message": "rejected by the safety system"}


class OpenAIShop(AnsweredShop):
    vendor, model = "openai", FLARE

    def __init__(self, lab: Lab, http: httpx.AsyncClient) -> None:
        super().__init__(lab, http)
        self.pictures = MemoryPictures()
        self.provider = OpenAI(
            http=http,
            receipts=self.receipts,
            pictures=self.pictures,
            tokens={model.slug: model.tokens for model in self.sold.values()},
        )

    def asked(self, order: seam.Order, **inputs: object) -> seam.Order:
        return replace(order, inputs={**order.inputs, **inputs})

    async def bought(self, order: seam.Order, report: seam.Report = lambda _s: None):
        ticket = await self.buy(order, report)
        return await self.told(replace(ticket, slug=order.slug))

    async def answered(self, answer: bytes):
        self.receipts.kept[ID] = answer
        return await self.told(seam.Ticket(f"receipt:{ID}", slug=FLARE))

    def opened(self, image: seam.Inline) -> Image.Image:
        return Image.open(io.BytesIO(self.bytes_of(ID, image)))


@pytest.fixture(scope="session")
def lab():
    with running_lab() as found:
        yield found


@pytest.fixture
async def shop(lab: Lab):
    lab.reset()
    lab.pace(0)
    http = transport.client(f"{lab.url}/openai/v1", {"Authorization": "Bearer lab"})
    yield OpenAIShop(lab, http)
    await http.aclose()


async def sent(shop: OpenAIShop, order: seam.Order) -> httpx.Request:
    """What *order* is on the wire."""
    answer = json.dumps({"data": [{"b64_json": PICTURE}]}).encode()
    script = Script(httpx.Response(200, content=answer))
    key = {"Authorization": "Bearer secret"}
    http = patient.AsyncClient(transport=script, base_url="https://o.test/v1", headers=key)
    await replace(shop.provider, http=http).buy(order, shop.receipts.sink(ID), lambda _s: None)
    return script.requests[0]


def event(kind: str, **data: object) -> bytes:
    return f"event: {kind}\ndata: {json.dumps({'type': kind, **data})}\n\n".encode()


def painted(*colour: int, size=(64, 64)) -> bytes:
    file = io.BytesIO()
    Image.new("RGB", size, colour).save(file, "PNG")
    return file.getvalue()


class TestOpenAI(ProviderSuite):
    @pytest.mark.parametrize(
        ("key", "quality", "aspect"),
        [("gpt-image-2", "high", "1:1"), (FLARE, "low", "16:9"),
         ("gpt-image-2.5-sunburst", "max", "2:3"), ("gpt-image-2.6-flare", "xhigh", "1:1"),
         ("gpt-image-2.6-sunburst", "medium", "21:9")],
    )  # fmt: skip
    async def test_pictures_come_as_ordered_at_what_was_estimated(self, shop, key, quality, aspect):
        order = shop.asked(shop.order(key=key, images=2, aspect=aspect), quality=quality)
        drawn = await shop.bought(order)
        model = shop.sold[key]
        assert {shop.opened(image).size for image in drawn.images} == {model.size(aspect)}
        assert len(drawn.images) == 2
        [charge] = shop.lab.ledger()
        assert drawn.cost == pytest.approx(charge["usd"] * 1e6, abs=1)
        expected = model.price_of(model.size(aspect), {"quality": quality})
        assert expected * 2 <= drawn.cost <= expected * 2 * 1.02 + 100
        assert shop.charges() == [(ID, key, 2)]

    @pytest.mark.parametrize("frames", [None, 2, 16])
    async def test_an_animation_comes_as_ordered_at_what_was_estimated(self, shop, frames):
        asked = {"output_format": "gif", "quality": "low", "frame_duration_ms": 90}
        asked |= {"frame_count": frames} if frames else {}
        drawn = await shop.bought(shop.asked(shop.order(key=MOVES), **asked))
        with shop.opened(drawn.images[0]) as picture:
            assert (picture.format, picture.n_frames) == ("GIF", frames or 9)
        expected = shop.sold[MOVES].price_of((1024, 1024), asked)
        assert expected <= drawn.cost <= expected * 1.02 + 100

    async def test_a_drawing_comes_from_an_edit_by_its_author(self, shop):
        shown = shop.pictures.add(painted(1, 2, 3))
        author = {"model": "gpt-5.6", "reasoning": {"effort": "low"}}
        order = shop.asked(shop.order(key=MOVES), output_format="svg", svg=author)
        order = replace(order, references=(shown,))
        form = await (await sent(shop, order)).aread()
        assert b'name="svg[model]"\r\n\r\ngpt-5.6\r\n' in form
        assert b'name="svg[reasoning][effort]"\r\n\r\nlow\r\n' in form
        [image] = (await shop.bought(replace(order, purchase_id=f"{ID[:-1]}8"))).images
        assert shop.bytes_of(f"{ID[:-1]}8", image).startswith(b"<svg ")

    async def test_an_edit_for_several_pictures_costs_what_was_reserved_and_hardly_less(self, shop):
        """Its input images are read once, however many are drawn."""
        shown = [shop.pictures.add(painted(n, 0, 0, size=(1024, 1024))) for n in (1, 2)]
        order = replace(shop.order(images=3), references=tuple(shown))
        drawn = await shop.bought(order)
        asked = job_pb2.JobSpec(prompt=order.inputs["prompt"], models=[FLARE], count=3)
        asked.references.extend([image_pb2.ReferenceImage()] * 2)
        model = shop.sold[FLARE]
        most, reading = orders.most(model, asked, 3), model.tokens.most("", 2, 0)
        assert len(drawn.images) == 3
        assert drawn.cost <= most < drawn.cost + reading / 2

    async def test_an_order_is_on_the_wire_as_openai_has_it(self, shop):
        order = shop.asked(shop.order(prompt="a boat"), output_format="webp", background="opaque")
        request = await sent(shop, order)
        assert request.url.path == "/v1/images/generations"
        assert json.loads(request.content) == {
            "model": FLARE, "prompt": "a boat", "size": "1024x1024", "n": 1, "quality": "medium",
            "output_format": "webp", "background": "opaque",
        }  # fmt: skip
        assert request.headers["authorization"] == "Bearer secret"
        assert request.headers["x-client-request-id"] == ID
        assert "secret" not in str(request.url)

    async def test_one_picture_streams_with_its_previews_and_several_do_not(self, shop):
        one = json.loads((await sent(shop, shop.asked(shop.order(), partial_images=2))).content)
        assert (one["stream"], one["partial_images"]) == (True, 2)
        two = shop.asked(shop.order(purchase_id=f"{ID[:-1]}8", images=2), partial_images=2)
        assert {"stream", "partial_images"}.isdisjoint(json.loads((await sent(shop, two)).content))

    async def test_previews_come_on_the_way_and_the_picture_from_the_receipt(self, shop):
        seen: list[seam.Preview] = []
        order = shop.asked(shop.order(), partial_images=3, quality="low")
        drawn = await shop.bought(order, seen.append)
        assert [each.number for each in seen] == [0, 1, 2]
        assert all(Image.open(io.BytesIO(each.image)).size == (1024, 1024) for each in seen)
        [image] = drawn.images
        assert shop.bytes_of(ID, image) not in [each.image for each in seen]
        price = shop.sold[FLARE].price_of((1024, 1024), {"quality": "low", "partial_images": 3})
        assert price <= drawn.cost <= price + 100
        assert drawn.cost == pytest.approx(shop.lab.ledger()[0]["usd"] * 1e6, abs=1)

    async def test_a_mask_of_ours_is_white_where_theirs_is_transparent(self, shop):
        half = Image.new("L", (64, 64), 0)
        half.paste(255, (0, 0, 32, 64))
        file = io.BytesIO()
        half.save(file, "PNG")
        references = (
            shop.pictures.add(painted(0, 255, 0), role=seam.Role.STYLE),
            shop.pictures.add(decoder.mask(file.getvalue()), role=seam.Role.MASK),
            shop.pictures.add(painted(255, 0, 0), role=seam.Role.EDIT_BASE),
        )
        drawn = await shop.bought(replace(shop.order(), references=references))
        with shop.opened(drawn.images[0]) as picture:
            kept, changed = (picture.convert("RGB").getpixel((x, 512)) for x in (900, 100))
        assert kept == (255, 0, 0)
        assert changed != (255, 0, 0)

    @pytest.mark.parametrize("roles", [["mask"], ["style", "mask"], ["edit_base", "mask", "mask"]])
    async def test_a_mask_without_an_image_to_change_is_refused_before_it_leaves(self, shop, roles):
        added = [shop.pictures.add(painted(1, 2, 3), role=seam.Role(each)) for each in roles]
        with pytest.raises(seam.Refused):
            await shop.buy(replace(shop.order(), references=tuple(added)))
        assert "openai" not in shop.lab.requests()

    async def test_more_bytes_than_an_order_may_show_are_refused_before_it_leaves(self, shop):
        big = [shop.pictures.add(bytes([n]) * (17 << 20)) for n in range(3)]
        with pytest.raises(seam.Unfit, match="bytes in all"):
            await shop.buy(replace(shop.order(), references=tuple(big)))
        assert "openai" not in shop.lab.requests()

    async def test_a_mask_that_is_no_picture_is_refused_before_it_leaves(self, shop):
        base = shop.pictures.add(painted(1, 2, 3), role=seam.Role.EDIT_BASE)
        mask = shop.pictures.add(b"words", role=seam.Role.MASK)
        with pytest.raises(seam.Refused, match="not prepared"):
            await shop.buy(replace(shop.order(), references=(base, mask)))
        assert "openai" not in shop.lab.requests()

    @pytest.mark.parametrize(
        ("token", "error", "remedy"),
        [
            ("wrong", seam.NotKnown, r"set OPENAI_API_KEY .* \(401\)"),
            ("poor", seam.NoCredit, r"add credit .* \(429 "),
            ("capped", seam.NoCredit, r"add credit .* \(400 "),
            ("unverified", seam.Refused, "must be verified"),
        ],
    )
    async def test_who_may_not_buy_is_told_what_to_do(self, shop, token, error, remedy):
        shop.provider.http.headers["Authorization"] = f"Bearer {token}"
        with pytest.raises(error, match=remedy) as refused:
            await shop.buy(shop.order())
        assert type(refused.value) is error
        assert shop.charges() == []

    @pytest.mark.parametrize(
        ("status", "error"),
        [
            (429, {"type": "insufficient_quota", "code": None}),
            (400, {"code": "billing_not_active"}),
        ],
    )
    async def test_an_empty_account_is_told_by_code_or_type(self, shop, status, error):
        script = Script(httpx.Response(status, json={"error": error}))
        http = patient.AsyncClient(transport=script, base_url="https://o.test")
        with pytest.raises(seam.NoCredit, match="add credit"):
            await replace(shop.provider, http=http).buy(
                shop.order(), shop.receipts.sink(ID), lambda _s: None
            )

    async def test_what_it_will_not_draw_is_refused_for_its_content(self, shop):
        with pytest.raises(seam.ContentRefused, match=r"400 Your .* system\. \(moderation_block"):
            await shop.buy(shop.order(prompt="refuse-me"))
        late = shop.asked(shop.order(prompt="refuse-late"), partial_images=1)
        ended = await shop.bought(late)
        assert (ended.content, ended.charged) == (True, None)

    @pytest.mark.parametrize(
        ("details", "error"),
        [
            ({"moderation_stage": "input"}, seam.ContentRefused),
            ({"moderation_stage": "output"}, seam.Withheld),
            ({"moderation_stage": "unknown"}, seam.Withheld),
            ({}, seam.Withheld),
            ("output", seam.Withheld),
            (None, seam.Withheld),
        ],
    )
    async def test_what_it_withholds_may_be_charged(self, shop, details, error):
        """OpenAI says nowhere that a picture is free which it drew and then kept back."""
        said = {"code": "moderation_blocked", "message": "No.", "moderation_details": details}
        http = patient.AsyncClient(
            transport=Script(httpx.Response(400, json={"error": said})), base_url="https://o.test"
        )
        with pytest.raises(error, match="No") as refused:
            await replace(shop.provider, http=http).buy(
                shop.order(), shop.receipts.sink(ID), lambda _s: None
            )
        assert of_error(refused.value, "openai").sign == edge_pb2.PROVIDER_SIGN_WELL

    async def test_its_rate_is_read_ahead_and_kept(self, shop):
        shop.lab.vendor("openai", orders_per_minute=2)
        ticket = await shop.buy(shop.order())
        assert ticket.allowance == seam.Allowance(1, 30.0)
        await shop.buy(shop.order(purchase_id=f"{ID[:-1]}8"))
        with pytest.raises(seam.Busy) as busy:
            await shop.buy(shop.order(purchase_id=f"{ID[:-1]}7"))
        assert (busy.value.retry_after, busy.value.allowance.left) == (30, 0)

    @pytest.mark.parametrize("partial", [0, 2])
    @pytest.mark.parametrize(
        ("kind", "error", "charged"),
        [("status:429", seam.Busy, 0), ("status:400", seam.Refused, 0),
         ("status:404", seam.Refused, 0), ("status:500", seam.Unclear, 0),
         ("status:503", seam.Unclear, 0), ("drop_before", seam.Unclear, 0),
         ("drop_after", seam.Unclear, 1), ("truncate", seam.Unclear, 1)],
    )  # fmt: skip
    async def test_a_call_that_goes_wrong_says_what_it_may_have_cost(
        self, shop, kind, error, charged, partial
    ):
        shop.fault(kind)
        with pytest.raises(seam.ProviderError) as raised:
            await shop.buy(shop.asked(shop.order(), partial_images=partial))
        assert type(raised.value) is error
        assert len(shop.charges()) == charged
        assert not shop.receipts.kept

    async def test_a_page_in_place_of_an_answer_is_kept_and_ends_it(self, shop):
        shop.fault("html")
        ended = await shop.bought(shop.order())
        assert isinstance(ended, seam.Ended)
        assert ended.charged is None
        assert b"<html" in shop.receipts.kept[ID]

    @pytest.mark.parametrize(
        ("answer", "charged"),
        [(b'{"data": []}', None), (b'{"data": 1}', None), (b"[]", None), (b"", None),
         (json.dumps({"data": [], "usage": USAGE}).encode(), True),
         (b'{"data": [{"b64_json": "short"}]}', None),
         (event("image_generation.partial_image", b64_json=PICTURE, partial_image_index=0), None),
         (event("image_generation.completed", b64_json="short"), None),
         (event("error", error=BLOCKED), None)],
    )  # fmt: skip
    async def test_an_answer_without_a_picture_ends_it(self, shop, answer, charged):
        ended = await shop.answered(answer)
        assert isinstance(ended, seam.Ended)
        assert ended.charged is charged
        assert ended.content is (b"moderation" in answer)

    @pytest.mark.parametrize(
        ("usage", "cost"),
        [(USAGE, 10 * 5 + 20 * 8 + 200 * 30), ({}, None), ({"input_tokens": "many"}, None),
         (USAGE | {"output_tokens": 10**30}, None), (USAGE | {"output_tokens": -5}, None),
         (USAGE | {"output_tokens": float("inf")}, None), (3, None), ([], None)],
    )  # fmt: skip
    async def test_a_cost_that_is_not_told_hides_no_picture(self, shop, usage, cost):
        answer = {"data": [{"b64_json": PICTURE}], "usage": usage}
        drawn = await shop.answered(json.dumps(answer).encode())
        assert (len(drawn.images), drawn.cost) == (1, cost)

    @pytest.mark.parametrize(
        "odd",
        [None, 3, "x", {}, {"revised_prompt": "x"}, {"b64_json": "short"}, {"b64_json": 3},
         {"url": None}, {"url": 3}, {"url": ""}],
        ids=repr,
    )  # fmt: skip
    async def test_an_entry_that_makes_no_sense_hides_no_picture(self, shop, odd):
        answer = {"created": 1, "data": [odd, {"b64_json": PICTURE, "url": None}], "usage": USAGE}
        drawn = await shop.answered(json.dumps(answer).encode())
        assert [shop.bytes_of(ID, image) for image in drawn.images] == [b"picture" * 30]
        assert drawn.cost is not None

    @pytest.mark.parametrize("odd", [b"data: 3\n\n", b"data: [1]\n\n", event("x.completed")])
    async def test_an_event_that_makes_no_sense_hides_no_picture(self, shop, odd):
        done = event("image_generation.completed", b64_json=PICTURE)
        assert len((await shop.answered(odd + done + odd)).images) == 1

    @pytest.mark.parametrize("created", [None, "soon", 1e30, float("nan")])
    async def test_a_link_without_a_sensible_date_is_a_link(self, shop, created):
        answer = {"created": created, "data": [{"url": "https://o.test/1"}, {"b64_json": PICTURE}]}
        link, inline = (await shop.answered(json.dumps(answer).encode())).images
        assert link == seam.Link("https://o.test/1", None)
        assert isinstance(inline, seam.Inline)

    async def test_whose_model_is_not_known_has_no_cost(self, shop):
        shop.receipts.kept[ID] = event("image_edit.completed", b64_json=PICTURE, usage=USAGE)
        drawn = await shop.told(seam.Ticket(f"receipt:{ID}"))
        assert (len(drawn.images), drawn.cost) == (1, None)

    @pytest.mark.parametrize("inline", [True, False])
    async def test_dall_e_3_is_bought_by_its_old_contract(self, shop, inline):
        shop.lab.vendor("openai", serves_retired=True)
        order = shop.order(key="dall-e-3", aspect="7:4")
        if not inline:
            order = shop.asked(order, response_format="url")
        drawn = await shop.bought(order)
        [image] = drawn.images
        if inline:
            assert shop.opened(image).size == (1792, 1024)
        else:
            assert image.url.startswith(f"{shop.lab.url}/openai/delivery/")
            assert patient.get(image.url).headers["content-type"] == "image/png"
            assert image.expires_at is not None
        assert shop.charges() == [(ID, "dall-e-3", 1)]
