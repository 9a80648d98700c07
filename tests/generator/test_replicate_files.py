"""Input images at Replicate: inside the order or uploaded before it, and nothing bought by it."""

import asyncio
import base64
import hashlib
import json
from datetime import UTC, datetime
from types import SimpleNamespace

import httpx
import pytest

from services.generator import masks, models
from services.generator import provider as seam
from services.generator.provider import Refused, Role, Unavailable, Unclear
from services.generator.providers.replicate_files import INSIDE
from services.storage import decoder
from tests.generator.memory_pictures import MemoryPictures, files_of
from tests.generator.scripted_wire import ASKED, ID, OURS, Script, replicate, says
from tests.storage.pictures import picture

SMALL, LARGE = picture(), bytes(300_000)
FILE = "https://r.test/v1/files/f1"
SLUGS = {model.key: model.slug for model in models.EVERY if model.provider == "replicate"}


@pytest.fixture
def pictures():
    return MemoryPictures()


def order(key: str, *references: seam.Reference) -> seam.Order:
    given = {"prompt": "a lighthouse", "seed": 7}
    return seam.Order(
        purchase_id=ID, slug=SLUGS[key], inputs=given, give_up_after=300, references=references,
        asked=ASKED, account=OURS,
    )  # fmt: skip


def uploaded() -> httpx.Response:
    return says(201, urls={"get": FILE})


def selling(pictures: MemoryPictures, *lines, **extra):
    script = Script(*lines)
    files = files_of(pictures, replicate(script).http)
    return replicate(script, files=files, **extra), script


def input_of(request: httpx.Request) -> dict[str, object]:
    return json.loads(request.content)["input"]


def inside(content: bytes, media_type: str = "image/png") -> str:
    return f"data:{media_type};base64,{base64.b64encode(content).decode()}"


async def test_a_small_picture_goes_inside_the_order(pictures):
    provider, script = selling(pictures, says(201, id="p1"))
    ticket = await provider.buy(order("flux-1.1-pro", pictures.add(SMALL)), None, None)
    assert ticket == seam.Ticket("p1")
    given = {"prompt": "a lighthouse", "seed": 7, "image_prompt": inside(SMALL)}
    assert input_of(script.requests[0]) == given
    assert len(inside(SMALL)) <= INSIDE


async def test_a_large_one_is_uploaded_once_and_named_in_every_order(pictures):
    provider, script = selling(pictures, uploaded(), says(201, id="p1"), says(201, id="p2"))
    ordered = order("flux-1.1-pro", pictures.add(LARGE))
    for _ in range(2):
        await provider.buy(ordered, None, None)
    assert script.asked[0] == "POST /v1/files"
    assert len(script.asked) == 3
    sent = await script.requests[0].aread()
    assert LARGE in sent
    assert b'name="content"; filename="reference.png"' in sent
    assert [input_of(each)["image_prompt"] for each in script.requests[1:]] == [FILE, FILE]


async def test_an_order_holds_few_inside_and_the_rest_is_uploaded(pictures):
    given = [pictures.add(bytes([number]) * 150_000) for number in range(4)]
    provider, script = selling(pictures, uploaded(), uploaded(), says(201, id="p1"))
    await provider.buy(order("seedream-4.5", *given), None, None)
    told = input_of(script.requests[-1])["image_input"]
    assert [each.startswith("data:") for each in told] == [True, True, False, False]


async def test_an_upload_is_not_used_longer_than_it_surely_lives(pictures):
    clock = SimpleNamespace(now=0.0)
    script = Script(uploaded(), says(201, id="p1"), uploaded(), says(201, id="p2"))
    files = files_of(pictures, replicate(script).http, clock=lambda: clock.now)
    ordered = order("flux-1.1-pro", pictures.add(LARGE))
    for at in (0.0, 1801.0):
        clock.now = at
        await replicate(script, files=files).buy(ordered, None, None)
    assert script.asked.count("POST /v1/files") == 2


async def test_each_goes_where_the_model_has_a_place_for_it(pictures):
    base, style, other = (picture(seed=seed) for seed in (3, 4, 5))
    mask = decoder.mask(picture())
    given = [
        pictures.add(style, role=Role.STYLE),
        pictures.add(mask, role=Role.MASK),
        pictures.add(base, role=Role.EDIT_BASE),
        pictures.add(other, role=Role.STYLE),
    ]
    provider, script = selling(pictures, says(201, id="p1"))
    await provider.buy(order("ideogram-v3-turbo", *given), None, None)
    sent = input_of(script.requests[0])
    assert sent["image"] == inside(base)
    assert sent["style_reference_images"] == [inside(style), inside(other)]
    assert sent["mask"] == inside(masks.inverted(mask)) != inside(mask)


async def test_many_are_a_list_in_their_order_also_where_there_is_one(pictures):
    given = [pictures.add(picture(seed=seed)) for seed in (3, 1, 2)]
    for chosen in (given, given[:1]):
        provider, script = selling(pictures, says(201, id="p1"))
        await provider.buy(order("seedream-4.5", *chosen), None, None)
        told = input_of(script.requests[0])["image_input"]
        assert told == [inside(pictures.kept[each.asset]) for each in chosen]


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        (httpx.ConnectTimeout("its class proves nothing"), seam.Unhanded),
        (httpx.ReadError("cut"), seam.Unhanded),
        (says(500), seam.Unhanded),
        (says(429, retry_after=5), seam.Busy),
        (says(429, detail="limit: 0"), seam.OverLimit),
        (says(201), seam.Unhanded),
        (says(201, urls={"get": 7}), seam.Unhanded),
        (says(302), seam.Unhanded),
        (says(413, detail="too large"), Refused),
        (says(401, detail="who?"), seam.NotKnown),
    ],
    ids=repr,
)
async def test_an_upload_that_fails_buys_nothing(pictures, answer, expected):
    provider, script = selling(pictures, answer)
    with pytest.raises(expected) as failed:
        await provider.buy(order("flux-1.1-pro", pictures.add(LARGE)), None, None)
    assert type(failed.value) is expected
    assert script.asked == ["POST /v1/files"]


