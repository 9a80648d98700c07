"""Google is a provider like any other, on the shipped transport against the lab."""

import base64
import io
import json
import re
from dataclasses import replace

import httpx
import pytest
from PIL import Image

from services.generator import provider as seam
from services.generator.models.tokens import Tokens
from services.generator.providers import transport
from services.generator.providers.google import Google
from tests import patient
from tests.generator.conformance.answered_shop import ID, AnsweredShop
from tests.generator.conformance.provider_suite import ProviderSuite
from tests.generator.memory_pictures import MemoryPictures
from tests.generator.scripted_wire import Script
from tests.lab.process import Lab, running_lab

FLASH, PRO = "gemini-nano-banana-2.1", "gemini-3-pro-image"
PICTURE = base64.b64encode(b"picture" * 30).decode()
IMAGE = {"inlineData": {"mimeType": "image/png", "data": PICTURE}}
MICRO = {"text_in": 1, "image_in": 10, "text_out": 100, "image_out": 1000}
PRICES = {
    FLASH.removesuffix(".1"): Tokens(),
    FLASH: Tokens(**{kind: price * 1_000_000 for kind, price in MICRO.items()}),
}


class GoogleShop(AnsweredShop):
    vendor, model = "google", FLASH

    def __init__(self, lab: Lab, http: httpx.AsyncClient) -> None:
        super().__init__(lab, http)
        self.pictures = MemoryPictures()
        self.provider = Google(
            http=http,
            receipts=self.receipts,
            pictures=self.pictures,
            tokens={model.slug: model.tokens for model in self.sold.values()},
        )


@pytest.fixture(scope="session")
def lab():
    with running_lab() as found:
        yield found


@pytest.fixture
async def shop(lab: Lab):
    lab.reset()
    lab.pace(0)
    http = transport.client(f"{lab.url}/google", {"x-goog-api-key": "lab"})
    yield GoogleShop(lab, http)
    await http.aclose()


def saying(*parts: dict, finish: str = "STOP", **more: object) -> bytes:
    """An answer with *parts*."""
    candidate = {"content": {"role": "model", "parts": list(parts)}, "finishReason": finish}
    return json.dumps({"candidates": [candidate], "modelVersion": FLASH, **more}).encode()


def denied(reason: str) -> dict:
    """An error whose details say *reason*."""
    details = [{"@type": "type.googleapis.com/google.rpc.ErrorInfo", "reason": reason}]
    return {"message": "No.", "status": "PERMISSION_DENIED", "details": details}


async def sent(shop: GoogleShop, order: seam.Order) -> httpx.Request:
    """What *order* is on the wire."""
    script = Script(httpx.Response(200, content=saying(IMAGE)))
    key = {"x-goog-api-key": "secret"}
    http = patient.AsyncClient(transport=script, base_url="https://g.test", headers=key)
    await replace(shop.provider, http=http).buy(order, shop.receipts.sink(ID), lambda _s: None)
    return script.requests[0]


