"""OpenAI's official client, unchanged but for its base URL, against the lab."""

import base64
import io

import pytest
from PIL import Image

from tests import patient
from tests.lab.sdk import openai

MODEL = "gpt-image-2.5-flare"
MOVES = "gpt-image-2.6-flare"


@pytest.fixture
def client(lab):
    with openai.OpenAI(base_url=f"{lab.url}/openai/v1", api_key="sk-lab", max_retries=0) as made:
        yield made


def opened(text: str) -> Image.Image:
    return Image.open(io.BytesIO(base64.b64decode(text)))


def png(*colour: int, size=(64, 64)) -> bytes:
    file = io.BytesIO()
    Image.new("RGBA" if len(colour) == 4 else "RGB", size, colour).save(file, "PNG")
    return file.getvalue()


@pytest.mark.parametrize(
    ("model", "quality", "size", "tokens"),
    [
        ("gpt-image-2", "high", "1024x1024", 7024),
        ("gpt-image-2.5-flare", "medium", "1024x1536", 659),
        ("gpt-image-2.6-sunburst", "max", "512x512", 1756),
    ],
)
def test_pictures_come_with_what_they_took_and_are_charged(
    lab, client, model, quality, size, tokens
):
    found = client.images.generate(
        model=model, prompt="a lighthouse", quality=quality, size=size, n=2, output_format="webp"
    )
    pictures = [opened(each.b64_json) for each in found.data]
    assert [(one.format, f"{one.width}x{one.height}") for one in pictures] == [("WEBP", size)] * 2
    assert (found.size, found.quality, found.output_format) == (size, quality, "webp")
    assert found.usage.output_tokens == 2 * tokens
    assert found.usage.input_tokens_details.text_tokens == 3
    [charge] = lab.ledger()
    assert (charge["vendor"], charge["model"], charge["images"]) == ("openai", model, 2)
    assert charge["usd"] == pytest.approx((3 * 5 + 2 * tokens * 30) / 1e6)


def test_a_stream_brings_parts_and_then_the_picture(lab, client):
    stream = client.images.generate(
        model=MODEL, prompt="a lighthouse", stream=True, partial_images=2, quality="low"
    )
    *parts, done = list(stream)
    kinds = [part.type for part in parts]
    assert kinds == ["image_generation.partial_image"] * 2
    assert [part.partial_image_index for part in parts] == [0, 1]
    assert done.type == "image_generation.completed"
    assert done.usage.output_tokens == 196 + 200
    assert len({each.b64_json for each in (*parts, done)}) == 3
    assert opened(done.b64_json).size == (1024, 1024)
    assert len(lab.ledger()) == 1


def test_the_parts_come_while_it_is_drawn(lab, client):
    lab.pace(600)
    stream = client.images.generate(model=MODEL, prompt="a ship", stream=True, partial_images=1)
    lab.advance(301)
    assert next(iter(stream)).partial_image_index == 0
    assert not lab.ledger()
    lab.advance(300)
    assert next(iter(stream)).type == "image_generation.completed"


def test_what_a_mask_leaves_opaque_stays_and_the_rest_is_drawn(client):
    mask = Image.new("RGBA", (64, 64), (0, 0, 0, 255))
    mask.paste((0, 0, 0, 0), (0, 0, 32, 64))
    file = io.BytesIO()
    mask.save(file, "PNG")
    found = client.images.edit(
        model=MODEL, prompt="a ship", size="256x256",
        image=[("base.png", png(255, 0, 0)), ("more.png", png(0, 255, 0))],
        mask=("mask.png", file.getvalue()),
    )  # fmt: skip
    picture = opened(found.data[0].b64_json).convert("RGB")
    assert picture.getpixel((200, 128)) == (255, 0, 0)
    assert picture.getpixel((50, 128)) != (255, 0, 0)
    assert found.usage.input_tokens_details.image_tokens == 8


def test_an_edit_streams_in_its_own_words(client):
    stream = client.images.edit(
        model=MODEL, prompt="a ship", image=("a.png", png(1, 2, 3)), stream=True, partial_images=1
    )
    assert [each.type for each in stream] == ["image_edit.partial_image", "image_edit.completed"]


