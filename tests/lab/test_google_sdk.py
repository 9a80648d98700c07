"""Google's official client, unchanged but for its base URL, against the lab."""

import base64
import hashlib
import io

import pytest
from PIL import Image

from tests import patient
from tests.lab.sdk import errors, genai, types

FLASH, PRO, OLD = "gemini-nano-banana-2.1", "gemini-3-pro-image", "imagen-3.0-generate-002"


@pytest.fixture
def client(lab):
    with connected(lab) as made:
        yield made


def connected(lab, key="good"):
    return genai.Client(api_key=key, http_options={"base_url": f"{lab.url}/google"})


def draw(client, contents="a lighthouse", model=FLASH, **image):
    """Ask for a picture with *image* of the ImageConfig."""
    config = types.GenerateContentConfig(
        response_modalities=["TEXT", "IMAGE"], image_config=types.ImageConfig(**image)
    )
    return client.models.generate_content(model=model, contents=contents, config=config)


def pictures(answer):
    return [part.inline_data for part in answer.parts if part.inline_data]


def size(blob):
    with Image.open(io.BytesIO(blob.data)) as image:
        return image.size


@pytest.mark.parametrize(
    ("model", "asked", "comes", "usd"),
    [(FLASH, {}, (1024, 1024), 0.034124),
     (FLASH, {"aspect_ratio": "1:8"}, (384, 3072), 0.034124),
     (FLASH, {"aspect_ratio": "16:9", "image_size": "2K"}, (2752, 1536), 0.050924),
     (PRO, {"aspect_ratio": "21:9"}, (1584, 672), 0.136676),
     (PRO, {"image_size": "2K"}, (2048, 2048), 0.136676)],
)  # fmt: skip
def test_a_picture_comes_in_its_size_at_what_its_tokens_cost(lab, client, model, asked, comes, usd):
    answer = draw(client, model=model, **asked)
    [picture] = pictures(answer)
    [charge] = lab.ledger()

    assert (picture.mime_type, size(picture)) == ("image/png", comes)
    assert answer.candidates[0].finish_reason == types.FinishReason.STOP
    assert answer.model_version == model
    assert (charge["model"], charge["images"]) == (model, 1)
    assert charge["usd"] == usd
    [told] = lab.ask("GET", "/_lab/pictures")
    assert told["sha256"] == hashlib.sha256(picture.data).hexdigest()
    assert told["ticket"] == answer.response_id


def test_what_it_charges_is_what_its_usage_says(lab, client):
    usage = draw(client, model=PRO).usage_metadata
    [drawn] = [
        each.token_count
        for each in usage.candidates_tokens_details
        if each.modality == types.MediaModality.IMAGE
    ]
    words = usage.candidates_token_count - drawn + usage.thoughts_token_count
    micros = usage.prompt_token_count * 2 + words * 12 + drawn * 120

    assert drawn == 1120
    assert usage.total_token_count == usage.prompt_token_count + words + drawn
    assert lab.ledger()[0]["usd"] == pytest.approx(micros / 1e6, abs=1e-6)


def test_pictures_that_it_is_shown_are_read_and_counted(lab, client):
    file = io.BytesIO()
    Image.new("RGB", (8, 8)).save(file, "PNG")
    shown = types.Part.from_bytes(data=file.getvalue(), mime_type="image/png")
    usage = draw(client, ["the same at night", shown, shown]).usage_metadata
    told = {each.modality.value: each.token_count for each in usage.prompt_tokens_details}

    assert told["IMAGE"] == 2 * 1120
    with pytest.raises(errors.ClientError, match="15 images"):
        draw(client, ["too many", *[shown] * 15])
    broken = types.Part.from_bytes(data=b"x", mime_type="image/tiff")
    with pytest.raises(errors.ClientError, match="mime_type"):
        draw(client, ["a kind that it does not know", broken])
    assert len(lab.ledger()) == 1


@pytest.mark.parametrize(
    ("asked", "why"),
    [({"aspect_ratio": "1:3"}, "aspect_ratio"), ({"image_size": "8K"}, "image_size")],
)
def test_what_it_does_not_draw_is_invalid(lab, client, asked, why):
    with pytest.raises(errors.ClientError, match=why) as refused:
        draw(client, **asked)
    assert (refused.value.code, refused.value.status) == (400, "INVALID_ARGUMENT")
    assert lab.ledger() == []


def test_there_is_one_candidate_a_call(lab, client):
    config = types.GenerateContentConfig(candidate_count=2)
    with pytest.raises(errors.ClientError, match="Multiple candidates"):
        client.models.generate_content(model=FLASH, contents="a boat", config=config)
    assert lab.ledger() == []


