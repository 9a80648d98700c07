"""Input images on a whole stack: into a job from wherever they are, and to the vendor."""

import base64
import hashlib
import io
import os

import grpc
import pytest
from google.protobuf import json_format
from PIL import Image

from imagestudio.generator.v1 import generator_service_pb2 as pb
from imagestudio.generator.v1.generator_service_pb2_grpc import GeneratorServiceStub
from imagestudio.type.v1.image_pb2 import ReferenceImage
from imagestudio.type.v1.job_pb2 import JobSpec
from tests import patient
from tests.system.client import generate, prove_whole

FLUX = {"prompt": "a lighthouse at dawn", "models": ["flux-1.1-pro"]}


def photo(size: tuple[int, int] = (640, 480), kind: str = "JPEG", **more) -> bytes:
    """Another picture each time: one that was uploaded before would not be again."""
    noise, out = os.urandom(size[0] * size[1] * 3), io.BytesIO()
    Image.frombytes("RGB", size, noise).save(out, kind, **more)
    return out.getvalue()


def telling() -> bytes:
    exif = Image.Exif()
    exif[0x010F] = "a camera of SECRET"
    return photo(exif=exif)


def sent(stack, content: bytes) -> dict:
    answer = patient.post(f"{stack.url}/images/references", content=content)
    assert answer.status_code == 201, answer.text
    return answer.json()


def refused(stack, **asked) -> dict:
    answer = patient.post(f"{stack.url}/images/generate", json=FLUX | asked)
    assert answer.status_code == 400, answer.text
    return answer.json()


def inputs(stack, job) -> dict:
    """What the vendor was given for the one image of *job*."""
    variant = job.completed["images"][0]["variant_id"]
    kept = patient.get(f"{stack.url}/images/variants/{variant}").json()
    prediction = kept["replicate_prediction_id"]
    lab = f"http://127.0.0.1:{stack.port('LAB_PORT')}/replicate/v1/predictions/{prediction}"
    return patient.get(lab, headers={"Authorization": "Bearer r8_lab"}).json()["input"]


def test_a_picture_is_sent_used_and_stripped_of_what_it_tells(lit, vendors):
    original = telling()
    picture = sent(lit, original)
    assert picture["id"] == hashlib.sha256(original).hexdigest()
    job = generate(lit.url, FLUX | {"references": [{"id": picture["id"], "role": "style"}]})
    prove_whole(job, 1)
    given = inputs(lit, job)["image_prompt"]  # large, so that it was uploaded before
    file = patient.get(given, headers={"Authorization": "Bearer r8_lab"}).json()
    assert file["content_type"] == "image/jpeg"
    assert file["checksums"]["sha256"] != picture["id"]
    assert len(vendors.ledger()) == 1


def test_what_was_drawn_is_drawn_upon_and_a_mask_says_where(lit, vendors):
    first = generate(lit.url, FLUX).completed["images"][0]
    size, out = (first["width"], first["height"]), io.BytesIO()
    mask = Image.new("L", size)
    mask.paste(255, (0, 0, 100, 100))
    mask.save(out, "PNG")
    asked = {
        "prompt": "a red sail", "models": ["ideogram-v3-turbo", "ideogram-v2"],
        "references": [
            {"variant": first["variant_id"], "role": "edit_base"},
            {"id": sent(lit, out.getvalue())["id"], "role": "mask"},
        ],
    }  # fmt: skip
    job = generate(lit.url, asked)
    prove_whole(job, 2)
    given = inputs(lit, job)
    assert given.keys() >= {"image", "mask"}
    assert "resolution" not in given
    kind, _, data = given["mask"].partition(",")
    assert kind == "data:image/png;base64"
    turned = Image.open(io.BytesIO(base64.b64decode(data)))
    assert (turned.getpixel((0, 0)), turned.getpixel((200, 200))) == (0, 255)


