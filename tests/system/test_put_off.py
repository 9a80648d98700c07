"""
A vendor that says 429 for longer than anybody waits: its orders wait, uncharged, and are drawn
when it takes them again; or they are canceled, or another model that was named draws.
"""

from collections.abc import Iterator
from typing import Any

import pytest

from tests import patient
from tests.system.books import ask
from tests.system.client import prove_whole, watch

DRAW = {"prompt": "a lighthouse at dawn", "models": ["recraft-v3"]}
BUSY = {"vendor": "recraft", "where": "create", "kind": "status:429"}
HOURS = 30  # that it has been going on for, as the ledger has it
_OF_JOB = "FROM purchases WHERE job_id = $1 AND model_key = 'recraft-v3'"
_LATER = f"""
    UPDATE purchases
    SET sent_back = 2000, sent_back_since = sent_back_since - interval '{HOURS} hours',
        not_before = NULL
    WHERE job_id = $1 AND state = 'planned' RETURNING purchase_id
"""


@pytest.fixture
def put_off(lit, vendors) -> Iterator[None]:
    vendors.faults([BUSY])
    yield
    vendors.faults([])


def ordered(lit, **more: Any) -> tuple[str, int]:
    """Order; return where the job is, and its number, when its order has come back."""
    asked = patient.post(f"{lit.url}/images/generate", json=DRAW | more)
    assert asked.status_code == 202, asked.text
    job = int(asked.json()["job_id"])
    lit.await_(lambda: came_back(lit, job) > 0)
    return asked.headers["location"], job


def came_back(lit, job: int) -> int:
    [row] = ask(lit, f"SELECT sent_back {_OF_JOB}", job)
    return row[0]


def holds_nothing(lit, job: int) -> bool:
    """Whether it waits with nobody at work on it, and no permit is out."""
    [row] = ask(lit, f"SELECT state, owner {_OF_JOB}", job)
    [permits] = ask(lit, "SELECT in_use FROM permits WHERE provider = 'recraft'")
    return (*row, *permits) == ("planned", None, 0)


def hours_later(lit, job: int) -> None:
    lit.await_(lambda: ask(lit, _LATER, job))


def reserved(lit) -> float:
    return patient.get(f"{lit.url}/images/usage").json()["cap"]["reserved_usd"]


def test_it_waits_for_as_long_as_it_takes_and_is_charged_once(lit, vendors, put_off):
    place, job = ordered(lit)
    hours_later(lit, job)
    lit.await_(lambda: came_back(lit, job) > 2000 or ended(lit, place))  # sent once more
    assert not ended(lit, place)
    lit.await_(lambda: holds_nothing(lit, job))
    assert vendors.ledger() == []

    vendors.faults([])
    hours_later(lit, job)
    done = watch(lit.url, place)
    prove_whole(done, 1)
    [charge] = vendors.ledger()
    assert charge["purchase_id"] == done.completed["images"][0]["purchase_id"]
    assert done.completed["cost_usd"] == charge["usd"]
    [warning] = done.of("warning")
    assert warning["reason"] == "PROVIDER_RATE_LIMITED"
    assert "Nothing is charged" in warning["message"]


def ended(lit, place: str) -> bool:
    return patient.get(f"{lit.url}{place}").json()["ended_at"] is not None


def test_who_waits_may_cancel_and_gets_the_reservation_back(lit, vendors, put_off):
    before = reserved(lit)
    place, _job = ordered(lit)
    assert reserved(lit) > before
    patient.post(f"{lit.url}{place}/cancel").raise_for_status()
    done = watch(lit.url, place).completed
    assert (done["state"], done["images"], done["cost_usd"]) == ("canceled", [], 0)
    assert [failure["charged"] for failure in done["failures"]] == [False]
    assert reserved(lit) == before
    assert vendors.ledger() == []


def test_after_an_hour_of_it_another_model_that_was_named_draws(lit, vendors, put_off):
    place, job = ordered(lit, fallback_models=["flux-schnell"])
    hours_later(lit, job)
    done = watch(lit.url, place)
    prove_whole(done, 1)
    [end] = done.of("purchase_ended")
    assert (end["model"], end["charged"]) == ("recraft-v3", "no")
    assert [image["model"] for image in done.completed["images"]] == ["flux-schnell"]
    assert len(vendors.ledger()) == 1
