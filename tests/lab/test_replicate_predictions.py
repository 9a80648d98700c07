"""Replicate's predictions over plain HTTP: their lives, their end, what is left, what they cost."""

from datetime import datetime, timedelta

import pytest

from tests import patient
from tests.lab.replicate_client import PRO, RECRAFT, SCHNELL

HOUR = 3600


def moment(text):
    return datetime.fromisoformat(text)


def test_the_first_answer_has_the_keys_and_values_of_a_recorded_one(lab, api):
    lab.pace(5, queue_seconds=1)
    answer = api.create(RECRAFT)
    made = answer.json()

    assert answer.status_code == 201
    assert len(made["id"]) == 26
    assert {name: made[name] for name in made if name not in ("id", "created_at", "urls")} == {
        "model": RECRAFT, "version": "hidden", "input": {"prompt": "a lighthouse"}, "logs": "",
        "output": None, "data_removed": False, "error": None, "status": "starting",
    }  # fmt: skip
    assert made["created_at"].endswith("Z")
    assert len(made["created_at"]) == len("2025-07-30T01:45:30.496Z")
    assert made["urls"].keys() == {"cancel", "get", "stream", "web"}
    assert made["urls"]["get"] == f"{lab.url}/replicate/v1/predictions/{made['id']}"


def test_it_starts_works_and_succeeds_in_its_time(lab, api):
    lab.pace(100, queue_seconds=50)
    made = api.made()
    lab.advance(20)
    assert api.get(made)["status"] == "starting"
    lab.advance(50)
    found = api.get(made)
    assert (found["status"], found["output"]) == ("processing", None)
    assert "completed_at" not in found
    assert "metrics" not in found
    lab.advance(100)
    found = api.get(made)

    assert found["status"] == "succeeded"
    assert found["metrics"] == {"predict_time": 100.0, "total_time": 150.0, "image_count": 1}
    assert moment(found["completed_at"]) - moment(found["started_at"]) == timedelta(seconds=100)


def test_steps_are_told_by_a_progress_bar_in_the_logs(lab, api):
    lab.pace(1600)
    made = api.made("black-forest-labs/flux-dev", num_inference_steps=16, seed=5)
    lab.advance(820)
    logs = api.get(made)["logs"].splitlines()

    assert logs[0] == "Using seed: 5"
    assert logs[1] == "  0%|          | 0/16 [00:00<?, ?it/s]"
    assert logs[-1].startswith(" 50%|█████     | 8/16 [13:")
    assert logs[-1].endswith("it/s]")
    lab.advance(800)
    logs = api.get(made)["logs"]
    assert " 12%|█▎        | 2/16 [" in logs  # rounded as Python rounds
    assert "100%|██████████| 16/16 [" in logs


def test_a_proxied_model_logs_prose_and_no_progress(lab, api):
    lab.pace(45.6)
    made = api.made("openai/gpt-image-2")
    lab.advance(20)
    assert api.get(made)["logs"] == "Generating image...\n"
    lab.advance(30)
    assert api.get(made)["logs"] == "Generating image...\nGenerated image in 45.6sec\n"


@pytest.mark.parametrize("prefer", ["wait", "wait=60"])
def test_who_waits_is_answered_as_processing_with_the_output(lab, api, prefer):
    answer = api.create(headers={"Prefer": prefer})
    found = answer.json()

    assert answer.status_code == 201
    assert answer.headers["preference-applied"] == prefer
    assert found["status"] == "processing"
    assert len(found["output"]) == 1
    assert not found.keys() & {"started_at", "completed_at", "metrics"}
    assert api.get(found)["status"] == "succeeded"


def test_who_waits_in_vain_is_told_so_far(lab, api):
    lab.pace(100, queue_seconds=50)
    answer = api.create(headers={"Prefer": "wait=1"})

    assert answer.status_code == 202
    assert answer.json()["status"] == "starting"
    assert answer.json()["output"] is None


def test_who_waits_for_a_failure_is_told_of_it(lab, api):
    answer = api.create(prompt="fail-me", headers={"Prefer": "wait"})

    assert (answer.status_code, answer.json()["status"]) == (201, "failed")


@pytest.mark.parametrize("prefer", ["wait=0", "wait=61", "wait=x", "return=minimal"])
def test_another_preference_is_refused(lab, api, prefer):
    assert api.create(headers={"Prefer": prefer}).status_code == 400
    assert api.listed() == []


# Stopping


def test_one_canceled_while_it_runs_costs_its_full_price(lab, api):
    lab.pace(60)
    made = api.made(num_outputs=2)
    lab.advance(10)
    found = api.cancel(made)

    assert (found["status"], found["output"]) == ("canceled", None)
    assert 10 <= found["metrics"]["predict_time"] < 60
    lab.advance(60)
    assert api.get(made)["status"] == "canceled"
    (charge,) = lab.ledger()
    assert (charge["images"], charge["usd"]) == (0, 0.006)


def test_one_canceled_before_it_starts_is_aborted_and_costs_nothing(lab, api):
    lab.pace(60, queue_seconds=60)
    made = api.made()

    assert api.cancel(made)["status"] == "aborted"
    lab.advance(HOUR)
    assert "started_at" not in api.get(made)
    assert lab.ledger() == []


def test_one_canceled_after_its_end_stays_as_it_is(lab, api):
    made = api.drawn()

    assert api.cancel(made) == made
    assert len(lab.ledger()) == 1


