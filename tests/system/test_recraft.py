"""Recraft at a whole stack: an answer that came is never lost, and one that did not is told."""

import hashlib
import signal
import threading

import pytest

from tests import patient
from tests.lab.process import Lab
from tests.system.books import ask
from tests.system.client import Job, generate, prove_whole
from tests.system.stack import running_stack

ORDER = {"prompt": "a lighthouse at dawn", "models": ["recraft-v3"]}


@pytest.fixture(scope="module")
def stack(tmp_path_factory):
    folder = tmp_path_factory.mktemp("faults")
    folder.chmod(0o777)
    settings = {"LAB_PACE": "0", "WORKER_PATIENCE": "1", "ANSWER_SECONDS": "2"}
    settings |= {"SETTLE_SECONDS": "0.5"}
    with running_stack("--lab", FAULT_FOLDER=str(folder), **settings) as found:
        yield found, folder


@pytest.fixture
def lab(stack):
    found = Lab(f"http://127.0.0.1:{stack[0].port('LAB_PORT')}", None)
    found.reset()
    return found


def charged(lab: Lab) -> list[tuple[str, str, int, float]]:
    return [(c["purchase_id"], c["model"], c["images"], c["usd"]) for c in lab.ledger()]


@pytest.mark.parametrize(("key", "slug", "kind", "usd"), [
    ("recraft-v3", "recraftv3", "image/webp", 0.04),
    ("recraft-v3-vector", "recraftv3_vector", "image/svg+xml", 0.08),
])  # fmt: skip
def test_pictures_are_kept_at_what_they_cost(stack, lab, key, slug, kind, usd):
    order = {**ORDER, "models": [key], "count": 3, "seed": 11, "negative_prompt": "people"}
    job = generate(stack[0].url, order)
    prove_whole(job, 3)
    images = job.completed["images"]
    [purchase] = {image["purchase_id"] for image in images}
    assert charged(lab) == [(purchase, slug, 3, pytest.approx(3 * usd))]
    assert {image["media_type"] for image in images} == {kind}
    assert job.completed["cost_usd"] == pytest.approx(3 * usd)
    assert not job.of("warning")


def test_fewer_pictures_than_were_paid_for_are_told(stack, lab):
    job = generate(stack[0].url, {**ORDER, "prompt": "a lighthouse, too-few", "count": 3})
    [warning], completed = job.of("warning"), job.completed
    assert (warning["reason"], warning["model"]) == ("IMAGES_MISSING", "recraft-v3")
    assert warning["message"].startswith("2 of the 3 images that were ordered came, for 0.12")
    [failure] = completed["failures"]
    assert (failure["reason"], failure["charged"]) == ("IMAGES_MISSING", True)
    assert (completed["state"], len(completed["images"])) == ("partially_succeeded", 2)
    assert completed["cost_usd"] == pytest.approx(0.12) == charged(lab)[0][3]
    read = patient.get(f"{stack[0].url}/images/jobs/{completed['job_id']}").json()
    assert (read["state"], read["failures"]) == ("partially_succeeded", [failure])


def test_links_in_place_of_pictures_are_fetched(stack, lab):
    job = generate(stack[0].url, {**ORDER, "prompt": "a lighthouse, by-link", "count": 2})
    prove_whole(job, 2)
    assert not job.of("warning")
    assert len(charged(lab)) == 1


@pytest.mark.parametrize("point", ["receipt.after_close", "buy.after_send"])
def test_an_answer_that_is_kept_is_found_by_whoever_comes_next(stack, lab, point):
    stack, folder = stack
    (folder / point).touch(mode=0o666)
    job = generate(stack.url, ORDER)
    assert not (folder / point).exists()
    prove_whole(job, 1)
    assert len(charged(lab)) == 1


def test_storage_may_die_over_an_answer(stack, lab):
    stack, folder = stack
    (folder / "receipt.before_close").touch(mode=0o666)  # it is the generator's: dies, and is lost
    lost = generate(stack.url, ORDER)
    assert lost.completed["failures"][0]["charged"] is None
    lab.reset()
    job = Job("")
    lab.pace(1)
    asking = threading.Thread(target=generate, args=(stack.url, ORDER), kwargs={"job": job})
    asking.start()
    stack.await_(lambda: lab.requests().get("recraft", {}).get("create"))
    stack.kill("storage")
    asking.join()
    prove_whole(job, 1)
    assert len(charged(lab)) == 1


