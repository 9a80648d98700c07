"""OpenAI at a whole stack: previews, retired models, and no answer lost in silence."""

import base64
import io

import pytest
from PIL import Image

from tests import patient
from tests.lab.process import Lab
from tests.system.client import generate, prove_whole
from tests.system.stack import running_stack

FLARE = "gpt-image-2.5-flare"
MOVES = "gpt-image-2.6-flare"
ORDER = {"prompt": "a lighthouse at dawn", "models": [FLARE]}
STREAM = ORDER | {"parameters": {FLARE: {"partial_images": 2, "quality": "low"}}}
GIF = {"output_format": "gif", "frame_count": 4, "frame_duration_ms": 120, "quality": "low"}


@pytest.fixture(scope="module")
def stack(tmp_path_factory):
    folder = tmp_path_factory.mktemp("faults")
    folder.chmod(0o777)
    settings = {"LAB_PACE": "0", "WORKER_PATIENCE": "1", "ANSWER_SECONDS": "2"}
    with running_stack("--lab", FAULT_FOLDER=str(folder), **settings) as found:
        yield found, folder


@pytest.fixture
def lab(stack):
    found = Lab(f"http://127.0.0.1:{stack[0].port('LAB_PORT')}", None)
    found.reset()
    return found


def test_pictures_are_reserved_by_quality_and_kept_at_what_they_cost(stack, lab):
    order = ORDER | {"count": 3, "parameters": {FLARE: {"quality": "max", "output_format": "webp"}}}
    job = generate(stack[0].url, order)
    prove_whole(job, 3)
    [charge] = lab.ledger()
    assert (charge["model"], charge["images"]) == (FLARE, 3)
    assert job.completed["cost_usd"] == pytest.approx(charge["usd"], abs=1e-6)
    assert {image["media_type"] for image in job.completed["images"]} == {"image/webp"}
    assert all(image["generation_time_ms"] > 0 for image in job.completed["images"])
    [accepted] = job.of("accepted")
    estimate = accepted["estimate"]
    assert estimate["expected_usd"] == pytest.approx(charge["usd"], rel=0.01)
    assert estimate["reserved_usd"] >= charge["usd"]
    assert not job.of("warning")


def test_previews_go_by_and_the_picture_is_kept(stack, lab):
    lab.pace(1)
    job = generate(stack[0].url, STREAM)
    prove_whole(job, 1)
    previews = job.of("preview")
    assert previews
    assert {each["preview_index"] for each in previews} <= {0, 1}
    for each in previews:
        content = base64.b64decode(each["content"])
        with Image.open(io.BytesIO(content)) as opened:
            assert (opened.format, max(opened.size)) == ("WEBP", 512)
    assert "preview" not in [kind for kind, _number in job.durable]
    assert job.completed["cost_usd"] == pytest.approx(lab.ledger()[0]["usd"], abs=1e-6)


@pytest.mark.parametrize(
    ("point", "order"),
    [("receipt.after_close", STREAM), ("follow.before", STREAM), ("buy.after_send", ORDER)],
)
def test_an_answer_that_is_kept_is_found_by_whoever_comes_next(stack, lab, point, order):
    stack, folder = stack
    (folder / point).touch(mode=0o666)
    job = generate(stack.url, order)
    assert not (folder / point).exists()
    prove_whole(job, 1)
    [image] = job.completed["images"]
    assert image["generation_time_ms"] is None  # who sent it heard its answer, and is dead
    assert len(lab.ledger()) == 1


@pytest.mark.parametrize("kind", ["drop_after", "truncate", "status:500"])
def test_a_stream_that_broke_off_is_told_and_not_asked_for_again(stack, lab, kind):
    lab.faults([{"vendor": "openai", "where": "create", "kind": kind, "times": 1}])
    job = generate(stack[0].url, STREAM | {"fallback_models": ["flux-schnell"]})
    [failure] = job.completed["failures"]
    assert (failure["reason"], failure["charged"]) == ("PURCHASE_UNCLEAR", None)
    assert lab.requests()["openai"]["create"] == 1
    assert "replicate" not in lab.requests()


