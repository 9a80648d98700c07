"""
Orders of which nobody will ever know whether they were charged: shown at risk, ordered again
at somebody's word, settled by what an invoice says. The books are exact all the way.
"""

import asyncio
import json
import signal
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import asyncpg
import pytest

from tests import patient
from tests.lab.process import Control
from tests.system.client import Job, frames, generate, prove_whole, watch
from tests.system.stack import Stack, running_stack

LOST = 2  # images of one call
DRAW = {"prompt": "a lighthouse at dawn", "models": ["flux-schnell"], "count": LOST}
PRICE = Decimal("0.003")  # an image
GONE = [  # the answer is lost, and so is every other way to hear of it
    {"vendor": "replicate", "where": "create", "kind": "drop_after", "times": 1},
    {"vendor": "replicate", "where": "webhook", "kind": "drop_before"},
    {"vendor": "replicate", "where": "list", "kind": "status:500"},
]


def usd(found: Any) -> Decimal:
    return Decimal(str(found))


class Books:
    """What is spent and at risk now, wherever it stands."""

    def __init__(self, stack: Stack) -> None:
        with patient.Client(base_url=stack.url) as http:
            usage = http.get("/images/usage").json()
            jobs = http.get("/images/jobs?page_size=1000").json()["jobs"]
        self.spent, self.held = usd(usage["cap"]["spent_usd"]), usd(usage["cap"]["reserved_usd"])
        self.at_risk, self.count = usd(usage["at_risk_usd"]), usage["at_risk_count"]
        assert self.spent == sum(usd(job["cost_usd"]) for job in jobs) == usd(usage["total_usd"])
        assert self.at_risk == sum(usd(line["at_risk_usd"]) for line in usage["lines"])
        assert self.count == sum(line["at_risk_count"] for line in usage["lines"])


def ask(stack: Stack, query: str, *arguments: Any) -> list[Any]:
    """Run a query as the owner of everything; return the first column."""

    async def run() -> list[Any]:
        url = (stack.data / "secrets" / "database_url").read_text().strip()
        connection = await asyncpg.connect(url)
        try:
            return [row[0] for row in await connection.fetch(query, *arguments)]
        finally:
            await connection.close()

    return asyncio.run(run())


def age(stack: Stack, job_id: str) -> None:
    """Let the time pass in which what is unclear in a job could still be looked up."""
    ask(
        stack,
        "UPDATE purchases SET deadline = deadline - interval '1 day', not_before = now() "
        "WHERE job_id = $1 AND state = 'unclear' AND deadline > now()",
        int(job_id),
    )


def get(stack: Stack, path: str) -> dict[str, Any]:
    found: dict[str, Any] = patient.get(f"{stack.url}{path}").json()
    return found


def ended(stack: Stack, job_id: str) -> bool:
    """Whether a job is over; whatever is unclear in it grows old at once."""
    age(stack, job_id)
    return bool(get(stack, f"/images/jobs/{job_id}")["ended_at"])


@pytest.fixture(scope="module")
def lit() -> Iterator[Stack]:
    """A stack behind the lab whose books are this file's alone."""
    quick = {"LAB_PACE": "0.05", "LOOKUP_LAG": "1", "PUBLISH_WAIT": "2", "WORKER_PATIENCE": "1"}
    with running_stack("--lab", **quick) as found:
        yield found


@pytest.fixture
def lost(lit: Stack, vendors: Control) -> str:
    """A job whose one call was taken and charged, and never answered."""
    vendors.faults(GONE)
    started = patient.post(f"{lit.url}/images/generate", json=DRAW).json()
    job_id: str = started["job_id"]
    lit.await_(lambda: get(lit, f"/images/jobs/{job_id}")["at_risk_count"] == 1)
    return job_id