def test_a_mask_of_another_size_is_refused_and_nothing_is_bought(lit, vendors):
    base, mask = sent(lit, photo((64, 64)))["id"], sent(lit, photo((32, 32), "PNG"))["id"]
    given = [{"id": base, "role": "edit_base"}, {"id": mask, "role": "mask"}]
    problem = refused(lit, models=["ideogram-v2"], references=given)
    assert list(problem["fields"]) == ["references[1]"]
    assert "32x32" in problem["detail"]
    assert vendors.ledger() == []


def test_the_same_request_again_is_the_same_job(lit, vendors):
    asked = FLUX | {"references": [{"id": sent(lit, photo())["id"]}]}
    answers = [
        patient.post(
            f"{lit.url}/images/generate", json=asked, timeout=60,
            headers={"Idempotency-Key": "one and the same"},
        ).json()
        for _ in range(2)
    ]  # fmt: skip
    assert [each["replayed"] for each in answers] == [False, True]
    assert answers[0]["job_id"] == answers[1]["job_id"]


@pytest.mark.parametrize(
    ("given", "field"),
    [
        ({"uri": "https://127.0.0.1/a.png"}, "references[0]"),
        ({"uri": "https://nowhere.invalid/a.png"}, "references[0]"),
        ({"uri": "http://example.com/a.png"}, "references[0]"),
        ({"id": "0" * 64}, "references[0]"),
        ({"variant": "999999999"}, "references[0].variant"),
        ({"variant": "9" * 19}, "references[0].variant"),
        ({"variant": "0"}, "references[0].variant"),
        ({"id": "0" * 64, "role": "mask"}, "references[0].role"),
        ({"id": "0" * 64, "role": "edit_base"}, "references[0].role"),
        ({"id": "0" * 64, "uri": "https://example.com/a.png"}, "references[0]"),
    ],
    ids=repr,
)
def test_what_cannot_be_had_or_used_is_named_and_nothing_is_bought(lit, vendors, given, field):
    problem = refused(lit, references=[given])
    assert list(problem["fields"]) == [field]
    assert vendors.ledger() == []


def test_a_spare_that_takes_none_is_refused_at_once(lit, vendors):
    picture = sent(lit, photo())["id"]
    problem = refused(lit, references=[{"id": picture}], fallback_models=["flux-schnell"])
    assert problem["code"] == "MODEL_FEATURE_UNSUPPORTED"
    assert vendors.ledger() == []


def test_what_is_no_picture_is_not_kept(lit):
    answer = patient.post(f"{lit.url}/images/references", content=b"no picture")
    assert (answer.status_code, answer.json()["code"]) == (400, "IMAGE_UNREADABLE")
    larger = bytes((25 << 20) + 1)
    answer = patient.post(f"{lit.url}/images/references", content=larger)
    assert answer.status_code == 413


def test_bytes_inside_a_request_become_an_asset_before_the_job_is_admitted(lit, vendors):
    """Over gRPC; the accepted spec names the asset and holds no bytes."""
    spec = json_format.ParseDict(FLUX, JobSpec())
    spec.references.append(ReferenceImage(content=telling()))
    with grpc.insecure_channel(f"127.0.0.1:{lit.port('GENERATOR_PORT')}") as channel:
        stub = GeneratorServiceStub(channel)
        answers = stub.GenerateImages(pb.GenerateImagesRequest(spec=spec), timeout=60)
        *_rest, completed = [answer.event for answer in answers]
    [reference] = completed.completed.job.spec.references
    assert reference.WhichOneof("source") == "asset"
    assert reference.media_type == "image/jpeg"
    assert len(completed.completed.job.images) == 1


@pytest.mark.parametrize(
    ("where", "kind"),
    [("create", "drop_after"), ("upload", "status:500"), ("upload", "drop_after")],
)
def test_what_fails_around_an_order_is_found_or_done_again_and_bought_once(
    lit, vendors, where, kind
):
    vendors.faults([{"vendor": "replicate", "where": where, "kind": kind, "times": 1}])
    picture = sent(lit, photo())["id"]
    job = generate(lit.url, FLUX | {"references": [{"id": picture}]})
    prove_whole(job, 1)
    assert len(vendors.ledger()) == 1
