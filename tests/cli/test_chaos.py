"""A campaign's parts: a plan that its seed repeats, a client, and checks that miss nothing."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import pytest

from cli.chaos import balance, campaign, plan
from cli.chaos.campaign import Wanted
from cli.chaos.checks import CHECKS
from cli.chaos.client import Client, Outcome
from cli.chaos.evidence import Evidence
from cli.chaos.ground import times
from cli.chaos.pictures import LARGE, MASK, SMALL, picture
from cli.chaos.plan import Visit
from cli.chaos.ways import Broken, Heard, Refused, digest
from services.generator import vendors
from services.generator.buy import FRESH
from services.generator.providers import answered, google, openai, recraft

WANTED = {"jobs": 1, "kill_every": 1.0, "seed": 0}

# -- The plan


def test_a_client_waits_longer_than_the_product_may_take_to_tell_a_doubt():
    slowest = max(google.BUY, openai.BUY, recraft.BUY)
    told = FRESH + answered.PREPARING + slowest + vendors._KEEPING
    assert told <= campaign.LONGEST < campaign.PATIENCE == Wanted(**WANTED).patience


def test_a_client_waits_for_three_lost_orders_in_a_row_however_late_the_lists_are():
    for lag in 2.0, 30.0:
        absent = 2 * float(times(lag)["LOOKUP_LAG"])
        assert campaign.patience_with(lag) >= campaign.PATIENCE + 3 * absent


def test_the_same_seed_is_the_same_campaign():
    assert plan.visits(7, 50) == plan.visits(7, 50) != plan.visits(8, 50)
    assert plan.visits(7, 50)[:20] == plan.visits(7, 20)


def test_a_part_of_a_campaign_has_requests_of_its_own():
    parts = [plan.visits(7, 50), plan.visits(7, 50, part="calm")]
    assert len({visit.request_id for part in parts for visit in part}) == 100


def test_a_campaign_has_everything_in_it():
    visits = plan.visits(1, 300)
    assert {visit.user for visit in visits} == set(plan.USERS)
    assert {visit.way for visit in visits} == {
        "rest-stream", "rest-start", "grpc-stream", "grpc-start"
    }  # fmt: skip
    assert {n for visit in visits for n in visit.again} == {"at once", "later"}
    assert {visit.request.get("count", 1) for visit in visits} == {1, 2, 3, 4}
    models = {model for visit in visits for model in visit.request["models"]}
    assert models == {*plan.PAID, *plan.FREE}
    assert any("fallback_models" in visit.request for visit in visits)
    shown = [each for visit in visits for each in visit.request.get("references", ())]
    assert {each["picture"] for each in shown} == {SMALL, LARGE, MASK}
    assert {each["role"] for each in shown} == {
        "style", "subject", "structure", "edit_base", "mask"
    }  # fmt: skip
    cancels = {visit.cancels for visit in visits if visit.cancels is not None}
    assert min(cancels) == 1
    assert max(cancels) > 12  # of an event late in a log, too
    assert sum(visit.cancels is not None for visit in visits) > 15
    assert sum(0 in visit.leaves for visit in visits) > 10


def test_input_images_go_inside_an_order_ahead_of_it_and_over_grpc():
    inside, of_grpc = 256_000, 3 << 20  # bytes that Replicate and we take inside
    assert len(picture(SMALL)) < inside < len(picture(LARGE))
    assert sum(map(len, map(picture, (SMALL, LARGE, MASK)))) < of_grpc
    assert picture.__wrapped__(LARGE) == picture(LARGE)  # the same when a client comes again


# -- A client

VISIT = Visit(
    number=0, user="ada", request_id="0190", request={"prompt": "a tower"}, way="rest-stream",
    leaves=frozenset(), cancels=None, again=frozenset(),
)  # fmt: skip
KINDS = ("accepted", "queued", "purchased", "image_kept", "completed")


def heard(number: int, job: str = "1") -> Heard:
    kind = KINDS[number - 1]
    return Heard(job, number, kind, digest(kind.encode()))


class Script:
    """A studio that answers each call with its next line: events, then perhaps an exception."""

    def __init__(self, *lines: Any) -> None:
        self.lines, self.asked = list(lines), []

    async def start(self, request: dict[str, Any], request_id: str) -> str:
        return await self._answer(f"start {request_id}")

    async def glance(self, request: dict[str, Any], request_id: str) -> str:
        return await self._answer(f"glance {request_id}")

    async def cancel(self, job: str) -> None:
        await self._answer(f"cancel {job}")

    def generate(self, request: dict[str, Any], request_id: str) -> AsyncIterator[Heard]:
        return self._events(f"generate {request_id}")

    def watch(self, job: str, after: int) -> AsyncIterator[Heard]:
        return self._events(f"watch {job} after {after}")

    async def _answer(self, asked: str) -> Any:
        self.asked.append(asked)
        line = self.lines.pop(0)
        if isinstance(line, Exception):
            raise line
        return line

    async def _events(self, asked: str) -> AsyncIterator[Heard]:
        self.asked.append(asked)
        for each in self.lines.pop(0):
            if isinstance(each, Exception):
                raise each
            yield each


async def visited(script: Script, **visit: Any) -> Outcome:
    return await Client(script, Outcome(visit=replace(VISIT, **visit)), 20).run()


def events(first: int = 1, last: int = 5) -> list[Heard]:
    return [heard(number) for number in range(first, last + 1)]


async def test_a_broken_stream_is_taken_up_where_it_broke():
    script = Script([*events(1, 2), Broken("cut")], [Broken("away")], events(3))
    found = await visited(script)
    assert [each.kind for each in found.log] == list(KINDS)
    assert script.asked == ["generate 0190", "watch 1 after 2", "watch 1 after 2"]
    assert (found.breaks, found.wrong) == (2, [])


async def test_who_leaves_comes_back_after_the_last_event():
    script = Script("1", events(), events(4))
    found = await visited(script, leaves=frozenset({0, 3}))
    assert script.asked == ["glance 0190", "watch 1 after 0", "watch 1 after 3"]
    assert found.completed
    assert found.left == 2


@pytest.mark.parametrize("second", [heard(1), heard(3)], ids=["twice", "a gap"])
async def test_an_event_out_of_turn_is_wrong(second):
    found = await visited(Script([heard(1), second]))
    assert found.wrong == [f"event {second.sequence} came after 1"]


async def test_a_cancel_is_said_until_it_is_answered():
    script = Script([heard(1)], Broken("away"), events(2), None)
    found = await visited(script, cancels=1)
    assert script.asked.count("cancel 1") == 2
    assert found.completed
    assert found.cancels == 1


async def test_a_request_that_is_answered_with_two_jobs_shows_both():
    found = await visited(Script(events(), "2"), again=frozenset({"later"}))
    assert found.jobs == {"1", "2"}
    assert found.doubled == 1


async def test_what_the_cap_refuses_is_no_job():
    found = await visited(Script([Refused("no")]))
    assert (found.refused, found.jobs, found.wrong) == (True, set(), [])


async def test_a_job_that_never_ends_is_told_with_what_was_heard():
    class Silent(Script):
        async def _events(self, asked: str) -> AsyncIterator[Heard]:
            yield heard(1)
            await asyncio.Event().wait()

    found = await Client(Silent(), Outcome(visit=VISIT), 0.05).run()
    assert found.wrong == ["not through after 0 s: ['accepted']"]


# -- The checks: what is found when all is well, and then one thing is not


def evidence() -> dict[str, Any]:
    """One job of one picture that was bought for 3,000 micro-USD, kept and published."""
    purchase = {
        "purchase_id": "p", "job_id": 1, "ordinal": 1, "user_id": 2, "provider": "replicate",
        "ticket": "t",
        "state": "kept", "charged": "yes", "cost": 3000, "reserved": 0, "owner": None,
        "publishing": False, "period": "2026-11-01", "not_before": None, "error": None,
    }  # fmt: skip
    ledger = {
        "users": [{"user_id": 2, "subject": "ada"}],
        "jobs": [
            {"job_id": 1, "user_id": 2, "request_id": "0190", "state": "succeeded", "cost": 3000,
             "last_sequence": 5, "open_purchases": 0, "publishing": 0, "ended": True}
        ],
        "events": [{"job_id": 1, "sequences": [1, 2, 3, 4, 5], "kinds": list(KINDS)}],
        "purchases": [purchase],
        "outputs": [{"purchase_id": "p", "index": 0, "state": "published", "image_hash": "h",
             "to_publish": True}],
        "variants": [
            {"variant_id": 1, "user_id": 2, "purchase_id": "p", "output_index": 0,
             "image_hash": "h", "cost": 3000}
        ],
        "files": [{"user_id": 2, "image_hash": "h", "link": "l"}],
        "spending": [{"user_id": 2, "period": "2026-11-01", "spent": 3000, "reserved": 0}],
        "permits": [{"provider": "replicate", "in_use": 0}],
    }  # fmt: skip
    charge = {
        "vendor": "replicate",
        "model": "m",
        "ticket": "t",
        "images": 1,
        "usd": 0.003,
        "purchase_id": "p",
    }
    return {
        "outcomes": [Outcome(visit=VISIT, jobs={"1"}, log=events())],
        "ledger": ledger, "charges": [charge], "assets": [{"public_id": "l", "sha256": "h"}],
        "pictures": [{"ticket": "t", "index": 0, "sha256": "h"}], "caps": {"ada": 3000},
        "served": {"l": "h"},
    }  # fmt: skip


def broken(found: dict[str, Any]) -> set[str]:
    told = Evidence(**found)
    return {name for name, check in CHECKS.items() if list(check(told))}


def changed(**change: Any) -> Any:
    """A change of the first row of a table, or of another part of the evidence."""

    def apply(found: dict[str, Any]) -> None:
        for name, value in change.items():
            if name in found["ledger"]:
                found["ledger"][name][0] |= value
            elif isinstance(value, dict) and isinstance(found[name], list):
                found[name][0] |= value
            else:
                found[name] = value

    return apply


def again(found: dict[str, Any]) -> None:
    """The purchase is charged a second time: its picture is nowhere."""
    found["charges"].append(found["charges"][0] | {"ticket": "t2"})


OPEN = "nothing is left open"
TWICE = "nothing is charged twice"
STRAY = "every charge is a purchase's that says so"
BOOKED = "what is booked is what was charged"
PICTURES = "every charged picture is kept, with its bytes"
VARIANTS = "every kept picture is one variant"
VAULT = "the vault serves every picture, with its bytes"
CDN = "the CDN holds every file, and nothing else"
WHOLE = "logs have no gap and end with one `completed`"
HEARD = "logs read as clients heard them"
CAP = "no cap is passed"
HELD = "no reservation, permit or owner is left"
SUMS = "costs add up"
ONCE = "each request is one job"
SENSE = "answers make sense"
LOST = {"state": "lost"}

WRONG = {
    "an open purchase": (changed(purchases={"state": "running"}), {OPEN, STRAY}),
    "one that awaits the CDN": (changed(purchases={"publishing": True}), {OPEN}),
    "charged twice": (again, {TWICE, BOOKED, PICTURES, CAP}),
    "a charge of nobody's": (
        changed(charges={"ticket": "t9", "purchase_id": "p9"}), {STRAY, BOOKED, PICTURES}
    ),
    "said not to be charged": (
        changed(purchases={"state": "ended", "charged": "no"}), {STRAY}
    ),
    "another price": (changed(charges={"usd": 0.004}), {BOOKED, CAP}),
    "other bytes": (changed(pictures={"sha256": "x"}), {PICTURES}),
    "a lost picture": (changed(outputs=LOST, purchases=LOST), {STRAY, PICTURES, VARIANTS}),
    "a variant of nothing": (changed(variants={"output_index": 1}), {VARIANTS}),
    "a dead link": (changed(served={"l": "HTTP 404"}), {VAULT}),
    "a stranger on the CDN": (changed(assets={"public_id": "l2"}), {CDN}),
    "a gap": (changed(events={"sequences": [1, 2, 4, 5, 6]}), {WHOLE}),
    "no end": (changed(events={"kinds": [*KINDS[:4], "warning"]}), {WHOLE, HEARD}),
    "told otherwise": (changed(retold=["event 3"]), {HEARD}),
    "above the cap": (changed(caps={"ada": 2999}), {CAP}),
    "a reservation": (changed(spending={"reserved": 1}), {HELD, CAP}),
    "a permit": (changed(permits={"in_use": 1}), {HELD}),
    "an owner": (changed(purchases={"owner": "w"}), {HELD}),
    "another sum": (changed(jobs={"cost": 2999}), {SUMS}),
    "two jobs": (changed(jobs={"request_id": "0191"}), {ONCE}),
    "nonsense": (
        lambda found: found["outcomes"][0].wrong.append("HTTP 500"), {SENSE}
    ),
}  # fmt: skip


def test_when_all_is_well_every_check_holds_and_the_balance_is_even():
    found = evidence()
    assert broken(found) == set()
    kept, total = balance.lines(Evidence(**found))
    assert kept.as_json() | {"what": ""} == total.as_json() | {"what": ""}
    assert (kept.charges, kept.images, kept.charged_micros) == (1, 1, 3000)
    assert (kept.purchases, kept.outputs, kept.booked_micros) == (1, 1, 3000)


@pytest.mark.parametrize("what", WRONG)
def test_what_is_wrong_shows(what):
    change, shows = WRONG[what]
    found = evidence()
    change(found)
    assert broken(found) == shows


def test_every_check_is_seen_to_fail():
    assert {name for _, shows in WRONG.values() for name in shows} == set(CHECKS)


def test_what_nobody_can_be_asked_for_is_told_as_unknown_and_counted():
    found = evidence()
    lost = {"purchase_id": "p2", "ordinal": 2, "provider": "recraft", "ticket": None,
            "cost": 40_000, "state": "ended", "charged": "unknown"}  # fmt: skip
    found["ledger"]["purchases"].append(found["ledger"]["purchases"][0] | lost)
    found["ledger"]["jobs"][0]["cost"] = found["ledger"]["spending"][0]["spent"] = 43_000
    found["caps"]["ada"] = 43_000
    charge = {"vendor": "recraft", "ticket": "r", "purchase_id": "p2", "usd": 0.04}
    found["charges"].append(found["charges"][0] | charge)
    assert broken(found) == set()
    told = {each.what: each for each in balance.lines(Evidence(**found))}[balance.UNKNOWN]
    assert (told.charges, told.charged_micros, told.booked_micros) == (1, 40_000, 40_000)

    found["charges"][1]["vendor"] = found["ledger"]["purchases"][1]["provider"] = "replicate"
    assert broken(found) == {PICTURES}  # who can be asked is asked


def test_what_was_ordered_again_although_it_was_charged_is_charged_twice():
    """Each has a charge, a ticket and a picture of its own, and is one too many."""
    found = evidence()
    next_ = {"purchase_id": "p2", "ticket": "t2"}
    found["ledger"]["purchases"].append(found["ledger"]["purchases"][0] | next_)
    found["ledger"]["outputs"].append(found["ledger"]["outputs"][0] | {"purchase_id": "p2"})
    found["ledger"]["variants"].append(found["ledger"]["variants"][0] | {"purchase_id": "p2"})
    found["ledger"]["jobs"][0]["cost"] = found["ledger"]["spending"][0]["spent"] = 6000
    found["charges"].append(found["charges"][0] | next_)
    found["pictures"].append(found["pictures"][0] | {"ticket": "t2"})
    found["caps"]["ada"] = 6000
    assert broken(found) == {TWICE}


def test_the_balance_names_what_does_not_belong():
    found = evidence()
    again(found)
    found["charges"].append(found["charges"][0] | {"ticket": "t3", "purchase_id": "p9"})
    told = {each.what: each for each in balance.lines(Evidence(**found))}
    assert (told["kept"].charges, told["kept"].purchases) == (2, 1)
    assert (told[balance.UNHEARD].charges, told[balance.UNHEARD].images) == (1, 1)
    assert (told["in all"].charges, told["in all"].purchases) == (3, 1)
