"""Whether an unknown charge was one, told by a person: over gRPC, with the books after it."""

import asyncio
import uuid
from dataclasses import dataclass
from datetime import date

import pytest

from chassis.errors import Denied, Fault, Invalid, Missing, Precondition
from imagestudio.catalog.v1 import catalog_service_pb2 as pb
from imagestudio.type.v1 import cost_pb2
from imagestudio.type.v1.job_event_pb2 import JobEvent
from services.catalog import reading
from services.catalog.database import as_ledger
from tests.catalog.purchases import (
    admitted,
    claim,
    end,
    ended_unclear,
    fail,
    kept,
    taken,
    ticket,
    unclear,
)
from tests.catalog.shelf import PUBLIC, Person, Shelf

YES, NO = cost_pb2.CHARGED_YES, cost_pb2.CHARGED_NO
UNKNOWN = cost_pb2.CHARGED_UNKNOWN
PRICE = 40_001  # micro-USD


@dataclass(frozen=True)
class Lost:
    """A job of *owner* with purchases of which the first ended with charged UNKNOWN."""

    shelf: Shelf
    owner: Person
    job: str
    purchases: list[str]

    @property
    def purchase(self) -> str:
        return self.purchases[0]

    async def settle(
        self, charged: int, cost: int | None = None, **other: str
    ) -> pb.ChargeSettlement:
        """Settle the purchase, or *other* words for it; return what is settled."""
        asked = {"name": self.job, "purchase_id": self.purchase, "charged": charged} | other
        answer = await self.owner.ask("SettleCharge", cost_usd_micros=cost, **asked)
        assert answer.job.name == self.job
        return answer.settlement

    async def books(self) -> tuple[int, int, int]:
        """What is spent, what the job cost, what is at risk: the same wherever it stands."""
        user = self.owner.user_id
        spent = await self.shelf.run(
            "SELECT sum(spent)::bigint FROM spending WHERE user_id = $1", user
        )
        usage = await self.owner.ask("GetUsage")
        job = (await self.owner.ask("GetJob", name=self.job)).job
        assert spent == usage.total_usd_micros == usage.cap.spent_usd_micros
        assert job.cost.usd_micros == spent  # it is the user's only one
        assert job.at_risk_usd_micros == usage.at_risk_usd_micros
        assert sum(line.at_risk_usd_micros for line in usage.lines) == usage.at_risk_usd_micros
        counts = sum(line.at_risk_count for line in usage.lines), job.at_risk_count
        assert counts == (usage.at_risk_count, usage.at_risk_count)
        return spent, job.cost.usd_micros, usage.at_risk_usd_micros


async def lose(shelf: Shelf, count: int = 1, owner: Person | None = None) -> Lost:
    """Have somebody's first purchase of *count* end with charged UNKNOWN."""
    owner = owner or await shelf.person()
    purchases = await admitted(shelf.pools.ledger, owner.user_id, count, reserve=PRICE)
    await ended_unclear(shelf.ledger, purchases[0])
    job_id = await shelf.run("SELECT job_id FROM purchases WHERE purchase_id = $1", purchases[0])
    return Lost(shelf, owner, f"jobs/{job_id}", purchases)


async def test_what_was_not_charged_is_given_back_exactly(shelf: Shelf) -> None:
    lost = await lose(shelf)
    assert await lost.books() == (PRICE, PRICE, PRICE)

    settled = await lost.settle(NO)

    assert (settled.cost_usd_micros, settled.counted_usd_micros) == (0, PRICE)
    assert settled.settled_by == f"users/{lost.owner.user_id}"
    assert settled.HasField("settle_time")
    assert await lost.books() == (0, 0, 0)
    [failure] = (await lost.owner.ask("GetJob", name=lost.job)).job.failures
    assert (failure.charged, failure.cost.usd_micros) == (NO, 0)


@pytest.mark.parametrize(
    ("cost", "becomes"), [(None, PRICE), (0, 0), (7, 7), (PRICE * 9, PRICE * 9)]
)
async def test_what_was_charged_cost_what_is_told_or_what_was_counted(
    shelf: Shelf, cost: int | None, becomes: int
) -> None:
    lost = await lose(shelf)
    settled = await lost.settle(YES, cost)
    assert (settled.charged, settled.cost_usd_micros) == (YES, becomes)
    assert await lost.books() == (becomes, becomes, 0)


async def test_it_moves_in_the_month_that_it_was_counted_in(shelf: Shelf) -> None:
    lost, january = await lose(shelf), date(2025, 1, 1)
    user = lost.owner.user_id
    for table in ("spending", "purchases"):
        await shelf.run(f"UPDATE {table} SET period = $2 WHERE user_id = $1", user, january)
    [other] = await admitted(shelf.pools.ledger, user, reserve=5)
    await kept(shelf.ledger, other, cost=5)

    await lost.settle(NO)

    async with as_ledger(shelf.pools.ledger) as connection:
        query = "SELECT period = $2 AS then, spent, reserved FROM spending WHERE user_id = $1"
        rows = await connection.fetch(query, user, january)
    assert sorted(map(tuple, rows)) == [(False, 5, 0), (True, 0, 0)]


