"""Variants, presets and usage over HTTP on a real stack, through the edge."""

import uuid

import httpx
import pytest

from tests.system.client import generate


@pytest.fixture(scope="module")
def project() -> str:
    return str(uuid.uuid4())


@pytest.fixture(scope="module")
def images(stack, project) -> list[dict]:
    """Two pictures of one project, of a word that no other has."""
    body = {"prompt": f"a zeppelin {project}", "count": 2, "project": project}
    return generate(stack.url, body).completed["images"]


@pytest.fixture
def preset(http) -> httpx.Response:
    body = {"preset_key": f"p{uuid.uuid4().hex[:12]}", "name": "Mine", "batch_count": 2}
    answer = http.post("/images/presets", json=body)
    assert answer.status_code == 201, answer.text
    return answer


def ids(answer: httpx.Response) -> set[str]:
    assert answer.status_code == 200, answer.text
    return {one["variant_id"] for one in answer.json()["variants"]}


def listed(http, project, **query) -> set[str]:
    return ids(http.get("/images/variants", params={"project": project, **query}))


def test_a_picture_is_found_by_its_labels_and_by_its_words(http, project, images):
    mine = {image["variant_id"] for image in images}
    assert listed(http, project) == mine
    assert listed(http, project, models=["sketch"]) == mine
    assert listed(http, project, models=["sketch-ink"]) == set()
    assert listed(http, project, q="zeppelin") == mine
    assert listed(http, project, q="submarine") == set()
    assert listed(http, project, job=images[0]["job_id"]) == mine
    assert listed(http, project, created_before="2020-01-01T00:00:00Z") == set()


def test_a_variant_tells_all_that_an_image_does_and_its_prompt(http, images):
    found = http.get(f"/images/variants/{images[0]['variant_id']}")
    assert found.json() == found.json() | images[0]
    assert found.json()["original_prompt"].startswith("a zeppelin")
    assert found.headers["etag"] == f'"{found.json()["etag"]}"'


def test_a_favourite_and_a_rating_stay_until_they_are_taken_away(http, project, images):
    one = images[0]["variant_id"]
    url = f"/images/variants/{one}"

    rated = http.patch(url, json={"is_favorite": True, "user_rating": 4}).json()
    assert (rated["is_favorite"], rated["user_rating"]) == (True, 4)
    assert listed(http, project, favorites_only=True) == {one}
    assert listed(http, project, min_rating=4) == {one}

    cleared = http.patch(url, json={"user_rating": None}).json()
    assert (cleared["is_favorite"], cleared["user_rating"]) == (True, None)
    assert http.patch(url, json={"is_favorite": False}).json()["is_favorite"] is False


@pytest.mark.parametrize(
    "body", [{}, {"user_rating": 0}, {"user_rating": 6}, {"is_favorite": None}, {"cost_usd": 0}]
)
def test_what_cannot_be_changed_is_400(http, images, body):
    answer = http.patch(f"/images/variants/{images[0]['variant_id']}", json=body)
    assert answer.status_code == 400


def test_a_deleted_picture_is_hidden_keeps_its_link_and_comes_back(http, project, images):
    one, url = images[1], f"/images/variants/{images[1]['variant_id']}"

    assert http.delete(url).json()["deleted_at"]
    assert one["variant_id"] not in listed(http, project)
    assert one["variant_id"] in listed(http, project, include_deleted=True)
    assert http.get(one["url"]).status_code == 200

    assert http.post(f"{url}/restore").json()["deleted_at"] is None
    assert one["variant_id"] in listed(http, project)


def test_an_old_etag_changes_nothing(http, images):
    url = f"/images/variants/{images[0]['variant_id']}"
    old = http.get(url).headers["etag"]
    assert http.patch(url, json={"user_rating": 2}, headers={"If-Match": old}).status_code == 200

    for method, path in (("PATCH", ""), ("DELETE", ""), ("POST", "/restore")):
        body = {"json": {"user_rating": 5}} if method == "PATCH" else {}
        late = http.request(method, url + path, headers={"If-Match": old}, **body)
        assert late.status_code == 412, late.text
    assert http.get(url).json()["user_rating"] == 2


@pytest.mark.parametrize("variant", ["0", "9" * 19, "abc", "-1"])
def test_a_variant_that_is_not_there_is_404(http, variant):
    url = f"/images/variants/{variant}"
    assert http.get(url).status_code == 404
    assert http.patch(url, json={"is_favorite": True}).status_code == 404
    assert http.delete(url).status_code == 404
    assert http.post(f"{url}/restore").status_code == 404