class TestGoogle(ProviderSuite):
    @pytest.mark.parametrize(
        ("key", "asked", "size"),
        [(FLASH, {}, (1024, 1024)), (FLASH, {"aspect": "8:1"}, (3072, 384)),
         (PRO, {"aspect": "9:16"}, (768, 1376))],
    )  # fmt: skip
    async def test_a_picture_comes_as_ordered_at_what_its_tokens_cost(self, shop, key, asked, size):
        drawn = await shop.told(await shop.buy(shop.order(key=key, **asked)))
        [image] = drawn.images
        with Image.open(io.BytesIO(shop.bytes_of(ID, image))) as opened:
            assert (opened.format, opened.size) == ("PNG", size)
        [charge] = shop.lab.ledger()
        assert drawn.cost == round(charge["usd"] * 1e6)
        assert drawn.version == key
        assert shop.charges() == [(ID, key, 1)]

    @pytest.mark.parametrize("size", ["1K", "2K"])
    async def test_an_estimate_is_close_to_what_a_size_costs(self, shop, size):
        order = shop.order()
        bigger = replace(order, inputs={**order.inputs, "image_size": size})
        drawn = await shop.told(await shop.buy(bigger))
        expected = shop.sold[FLASH].price_of((1024, 1024), {"image_size": size})
        assert expected <= drawn.cost <= 1.1 * expected

    async def test_an_order_is_on_the_wire_as_google_has_it(self, shop):
        request = await sent(shop, shop.order(aspect="16:9", prompt="a boat"))
        assert request.url.path == f"/v1/models/{FLASH}:generateContent"
        assert json.loads(request.content) == {
            "contents": [{"role": "user", "parts": [{"text": "a boat"}]}],
            "generationConfig": {
                "responseModalities": ["TEXT", "IMAGE"],
                "imageConfig": {"aspectRatio": "16:9"},
            },
            "store": False,
        }

    async def test_the_key_goes_in_its_header_alone(self, shop):
        request = await sent(shop, shop.order())
        assert request.headers["x-goog-api-key"] == "secret"
        assert "secret" not in str(request.url)

    async def test_input_images_follow_in_their_order_with_what_they_are_for(self, shop):
        base = shop.pictures.add(b"base", role=seam.Role.EDIT_BASE)
        style = shop.pictures.add(b"style", "image/jpeg", role=seam.Role.STYLE)
        order = replace(shop.order(prompt="at night"), references=(base, style))
        parts = json.loads((await sent(shop, order)).content)["contents"][0]["parts"]
        assert parts[0] == {"text": "at night"}
        assert [part["inlineData"] for part in parts[2::2]] == [
            {"mimeType": "image/png", "data": base64.b64encode(b"base").decode()},
            {"mimeType": "image/jpeg", "data": base64.b64encode(b"style").decode()},
        ]
        assert "change" in parts[1]["text"]
        assert "style" in parts[3]["text"]

    async def test_what_is_drawn_by_an_image_is_charged_with_it(self, shop):
        shown = shop.pictures.add(b"picture")
        drawn = await shop.told(await shop.buy(replace(shop.order(), references=(shown, shown))))
        [charge] = shop.lab.ledger()
        assert drawn.cost == round(charge["usd"] * 1e6) > 33_600 + 2 * 1_680

    async def test_input_images_that_cannot_be_had_are_not_bought_without(self, shop):
        shown = shop.pictures.add(b"picture")
        shop.pictures.away = True
        with pytest.raises(seam.Unavailable):
            await shop.buy(replace(shop.order(), references=(shown,)))
        assert not shop.lab.requests()

    @pytest.mark.parametrize(
        ("pictures", "role", "why"),
        [([b"x"], seam.Role.MASK, "mask"), ([bytes(11 << 20)] * 2, seam.Role.ANY, "in all")],
        ids=["mask", "size"],
    )
    async def test_input_images_that_it_does_not_take_are_refused(self, shop, pictures, role, why):
        shown = tuple(shop.pictures.add(content, role=role) for content in pictures)
        with pytest.raises(seam.Refused, match=why):
            await shop.buy(replace(shop.order(), references=shown))
        assert not shop.lab.requests()

    @pytest.mark.parametrize(
        ("words", "content", "why"),
        [("refuse-me", True, "PROHIBITED_CONTENT"), ("unsafe-picture", True, "may violate"),
         ("no-output", False, "NO_IMAGE.*What shall I draw")],
    )  # fmt: skip
    async def test_a_refusal_costs_what_it_says_it_used(self, shop, words, content, why):
        ended = await shop.told(await shop.buy(shop.order(prompt=words)))
        assert isinstance(ended, seam.Ended)
        assert (ended.charged, ended.content) == (True, content)
        [charge] = shop.lab.ledger()
        assert ended.cost == round(charge["usd"] * 1e6) < 100
        assert re.search(why, ended.reason)

    @pytest.mark.parametrize(
        ("key", "error", "remedy"),
        [("wrong", seam.NotKnown, r"set GEMINI_API_KEY .* \(400 "),
         ("barred", seam.NotKnown, r"set GEMINI_API_KEY .* \(403 "),
         ("poor", seam.NoCredit, r"billing to be set up .* \(400 ")],
    )  # fmt: skip
    async def test_who_may_not_buy_is_told_what_to_do(self, shop, key, error, remedy):
        shop.http.headers["x-goog-api-key"] = key
        with pytest.raises(error, match=remedy):
            await shop.buy(shop.order())
        assert shop.charges() == []

    @pytest.mark.parametrize(
        ("status", "error", "kind", "why"),
        [
            (403, {"message": "The caller does not have permission to use gemini-x",
                   "status": "PERMISSION_DENIED"}, seam.Refused, "403 The caller does not"),
            (403, denied("IAM_PERMISSION_DENIED"), seam.Refused, "403 No."),
            (403, denied("SERVICE_DISABLED"), seam.NotKnown, "set GEMINI_API_KEY"),
            (403, denied("CONSUMER_SUSPENDED"), seam.NotKnown, "set GEMINI_API_KEY"),
            (403, denied("API_KEY_SERVICE_BLOCKED"), seam.NotKnown, "set GEMINI_API_KEY"),
            (403, denied("BILLING_DISABLED"), seam.NoCredit, "billing to be set up"),
            (403, {"message": "Your API key was reported as leaked."}, seam.NotKnown, "leaked"),
            (400, {"message": "User location is not supported for the API use.",
                   "status": "FAILED_PRECONDITION"}, seam.Refused, "^400 User location"),
            (400, {"message": "The free tier is not available here. Please enable billing.",
                   "status": "FAILED_PRECONDITION"}, seam.NoCredit, "billing to be set up"),
            (503, {"message": "The model is overloaded. Please try again later.",
                   "status": "UNAVAILABLE"}, seam.Unavailable, "^503 The model is overloaded"),
            (503, {"message": "This model is currently experiencing high demand.",
                   "status": "UNAVAILABLE"}, seam.Unavailable, "^503 This model is"),
            (503, {"message": "Deadline expired before operation could complete.",
                   "status": "UNAVAILABLE"}, seam.Unclear, "^503 Deadline expired"),
            (500, {"message": "It is overloaded.", "status": "INTERNAL"}, seam.Unclear, "^500"),
            (503, "a proxy is overloaded", seam.Unclear, "^503"),
            (504, {"message": "high demand", "status": "DEADLINE_EXCEEDED"}, seam.Unclear, "^504"),
        ],
    )  # fmt: skip
    async def test_a_refusal_is_what_its_reason_says(self, shop, status, error, kind, why):
        script = Script(httpx.Response(status, json={"error": error}))
        http = patient.AsyncClient(transport=script, base_url="https://g.test")
        with pytest.raises(seam.ProviderError, match=why) as raised:
            await replace(shop.provider, http=http).buy(
                shop.order(), shop.receipts.sink(ID), lambda _s: None
            )
        assert type(raised.value) is kind

    @pytest.mark.parametrize(
        ("kind", "error", "charged"),
        [("status:429", seam.Busy, 0), ("status:400", seam.Refused, 0),
         ("status:401", seam.NotKnown, 0), ("status:404", seam.Refused, 0),
         ("status:500", seam.Unclear, 0), ("status:503", seam.Unavailable, 0),
         ("status:504", seam.Unclear, 0),
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

    async def test_a_rate_that_is_used_up_says_how_long_nothing_is_sent(self, shop):
        shop.lab.vendor("google", orders_per_minute=1)
        await shop.buy(shop.order())
        with pytest.raises(seam.Busy) as busy:
            await shop.buy(shop.order())
        assert busy.value.retry_after == 60
        assert busy.value.allowance == seam.Allowance(0, 60)

    async def test_a_page_in_place_of_an_answer_is_kept_and_ends_it(self, shop):
        shop.fault("html")
        ended = await shop.told(await shop.buy(shop.order()))
        assert (type(ended), ended.charged) == (seam.Ended, None)
        assert b"<html" in shop.receipts.kept[ID]

    async def test_pictures_are_found_wherever_they_stand(self, shop):
        thought, sound = {**IMAGE, "thought": True}, {"mimeType": "audio/wav", "data": PICTURE}
        other = base64.b64encode(b"another" * 30).decode()
        answer = saying(
            {"text": "two of them:"}, thought, IMAGE, {"inlineData": sound}, {"text": "and"},
            {"inlineData": {"mimeType": "image/jpeg", "data": other}, "thoughtSignature": PICTURE},
        )  # fmt: skip
        drawn = await shop.answered(answer)
        found = [shop.bytes_of(ID, image) for image in drawn.images]
        assert found == [b"picture" * 30, b"another" * 30]

    @pytest.mark.parametrize(
        "odd",
        [None, 3, "x", {}, {"inlineData": None}, {"inlineData": {"mimeType": "image/png"}},
         {"inlineData": {"mimeType": "image/png", "data": "short"}},
         {"inlineData": {"mimeType": "image/png", "data": None}}],
        ids=repr,
    )  # fmt: skip
    async def test_a_part_that_makes_no_sense_hides_no_picture(self, shop, odd):
        assert len((await shop.answered(saying(odd, IMAGE, odd))).images) == 1
        told = json.loads(saying(IMAGE))
        told["candidates"] += [odd, {"content": odd}, {"content": {"parts": odd}}]
        assert len((await shop.answered(json.dumps(told).encode())).images) == 1

    @pytest.mark.parametrize("odd", [None, 3, {}, {"bytesBase64Encoded": None}])
    async def test_an_old_prediction_that_makes_no_sense_hides_none(self, shop, odd):
        answer = {"predictions": [odd, {"bytesBase64Encoded": PICTURE}]}
        assert len((await shop.answered(json.dumps(answer).encode())).images) == 1

    @pytest.mark.parametrize(
        ("usage", "version", "cost"),
        [
            ({"promptTokenCount": 7, "candidatesTokenCount": 5, "thoughtsTokenCount": 2,
              "promptTokensDetails": [{"modality": "TEXT", "tokenCount": 4},
                                      {"modality": "IMAGE", "tokenCount": 3}],
              "candidatesTokensDetails": [{"modality": "IMAGE", "tokenCount": 4}]}, FLASH,
             4 * 1 + 3 * 10 + (1 + 2) * 100 + 4 * 1000),
            ({"promptTokenCount": 1, "candidatesTokenCount": 5}, FLASH, 1 + 5 * 1000),
            ({"candidatesTokenCount": 1}, f"{FLASH}-001", 1000),
            ({"promptTokenCount": 7}, FLASH, None),
            ({"candidatesTokenCount": 1}, "another", None),
            ({"candidatesTokenCount": 1}, FLASH.removesuffix(".1"), None),
            ({"candidatesTokenCount": "many"}, FLASH, None),
            ({"candidatesTokenCount": 1, "candidatesTokensDetails": 3}, FLASH, None),
            ({"promptTokenCount": 1, "candidatesTokenCount": 2,
              "candidatesTokensDetails": [{"modality": "IMAGE", "tokenCount": 5}]}, FLASH,
             1 + 2 * 1000),
            ({"candidatesTokenCount": -5}, FLASH, None),
            ({"candidatesTokenCount": 1.5}, FLASH, None),
            ({"candidatesTokenCount": 10**30}, FLASH, None),
            ({"candidatesTokenCount": float("inf")}, FLASH, None),
            ({}, FLASH, None),
        ],
        ids=["apart", "together", "longer name", "nothing drawn", "another's", "unpriced", "text",
             "no list", "more than all", "negative", "half", "huge", "infinite", "none"],
    )  # fmt: skip
    async def test_tokens_are_priced_and_what_is_odd_about_them_costs_no_picture(
        self, shop, usage, version, cost
    ):
        shop.provider = replace(shop.provider, tokens=PRICES)
        drawn = await shop.answered(saying(IMAGE, usageMetadata=usage, modelVersion=version))
        assert len(drawn.images) == 1
        assert drawn.cost == cost

    @pytest.mark.parametrize(
        ("answer", "charged", "content"),
        [(b"[]", None, False), (b'{"candidates": 1}', None, False), (b"{}", None, False),
         (b'{"promptFeedback": {"blockReason": "OTHER"}}', None, True),
         (saying(finish="IMAGE_RECITATION"), None, True), (saying(finish="OTHER"), None, False),
         (saying({"text": "no"}, usageMetadata={"promptTokenCount": 9}), True, False),
         (saying({"text": "no"}, usageMetadata={"totalTokenCount": 9}), False, False),
         (saying({"inlineData": {"mimeType": "image/png", "data": "short"}}), None, False),
         (b'{"predictions": [{"raiFilteredReason": "unsafe"}]}', None, True)],
    )  # fmt: skip
    async def test_an_answer_without_a_picture_ends_it(self, shop, answer, charged, content):
        ended = await shop.answered(answer)
        assert isinstance(ended, seam.Ended)
        assert (ended.charged, ended.content) == (charged, content)