async def test_the_same_answer_again_changes_nothing(shelf: Shelf) -> None:
    lost = await lose(shelf)
    first = await lost.settle(YES, 7)
    for cost in (7, None):
        assert await lost.settle(YES, cost) == first
    assert await lost.books() == (7, 7, 0)
    assert (
        await shelf.run("SELECT feed_sequence FROM users WHERE user_id = $1", lost.owner.user_id)
        == 2
    )


@pytest.mark.parametrize("other", [(NO, None), (YES, 8)], ids=str)
async def test_another_answer_is_refused_with_what_was_settled(
    shelf: Shelf, other: tuple[int, int | None]
) -> None:
    lost = await lose(shelf)
    await lost.settle(YES, 7)
    with pytest.raises(
        Precondition, match=r"settled that purchase .* was charged at \$0\.000007"
    ) as no:
        await lost.settle(*other)
    assert no.value.reason == "STATE_CONFLICT"
    assert no.value.metadata["charged"] == "yes"
    assert no.value.metadata["cost_usd_micros"] == "7"
    assert no.value.metadata["settled_by"] == f"users/{lost.owner.user_id}"
    assert no.value.metadata["settle_time"]
    assert await lost.books() == (7, 7, 0)


async def test_of_two_answers_at_once_one_holds(shelf: Shelf) -> None:
    lost = await lose(shelf)
    told = [lost.settle(NO), lost.settle(YES, 3), lost.settle(NO), lost.settle(YES, 3)]
    answers = await asyncio.gather(*told, return_exceptions=True)
    good = [one for one in answers if isinstance(one, pb.ChargeSettlement)]
    assert len(good) == 2
    assert good[0] == good[1]
    assert all(isinstance(one, Precondition | pb.ChargeSettlement) for one in answers)
    cost = good[0].cost_usd_micros
    assert await lost.books() == (cost, cost, 0)


async def failed(shelf: Shelf, purchase: str) -> None:
    """Its provider says that it failed, and not whether that cost anything."""
    await taken(shelf.ledger, claim(purchase), ticket(purchase, 1))
    await taken(shelf.ledger, end(purchase, 1, "FAILED", "UNKNOWN"))


async def quarantined(shelf: Shelf, purchase: str) -> None:
    """Work on it raised five times, with its answer lost."""
    for fence in range(1, 6):
        await taken(shelf.ledger, claim(purchase), fail(purchase, fence))


@pytest.mark.parametrize("over", [failed, quarantined])
async def test_whatever_ended_with_charged_unknown_can_be_settled(shelf: Shelf, over) -> None:
    owner = await shelf.person()
    [purchase] = await admitted(shelf.pools.ledger, owner.user_id, reserve=PRICE)
    await over(shelf, purchase)
    job_id = await shelf.run("SELECT job_id FROM purchases WHERE purchase_id = $1", purchase)
    lost = Lost(shelf, owner, f"jobs/{job_id}", [purchase])
    assert await lost.books() == (PRICE, PRICE, PRICE)
    await lost.settle(NO)
    assert await lost.books() == (0, 0, 0)


async def test_what_is_known_or_has_not_ended_is_refused(shelf: Shelf) -> None:
    lost = await lose(shelf, 4)
    _lost, good, doubtful, waiting = lost.purchases
    await kept(shelf.ledger, good, cost=PRICE)
    await taken(shelf.ledger, claim(doubtful), unclear(doubtful, 1))
    before = await lost.books()
    for purchase, word in (
        (good, "was charged"),
        (doubtful, "looked up, next"),
        (waiting, "planned"),
    ):
        with pytest.raises(Precondition, match=word) as no:
            await lost.settle(NO, purchase_id=purchase)
        assert no.value.metadata["purchase_id"] == purchase
    assert await lost.books() == before


async def test_anothers_purchase_and_none_at_all_are_missing_alike(shelf: Shelf) -> None:
    lost, other = await lose(shelf), await shelf.person()
    second = await lose(shelf, owner=lost.owner)
    stranger = Lost(shelf, other, lost.job, lost.purchases)
    wrong = [
        stranger.settle(NO),
        lost.settle(NO, name=second.job),
        lost.settle(NO, purchase_id=str(uuid.uuid4())),
        lost.settle(NO, name="jobs/999999999"),
    ]
    for asked in wrong:
        with pytest.raises(Missing) as no:
            await asked
        assert no.value.reason == "RESOURCE_UNKNOWN"
    assert (
        await shelf.run(
            "SELECT count(*) FROM charge_settlements WHERE user_id = $1", lost.owner.user_id
        )
        == 0
    )


