"""A user's feed over HTTP on a real stack, through the edge: taken up anywhere, refused well."""

import httpx
import pytest

from tests.system.client import frames, generate

ANY = {"Accept-Encoding": "gzip, br, zstd"}
DRAW = {"prompt": "a harbour", "models": ["sketch"], "size": "64x64", "project": "of the feed"}


def feed(http: httpx.Client, count: int, query: str = "", **headers: str) -> list:
    """The first *count* entries; the stream itself has no end."""
    found: list = []
    with http.stream("GET", f"/images/events{query}", headers=headers) as answer:
        assert answer.status_code == 200, answer.read()
        for one in frames(answer.iter_lines()):
            found.append(one)
            if len(found) == count:
                return found
    raise AssertionError(f"the feed ended: {found}")


@pytest.fixture(scope="module")
def jobs(stack) -> list[str]:
    return [generate(stack.url, DRAW).completed["job_id"] for _ in range(3)]


@pytest.fixture
def whole(http, jobs) -> list:
    """The feed up to the last of *jobs*."""
    count = 1
    while (found := feed(http, count))[-1][2].get("job_id") != jobs[-1]:
        count += 1
    return found


def test_it_tells_that_jobs_ended_in_the_order_in_which_they_did(whole, jobs):
    assert [number for _kind, number, _data in whole] == [*range(1, len(whole) + 1)]
    told = [(kind, data) for kind, _number, data in whole if data["job_id"] in jobs]
    assert [data["job_id"] for _kind, data in told] == jobs
    for kind, data in told:
        assert (kind, data["state"], data["project"]) == ("completed", "succeeded", "of the feed")
        assert (data["cost_usd"], data["at_risk_usd"], data["at_risk_count"]) == (0, 0, 0)
        assert "images" not in data


def test_taken_up_at_any_number_the_rest_comes(http, whole):
    for after in range(len(whole)):
        left = len(whole) - after
        assert feed(http, left, **{"Last-Event-ID": str(after)}) == whole[after:]
        assert feed(http, left, f"?after={after}") == whole[after:]


def test_it_is_never_compressed_nor_cached(http, jobs):
    with http.stream("GET", "/images/events", headers=ANY) as answer:
        assert next(frames(answer.iter_lines()))
    assert answer.headers["content-type"].startswith("text/event-stream")
    assert "content-encoding" not in answer.headers
    assert answer.headers["cache-control"] == "no-store"
    assert answer.headers["x-accel-buffering"] == "no"


def test_what_ends_while_somebody_listens_is_told_to_him(stack, http, whole):
    with http.stream("GET", f"/images/events?after={len(whole)}") as answer:
        job = generate(stack.url, DRAW).completed["job_id"]
        kind, number, data = next(frames(answer.iter_lines()))
    assert (kind, number, data["job_id"]) == ("completed", len(whole) + 1, job)


@pytest.mark.parametrize("junk", ["x", "-1", "1.5", "9" * 20, "0x1", "1e3", "999999999"])
def test_junk_and_what_is_beyond_the_feed_are_refused(http, junk):
    for query, headers, named in (
        (f"?after={junk}", {}, "after"),
        ("", {"Last-Event-ID": junk}, "Last-Event-ID"),
    ):
        answer = http.get(f"/images/events{query}", headers=headers)
        assert answer.status_code == 400, answer.text
        assert answer.headers["content-type"] == "application/problem+json"
        assert list(answer.json()["fields"]) == [named]


def test_there_is_nothing_to_retry_or_settle_where_all_is_clear(http, jobs):
    for body in (None, {}, {"purchase_ids": []}):
        answer = http.post(f"/images/jobs/{jobs[0]}/retry-unclear", json=body)
        assert (answer.status_code, answer.json()["code"]) == (409, "NOTHING_UNCLEAR"), answer.text
    [image] = http.get(f"/images/jobs/{jobs[0]}").json()["images"]
    body = {"purchase_id": image["purchase_id"], "charged": "no"}
    answer = http.post(f"/images/jobs/{jobs[0]}/settle", json=body)
    assert (answer.status_code, answer.json()["code"]) == (409, "STATE_CONFLICT"), answer.text
    assert "known that it was charged" in answer.json()["detail"]


ID = "0190aaaa-0000-7000-8000-000000000001"


@pytest.mark.parametrize(
    "body",
    [None, {}, {"purchase_id": ID}, {"purchase_id": "x", "charged": True},
     {"purchase_id": ID, "charged": "perhaps"}, {"purchase_id": ID, "charged": None},
     {"purchase_id": ID, "charged": True, "cost_usd": -1},
     {"purchase_id": ID, "charged": True, "cost_usd": 0.0000001},
     {"purchase_id": ID, "charged": False, "cost_usd": 1},
     {"purchase_id": ID, "charged": True, "why": "x"}],
    ids=str,
)  # fmt: skip
def test_a_settlement_that_makes_no_sense_is_400(http, jobs, body):
    answer = http.post(f"/images/jobs/{jobs[0]}/settle", json=body)
    assert answer.status_code == 400, answer.text
    assert answer.json()["detail"]


@pytest.mark.parametrize("body", [{"purchase_ids": ["x"]}, {"request_id": "x"}, {"count": 1}, []])
def test_an_order_again_that_makes_no_sense_is_400(http, jobs, body):
    answer = http.post(f"/images/jobs/{jobs[0]}/retry-unclear", json=body)
    assert answer.status_code == 400, answer.text


@pytest.mark.parametrize("job", ["0", "999999999", "abc"])
def test_a_job_that_is_not_there_is_404(http, job):
    assert http.post(f"/images/jobs/{job}/retry-unclear").status_code == 404
    body = {"purchase_id": ID, "charged": True}
    assert http.post(f"/images/jobs/{job}/settle", json=body).status_code == 404
