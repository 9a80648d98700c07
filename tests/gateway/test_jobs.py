"""Jobs over HTTP on a real stack, through the edge: start, watch, resume, cancel, refuse."""

import hashlib
import json
import uuid

import httpx
import pytest

from tests.system.client import frames, generate, prove_whole

TERMINAL = {"succeeded", "partially_succeeded", "failed", "canceled"}
ANY = {"Accept-Encoding": "gzip, br, zstd"}


def slow(seconds: float, **more) -> dict:
    return {"prompt": "a harbour", "parameters": {"sketch": {"seconds": seconds}}, **more}


def start(http: httpx.Client, body: dict, **headers: str) -> dict:
    answer = http.post("/images/generate", json=body, headers=headers)
    assert answer.status_code == 202, answer.text
    assert answer.headers["location"] == f"/images/jobs/{answer.json()['job_id']}"
    return answer.json()


def log(http: httpx.Client, job_id: str, after: int | None = None) -> list:
    headers = {} if after is None else {"Last-Event-ID": str(after)}
    url = f"/images/jobs/{job_id}/events"
    with http.stream("GET", url, headers=headers) as answer:
        assert answer.status_code == 200, answer.read()
        return [one for one in frames(answer.iter_lines()) if one[1] is not None]


def fields(answer: httpx.Response) -> dict:
    assert answer.headers["content-type"] == "application/problem+json", answer.text
    problem = answer.json()
    assert problem["status"] == answer.status_code
    assert problem["detail"]
    return problem.get("fields", {})


def test_one_request_brings_kept_pictures_with_links_of_their_bytes(stack):
    job = generate(stack.url, {"prompt": "a lighthouse at dawn", "count": 2, "seed": 7})
    prove_whole(job, 2)
    assert job.events[0][0] == "accepted"
    assert job.of("accepted")[0]["job_id"] == job.url.rpartition("/")[2]
    assert set(job.of("accepted")[0]["estimate"]) >= {"reserved_usd", "expected_usd"}
    assert job.of("image_kept")[0].keys() == job.completed["images"][0].keys()


def test_a_stream_is_never_compressed_nor_cached_and_says_where_the_job_is(http):
    with http.stream("POST", "/images/generate/stream", json=slow(0), headers=ANY) as answer:
        kinds = [kind for kind, _, _ in frames(answer.iter_lines())]
    assert answer.headers["content-type"].startswith("text/event-stream")
    assert "content-encoding" not in answer.headers
    assert answer.headers["cache-control"] == "no-store"
    assert answer.headers["x-accel-buffering"] == "no"
    assert answer.headers["location"].startswith("/images/jobs/")
    assert (kinds[0], kinds[-1]) == ("accepted", "completed")


def test_progress_comes_live_and_without_a_number(http):
    with http.stream("POST", "/images/generate/stream", json=slow(1)) as answer:
        live = [one for one in frames(answer.iter_lines()) if one[0] == "progress"]
    assert live
    assert all(number is None for _, number, _ in live)
    assert all(set(data) == {"purchase_id", "model", "fraction", "estimated"} for *_, data in live)


def test_a_watcher_takes_up_the_log_anywhere_and_misses_nothing(http):
    job = start(http, slow(0))
    whole = log(http, job["job_id"])
    assert [number for _, number, _ in whole] == list(range(1, len(whole) + 1))
    for after in range(len(whole)):
        assert log(http, job["job_id"], after) == whole[after:]
    by_query = http.get(f"/images/jobs/{job['job_id']}/events?after=1")
    assert [number for _, number, _ in frames(by_query.iter_lines()) if number] == [
        number for _, number, _ in whole[1:]
    ]


def test_after_the_end_there_is_nothing_and_beyond_it_is_refused(http):
    job = start(http, slow(0))
    last = log(http, job["job_id"])[-1][1]
    url = f"/images/jobs/{job['job_id']}/events"
    assert http.get(url, headers={"Last-Event-ID": str(last)}).status_code == 204
    assert http.get(f"{url}?after={last}").status_code == 204
    beyond = http.get(url, headers={"Last-Event-ID": str(last + 1)})
    assert beyond.status_code == 400
    assert str(last) in fields(beyond)["Last-Event-ID"]
    beyond = http.get(url, params={"after": last + 1})
    assert str(last) in fields(beyond)["after"]


