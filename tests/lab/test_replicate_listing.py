"""Replicate's listing of predictions: its pages and its windows of time."""

from datetime import UTC, datetime, timedelta

import pytest


def moment(text):
    return datetime.fromisoformat(text)


def test_pages_hold_a_hundred_newest_first_and_lead_to_one_another(lab, api):
    made = [api.made()["id"] for _ in range(230)][::-1]
    first = api.page()
    second = api.http.get(first["next"]).json()
    third = api.http.get(second["next"]).json()
    back = api.http.get(third["previous"]).json()

    pages = [[one["id"] for one in page["results"]] for page in (first, second, third)]
    assert pages == [made[:100], made[100:200], made[200:]]
    assert (first["previous"], third["next"]) == (None, None)
    assert [one["id"] for one in back["results"]] == pages[1]


def test_a_window_of_time_holds_what_was_made_in_it(lab, api):
    made = []
    for _ in range(3):
        made.append(api.made())
        lab.advance(60)
    middle = moment(made[1]["created_at"])
    near = timedelta(seconds=10)

    def at(when):
        return when.astimezone(UTC).isoformat()

    ids = [one["id"] for one in made]
    assert api.listed(created_after=at(middle)) == [ids[2], ids[1]]
    assert api.listed(created_before=at(middle - near)) == [ids[0]]
    assert api.listed(created_after=at(middle - near), created_before=at(middle + near)) == [ids[1]]
    assert api.listed(created_after=made[2]["created_at"]) == [ids[2]]
    assert api.listed(created_after=at(middle + timedelta(hours=1))) == []


def test_a_window_stays_while_one_leafs_through_it(lab, api):
    api.made()
    lab.advance(60)
    since = api.made()["created_at"]
    for _ in range(120):
        api.made()
    page = api.page(created_after=since)
    rest = api.http.get(page["next"]).json()

    assert len(page["results"]) + len(rest["results"]) == 121
    assert rest["next"] is None


@pytest.mark.parametrize("query", [{"created_after": "soon"}, {"cursor": "x"}, {"cursor": "eD0x"}])
def test_a_query_that_cannot_be_read_is_refused(lab, api, query):
    assert api.http.get("/v1/predictions", params=query).status_code == 400
