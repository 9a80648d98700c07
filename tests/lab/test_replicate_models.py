"""Every model draws what its schema promises: as many pictures, of that size and format."""

import io
import xml.etree.ElementTree as ET

import pytest
from PIL import Image

from lab.replicate.catalogue import load
from tests import patient

MODELS = load()
PNG, JPEG, WEBP = "image/png", "image/jpeg", "image/webp"


def size_of(answer):
    """Width and height of a picture, decoded to its last pixel."""
    if answer.headers["content-type"] == "image/svg+xml":
        root = ET.fromstring(answer.text)
        return int(root.attrib["width"]), int(root.attrib["height"])
    with Image.open(io.BytesIO(answer.content)) as image:
        image.load()
        assert image.get_format_mimetype() == answer.headers["content-type"]
        return image.size


@pytest.mark.parametrize("slug", sorted(MODELS))
def test_every_model_gives_a_picture_at_its_price(lab, api, slug):
    model = MODELS[slug]
    keys = {"openai_api_key": "sk-1"} if "openai_api_key" in model.input["required"] else {}
    found = api.drawn(slug, **keys)
    if model.retired:
        assert found["status"] == "failed"
        return

    assert isinstance(found["output"], list if model.gives_list else str)
    links = found["output"] if model.gives_list else [found["output"]]
    assert [size_of(patient.get(link))[0] > 0 for link in links] == [True]
    assert [charge["usd"] for charge in lab.ledger()] == [round(model.price, 6)]


@pytest.mark.parametrize(
    ("slug", "inputs", "count", "size", "media_type"),
    [
        ("black-forest-labs/flux-schnell", {}, 1, (1024, 1024), WEBP),
        ("black-forest-labs/flux-schnell", {"num_outputs": 4}, 4, (1024, 1024), WEBP),
        ("black-forest-labs/flux-schnell", {"megapixels": "0.25"}, 1, (512, 512), WEBP),
        ("black-forest-labs/flux-schnell", {"output_format": "png"}, 1, (1024, 1024), PNG),
        ("black-forest-labs/flux-schnell", {"aspect_ratio": "16:9"}, 1, (1360, 768), WEBP),
        ("black-forest-labs/flux-1.1-pro",
         {"aspect_ratio": "custom", "width": 500, "height": 300, "output_format": "jpg"},
         1, (512, 288), JPEG),
        ("black-forest-labs/flux-1.1-pro-ultra", {}, 1, (2048, 2048), JPEG),
        ("recraft-ai/recraft-v3", {"size": "1365x1024"}, 1, (1365, 1024), WEBP),
        ("recraft-ai/recraft-v3", {"aspect_ratio": "1:2"}, 1, (720, 1456), WEBP),
        ("recraft-ai/recraft-v3-svg", {"size": "1024x2048"}, 1, (1024, 2048), "image/svg+xml"),
        ("ideogram-ai/ideogram-v2", {"aspect_ratio": "1:1", "resolution": "1152x864"},
         1, (1152, 864), PNG),
        ("bytedance/seedream-4.5", {}, 1, (2048, 2048), JPEG),
        ("bytedance/seedream-4.5", {"size": "custom", "width": 1100, "height": 1200},
         1, (1100, 1200), JPEG),
        ("bytedance/seedream-4.5", {"max_images": 3}, 1, (2048, 2048), JPEG),
        ("bytedance/seedream-4.5",
         {"max_images": 3, "sequential_image_generation": "auto"}, 3, (2048, 2048), JPEG),
        ("openai/gpt-image-2", {"aspect_ratio": "1536x1024", "output_format": "jpeg",
                                "number_of_images": 2}, 2, (1536, 1024), JPEG),
        ("google/nano-banana-pro", {"resolution": "1K", "aspect_ratio": "4:3"},
         1, (1184, 880), JPEG),
    ],
    ids=str,
)  # fmt: skip
def test_pictures_are_as_many_as_large_and_of_the_kind_that_was_ordered(
    lab, api, slug, inputs, count, size, media_type
):
    found = api.drawn(slug, **inputs)
    links = found["output"] if isinstance(found["output"], list) else [found["output"]]
    answers = [patient.get(link) for link in links]

    assert [size_of(answer) for answer in answers] == [size] * count
    assert {answer.headers["content-type"] for answer in answers} == {media_type}
    assert len({answer.content for answer in answers}) == count
    assert found["metrics"]["image_count"] == count


@pytest.mark.parametrize("kind", ["png", "jpg", "webp"])
def test_two_pictures_of_one_prompt_differ_and_one_is_always_the_same(lab, api, kind):
    first, second = (api.drawn(seed=1, output_format=kind)["output"][0] for _ in range(2))

    assert patient.get(first).content != patient.get(second).content
    assert patient.get(first).content == patient.get(first).content


@pytest.mark.parametrize("wanted", [70_000, 300_000])
@pytest.mark.parametrize(
    ("slug", "inputs"),
    [
        ("black-forest-labs/flux-schnell", {"output_format": "png"}),
        ("black-forest-labs/flux-schnell", {"output_format": "jpg"}),
        ("black-forest-labs/flux-schnell", {"output_format": "webp"}),
        ("recraft-ai/recraft-v3-svg", {}),
    ],
    ids=str,
)
def test_a_picture_is_about_as_big_as_a_bench_wants_it(lab, api, slug, inputs, wanted):
    lab.pace(0, bytes=wanted)
    output = api.drawn(slug, **inputs)["output"]
    answer = patient.get(output if isinstance(output, str) else output[0])

    assert abs(len(answer.content) - wanted) < 100
    assert size_of(answer) == (1024, 1024)


def test_nobody_needs_a_token_for_a_picture_and_nobody_guesses_one(lab, api):
    (link,) = api.drawn()["output"]

    assert patient.get(link).status_code == 200
    assert patient.get(link.replace("out-0", "out-1")).status_code == 404
    assert patient.get(f"{lab.url}/replicate/delivery/none/out-0.webp").status_code == 404


def test_a_model_tells_its_schema_as_the_api_does(lab, api):
    found = api.http.get("/v1/models/black-forest-labs/flux-schnell").json()
    schemas = found["latest_version"]["openapi_schema"]["components"]["schemas"]

    assert (found["owner"], found["name"]) == ("black-forest-labs", "flux-schnell")
    assert schemas["Input"]["properties"]["num_outputs"]["maximum"] == 4
    assert schemas["Output"]["type"] == "array"
    assert "16:9" in schemas["aspect_ratio"]["enum"]
    assert len(api.http.get("/v1/models").json()["results"]) == len(MODELS)
    assert api.http.get("/v1/models/acme/none").status_code == 404
    assert api.http.get("/v1/models/black-forest-labs/flux-schnell/versions/0").status_code == 404
