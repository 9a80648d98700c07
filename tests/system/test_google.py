"""Google at a whole stack: kept at what its tokens cost, and what was lost is told."""

import pytest

from tests import patient
from tests.lab.process import Lab
from tests.system.client import generate, prove_whole
from tests.system.stack import running_stack

FLASH, PRO = "gemini-nano-banana-2.1", "gemini-3-pro-image"
ORDER = {"prompt": "a lighthouse at dawn", "models": [FLASH]}


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


def fault(lab: Lab, kind: str) -> None:
    lab.faults([{"vendor": "google", "where": "create", "kind": kind, "times": 1}])


def test_pictures_of_both_models_are_kept_at_what_their_tokens_cost(stack, lab):
    job = generate(stack[0].url, ORDER | {"models": [FLASH, PRO], "count": 2, "aspect": "16:9"})
    prove_whole(job, 4)
    charges = lab.ledger()
    told = {image["purchase_id"]: image for image in job.completed["images"]}
    assert {charge["purchase_id"] for charge in charges} == told.keys()
    assert {(image["width"], image["height"]) for image in told.values()} == {(1376, 768)}
    for charge in charges:
        image = told[charge["purchase_id"]]
        assert (image["model"], image["cost_usd"]) == (charge["model"], charge["usd"])
    assert job.completed["cost_usd"] == pytest.approx(sum(charge["usd"] for charge in charges))
    assert not job.of("warning")


def test_a_bigger_picture_is_reserved_and_paid_as_such(stack, lab):
    job = generate(stack[0].url, ORDER | {"parameters": {FLASH: {"image_size": "2K"}}})
    prove_whole(job, 1)
    [image] = job.completed["images"]
    assert (image["width"], image["height"]) == (2048, 2048)
    [accepted] = job.of("accepted")
    assert accepted["estimate"]["reserved_usd"] >= image["cost_usd"] == lab.ledger()[0]["usd"]
    assert not job.of("warning")


@pytest.mark.parametrize("point", ["answer.begun", "receipt.after_close", "buy.after_send"])
def test_a_kill_over_an_answer_buys_nothing_twice_and_keeps_what_is_durable(stack, lab, point):
    stack, folder = stack
    (folder / point).touch(mode=0o666)
    job = generate(stack.url, ORDER)
    assert not (folder / point).exists()
    assert lab.requests()["google"]["create"] == 1
    if point == "answer.begun":  # nobody has the rest of it
        [failure] = job.completed["failures"]
        assert (failure["reason"], failure["charged"]) == ("PURCHASE_UNCLEAR", None)
    else:
        prove_whole(job, 1)


@pytest.mark.parametrize("kind", ["drop_after", "truncate", "status:500"])
def test_an_answer_that_did_not_come_is_told_and_not_asked_for_again(stack, lab, kind):
    fault(lab, kind)
    job = generate(stack[0].url, ORDER | {"fallback_models": ["flux-schnell"]})
    [failure] = job.completed["failures"]
    assert (failure["reason"], failure["charged"]) == ("PURCHASE_UNCLEAR", None)
    assert ("500 The lab was asked for this" in failure["message"]) == (kind == "status:500")
    assert "the provider cannot be asked" in failure["message"]
    assert lab.requests()["google"]["create"] == 1
    assert "replicate" not in lab.requests()


@pytest.mark.parametrize("words", ["refuse-me", "unsafe-picture"])
def test_a_refusal_that_is_no_error_ends_at_what_it_cost(stack, lab, words):
    job = generate(stack[0].url, ORDER | {"prompt": words, "fallback_models": ["flux-schnell"]})
    [failure] = job.completed["failures"]
    assert (failure["reason"], failure["charged"]) == ("CONTENT_REFUSED", True)
    [charge] = lab.ledger()
    assert job.completed["cost_usd"] == charge["usd"] < 0.0001


def test_an_order_that_is_refused_costs_nothing_and_another_model_draws(stack, lab):
    fault(lab, "status:400")
    job = generate(stack[0].url, ORDER | {"fallback_models": ["flux-schnell"]})
    [image] = job.completed["images"]
    assert image["model"] == "flux-schnell"


def test_a_call_too_many_waits_and_is_not_lost(stack, lab):
    fault(lab, "status:429")
    prove_whole(generate(stack[0].url, ORDER), 1)
    assert len(lab.ledger()) == 1


def test_a_model_that_is_overloaded_is_ordered_again_and_charged_once(stack, lab):
    fault(lab, "status:503")
    prove_whole(generate(stack[0].url, ORDER), 1)
    assert len(lab.ledger()) == 1


def test_imagen_is_gone_and_its_successor_draws_where_that_is_wanted(stack, lab):
    order = ORDER | {"models": ["imagen-3"]}
    refused = patient.post(f"{stack[0].url}/images/generate", json=order)
    assert refused.status_code == 409
    assert FLASH in refused.text
    assert not lab.requests()
    job = generate(stack[0].url, order | {"allow_successor": True})
    prove_whole(job, 1)
    assert [image["model"] for image in job.completed["images"]] == [FLASH]
    [warning] = job.of("warning")
    assert (warning["reason"], warning["model"]) == ("MODEL_RETIRED", FLASH)