@pytest.mark.parametrize("junk", ["x", "-1", "1.5", "9" * 20, "0x1", "1e3"])
def test_junk_in_place_of_an_event_is_refused(http, junk):
    job = start(http, slow(0))
    answer = http.get(f"/images/jobs/{job['job_id']}/events", headers={"Last-Event-ID": junk})
    assert answer.status_code == 400
    assert fields(answer)


def test_leaving_a_stream_cancels_nothing(http):
    with http.stream("POST", "/images/generate/stream", json=slow(1)) as answer:
        next(answer.iter_raw())
        job_id = answer.headers["location"].rpartition("/")[2]
    assert log(http, job_id)[-1][2]["state"] == "succeeded"


def test_a_job_shows_its_outcome_and_what_was_asked_for(http):
    job_id = start(http, slow(0, title="T", project="P", use_case="U"))["job_id"]
    completed = log(http, job_id)[-1][2]

    found = http.get(f"/images/jobs/{job_id}").json()

    assert found == found | completed
    assert (found["title"], found["project"], found["use_case"]) == ("T", "P", "U")
    assert found["prompt"] == "a harbour"
    assert found["last_sequence"] == log(http, job_id)[-1][1]
    assert found["created_at"] <= found["ended_at"]


def test_the_same_request_is_the_same_job_and_another_one_is_refused(http):
    key = str(uuid.uuid4())
    first = start(http, slow(0), **{"Idempotency-Key": key})
    again = start(http, slow(0, request_id=key))
    other = http.post("/images/generate", json=slow(0, count=2), headers={"Idempotency-Key": key})

    assert (first["replayed"], again["replayed"]) == (False, True)
    assert first["job_id"] == again["job_id"]
    assert first["estimate"] == again["estimate"]
    assert other.status_code == 422
    assert other.json()["code"] == "REQUEST_ID_REUSED"


def test_a_key_of_any_words_makes_one_job_however_often_it_is_streamed(http):
    jobs = set()
    key = {"Idempotency-Key": f"order {uuid.uuid4()}"}
    for _ in range(2):
        with http.stream("POST", "/images/generate/stream", json=slow(0), headers=key) as answer:
            kinds = [kind for kind, number, _ in frames(answer.iter_lines()) if number]
        jobs.add(answer.headers["location"])
        assert kinds[-1] == "completed"
    assert len(jobs) == 1


def test_a_cancel_ends_a_job_and_a_second_one_changes_nothing(http):
    job_id = start(http, slow(30, count=2))["job_id"]

    canceled = http.post(f"/images/jobs/{job_id}/cancel")

    assert canceled.status_code == 200
    assert canceled.json()["state"] in {"canceling", "canceled"}
    end = log(http, job_id)[-1]
    assert (end[0], end[2]["state"]) == ("completed", "canceled")
    assert http.post(f"/images/jobs/{job_id}/cancel").json()["state"] == "canceled"


def test_jobs_are_listed_newest_first_in_pages_and_by_label(http):
    project = str(uuid.uuid4())
    made = [start(http, slow(0, project=project))["job_id"] for _ in range(3)]

    found, token = [], ""
    while True:
        query = {"project": project, "page_size": 2, "page_token": token}
        page = http.get("/images/jobs", params=query).json()
        found += [one["job_id"] for one in page["jobs"]]
        token = page["next_page_token"]
        if not token:
            break

    assert found == made[::-1]
    for job_id in made:
        log(http, job_id)
    done = http.get("/images/jobs", params={"project": project, "states": ["succeeded"]})
    assert len(done.json()["jobs"]) == 3