@pytest.mark.parametrize(
    ("more", "frames", "each"),
    [({}, 9, 200), ({"frame_count": 2, "frame_duration_ms": 84}, 2, 80),
     ({"frame_count": 16, "frame_duration_ms": 10**6}, 16, 655_350)],
)  # fmt: skip
def test_an_animation_has_the_frames_that_are_asked_for_and_each_is_paid(
    lab, client, more, frames, each
):
    asked = {"model": MOVES, "prompt": "a ball", "size": "512x512", "output_format": "gif"}
    found = client.images.generate(**asked, quality="medium", n=2, **more)
    assert found.output_format == "gif"
    for one in found.data:
        with opened(one.b64_json) as picture:
            assert (picture.format, picture.n_frames, picture.size) == ("GIF", frames, (512, 512))
            shown = [picture.seek(number) or picture.info["duration"] for number in range(frames)]
            assert set(shown) == {each}
    assert found.usage.output_tokens == 2 * frames * 110
    assert lab.ledger()[0]["usd"] == pytest.approx((2 * 5 + 2 * frames * 110 * 30) / 1e6)


@pytest.mark.parametrize("edit", [False, True])
def test_a_drawing_is_an_svg_by_the_author_that_is_asked_for(lab, client, edit):
    author = {"model": "gpt-5.6", "reasoning": {"effort": "high"}}
    asked = {"model": MOVES, "prompt": "a ship", "output_format": "svg", "svg": author}
    asked["complexity"] = "high"
    if edit:
        found = client.images.edit(**asked, image=("a.png", png(1, 2, 3)))
    else:
        found = client.images.generate(**asked)
    drawn = base64.b64decode(found.data[0].b64_json).decode()
    assert drawn.startswith("<svg ")
    assert 'width="1024" height="1024"' in drawn
    assert found.output_format == "svg"
    assert len(lab.ledger()) == 1


@pytest.mark.parametrize(
    ("more", "param"),
    [
        ({"frame_count": 4}, "frame_count"),
        ({"frame_count": 17, "output_format": "gif"}, "frame_count"),
        ({"frame_duration_ms": 90, "output_format": "svg"}, "frame_duration_ms"),
        ({"svg": {"model": "gpt-5.6"}, "output_format": "gif"}, "svg"),
        ({"svg": {"reasoning": {}}, "output_format": "svg"}, "svg.model"),
        ({"svg": {"model": "a", "reasoning": {"effort": "all"}}, "output_format": "svg"}, "effort"),
        ({"n": 2, "output_format": "svg"}, "n"),
        ({"stream": True, "output_format": "gif"}, "stream"),
        ({"output_compression": 50, "output_format": "gif"}, "output_compression"),
        ({"background": "transparent", "output_format": "gif"}, "background"),
        ({"complexity": "extreme"}, "complexity"),
        ({"complexity": "low", "model": MODEL}, "complexity"),
        ({"output_format": "gif", "model": MODEL}, "output_format"),
    ],
)
def test_what_does_not_go_with_an_animation_or_a_drawing_is_refused(lab, client, more, param):
    with pytest.raises(openai.BadRequestError) as refused:
        client.images.generate(**{"model": MOVES, "prompt": "a ship"} | more)
    assert refused.value.param == param
    assert not lab.ledger()


def test_an_animation_takes_no_mask(lab, client):
    clear = png(0, 0, 0, 0)
    with pytest.raises(openai.BadRequestError) as refused:
        client.images.edit(
            model=MOVES, prompt="a ship", output_format="gif",
            image=("a.png", png(1, 2, 3)), mask=("m.png", clear),
        )  # fmt: skip
    assert refused.value.param == "mask"
    assert not lab.ledger()


@pytest.mark.parametrize(
    "mask",
    [png(0, 0, 0), png(0, 0, 0, 0, size=(32, 32)), b"no picture"],
)
def test_a_mask_that_does_not_fit_is_refused(lab, client, mask):
    with pytest.raises(openai.BadRequestError) as refused:
        client.images.edit(
            model=MODEL, prompt="a ship", image=("a.png", png(1, 2, 3)), mask=("m.png", mask)
        )
    assert refused.value.param == "mask"
    assert not lab.ledger()


