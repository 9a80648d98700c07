"""Orders that Replicate refuses, and in which words; who may order, and how often."""

import pytest

from tests.lab.replicate_client import PRO, RECRAFT, SCHNELL, replicate


@pytest.mark.parametrize(
    ("order", "field", "why"),
    [
        ({"prompt": 3}, "input.prompt", "Expected: string, given: integer"),
        ({"num_outputs": 5}, "input.num_outputs", "less than or equal to 4"),
        ({"num_outputs": 0}, "input.num_outputs", "greater than or equal to 1"),
        ({"num_outputs": True}, "input.num_outputs", "Expected: integer, given: boolean"),
        ({"go_fast": 1}, "input.go_fast", "Expected: boolean, given: integer"),
        ({"aspect_ratio": "7:1"}, "input.aspect_ratio", 'one of the following: "1:1", "16:9"'),
        ({"body": {"speed": 1}}, "(root)", "Additional property speed is not allowed"),
        ({"body": {"input": []}}, "(root)", "input is required"),
        ({"body": {"input": {}}}, "input", "prompt is required"),
        ({"body": {"webhook": "http://example.com/"}}, "webhook", "loopback"),
        ({"body": {"webhook": "ftp://127.0.0.1/"}}, "webhook", "loopback"),
        ({"body": {"webhook": "http://127.0.0.1@example.com/"}}, "webhook", "loopback"),
        ({"body": {"webhook": "http://example.com\\@127.0.0.1/"}}, "webhook", "loopback"),
        ({"body": {"webhook": "http://127.0.0.1:x/"}}, "webhook", "loopback"),
        (
            {"body": {"webhook": "http://127.0.0.1/", "webhook_events_filter": ["done"]}},
            "webhook_events_filter",
            "start, output, logs, completed",
        ),
    ],
    ids=str,
)
def test_what_does_not_fit_the_schema_is_refused_field_by_field(lab, api, order, field, why):
    answer = api.create(**order)
    found = answer.json()

    assert answer.status_code == 422
    assert answer.headers["content-type"].startswith("application/problem+json")
    assert found["title"] == "Input validation failed"
    assert [flaw["field"] for flaw in found["invalid_fields"]] == [field]
    assert why in found["invalid_fields"][0]["description"]
    assert f"- {field}: " in found["detail"]
    assert api.listed() == []


def test_long_prompts_many_pictures_and_big_data_urls_are_refused_where_a_model_says_so(lab, api):
    slug, link = "bytedance/seedream-4.5", "https://example.com/1.png"

    assert api.create(slug, prompt="x" * 4001).status_code == 422
    assert api.create(slug, image_input=[link] * 15).status_code == 422
    assert api.create(slug, image_input=["no link"]).status_code == 422
    assert (
        api.create(slug, image_input=["data:image/png;base64," + "A" * 400_000]).status_code == 422
    )
    assert api.create(slug, image_input=[link, "data:image/png;base64,AAAA"]).status_code == 201


def test_what_a_model_does_not_know_is_ignored_as_its_schema_allows(lab, api):
    assert api.create(RECRAFT, seed=4).status_code == 201


@pytest.mark.parametrize("content", [b"{", b"[]", b""])
def test_a_body_that_is_no_object_is_refused(lab, api, content):
    assert api.http.post("/v1/predictions", content=content).status_code == 400


@pytest.mark.parametrize(
    "version", [SCHNELL, SCHNELL + ":", "", None, "0" * 64, PRO + ":" + "0" * 64, "acme/none"]
)
def test_only_a_version_that_exists_can_be_named(lab, api, version):
    answer = api.http.post("/v1/predictions", json={"version": version, "input": {"prompt": "x"}})

    assert answer.status_code == (201 if version == SCHNELL else 422)


def test_a_version_names_its_model_alone_or_with_it(lab, api):
    number = api.http.get(f"/v1/models/{SCHNELL}").json()["latest_version"]["id"]
    for version in (number, f"{SCHNELL}:{number}"):
        made = api.http.post(
            "/v1/predictions", json={"version": version, "input": {"prompt": "x"}}
        ).json()
        assert (made["model"], made["version"]) == (SCHNELL, number)
    wrong = {"version": f"{PRO}:{number}", "input": {"prompt": "x"}}
    assert api.http.post("/v1/predictions", json=wrong).status_code == 422


def test_an_unknown_model_or_prediction_is_not_found(lab, api):
    missing = "The requested resource could not be found."

    assert api.create("acme/none").json() == {"detail": missing, "status": 404}
    assert api.get({"id": "none"}) == {"detail": missing, "status": 404}
    assert api.cancel({"id": "none"})["status"] == 404


@pytest.mark.parametrize("token", ["", "sk-1", "r8_wrong", "r8_wrong_too"])
def test_a_token_that_is_none_lets_nobody_in(lab, token):
    with replicate(lab, token) as api:
        answer = api.create()

    assert answer.status_code == 401
    assert answer.json() == {
        "title": "Unauthenticated",
        "detail": "You did not pass a valid authentication token",
        "status": 401,
    }


def test_a_poor_token_may_look_and_not_buy(lab):
    with replicate(lab, "r8_poor") as api:
        assert api.create().status_code == 402
        assert api.create().json()["title"] == "Insufficient credit"
        assert api.listed() == []


def test_creates_are_throttled_beyond_their_rate_and_come_back_in_time(lab, api):
    lab.vendor("replicate", creates_per_minute=6)
    codes = [api.create().status_code for _ in range(6)]
    refused = api.create()

    assert codes == [201] * 6
    assert refused.status_code == 429
    assert 1 <= refused.json()["retry_after"] <= 10
    assert refused.json()["detail"].startswith("Request was throttled.")
    assert "retry-after" not in refused.headers
    assert len(api.listed()) == 6  # reading has a bucket of its own
    lab.advance(10)
    assert api.create().status_code == 201


def test_rates_are_told_and_can_be_changed(lab, api):
    answer = api.create()
    assert answer.headers["ratelimit-remaining"] == "599"
    assert answer.headers["ratelimit-reset"] == "1"
    assert api.http.get("/v1/predictions").headers["ratelimit-remaining"] == "2999"

    lab.vendor("replicate", creates_per_minute=1, retry_after_header=True)
    assert api.create().status_code == 201
    refused = api.create()
    assert refused.status_code == 429
    assert 1 <= refused.json()["retry_after"] <= 60
    assert refused.headers["retry-after"] == str(refused.json()["retry_after"])
