"""
Ways by which a picture comes home: we look, or the list is read; that the vendor tells is enough,
too (`test_lost_answers.py`). Where nobody can be asked it waits, and is neither given up nor bought
again.
"""

from services.catalog import breaker
from tests import patient
from tests.system.client import prove_whole
from tests.system.test_zombies import drawing

DRAW = {"prompt": "a lighthouse at dawn", "models": ["flux-schnell"]}
DEAF = {"vendor": "replicate", "where": "webhook", "kind": "drop_before"}
BLIND = {"vendor": "replicate", "where": "get", "kind": "status:500"}
LOST = {"vendor": "replicate", "where": "create", "kind": "drop_after"}
MANY = 8
FEW = breaker.MOST_FAILED  # lost orders: one more and nothing is ordered for a while
REST = 90.0  # seconds: more than any while in which what others saw fail lets nothing be ordered


def prove_bought(vendors, jobs) -> None:
    for job in jobs:
        prove_whole(job, 1)
    assert vendors.requests()["replicate"]["create"] == len(jobs)
    charged = [charge["purchase_id"] for charge in vendors.ledger()]
    assert len(charged) == len(set(charged)) == len(jobs)


def test_no_webhook_ever_comes_and_we_look(lit, vendors):
    vendors.faults([DEAF])
    with drawing(lit, DRAW, MANY) as jobs:
        pass
    prove_bought(vendors, jobs)
    assert vendors.faults()[0]["struck"] >= MANY


def test_answers_and_webhooks_are_lost_and_the_list_has_them_all(lit, vendors):
    vendors.faults([DEAF, LOST])
    with drawing(lit, DRAW, FEW) as jobs:
        pass
    prove_bought(vendors, jobs)
    assert all(job.of("unclear") for job in jobs)


def test_while_nobody_can_be_asked_a_webhook_is_not_believed_and_it_waits(lit, vendors):
    vendors.faults([BLIND])
    place = patient.post(f"{lit.url}/images/generate", json=DRAW).headers["location"]
    lit.await_(lambda: vendors.faults()[0]["struck"] >= 5, REST)
    assert vendors.requests()["replicate"]["webhook"] >= 1
    assert patient.get(f"{lit.url}{place}").json()["ended_at"] is None
    vendors.faults([])
    lit.await_(lambda: patient.get(f"{lit.url}{place}").json()["state"] == "succeeded")
    assert vendors.requests()["replicate"]["create"] == len(vendors.ledger()) == 1