def test_a_retired_model_is_refused_or_replaced(stack, lab):
    url, order = stack[0].url, ORDER | {"models": ["dall-e-3"]}
    refused = patient.post(f"{url}/images/estimate", json=order)
    told = refused.json()
    assert (told["code"], refused.status_code) == ("MODEL_RETIRED", 409)
    assert "gpt-image-2" in told["detail"]
    job = generate(url, order | {"allow_successor": True})
    prove_whole(job, 1)
    assert [image["model"] for image in job.completed["images"]] == ["gpt-image-2"]
    [warning] = job.of("warning")
    assert (warning["reason"], warning["model"]) == ("MODEL_RETIRED", "gpt-image-2")
    retired = patient.get(f"{url}/images/models", params={"retired": True}).json()
    [found] = [model for model in retired["models"] if model["key"] == "dall-e-3"]
    assert (found["state"], found["successor"]) == ("retired", "gpt-image-2")
    assert found["retire_time"].startswith("2026-05-12")


def test_a_model_s_end_is_read_from_its_provider_s_list(stack, lab):
    """It is read at the start, and once a day."""
    stack, _ = stack
    lab.vendor("openai", shutdown_dates={"gpt-image-2.6-flare": "2027-01-31"})
    stack.kill_and_await("generator-1")

    def told() -> bool:
        listed = patient.get(f"{stack.url}/images/models").json()["models"]
        [found] = [model for model in listed if model["key"] == "gpt-image-2.6-flare"]
        return str(found["retire_time"]).startswith("2027-01-31")

    stack.await_(told)


@pytest.mark.parametrize(
    ("words", "reason"), [("refuse-me", "CONTENT_REFUSED"), ("fail-me", "PURCHASE_UNCLEAR")]
)
def test_a_refusal_of_the_content_costs_nothing(stack, lab, words, reason):
    job = generate(stack[0].url, ORDER | {"prompt": words})
    [failure] = job.completed["failures"]
    assert failure["reason"] == reason
    assert not lab.ledger()


def test_an_animation_is_kept_and_published_as_it_came(stack, lab):
    """Each of its frames is paid for; its thumbnail is the first, standing still."""
    order = ORDER | {"models": [MOVES], "count": 2, "size": "512x512", "parameters": {MOVES: GIF}}
    job = generate(stack[0].url, order)
    prove_whole(job, 2)
    for image in job.completed["images"]:
        assert (image["media_type"], image["width"]) == ("image/gif", 512)
        kept, copy = patient.get(image["vault_url"]), patient.get(image["url"])
        assert kept.headers["content-type"] == copy.headers["content-type"] == "image/gif"
        assert kept.headers["content-disposition"].endswith('.gif"')
        assert kept.content == copy.content
        assert image["url"] != image["vault_url"]
        with Image.open(io.BytesIO(kept.content)) as opened:
            assert (opened.format, opened.n_frames) == ("GIF", 4)
            assert opened.info["duration"] == 120
        thumbnail = patient.get(f"{image['vault_url']}/thumbnail")
        with Image.open(io.BytesIO(thumbnail.content)) as small:
            assert (small.format, small.size, small.n_frames) == ("WEBP", (512, 512), 1)
            assert len(small.convert("RGB").getcolors(2**20)) > 100  # no placeholder
    [charge] = lab.ledger()
    assert job.completed["cost_usd"] == pytest.approx(charge["usd"], abs=1e-6)
    [accepted] = job.of("accepted")
    assert accepted["estimate"]["expected_usd"] == pytest.approx(charge["usd"], rel=0.01)


def test_drawings_are_ordered_one_by_one_and_served_by_the_vault(stack, lab):
    drawing = {MOVES: {"output_format": "svg", "quality": "low"}}
    order = ORDER | {"models": [MOVES], "count": 2, "parameters": drawing}
    job = generate(stack[0].url, order)
    prove_whole(job, 2)
    assert len(lab.ledger()) == 2
    for image in job.completed["images"]:
        assert (image["media_type"], image["width"]) == ("image/svg+xml", 1024)
        served = patient.get(image["url"])
        assert served.headers["content-type"] == "image/svg+xml"
        assert "sandbox" in served.headers["content-security-policy"]
    assert not lab.assets()
