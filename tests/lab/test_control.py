"""The control: what was charged, what goes wrong, what time it is; and all can be forgotten."""

import base64
import hashlib
from datetime import datetime

import httpx
import pytest

from tests import patient

GOOD = {"vendor": "replicate", "where": "create", "kind": "drop_after"}


def put(lab, path, body):
    return patient.put(f"{lab.url}/_lab/{path}", json=body)


def test_a_new_lab_has_charged_nothing_and_nobody_called(lab):
    assert lab.ledger() == []
    assert lab.assets() == []
    assert lab.requests() == {}
    assert lab.faults() == []


def test_every_charge_is_there_once(lab, api):
    hook = "http://127.0.0.1:9/hook?purchase_id=0190-abc"
    bought = api.drawn(num_outputs=3, body={"webhook": hook})
    api.get(bought)

    (charge,) = lab.ledger()
    assert {name: charge[name] for name in charge if name != "at"} == {
        "vendor": "replicate", "model": "black-forest-labs/flux-schnell", "ticket": bought["id"],
        "images": 3, "usd": 0.009, "purchase_id": "0190-abc",
        "given": {"images": [], "negative_prompt": "", "seed": None},
    }  # fmt: skip
    assert datetime.fromisoformat(charge["at"]).tzinfo is not None


def test_a_picture_is_told_once_it_was_handed_out_with_the_hash_of_all_of_it(lab, api):
    drawn = api.drawn(num_outputs=2)
    assert lab.ask("GET", "/_lab/pictures") == []
    whole = patient.get(drawn["output"][1]).content
    lab.faults([{"vendor": "replicate", "where": "file", "kind": "html"}])
    assert patient.get(drawn["output"][1]).content != whole

    (picture,) = lab.ask("GET", "/_lab/pictures")
    assert picture == {
        "vendor": "replicate", "ticket": drawn["id"], "index": 1,
        "sha256": hashlib.sha256(whole).hexdigest(),
    }  # fmt: skip


def test_a_picture_in_an_answer_is_told_though_the_answer_is_lost(lab):
    order = {"prompt": "a boat", "model": "recraftv3", "n": 2, "response_format": "b64_json"}
    url, token = f"{lab.url}/recraft/v1/images/generations", {"Authorization": "Bearer lab"}
    heard = patient.post(url, json=order, headers=token).json()["data"]
    lab.faults([{"vendor": "recraft", "where": "create", "kind": "drop_after"}])
    with pytest.raises(httpx.TransportError):
        patient.post(url, json=order, headers=token)

    told = lab.ask("GET", "/_lab/pictures")
    assert [one["index"] for one in told] == [0, 1, 0, 1]
    assert [one["sha256"] for one in told[:2]] == [
        hashlib.sha256(base64.b64decode(one["b64_json"])).hexdigest() for one in heard
    ]
    assert len({one["ticket"] for one in told}) == 2


def test_calls_are_counted_by_vendor_and_place(lab, api):
    made = api.made()
    api.get(made)
    api.get(made)
    api.page()

    assert lab.requests() == {"replicate": {"create": 1, "get": 2, "list": 1}}


def test_the_clock_moves_on_request_and_never_back(lab):
    before = datetime.fromisoformat(lab.ask("GET", "/_lab/clock")["now"])
    lab.advance(86_400)
    found = lab.ask("GET", "/_lab/clock")

    assert found["ahead_seconds"] == 86_400
    assert 86_400 <= (datetime.fromisoformat(found["now"]) - before).total_seconds() < 86_460
    assert patient.post(f"{lab.url}/_lab/clock", json={"advance_seconds": -1}).status_code == 400


def test_a_reset_forgets_everything(lab, api):
    made = api.drawn()
    lab.faults([GOOD])
    lab.advance(100)
    lab.pace(3, queue_seconds=2, bytes=1000)
    lab.vendor("replicate", creates_per_minute=None)
    lab.reset()

    assert lab.ledger() == []
    assert lab.faults() == []
    assert lab.requests() == {}
    assert lab.ask("GET", "/_lab/clock")["ahead_seconds"] == 0
    assert lab.ask("GET", "/_lab/pace") == {"seconds": 0, "queue_seconds": 0, "bytes": None}
    assert lab.ask("GET", "/_lab/vendors/replicate")["creates_per_minute"] == 600
    assert api.get(made)["status"] == 404