@pytest.mark.parametrize(
    ("more", "param"),
    [
        ({"quality": "max", "model": "gpt-image-2"}, "quality"),
        ({"size": "1000x1000"}, "size"),
        ({"size": "3840x1024"}, "size"),
        ({"n": 11}, "n"),
        ({"n": 2, "stream": True}, "n"),
        ({"partial_images": 1}, "partial_images"),
        ({"background": "transparent", "output_format": "jpeg"}, "background"),
        ({"output_compression": 50}, "output_compression"),
        ({"response_format": "url"}, "response_format"),
        ({"style": "vivid"}, "style"),
        ({"output_format": "svg"}, "output_format"),
        ({"prompt": "a" * 32_001}, "prompt"),
    ],
)
def test_what_does_not_fit_is_refused_by_name(lab, client, more, param):
    with pytest.raises(openai.BadRequestError) as refused:
        client.images.generate(**{"model": MODEL, "prompt": "a ship"} | more)
    assert refused.value.param == param
    assert not lab.ledger()


def test_what_it_will_not_draw_is_blocked(lab, client):
    with pytest.raises(openai.BadRequestError) as refused:
        client.images.generate(model=MODEL, prompt="refuse-me")
    assert refused.value.code == "moderation_blocked"
    assert refused.value.body["moderation_details"]["moderation_stage"] == "input"
    with pytest.raises(openai.APIError, match="safety"):
        list(client.images.generate(model=MODEL, prompt="refuse-late", stream=True))
    assert not lab.ledger()


@pytest.mark.parametrize(
    ("key", "error", "code"),
    [
        ("wrong", "AuthenticationError", "invalid_api_key"),
        ("poor", "RateLimitError", "insufficient_quota"),
        ("capped", "BadRequestError", "billing_hard_limit_reached"),
        ("unverified", "PermissionDeniedError", None),
    ],
)
def test_who_may_not_buy(client, key, error, code):
    with pytest.raises(getattr(openai, error)) as refused:
        client.with_options(api_key=key).images.generate(model=MODEL, prompt="a ship")
    assert refused.value.code == code


def test_a_rate_is_told_and_kept(lab, client):
    lab.vendor("openai", orders_per_minute=2)
    raw = client.images.with_raw_response
    told = [raw.generate(model=MODEL, prompt="a ship").headers for _ in range(2)]
    assert [each["x-ratelimit-remaining-requests"] for each in told] == ["1", "0"]
    assert told[1]["x-ratelimit-reset-requests"] == "60s"
    with pytest.raises(openai.RateLimitError) as refused:
        raw.generate(model=MODEL, prompt="a ship")
    assert refused.value.code == "rate_limit_exceeded"
    assert refused.value.response.headers["retry-after"] == "30"


def test_the_list_tells_when_a_model_ends(lab, client):
    lab.vendor("openai", shutdown_dates={MODEL: "2027-01-31"})
    dates = {each.id: each.shutdown_date for each in client.models.list()}
    assert dates[MODEL] == "2027-01-31"
    assert dates["gpt-image-2"] is None


@pytest.mark.parametrize("inline", [True, False])
def test_the_retired_one_is_gone_and_was_as_it_was(lab, client, inline):
    asked = {"model": "dall-e-3", "prompt": "a ship", "size": "1792x1024", "style": "natural"}
    if inline:
        asked["response_format"] = "b64_json"
    with pytest.raises(openai.NotFoundError) as gone:
        client.images.generate(**asked)
    assert gone.value.code == "model_not_found"
    lab.vendor("openai", serves_retired=True)
    [found] = client.images.generate(**asked).data
    assert found.revised_prompt.startswith("a ship")
    if inline:
        assert opened(found.b64_json).size == (1792, 1024)
    else:
        assert Image.open(io.BytesIO(patient.get(found.url).content)).size == (1792, 1024)
        lab.advance(3600)
        assert patient.get(found.url).status_code == 404
    assert [each["model"] for each in lab.ledger()] == ["dall-e-3"]


@pytest.mark.parametrize("kind", ["drop_before", "drop_after", "truncate"])
@pytest.mark.parametrize("stream", [False, True])
def test_a_call_that_is_cut_is_charged_as_far_as_it_came(lab, client, kind, stream):
    lab.faults([{"vendor": "openai", "where": "create", "kind": kind}])
    asked = {"model": MODEL, "prompt": "a ship", "stream": stream}
    asked |= {"partial_images": 3} if stream else {}
    came = []
    with pytest.raises(Exception, match=r"(?i)connection|peer|incomplete|payload"):
        came.extend(each.type for each in client.images.generate(**asked))
    assert "image_generation.completed" not in came
    assert len(lab.ledger()) == (kind != "drop_before")