def test_cancel_after_aborts_what_has_not_started(lab, api):
    lab.pace(60, queue_seconds=60)
    made = api.made(headers={"Cancel-After": "30s"})
    lab.advance(31)

    assert api.get(made)["status"] == "aborted"
    assert lab.ledger() == []


@pytest.mark.parametrize(("after", "seconds"), [("30s", 30), ("1m", 60), ("20m", 1200)])
def test_cancel_after_cancels_what_runs_and_that_is_charged(lab, api, after, seconds):
    lab.pace(seconds + 100)
    made = api.made(headers={"Cancel-After": after})
    lab.advance(seconds - 5)
    assert api.get(made)["status"] == "processing"
    lab.advance(10)
    found = api.get(made)

    assert found["status"] == "canceled"
    assert found["metrics"]["predict_time"] == seconds
    assert len(lab.ledger()) == 1


def test_cancel_after_may_be_told_in_hours(lab, api):
    lab.pace(1800, queue_seconds=3600)
    made = api.made(headers={"Cancel-After": "1h"})
    lab.advance(3610)

    assert api.get(made)["status"] == "aborted"


@pytest.mark.parametrize("after", ["4s", "0m", "5", "5d", "soon", "-5s"])
def test_cancel_after_of_another_form_is_refused(lab, api, after):
    answer = api.create(headers={"Cancel-After": after})

    assert answer.status_code == 422
    assert "Cancel-After" in answer.json()["detail"]


def test_a_run_that_nobody_stops_ends_after_half_an_hour(lab, api):
    lab.pace(10_000)
    made = api.made()
    lab.advance(1801)

    assert api.get(made)["metrics"]["predict_time"] == 1800


# What becomes of it


@pytest.mark.parametrize("slug", [SCHNELL, PRO], ids=["as a list", "as one"])
def test_after_an_hour_nothing_is_left_of_it_but_its_record(lab, api, slug):
    made = api.drawn(slug)
    picture = made["output"] if slug == PRO else made["output"][0]
    lab.advance(HOUR - 60)
    assert patient.get(picture).status_code == 200
    assert api.get(made)["data_removed"] is False
    lab.advance(61)
    found = api.get(made)

    assert found["data_removed"] is True
    assert (found["output"], found["input"], found["logs"]) == (None, {}, "")
    assert found["status"] == "succeeded"
    assert patient.get(picture).status_code == 404
    assert api.listed() == [made["id"]]


def test_the_status_of_a_file_that_is_gone_can_be_chosen(lab, api):
    (picture,) = api.drawn()["output"]
    lab.vendor("replicate", expired_status=410)
    lab.advance(HOUR + 5)

    assert patient.get(picture).status_code == 410


@pytest.mark.parametrize(
    ("word", "error"), [("refuse-me", "NSFW content detected"), ("fail-me", "interrupted")]
)
def test_a_magic_word_in_the_prompt_makes_it_fail_for_nothing(lab, api, word, error):
    found = api.drawn(prompt=f"a lighthouse, {word} please")

    assert found["status"] == "failed"
    assert error in found["error"]
    assert found["output"] is None
    assert "image_count" not in found["metrics"]
    assert lab.ledger() == []


def test_a_magic_word_makes_it_succeed_with_nothing_and_that_is_charged(lab, api):
    found = api.drawn(prompt="no-output")

    assert (found["status"], found["output"], found["error"]) == ("succeeded", [], None)
    assert [(charge["images"], charge["usd"]) for charge in lab.ledger()] == [(0, 0.003)]
    assert api.drawn(PRO, prompt="no-output")["output"] is None


def test_a_retired_model_fails_and_costs_nothing(lab, api):
    found = api.drawn("openai/gpt-image-1", openai_api_key="sk-secret")

    assert found["status"] == "failed"
    assert "shut down" in found["error"]
    assert found["input"]["openai_api_key"] == "[REDACTED]"
    assert lab.ledger() == []


def test_a_prediction_tells_its_webhook_unless_that_is_switched_off(lab, api):
    hook = "http://127.0.0.1:9/hook?purchase_id=7"
    made = api.made(body={"webhook": hook})
    assert made["webhook"] == hook
    assert api.page()["results"][0]["webhook"] == hook
    assert api.page()["results"][0]["source"] == "api"

    lab.vendor("replicate", shows_webhook=False)
    assert "webhook" not in api.get(made)
    assert "webhook" not in api.page()["results"][0]


def test_defaults_come_back_in_the_input_only_where_that_is_switched_on(lab, api):
    assert api.made()["input"] == {"prompt": "a lighthouse"}
    lab.vendor("replicate", fills_in_defaults=True)
    assert api.made(num_outputs=2)["input"].items() >= {"num_outputs": 2, "go_fast": True}.items()


def test_a_file_that_was_uploaded_can_be_used_until_a_day_has_passed(lab, api):
    upload = api.http.post("/v1/files", files={"content": ("a.png", b"bytes", "image/png")})
    found = upload.json()
    assert upload.status_code == 201
    assert found["checksums"]["md5"] == found["etag"] == "4b3a6218bb3e3a7303e8a171a60fcf92"
    given = {"image_prompt": found["urls"]["get"]}
    assert api.drawn(PRO, **given)["status"] == "succeeded"

    lab.advance(24 * HOUR)
    failed = api.drawn(PRO, **given)
    assert failed["status"] == "failed"
    assert "404" in failed["error"]
    assert api.http.get(f"/v1/files/{found['id']}").status_code == 404


@pytest.mark.parametrize("data", [{}, {"metadata": "{}"}])
def test_an_upload_without_content_is_refused(lab, api, data):
    assert api.http.post("/v1/files", data=data).status_code == 400