@pytest.mark.parametrize(
    ("field", "wrong"),
    [("charged", {"charged": UNKNOWN}), ("charged", {"charged": 0}), ("charged", {"charged": 99}),
     ("purchase_id", {"purchase_id": ""}), ("purchase_id", {"purchase_id": "x"}),
     ("name", {"name": "7"}), ("cost_usd_micros", {"cost": -1}),
     ("cost_usd_micros", {"cost": 10**12 + 1}), ("cost_usd_micros", {"charged": NO, "cost": 1})],
)  # fmt: skip
async def test_what_makes_no_sense_is_refused_by_field(shelf: Shelf, field: str, wrong) -> None:
    lost = await lose(shelf)
    asked = {"name": lost.job, "purchase_id": lost.purchase, "charged": YES} | wrong
    cost = asked.pop("cost", None)
    with pytest.raises(Invalid) as no:
        await lost.owner.ask("SettleCharge", cost_usd_micros=cost, **asked)
    assert list(no.value.fields) == [field]


async def test_it_takes_the_scope_of_caps(shelf: Shelf) -> None:
    lost = await lose(shelf)
    weak = shelf.service(lost.owner.user_id, frozenset({"generate", "read", "write", "keys"}))
    with pytest.raises(Denied) as no:
        await weak.ask("SettleCharge", name=lost.job, purchase_id=lost.purchase, charged=NO)
    assert no.value.metadata == {"scope": "caps"}


async def log_of(lost: Lost) -> list[JobEvent]:
    job_id, user = int(lost.job.removeprefix("jobs/")), lost.owner.user_id
    found = await reading.events(lost.shelf.pools.ledger, job_id, user, 0, 100, PUBLIC)
    return list(found.events)


async def feed_of(lost: Lost) -> list[JobEvent]:
    found, last = [], None
    async for event in lost.owner.watch():
        if event.HasField("heartbeat"):
            last = event.heartbeat.last_sequence if last is None else last
        else:
            found.append(event)
        if len(found) == last:
            return found
    raise AssertionError("the feed ended")


async def test_a_settlement_is_told_in_the_feed_and_in_a_log_that_is_open(shelf: Shelf) -> None:
    lost = await lose(shelf, 2)
    await lost.settle(NO)
    told = (await log_of(lost))[-1].charge_settled
    [news] = await feed_of(lost)
    assert news.charge_settled == told
    assert (news.job, news.sequence) == (lost.job, 1)
    assert (told.purchase_id, told.charged) == (lost.purchase, NO)
    assert (told.cost.usd_micros, told.counted.usd_micros) == (0, PRICE)

    await kept(shelf.ledger, lost.purchases[1], cost=PRICE)
    job = (await log_of(lost))[-1].completed.job
    assert [failure.charged for failure in job.failures] == [NO]
    assert (job.cost.usd_micros, job.at_risk_count, job.at_risk_usd_micros) == (PRICE, 0, 0)


async def test_after_the_log_has_ended_the_feed_alone_tells_it(shelf: Shelf) -> None:
    lost = await lose(shelf)
    before = await log_of(lost)
    job = before[-1].completed.job
    assert (job.at_risk_count, job.at_risk_usd_micros) == (1, PRICE)
    assert job.failures[0].cost.usd_micros == PRICE

    await lost.settle(YES, 7)

    assert await log_of(lost) == before
    completed, settled = await feed_of(lost)
    assert completed.completed.job.at_risk_usd_micros == PRICE
    assert settled.charge_settled.cost.usd_micros == 7


async def test_what_is_looked_up_and_what_ended_unknown_are_at_risk(shelf: Shelf) -> None:
    lost = await lose(shelf, 3)
    _lost, doubtful, good = lost.purchases
    await taken(shelf.ledger, claim(doubtful), unclear(doubtful, 1))
    await kept(shelf.ledger, good, cost=11)
    assert await lost.books() == (PRICE + 11, PRICE + 11, 2 * PRICE)
    usage = await lost.owner.ask("GetUsage")
    job = (await lost.owner.ask("GetJob", name=lost.job)).job
    assert usage.at_risk_count == job.at_risk_count == 2
    [line] = usage.lines
    assert (line.at_risk_count, line.purchase_count, line.cost_usd_micros) == (2, 2, PRICE + 11)
    other = await shelf.person()
    assert (await other.ask("GetUsage")).at_risk_count == 0


async def test_risks_of_whatever_time_are_told_and_a_time_that_runs_backwards_is_refused(
    shelf: Shelf,
) -> None:
    lost = await lose(shelf)
    request = pb.GetUsageRequest()
    request.start_time.FromJsonString("2020-01-01T00:00:00Z")
    request.end_time.FromJsonString("2020-02-01T00:00:00Z")
    usage = await lost.owner.ask("GetUsage", request)
    assert (list(usage.lines), usage.at_risk_usd_micros) == ([], PRICE)
    request.end_time.FromJsonString("2019-12-31T00:00:00Z")
    with pytest.raises(Invalid, match="before 2020-01-01") as no:
        await lost.owner.ask("GetUsage", request)
    assert list(no.value.fields) == ["end_time"]
    request.ClearField("start_time")
    with pytest.raises(Fault, match="where the report begins"):
        await lost.owner.ask("GetUsage", request)