async def test_a_picture_that_cannot_be_had_buys_nothing(pictures):
    given = pictures.add(SMALL)
    provider, script = selling(pictures)
    pictures.away = True
    with pytest.raises(Unavailable):
        await provider.buy(order("flux-1.1-pro", given), None, None)
    pictures.away = False
    pictures.kept.clear()
    with pytest.raises(Refused):
        await provider.buy(order("flux-1.1-pro", given), None, None)
    assert script.asked == []


async def test_what_takes_too_long_before_the_order_buys_nothing(pictures):
    provider, script = selling(pictures, patience=0.0)  # all of it is over
    with pytest.raises(Unavailable, match=r"time|long"):
        await provider.buy(order("flux-1.1-pro", pictures.add(SMALL)), None, None)
    assert script.asked == []


async def test_a_picture_that_does_not_come_is_not_waited_for_until_it_is_late(pictures):
    class Stuck(MemoryPictures):
        async def read(self, asset: str, /) -> bytes:
            await asyncio.Event().wait()
            raise AssertionError(asset)

    provider, script = selling(Stuck(), patience=15.0)  # all of it is the order's own
    with pytest.raises(seam.NotReady, match="in time"):  # which is no sign of Replicate's
        await provider.buy(order("flux-1.1-pro", pictures.add(SMALL)), None, None)
    assert script.asked == []


async def test_an_upload_outlives_the_order_that_began_it_and_the_next_one_finds_it(pictures):
    answered = asyncio.Event()

    class Slow(httpx.AsyncBaseTransport):
        asked = 0

        async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
            self.asked += 1
            await answered.wait()
            return uploaded()

    slow, script = Slow(), Script(says(201, id="p1"))
    files = files_of(pictures, replicate(slow).http)
    ordered = order("flux-1.1-pro", pictures.add(LARGE))
    with pytest.raises(seam.Unhanded, match="in time") as failed:  # no sign of Replicate's health
        await replicate(script, files=files, patience=15.0 + 0.3).buy(ordered, None, None)
    assert isinstance(failed.value, seam.Unsent)
    assert script.asked == []
    answered.set()
    await replicate(script, files=files).buy(ordered, None, None)
    assert input_of(script.requests[0])["image_prompt"] == FILE
    assert slow.asked == 1


async def test_a_model_without_a_place_for_it_is_not_sent_the_order(pictures):
    provider, script = selling(pictures)
    with pytest.raises(Refused, match="no input image"):
        await provider.buy(order("flux-schnell", pictures.add(SMALL)), None, None)
    assert script.asked == []


# -- looked up


def listed(key: str, **inputs: object) -> httpx.Response:
    told = {"prompt": "a lighthouse", "seed": 7} | inputs
    now = datetime.now(UTC).isoformat()
    found = {"id": "p1", "model": SLUGS[key], "input": told, "created_at": now}
    return says(results=[found], next=None)


def stored(content: bytes, code: int = 200) -> httpx.Response:
    return says(code, checksums={"sha256": hashlib.sha256(content).hexdigest()})


@pytest.mark.parametrize(
    ("told", "more", "found"),
    [
        ({"image_prompt": inside(SMALL)}, [], True),
        ({"image_prompt": inside(picture(seed=9))}, [], False),
        ({}, [], False),
        ({"image_prompt": FILE}, [stored(SMALL)], True),
        ({"image_prompt": FILE}, [stored(b"another")], False),
        ({"image_prompt": FILE}, [stored(SMALL, 404)], None),
        ({"image_prompt": "https://elsewhere.test/v1/files/f1"}, [], None),
    ],
    ids=["same", "other", "none", "uploaded", "other upload", "gone", "elsewhere"],
)
async def test_a_lost_order_is_known_by_its_pictures(pictures, told, more, found):
    provider, script = selling(pictures, listed("flux-1.1-pro", **told), *more)
    ordered = order("flux-1.1-pro", pictures.add(SMALL))
    if found is None:
        with pytest.raises(Unclear, match="whose they are"):
            await provider.look_up(ordered)
    else:
        assert (await provider.look_up(ordered)).tickets == ([seam.Ticket("p1")] if found else [])
    assert not script.lines


async def test_an_order_without_pictures_is_none_with_one(pictures):
    provider, _script = selling(pictures, listed("flux-1.1-pro", image_prompt=inside(SMALL)))
    assert (await provider.look_up(order("flux-1.1-pro"))).tickets == []


async def test_a_mask_is_known_by_what_became_of_it_and_another_proves_nothing(pictures):
    mask, base = decoder.mask(picture()), pictures.add(SMALL, role=Role.EDIT_BASE)
    ordered = order("ideogram-v2", base, pictures.add(mask, role=Role.MASK))
    told = {"image": inside(SMALL), "mask": inside(masks.inverted(mask))}
    provider, _script = selling(pictures, listed("ideogram-v2", **told))
    assert (await provider.look_up(ordered)).tickets == [seam.Ticket("p1")]
    told["mask"] = inside(mask)
    provider, _script = selling(pictures, listed("ideogram-v2", **told))
    with pytest.raises(Unclear):
        await provider.look_up(ordered)