def test_it_is_shown_ordered_again_and_settled_and_the_sums_are_exact(lit, vendors, lost) -> None:
    before, price = Books(lit), PRICE * LOST
    refused = patient.post(f"{lit.url}/images/jobs/{lost}/retry-unclear")
    assert refused.status_code == 409
    assert "still being looked up" in refused.json()["detail"]
    assert "until" in refused.json()["detail"]
    assert before.at_risk >= price
    shown = get(lit, f"/images/jobs/{lost}")
    assert (usd(shown["at_risk_usd"]), shown["failures"]) == (price, [])

    lit.await_(lambda: ended(lit, lost))  # nobody could tell in time
    unknown = Books(lit)
    assert (unknown.at_risk, unknown.count) == (before.at_risk, before.count)
    assert unknown.spent == before.spent + price
    assert unknown.held == before.held - price
    completed = get(lit, f"/images/jobs/{lost}")
    [failure] = completed["failures"]
    assert (failure["charged"], usd(failure["cost_usd"])) == (None, price)
    assert (usd(completed["at_risk_usd"]), completed["state"]) == (price, "failed")
    [was] = vendors.ledger()  # the vendor took it, and told nobody

    vendors.faults(GONE[1:])  # nor will anybody hear of it later
    again = order_again(lit, lost)
    prove_whole(again, LOST)
    orders = "SELECT DISTINCT fingerprint FROM purchases WHERE job_id = ANY ($1::bigint[])"
    both = [int(lost), int(again.completed["job_id"])]
    assert len(ask(lit, orders, both)) == 1  # the very same, with the seed that chance chose
    new = get(lit, again.url)
    assert (new["retry_of"], new["count"], new["prompt"]) == (lost, LOST, DRAW["prompt"])
    assert get(lit, f"/images/jobs/{lost}") == completed
    assert [charge["usd"] for charge in vendors.ledger()] == [was["usd"]] * 2
    assert Books(lit).spent == unknown.spent + price
    assert order_again(lit, lost).url == again.url  # the same words again are the same order
    assert len(vendors.ledger()) == 2

    settled = settle(lit, lost, failure["purchase_id"], "no")
    assert settled.returncode == 0, settled.stderr
    assert json.loads(settled.stdout)["settlement"]["counted_usd"] == float(price)
    after = Books(lit)
    assert after.spent == unknown.spent  # the picture, once; what was lost is given back
    assert (after.at_risk, after.count) == (before.at_risk - price, before.count - 1)
    job = get(lit, f"/images/jobs/{lost}")
    assert (job["cost_usd"], job["at_risk_usd"], job["failures"][0]["charged"]) == (0, 0, False)
    assert settle(lit, lost, failure["purchase_id"], "no").returncode == 0
    other = settle(lit, lost, failure["purchase_id"], "yes")
    assert other.returncode == 1
    assert "not charged" in other.stderr
    assert Books(lit).spent == after.spent
    assert told(lit, lost) == ["completed", "charge_settled"]


def test_what_is_found_when_it_was_given_up_is_kept_and_counts_once(lit, vendors, lost) -> None:
    before = Books(lit)
    lit.await_(lambda: ended(lit, lost))
    unknown = Books(lit)
    assert unknown.spent == before.spent + PRICE * LOST

    vendors.faults([])  # the vendor tells of it once more, and now we hear

    lit.await_(lambda: len(get(lit, f"/images/jobs/{lost}")["images"]) == LOST)
    found, job = Books(lit), get(lit, f"/images/jobs/{lost}")
    assert found.spent == unknown.spent
    assert (found.at_risk, found.held) == (before.at_risk - PRICE * LOST, unknown.held)
    assert (usd(job["cost_usd"]), job["at_risk_usd"]) == (PRICE * LOST, 0)
    [charge] = vendors.ledger()
    assert usd(charge["usd"]) == PRICE * LOST
    assert told(lit, lost) == ["completed", "charge_settled"]


def order_again(stack: Stack, job_id: str) -> Job:
    """Order a job's losses again from the shell, and watch the new job."""
    done = stack.studio("jobs", "retry-unclear", job_id, "--json")
    assert done.returncode == 0, done.stderr
    outcome = json.loads(done.stdout)
    return watch(stack.url, f"/images/jobs/{outcome['job_id']}")