def test_a_disk_that_is_not_there_for_a_while_costs_no_picture(stack, lab):
    stack, folder = stack
    [tmp] = (each for each in stack.data.rglob("tmp") if (each.parent / "receipts").exists())
    (folder / "import.before").touch(mode=0o666)  # the answer is in its receipt, and no more
    job = Job("")
    asking = threading.Thread(target=generate, args=(stack.url, ORDER), kwargs={"job": job})
    asking.start()
    stack.await_(lambda: not (folder / "import.before").exists())
    away = tmp.rename(tmp.with_name("away"))
    claims = "SELECT max(fence) FROM purchases WHERE state = 'drawn'"
    stack.await_(lambda: (ask(stack, claims)[0][0] or 0) > 6)  # five failures would have ended it
    away.rename(tmp)
    asking.join()
    prove_whole(job, 1)
    assert len(charged(lab)) == 1


def test_a_generator_that_ends_waits_for_an_answer_that_nobody_else_could_hear(stack, lab):
    stack, _folder = stack
    lab.pace(2)  # longer than what it has in hand may take to be let go of
    job = Job("")
    asking = threading.Thread(target=generate, args=(stack.url, ORDER), kwargs={"job": job})
    asking.start()
    stack.await_(lambda: lab.requests().get("recraft", {}).get("create"))
    stack.kill("generator-1", signal.SIGTERM)
    asking.join()
    prove_whole(job, 1)
    assert len(charged(lab)) == 1
    assert not job.of("warning")


@pytest.mark.parametrize("kind", ["drop_after", "truncate", "status:500"])
def test_an_answer_that_did_not_come_is_told_and_not_asked_for_again(stack, lab, kind):
    lab.faults([{"vendor": "recraft", "where": "create", "kind": kind, "times": 1}])
    job = generate(stack[0].url, ORDER | {"fallback_models": ["flux-schnell"]})
    [failure] = job.completed["failures"]
    assert (failure["reason"], failure["charged"]) == ("PURCHASE_UNCLEAR", None)
    assert lab.requests()["recraft"]["create"] == 1
    assert "replicate" not in lab.requests()
    assert job.completed["cost_usd"] == pytest.approx(0.04)


def test_a_refusal_costs_nothing_and_another_model_draws(stack, lab):
    lab.faults([{"vendor": "recraft", "where": "create", "kind": "status:400", "times": 1}])
    job = generate(stack[0].url, ORDER | {"fallback_models": ["flux-schnell"]})
    [image] = job.completed["images"]
    assert image["model"] == "flux-schnell"
    content = patient.get(image["vault_url"]).content
    assert hashlib.sha256(content).hexdigest() == image["image_hash"]


def test_others_draw_in_their_order_as_long_as_nothing_was_charged(stack, lab):
    order = ORDER | {"fallback_models": ["flux-schnell", "gpt-image-2", "sketch"]}
    first = {"vendor": "recraft", "where": "create", "kind": "status:400", "times": 1}
    second = {"vendor": "replicate", "where": "create", "kind": "status:422", "times": 1}
    lab.faults([first, second])
    job = generate(stack[0].url, order)
    ended = [(each["model"], each["charged"]) for each in job.of("purchase_ended")]
    assert ended == [("recraft-v3", "no"), ("flux-schnell", "no")]
    assert [image["model"] for image in job.completed["images"]] == ["gpt-image-2"]
    assert [charge["model"] for charge in lab.ledger()] == ["gpt-image-2"]
    lab.reset()
    lab.faults([first])
    job = generate(stack[0].url, order | {"prompt": "no-output"})
    ended = [(each["model"], each["charged"]) for each in job.of("purchase_ended")]
    assert ended == [("recraft-v3", "no"), ("flux-schnell", "yes")]
    assert job.completed["images"] == []
    assert "openai" not in lab.requests()


def test_a_call_too_many_waits_and_is_not_lost(stack, lab):
    lab.faults([{"vendor": "recraft", "where": "create", "kind": "status:429", "times": 2}])
    prove_whole(generate(stack[0].url, ORDER), 1)
    assert len(charged(lab)) == 1
