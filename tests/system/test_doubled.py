"""
One order made twice at the provider: what the vendor charges is what is kept, counted and told,
by whatever way the second one becomes known.
"""

import re
from pathlib import Path

import pytest

from tests import patient
from tests.lab.process import Control
from tests.system.client import Job, generate
from tests.system.stack import Stack, running_stack

DRAW = {"prompt": "a lighthouse at dawn", "models": ["flux-schnell"]}
TWICE = {"vendor": "replicate", "where": "create", "kind": "duplicate", "times": 1}
DROPPED = {"vendor": "replicate", "where": "create", "kind": "drop_after", "times": 1}
DEAF = {"vendor": "replicate", "where": "webhook", "kind": "drop_before"}
PRICE = 0.003
OFTEN = "1"  # seconds between two readings of the list


@pytest.fixture(scope="module")
def alert():
    """A stack that reads its vendor's list every second, and its lab."""
    quick = {"LAB_PACE": "0.05", "LOOKUP_LAG": "1", "WORKER_PATIENCE": "1", "PUBLISH_WAIT": "0"}
    with running_stack("--lab", RECONCILE_SECONDS=OFTEN, **quick) as stack:
        yield stack, Control(f"http://127.0.0.1:{stack.port('LAB_PORT')}")


@pytest.fixture
def world(alert):
    stack, lab = alert
    lab.reset()
    return stack, lab


def usage(stack: Stack):
    return patient.get(f"{stack.url}/images/usage").json()["cap"]


def alarms(stack: Stack, kind: str) -> float:
    """What the catalog has counted."""
    url = f"http://127.0.0.1:{stack.port('CATALOG_PORT') + 100}/metrics"
    found = re.search(
        rf'studio_purchase_alarms_total{{kind="{kind}"}} (\S+)', patient.get(url).text
    )
    return float(found[1]) if found else 0.0


def images(stack: Stack, job: Job):
    return patient.get(f"{stack.url}{job.url}").json()["images"]


def prove_all_is_kept(stack: Stack, lab: Control, job: Job, spent: float, count: int = 2) -> None:
    """Each of *count* charges has its picture, and every sum is what the vendor charged."""
    stack.await_(lambda: len(images(stack, job)) == count)
    stack.await_(lambda: usage(stack)["reserved_usd"] == 0)
    charges = lab.ledger()
    charged = sum(charge["usd"] for charge in charges)
    kept = images(stack, job)
    assert len(charges) == count == len({image["purchase_id"] for image in kept})
    assert len({image["image_hash"] for image in kept}) == count
    assert sorted(image["version_number"] for image in kept) == [*range(1, count + 1)]
    shown = patient.get(f"{stack.url}{job.url}").json()
    assert shown["cost_usd"] == pytest.approx(charged)
    assert usage(stack)["spent_usd"] - spent == pytest.approx(charged)
    assert sum(image["cost_usd"] for image in kept) == pytest.approx(charged)
    for image in kept:
        assert patient.get(image["vault_url"]).status_code == 200


def test_a_webhook_tells_of_the_second_one_while_the_job_is_drawn(world):
    stack, lab = world
    spent, before = usage(stack)["spent_usd"], alarms(stack, "doubled")
    lab.pace(4)
    lab.faults([TWICE])
    job = generate(stack.url, DRAW)
    prove_all_is_kept(stack, lab, job, spent)
    [warning] = job.of("warning")
    assert warning["reason"] == "ORDER_DOUBLED"
    assert len(job.of("image_kept")) == len(job.completed["images"]) == 2
    assert alarms(stack, "doubled") == before + 1


def test_the_list_tells_of_the_second_one_when_the_job_has_long_ended(world):
    stack, lab = world
    spent, before = usage(stack)["spent_usd"], alarms(stack, "doubled")
    lab.faults([TWICE, DEAF, {"vendor": "replicate", "where": "list", "kind": "lag:2"}])
    job = generate(stack.url, DRAW)
    assert len(job.completed["images"]) == 1
    prove_all_is_kept(stack, lab, job, spent)
    assert alarms(stack, "doubled") == before + 1
    again = Job(job.url)
    generate(stack.url, DRAW, job=again)  # its log, read once more
    assert again.completed["images"] == job.completed["images"]


@pytest.mark.parametrize("told", [[], [DEAF]], ids=["webhooks", "list"])
def test_an_order_made_twice_whose_answer_was_lost_is_kept_twice(world, told):
    stack, lab = world
    spent, before = usage(stack)["spent_usd"], alarms(stack, "doubled")
    lab.faults([TWICE, DROPPED, *told])
    job = generate(stack.url, DRAW)
    assert job.of("unclear")
    prove_all_is_kept(stack, lab, job, spent)
    assert alarms(stack, "doubled") == before + 1
    assert lab.requests()["replicate"]["create"] == 1


def test_what_is_of_no_purchase_of_ours_is_counted_and_shown(world):
    stack, lab = world
    before = alarms(stack, "unknown")
    named = "01890000-0000-7000-8000-000000000001"
    url = f"{lab.url}/replicate/v1/models/black-forest-labs/flux-schnell/predictions"
    order = {
        "input": {"prompt": "somebody's"},
        "webhook": f"{stack.url}/webhooks/replicate?purchase_id={named}",
        "webhook_events_filter": ["completed"],
    }
    lab.faults([DEAF])
    made = patient.post(url, json=order, headers={"Authorization": "Bearer r8_somebody"})
    made.raise_for_status()
    stack.await_(lambda: alarms(stack, "unknown") == before + 1)
    assert made.json()["id"] in Path(stack.data / "logs" / "catalog.log").read_text()
    doctor = stack.studio("doctor")
    assert "orders at replicate that are of no purchase here, in a week: 1" in doctor.stdout
