"""Imagen's old contract, which Google has switched off: spoken still, and tried in the lab."""

import io
import json
from dataclasses import replace

import pytest
from PIL import Image

from services.generator import provider as seam
from tests.generator.conformance.answered_shop import ID
from tests.generator.conformance.test_google import PICTURE, lab, sent, shop

__all__ = ["lab", "shop"]

INPUTS = {
    "prompt": "a boat", "aspect_ratio": "16:9", "sampleCount": 3,
    "person_generation": "dont_allow", "safety_setting": "block_only_high",
}  # fmt: skip
ORDER = seam.Order(purchase_id=ID, slug="imagen-3.0-generate-002", inputs=INPUTS, give_up_after=300)


def asking(prompt: str) -> seam.Order:
    return replace(ORDER, inputs={**INPUTS, "prompt": prompt})


async def test_an_order_is_on_the_wire_as_it_was(shop):
    request = await sent(shop, ORDER)
    assert request.url.path == "/v1beta/models/imagen-3.0-generate-002:predict"
    assert json.loads(request.content) == {
        "instances": [{"prompt": "a boat"}],
        "parameters": {
            "aspectRatio": "16:9",
            "sampleCount": 3,
            "personGeneration": "dont_allow",
            "safetySetting": "block_only_high",
            "includeRaiReason": True,
        },
    }


async def test_it_is_gone(shop):
    with pytest.raises(seam.Refused, match="not found"):
        await shop.buy(ORDER)
    assert shop.charges() == []


async def test_its_pictures_come_as_ordered_and_their_price_is_the_list_s(shop):
    shop.lab.vendor("google", imagen=True)
    drawn = await shop.told(await shop.buy(ORDER))
    pictures = [shop.bytes_of(ID, image) for image in drawn.images]
    assert len(set(pictures)) == 3
    for picture in pictures:
        with Image.open(io.BytesIO(picture)) as opened:
            assert opened.size == (1408, 768)
    assert drawn.cost is None
    assert shop.charges() == [(ID, ORDER.slug, 3)]


async def test_a_picture_that_it_would_not_show_is_missing_alone(shop):
    shop.lab.vendor("google", imagen=True)
    drawn = await shop.told(await shop.buy(asking("unsafe-picture")))
    assert len(drawn.images) == 2


async def test_it_says_why_it_would_show_none(shop):
    shop.lab.vendor("google", imagen=True)
    ended = await shop.told(await shop.buy(asking("refuse-me")))
    assert (ended.charged, ended.content) == (None, True)
    assert "policies" in ended.reason


async def test_what_is_no_picture_ends_it(shop):
    odd = {"predictions": [{"mimeType": "image/png", "bytesBase64Encoded": 7}]}
    for answer in (odd, {"predictions": PICTURE}, {"predictions": [7]}):
        ended = await shop.answered(json.dumps(answer).encode())
        assert (type(ended), ended.charged) == (seam.Ended, None)