def settle(stack: Stack, job_id: str, purchase: str, charged: str):
    return stack.studio(
        "jobs", "settle", job_id, "--purchase", purchase, "--charged", charged, "--json"
    )


def told(stack: Stack, job_id: str) -> list[str]:
    """What the feed tells of a job, up to the settlement."""
    kinds: list[str] = []
    with patient.stream("GET", f"{stack.url}/images/events") as answer:
        for kind, _number, data in frames(answer.iter_lines()):
            if data["job_id"] == job_id:
                kinds.append(kind)
                if kind == "charge_settled":
                    return kinds
    raise AssertionError(kinds)


def test_of_a_vendor_that_cannot_be_asked_it_is_known_at_once(lit, vendors) -> None:
    vendors.faults([{"vendor": "recraft", "where": "create", "kind": "drop_after", "times": 1}])
    lost = generate(lit.url, DRAW | {"models": ["recraft-v3"]})
    [failure] = lost.completed["failures"]
    [unclear] = lost.of("unclear")
    assert failure["charged"] is None
    assert unclear["at_risk_usd"] == failure["cost_usd"] == lost.completed["at_risk_usd"] > 0
    before = Books(lit)
    job_id = lost.completed["job_id"]

    prove_whole(order_again(lit, job_id), LOST)
    [newest] = json.loads(lit.studio("jobs", "--at-risk", "--json", "--limit", "1").stdout)
    assert newest["job_id"] == job_id
    assert settle(lit, job_id, failure["purchase_id"], "no").returncode == 0

    after = Books(lit)
    assert after.spent == before.spent  # the pictures, once
    assert after.at_risk == before.at_risk - usd(failure["cost_usd"])


def test_a_failure_that_may_have_cost_something_is_settled_as_charged(lit, vendors) -> None:
    """The vendor says that it failed, and not what that cost."""
    body = {"prompt": "a lighthouse, fail-me", "models": ["flux-schnell"]}
    completed = generate(lit.url, body).completed
    [failure] = completed["failures"]
    assert (failure["charged"], usd(completed["at_risk_usd"])) == (None, PRICE)
    before = Books(lit)

    shown = lit.studio("usage", "--by", "project")
    assert shown.returncode == 0, shown.stderr
    assert "at risk" in shown.stderr
    as_json = json.loads(lit.studio("usage", "--json").stdout)
    assert usd(as_json["at_risk_usd"]) == before.at_risk

    said = {"purchase_id": failure["purchase_id"], "charged": True, "cost_usd": 0.000001}
    answer = patient.post(f"{lit.url}/images/jobs/{completed['job_id']}/settle", json=said)
    assert answer.status_code == 200, answer.text
    assert (answer.json()["cost_usd"], answer.json()["failures"][0]["charged"]) == (0.000001, True)
    after = Books(lit)
    assert after.spent == before.spent - PRICE + Decimal("0.000001")
    assert (after.at_risk, after.count) == (before.at_risk - PRICE, before.count - 1)


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGKILL])
def test_a_feed_goes_on_when_the_catalog_has_died(lit, vendors, how) -> None:
    with patient.stream("GET", f"{lit.url}/images/events") as answer:
        entries = frames(answer.iter_lines())
        heard = len(lit.said)
        lit.kill("catalog", how)
        lit.await_(lambda: any("catalog is back" in line for line in lit.said[heard:]))
        job_id = generate(lit.url, DRAW).completed["job_id"]
        numbers = []
        for _kind, number, data in entries:
            numbers.append(number)
            if data["job_id"] == job_id:
                break
    assert numbers == [*range(1, len(numbers) + 1)]


@pytest.mark.parametrize("month", ["2026-13", "x", "26-1"])
def test_a_month_that_is_none_is_misuse(lit, month) -> None:
    done = lit.studio("usage", "--month", month)
    assert done.returncode == 2
    assert "--month" in done.stderr
