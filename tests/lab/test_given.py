"""What an order was given its charge tells: input images by their SHA-256, the seed, the rest."""

import base64
import hashlib
import io

import pytest
from PIL import Image

from tests import patient
from tests.lab.replicate_client import PRO

PURCHASE = "0190"


def png(*colour: int) -> bytes:
    file = io.BytesIO()
    Image.new("RGBA" if len(colour) == 4 else "RGB", (64, 64), colour).save(file, "PNG")
    return file.getvalue()


RED, BLUE, MASK = png(255, 0, 0), png(0, 0, 255), png(0, 0, 0, 0)
HASHES = [hashlib.sha256(each).hexdigest() for each in (RED, BLUE, MASK)]


def inside(picture: bytes) -> str:
    return f"data:image/png;base64,{base64.b64encode(picture).decode()}"


def given(lab):
    [charge] = lab.ledger()
    return charge["given"]


def bought(lab, path, token, **order):
    headers = {"Authorization": f"Bearer {token}", "x-goog-api-key": token}
    answer = patient.post(lab.url + path, headers=headers, **order)
    assert answer.is_success, answer.text


def test_replicate_reads_what_is_inside_an_order_and_what_was_uploaded(lab, api):
    file = api.http.post("/v1/files", files={"content": ("a.png", BLUE, "image/png")}).json()
    seedream = {"image_input": [file["urls"]["get"], inside(RED), "https://x.test/a.png"]}
    api.drawn("bytedance/seedream-4.5", **seedream)
    assert given(lab) == {
        "images": [HASHES[1], HASHES[0], "https://x.test/a.png"],
        "seed": None, "negative_prompt": "",
    }  # fmt: skip


def test_replicate_tells_the_seed_and_the_negative_prompt(lab, api):
    api.drawn("ideogram-ai/ideogram-v2", seed=7, negative_prompt="people")
    assert given(lab) == {"images": [], "seed": 7, "negative_prompt": "people"}


def test_replicate_tells_a_mask_last(lab, api):
    api.drawn("ideogram-ai/ideogram-v2", mask=inside(MASK), image=inside(RED))
    assert given(lab)["images"] == [HASHES[0], HASHES[2]]


def test_a_seed_that_replicate_chose_was_not_given(lab, api):
    api.drawn(PRO)
    assert given(lab)["seed"] is None


def test_recraft(lab):
    order = {
        "prompt": "a boat",
        "model": "recraftv3",
        "random_seed": 7,
        "negative_prompt": "people",
    }
    bought(lab, "/recraft/v1/images/generations", "lab", json=order)
    assert given(lab) == {"images": [], "seed": 7, "negative_prompt": "people"}


def test_openai_reads_the_pictures_of_an_edit_its_mask_last(lab):
    files = [
        ("mask", ("mask.png", MASK, "image/png")),
        ("image[]", ("0", RED, "image/png")),
        ("image[]", ("1", BLUE, "image/png")),
    ]
    form = {"data": {"model": "gpt-image-2", "prompt": "a boat"}, "files": files}
    bought(lab, "/openai/v1/images/edits", "lab", **form)
    assert given(lab)["images"] == HASHES


@pytest.mark.parametrize("seed", [None, 7])
def test_google(lab, seed):
    parts = [{"text": "a boat"}]
    parts += [
        {"inlineData": {"mimeType": "image/png", "data": base64.b64encode(each).decode()}}
        for each in (RED, BLUE)
    ]
    config = {} if seed is None else {"generationConfig": {"seed": seed}}
    order = {"contents": [{"parts": parts}], **config}
    bought(lab, "/google/v1/models/gemini-3-pro-image:generateContent", "lab", json=order)
    assert given(lab) == {"images": HASHES[:2], "seed": seed, "negative_prompt": ""}