@pytest.mark.parametrize(
    ("words", "blocked", "finish"),
    [("refuse-me", "PROHIBITED_CONTENT", None), ("unsafe-picture", None, "IMAGE_SAFETY"),
     ("no-output", None, "NO_IMAGE")],
)  # fmt: skip
def test_a_refusal_is_a_200_that_costs_its_prompt(lab, client, words, blocked, finish):
    answer = draw(client, words)
    [charge] = lab.ledger()

    assert (answer.prompt_feedback and answer.prompt_feedback.block_reason) == blocked
    assert (answer.candidates and answer.candidates[0].finish_reason) == finish
    assert (charge["images"], 0 < charge["usd"] < 1e-4) == (0, True)


@pytest.mark.parametrize(
    ("key", "code", "status", "reason"),
    [
        ("wrong", 400, "INVALID_ARGUMENT", "API_KEY_INVALID"),
        ("barred", 403, "PERMISSION_DENIED", ""),
        ("poor", 400, "FAILED_PRECONDITION", ""),
    ],
)
def test_keys(lab, key, code, status, reason):
    with connected(lab, key) as client, pytest.raises(errors.ClientError) as refused:
        draw(client)
    assert (refused.value.code, refused.value.status) == (code, status)
    assert reason in str(refused.value.details)
    assert lab.ledger() == []


def test_a_key_that_stands_in_the_address_is_none(lab):
    url = f"{lab.url}/google/v1/models?key=good"
    assert patient.get(url, trust_env=False).json()["error"]["status"] == "PERMISSION_DENIED"


@pytest.mark.parametrize("status", [429, 500, 503])
def test_it_does_not_repeat_an_order_that_failed(lab, client, status):
    lab.faults([{"vendor": "google", "where": "create", "kind": f"status:{status}"}])
    with pytest.raises(errors.APIError) as failed:
        draw(client)
    assert failed.value.code == status
    assert lab.requests()["google"] == {"create": 1}


def test_a_rate_that_is_used_up_says_when_to_come_again(lab, client):
    lab.vendor("google", orders_per_minute=1)
    draw(client)
    with pytest.raises(errors.ClientError) as refused:
        draw(client)
    assert refused.value.status == "RESOURCE_EXHAUSTED"
    [info] = refused.value.details["error"]["details"]
    assert info["retryDelay"] == "60s"
    lab.advance(60)
    draw(client)


def test_an_order_that_is_too_long_is_refused(lab, client):
    lab.vendor("google", request_bytes=1000)
    with pytest.raises(errors.ClientError, match="payload size"):
        draw(client, "a boat " * 1000)


def test_models(lab, client):
    assert [model.name for model in client.models.list()] == [f"models/{FLASH}", f"models/{PRO}"]
    assert client.models.get(model=PRO).supported_actions == ["generateContent"]
    with pytest.raises(errors.ClientError, match="not found") as gone:
        draw(client, model="gemini-2.5-flash-image")
    assert gone.value.status == "NOT_FOUND"


# Imagen's old contract: their client does not speak it any more.


def predict(lab, prompt="a boat", model=OLD, **parameters):
    url, key = f"{lab.url}/google/v1beta/models/{model}:predict", {"x-goog-api-key": "good"}
    body = {"instances": [{"prompt": prompt}], "parameters": parameters}
    return patient.post(url, json=body, headers=key, trust_env=False)


def test_imagen_is_gone(lab):
    assert predict(lab).status_code == 404
    assert lab.ledger() == []


def test_imagen_drew_several_pictures_a_call(lab, client):
    lab.vendor("google", imagen=True)
    told = predict(lab, sampleCount=3, aspectRatio="16:9").json()["predictions"]
    blobs = [types.Blob(data=base64.b64decode(one["bytesBase64Encoded"])) for one in told]

    assert [size(blob) for blob in blobs] == [(1408, 768)] * 3
    assert len({blob.data for blob in blobs}) == 3
    [charge] = lab.ledger()
    assert (charge["images"], charge["usd"]) == (3, 0.12)
    assert f"models/{OLD}" in [model.name for model in client.models.list()]


@pytest.mark.parametrize(
    ("words", "explained", "told", "paid"),
    [("unsafe-picture", True, 2, 1), ("unsafe-picture", False, 1, 1),
     ("refuse-me", True, 1, None), ("refuse-me", False, None, None)],
)  # fmt: skip
def test_imagen_left_out_what_it_would_not_show(lab, words, explained, told, paid):
    lab.vendor("google", imagen=True)
    answer = predict(lab, words, sampleCount=2, includeRaiReason=explained).json()
    assert (len(answer["predictions"]) if told else answer) == (told or {})
    assert [charge["images"] for charge in lab.ledger()] == ([paid] if paid else [])


@pytest.mark.parametrize("wrong", [{"sampleCount": 5}, {"aspectRatio": "21:9"}, {"seed": 1}])
def test_imagen_s_words_are_checked(lab, wrong):
    lab.vendor("google", imagen=True)
    assert predict(lab, **wrong).json()["error"]["status"] == "INVALID_ARGUMENT"