def test_an_estimate_reserves_nothing(http):
    before = http.get("/images/usage").json()["cap"]
    found = http.post("/images/estimate", json={"prompt": "a", "count": 3})
    assert found.status_code == 200
    assert found.json()["reserved_usd"] >= found.json()["expected_usd"] >= 0
    assert http.get("/images/usage").json()["cap"] == before


def test_the_models_tell_what_they_can(http):
    found = {model["key"]: model for model in http.get("/images/models").json()["models"]}
    assert {"sketch", "sketch-ink", "sketch-mosaic"} <= set(found)
    assert found["sketch"]["state"] == "active"
    assert "1:1" in found["sketch"]["capabilities"]["aspect_ratios"]


REFUSED = [
    ({"prompt": ""}, "prompt"),
    ({"prompt": " \n"}, "prompt"),
    ({"prompt": "x" * 100_000}, "prompt"),
    ({"prompt": "a\0b"}, "prompt"),
    ({"prompt": "a", "count": 0}, "count"),
    ({"prompt": "a", "count": -1}, "count"),
    ({"prompt": "a", "count": 10**9}, "count"),
    ({"prompt": "a", "models": ["no-such"]}, "models[0]"),
    ({"prompt": "a", "models": ["sketch", "sketch"]}, "models"),
    ({"prompt": "a", "preset": "no-such"}, "preset"),
    ({"prompt": "a", "size": "7x7"}, ""),
    ({"prompt": "a", "size": "big"}, "size"),
    ({"prompt": "a", "fallback_models": ["sketch"]}, "fallback_models[0]"),
    ({"prompt": "a", "aspect": "17:3"}, ""),
    ({"prompt": "a", "aspect": "1:1", "size": "1024x1024"}, "size"),
    ({"prompt": "a", "colour": "red"}, "colour"),
    ({"prompt": "a", "parameters": {"sketch": {"no-such": 1}}}, ""),
    ({"prompt": "a", "parameters": {"sketch": {"seconds": 61}}}, ""),
    ({"prompt": "a", "parameters": {"no-such": {}}}, ""),
]


@pytest.mark.parametrize("path", ["/images/generate", "/images/generate/stream"])
@pytest.mark.parametrize(("body", "field"), REFUSED, ids=lambda found: str(found)[:40])
def test_what_cannot_be_is_400_with_a_word_about_it_and_no_stream(http, path, body, field):
    answer = http.post(path, json=body)
    assert answer.status_code == 400, answer.text
    found = fields(answer)
    assert field in found or not field


@pytest.mark.parametrize(
    "content",
    [b"", b"{", b"[]", b'"a"', b'{"prompt": "\xff"}', b'{"prompt": "\\ud800"}', b"\xff\xfe{\0}\0",
     b'{"prompt": "a", "max_cost_usd": NaN}', b'{"prompt":' + b"[" * 50_000 + b"]" * 50_000 + b"}"],
    ids=lambda found: repr(found[:30]),
)  # fmt: skip
def test_what_is_no_json_object_is_400(http, content):
    json_ = {"Content-Type": "application/json"}
    answer = http.post("/images/generate", content=content, headers=json_)
    assert answer.status_code == 400, answer.text
    fields(answer)


@pytest.mark.parametrize("job", ["0", "999999999", "9" * 19, "9" * 30, "abc", "-1", "%ff", "01"])
def test_a_job_that_is_not_there_is_404_wherever_it_is_named(http, job):
    for method, path in (("GET", ""), ("GET", "/events"), ("POST", "/cancel")):
        answer = http.request(method, f"/images/jobs/{job}{path}")
        assert answer.status_code == 404, (path, answer.text)
        assert answer.json()["detail"].startswith("There is no job ")
        assert answer.json()["detail"].endswith(" of yours.")


def test_the_bytes_of_a_picture_are_what_its_hash_says(http):
    job_id = start(http, slow(0))["job_id"]
    (image,) = log(http, job_id)[-1][2]["images"]
    assert hashlib.sha256(http.get(image["url"]).content).hexdigest() == image["image_hash"]
    assert json.dumps(image)