def test_a_reset_ends_what_is_being_drawn_and_charges_nothing(lab, api):
    lab.pace(10)
    api.made()
    lab.reset()
    lab.advance(60)

    assert lab.ledger() == []


@pytest.mark.parametrize(
    ("definitions", "why"),
    [
        ({}, "a list"),
        ([1], "an object"),
        ([GOOD | {"vendor": "acme"}], "vendor is 'acme', and none of replicate"),
        ([GOOD | {"where": "moon"}], "where is 'moon', and none of create, get"),
        ([GOOD | {"kind": "explode"}], "kind is 'explode', and none of"),
        ([GOOD | {"kind": None}], "kind is None"),
        ([GOOD | {"kind": "status"}], "status: is no status code"),
        ([GOOD | {"kind": "status:99"}], "status:99 is no status code"),
        ([GOOD | {"kind": "hang:soon"}], "hang:soon is no number of seconds"),
        ([GOOD | {"kind": "hang:nan"}], "hang:nan is no number of seconds"),
        ([GOOD | {"kind": "delay:-3"}], "delay:-3 is no number of milliseconds"),
        ([GOOD | {"kind": "drop_after:3"}], "kind is 'drop_after:3'"),
        ([GOOD | {"kind": "lag:3"}], "lag is of list"),
        ([GOOD | {"where": "get", "kind": "duplicate"}], "duplicate is of create"),
        ([GOOD | {"where": "webhook", "kind": "status:500"}], "a webhook knows"),
        ([GOOD | {"rate": 0}], "rate is 0"),
        ([GOOD | {"rate": 1.5}], "rate is 1.5"),
        ([GOOD | {"rate": True}], "rate is True"),
        ([GOOD | {"times": -1}], "times is -1"),
        ([GOOD | {"seed": "x"}], "seed is 'x'"),
        ([GOOD | {"often": 1}], "'often' is none of"),
    ],
    ids=str,
)
def test_a_fault_that_makes_no_sense_is_refused_and_the_old_ones_stay(lab, definitions, why):
    lab.faults([GOOD])
    answer = put(lab, "faults", definitions)

    assert answer.status_code == 400
    assert why in answer.text
    assert [fault["kind"] for fault in lab.faults()] == ["drop_after"]


def test_faults_are_told_with_all_that_they_leave_out(lab):
    found = lab.faults([GOOD | {"kind": "hang:2.5"}])

    assert found == [
        GOOD | {"kind": "hang:2.5", "rate": 1.0, "times": None, "seed": 0, "struck": 0, "words": ""}
    ]
    assert patient.delete(f"{lab.url}/_lab/faults").json() == []


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("pace", {"seconds": -1}),
        ("pace", {"seconds": "1"}),
        ("pace", {"hurry": 1}),
        ("pace", []),
        ("vendors/replicate", {"creates_per_minute": 0}),
        ("vendors/replicate", {"expired_status": 200}),
        ("vendors/replicate", {"shows_webhook": 1}),
        ("vendors/replicate", {"account": None}),
        ("vendors/replicate", {"mood": 1}),
    ],
    ids=str,
)
def test_settings_that_make_no_sense_are_refused(lab, path, body):
    assert put(lab, path, body).status_code == 400


def test_a_body_that_is_no_json_is_refused(lab):
    assert patient.put(f"{lab.url}/_lab/faults", content=b"{").status_code == 400


def test_an_unknown_vendor_is_not_found(lab):
    assert patient.get(f"{lab.url}/_lab/vendors/acme").status_code == 404


def test_the_pace_is_each_models_usual_time_where_none_is_set(lab, api):
    lab.pace(None)
    made = api.made("recraft-ai/recraft-v3")
    lab.advance(5)
    assert api.get(made)["status"] == "processing"
    lab.advance(4)

    assert api.get(made)["metrics"]["predict_time"] == 8.825