@pytest.mark.parametrize(
    "query",
    ["colour=red", "page_size=-1", "page_size=x", "page_token=junk", "min_rating=9", "job=x",
     "created_from=yesterday", "favorites_only=perhaps", "q=%00",
     "created_from=0001-01-01T00:00:00%2B23:59", "created_before=9999-12-31T23:59:59-23:59"],
)  # fmt: skip
def test_a_filter_that_is_none_is_400(http, query):
    answer = http.get(f"/images/variants?{query}")
    assert answer.status_code == 400, answer.text
    assert answer.headers["content-type"] == "application/problem+json"


def test_the_system_has_presets_that_nobody_changes(http):
    presets = http.get("/images/presets?page_size=1000").json()["presets"]
    system = [one for one in presets if one["is_system"]]
    assert len(system) >= 8
    url = f"/images/presets/{system[0]['preset_key']}"
    assert http.get(url).json() == system[0]
    assert http.patch(url, json={"name": "x"}, headers={"If-Match": "*"}).status_code == 403
    assert http.delete(url).status_code == 403


def test_a_preset_is_written_read_changed_and_deleted(http, preset):
    found, url = preset.json(), preset.headers["location"]
    assert (found["name"], found["batch_count"], found["is_system"]) == ("Mine", 2, False)
    assert http.get(url).json() == found
    assert http.get(f"/images/presets/{found['preset_key']}").json() == found

    etag = {"If-Match": preset.headers["etag"]}
    changed = http.patch(url, json={"name": "Yours"}, headers=etag)
    assert (changed.json()["name"], changed.json()["batch_count"]) == ("Yours", 2)
    assert changed.headers["etag"] != preset.headers["etag"]
    assert http.patch(url, json={"name": "No"}, headers=etag).status_code == 412

    assert http.delete(url).status_code == 204
    assert http.get(url).status_code == 404


def test_a_change_of_a_preset_needs_the_etag_that_was_read(http, preset):
    answer = http.patch(preset.headers["location"], json={"name": "x"})
    assert answer.status_code == 428
    assert "If-Match" in answer.json()["detail"]


@pytest.mark.parametrize(
    ("change", "field"),
    [({"batch_count": 0}, "batch_count"), ({"prompt_template": "x"}, "prompt_template")],
)
def test_what_a_preset_cannot_have_is_named_as_it_was_sent(http, preset, change, field):
    url, etag = preset.headers["location"], {"If-Match": "*"}
    answer = http.patch(url, json=change, headers=etag)
    assert answer.status_code == 400, answer.text
    assert list(answer.json()["fields"]) == [field]
    assert answer.json()["detail"].startswith(field)


def test_a_preset_s_count_is_taken_away_with_null(http, preset):
    url, etag = preset.headers["location"], {"If-Match": "*"}
    changed = http.patch(url, json={"batch_count": None}, headers=etag)
    assert changed.status_code == 200, changed.text
    assert changed.json()["batch_count"] is None


def test_a_key_is_there_once(http, preset):
    again = http.post("/images/presets", json={"preset_key": preset.json()["preset_key"]})
    assert again.status_code == 409
    assert again.json()["code"] == "PRESET_EXISTS"


@pytest.mark.parametrize("name", ["no-such", "9" * 18, "A B"])
def test_a_preset_that_is_not_there_is_404(http, name):
    assert http.get(f"/images/presets/{name}").status_code == 404


def test_a_preset_fills_in_what_a_request_leaves_out(stack, http, preset):
    job = generate(stack.url, {"prompt": "a tram", "preset": preset.json()["preset_key"]})
    assert len(job.completed["images"]) == 2
    found = http.get(job.url).json()
    assert found["preset_used"] == preset.json()["preset_key"]


def test_usage_tells_what_was_spent_on_what(http, images):
    for group in ("model", "project", "use_case", "day"):
        found = http.get("/images/usage", params={"group_by": group})
        assert found.status_code == 200, found.text
        assert sum(line["image_count"] for line in found.json()["lines"]) >= len(images)
    assert http.get("/images/usage?group_by=mood").status_code == 400


@pytest.mark.parametrize(
    ("query", "field"),
    [("start=2026-02-01T00:00:00Z&end=2026-01-01T00:00:00Z", "end"),
     ("end=2020-01-01T00:00:00Z", "end_time"), ("start=2999-01-01T00:00:00Z", "end_time")],
)  # fmt: skip
def test_a_time_that_runs_backwards_is_no_empty_report(http, query, field):
    answer = http.get(f"/images/usage?{query}")
    assert answer.status_code == 400, answer.text
    assert list(answer.json()["fields"]) == [field]
