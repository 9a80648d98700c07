"""Money for language calls: reserved under the cap, settled once, never forgotten."""

import asyncio
import uuid

import pytest

from chassis.errors import Exhausted, Exists, Invalid, Missing
from imagestudio.catalog.v1 import ledger_service_pb2 as pb
from imagestudio.type.v1 import cost_pb2
from services.catalog import admit, spending
from services.catalog.database import as_ledger, connect
from services.catalog.sweeper import Sweeper
from tests.catalog.purchases import asking, claim, drawn, keep, make_ledger, taken, ticket

YES, NO, UNKNOWN = cost_pb2.CHARGED_YES, cost_pb2.CHARGED_NO, cost_pb2.CHARGED_UNKNOWN


@pytest.fixture
async def users(pools):
    async with as_ledger(pools.ledger) as connection:
        rows = await connection.fetch(
            "INSERT INTO users (subject) VALUES ('ann'), ('bob') RETURNING user_id"
        )
    return [row["user_id"] for row in rows]


@pytest.fixture
def money(pools, users):
    return Money(pools.ledger, *users)


class Money:
    """Reserves and settles for Ann, unless it is told for whom."""

    def __init__(self, pool, ann, bob):
        self.pool, self.ann, self.bob = pool, ann, bob

    async def reserve(self, micros, *, reservation="", user=None, cap=1000, **more):
        reservation = reservation or str(uuid.uuid4())
        request = pb.ReserveSpendingRequest(
            reservation_id=reservation,
            usd_micros=micros,
            purpose="suggest",
            model="some-model",
            **more,
        )
        return reservation, await spending.reserve(self.pool, request, user or self.ann, cap)

    async def settle(self, reservation, charged, cost=0, *, answer="", user=None, holder=""):
        request = pb.SettleSpendingRequest(
            reservation_id=reservation,
            charged=charged,
            cost_usd_micros=cost,
            answer=answer,
            holder=holder,
        )
        settled = await spending.settle(self.pool, request, user or self.ann)
        return settled.cost_usd_micros

    async def standing(self):
        async with as_ledger(self.pool) as connection:
            query = "SELECT spent, reserved FROM spending WHERE user_id = $1"
            return tuple(await connection.fetchrow(query, self.ann))


@pytest.mark.parametrize(
    ("charged", "told", "counts"), [(YES, 30, 30), (NO, 30, 0), (UNKNOWN, 30, 400)]
)
async def test_a_call_counts_as_it_was_settled(money, charged, told, counts):
    reservation, first = await money.reserve(400)
    assert not first.replayed
    assert await money.standing() == (0, 400)
    assert await money.settle(reservation, charged, told) == counts
    assert await money.standing() == (counts, 0)


async def test_it_is_settled_once(money):
    reservation, _ = await money.reserve(400)
    assert await money.settle(reservation, YES, 30) == 30
    assert await money.settle(reservation, YES, 31) == 30
    assert await money.settle(reservation, UNKNOWN) == 30
    assert await money.standing() == (30, 0)


async def test_the_cap_is_exact_however_many_come_at_once(money):
    found = await asyncio.gather(*(money.reserve(300) for _ in range(6)), return_exceptions=True)
    refused = [each for each in found if isinstance(each, Exhausted)]
    assert (len(refused), {each.reason for each in refused}) == (3, {"SPEND_CAP_EXCEEDED"})
    assert await money.standing() == (0, 900)


async def test_the_same_id_reserves_once_and_tells_what_became_of_it(money):
    same = str(uuid.uuid4())
    told = await asyncio.gather(*(money.reserve(400, reservation=same) for _ in range(5)))
    assert sorted(found.replayed for _, found in told) == [False, True, True, True, True]
    assert await money.standing() == (0, 400)
    _, open_ = await money.reserve(400, reservation=same)
    assert (open_.charged, open_.answer) == (cost_pb2.CHARGED_UNSPECIFIED, "")
    await money.settle(same, YES, 30, answer="a lighthouse, storm")
    _, settled = await money.reserve(400, reservation=same)
    assert (settled.charged, settled.cost_usd_micros) == (YES, 30)
    assert (settled.answer, settled.model) == ("a lighthouse, storm", "some-model")


async def test_another_users_call_is_neither_told_nor_settled(money):
    reservation, _ = await money.reserve(400)
    with pytest.raises(Missing):
        await money.settle(reservation, NO, user=money.bob)
    with pytest.raises(Exception, match="changing too fast"):
        await money.reserve(1, reservation=reservation, user=money.bob)
    assert await money.standing() == (0, 400)


@pytest.mark.parametrize("micros", [-1, spending.MOST + 1])
async def test_sums_that_make_no_sense_are_refused(money, micros):
    with pytest.raises(Invalid):
        await money.reserve(micros)
    reservation, _ = await money.reserve(1)
    with pytest.raises(Invalid):
        await money.settle(reservation, YES, micros)


@pytest.mark.parametrize("reservation", ["", "no uuid"])
async def test_a_call_has_a_uuid(money, reservation):
    with pytest.raises(Invalid):
        await money.settle(reservation, NO)


async def test_a_call_that_nobody_settles_counts_with_all_that_was_reserved(
    pools, money, database_url
):
    forgotten, _ = await money.reserve(400)
    await money.reserve(100)
    ledger, news = make_ledger(pools.ledger)
    sweeper = Sweeper(connect=None, ledger=ledger, news=news)
    connection = await connect(database_url, "studio_ledger")
    try:
        await connection.execute(
            "UPDATE language_calls SET created_at = created_at - interval '11 minutes' "
            "WHERE reservation_id = $1",
            forgotten,
        )
        await sweeper.sweep(connection)
        assert await money.standing() == (400, 100)
        await sweeper.sweep(connection)
        assert await money.standing() == (400, 100)
    finally:
        await connection.close()
    _, found = await money.reserve(400, reservation=forgotten)
    assert found.charged == UNKNOWN


async def forgotten(pools, database_url):
    """Have the sweeper come by when ten minutes are over."""
    ledger, news = make_ledger(pools.ledger)
    connection = await connect(database_url, "studio_ledger")
    try:
        await connection.execute(
            "UPDATE language_calls SET created_at = created_at - interval '11 minutes'"
        )
        await Sweeper(connect=None, ledger=ledger, news=news).sweep(connection)
    finally:
        await connection.close()


@pytest.mark.parametrize(("charged", "cost", "counts"), [(YES, 30, 30), (NO, 30, 0)])
async def test_what_is_told_late_takes_the_place_of_what_was_counted(
    pools, money, database_url, charged, cost, counts
):
    late, _ = await money.reserve(400)
    await money.reserve(100)
    await forgotten(pools, database_url)
    assert await money.standing() == (500, 0)
    assert await money.settle(late, UNKNOWN) == 400
    assert await money.settle(late, charged, cost, answer="a sea") == counts
    assert await money.standing() == (100 + counts, 0)
    assert await money.settle(late, YES, 31) == counts  # once told, it stays
    assert await money.standing() == (100 + counts, 0)
    _, found = await money.reserve(400, reservation=late)
    assert (found.charged, found.answer) == (charged, "a sea")


async def test_its_holder_finds_it_his_own_and_another_finds_it_taken(money):
    same, ours, theirs = (str(uuid.uuid4()) for _ in range(3))
    _, first = await money.reserve(400, reservation=same, holder=ours)
    _, again = await money.reserve(400, reservation=same, holder=ours)
    _, other = await money.reserve(400, reservation=same, holder=theirs)
    assert [each.replayed for each in (first, again, other)] == [False, False, True]
    assert await money.standing() == (0, 400)
    assert await money.settle(same, NO, holder=theirs) == 0
    assert await money.standing() == (0, 400)
    assert await money.settle(same, YES, 30, holder=ours) == 30
    assert await money.standing() == (30, 0)


async def test_what_is_given_back_before_it_comes_holds_nothing_when_it_does(money):
    """Its caller has left long ago: nobody would ever settle it."""
    reservation, holder = str(uuid.uuid4()), str(uuid.uuid4())
    assert await money.settle(reservation, NO, holder=holder) == 0
    _, late = await money.reserve(400, reservation=reservation, holder=holder)
    assert late.charged == NO
    assert await money.standing() == (0, 0)


async def test_what_is_given_back_while_it_is_under_way_holds_nothing(money):
    """Whichever comes first."""
    for _ in range(10):
        reservation, holder = str(uuid.uuid4()), str(uuid.uuid4())
        await asyncio.gather(
            money.reserve(400, reservation=reservation, holder=holder),
            money.settle(reservation, NO, holder=holder),
        )
    assert await money.standing() == (0, 0)


@pytest.mark.parametrize(("beside", "fits"), [(600, True), (601, False)])
async def test_the_images_that_it_is_for_must_fit_under_the_cap_too(money, beside, fits):
    if fits:
        await money.reserve(400, beside_usd_micros=beside)
        assert await money.standing() == (0, 400)  # nothing is held for them
        return
    with pytest.raises(Exhausted) as refused:
        await money.reserve(400, beside_usd_micros=beside)
    assert refused.value.metadata["estimate_usd_micros"] == str(400 + beside)
    assert await money.standing() == (0, 0)


async def test_images_of_less_than_nothing_make_no_sense(money):
    with pytest.raises(Invalid):
        await money.reserve(400, beside_usd_micros=-1)


async def test_an_order_that_was_admitted_reserves_nothing_more(money):
    request = asking()
    job = (await admit.admit(money.pool, request, money.ann, None)).job
    asked = pb.ReserveSpendingRequest(
        reservation_id=str(uuid.uuid4()),
        usd_micros=400,
        request_id=request.request_id,
        fingerprint=request.fingerprint,
    )
    found = await spending.reserve(money.pool, asked, money.ann, 1000)
    assert (found.admitted.job.name, found.admitted.replayed) == (job.name, True)
    asked.fingerprint = "b" * 64
    with pytest.raises(Exists):
        await spending.reserve(money.pool, asked, money.ann, 1000)
    asked.fingerprint = request.fingerprint
    assert not (await spending.reserve(money.pool, asked, money.bob, 1000)).HasField("admitted")


async def test_the_better_prompt_is_in_the_log_before_the_plan_and_with_each_variant(money):
    request = asking()
    told = request.prompt_enhanced
    told.prompt, told.enhanced_by = "a lighthouse in a storm", "some-model"
    found = await admit.admit(money.pool, request, money.ann, None)
    kinds = [event.WhichOneof("event") for event in found.events]
    assert kinds == ["accepted", "prompt_enhanced", "queued"]
    assert (found.job.enhanced_prompt, found.job.enhanced_by) == (told.prompt, "some-model")
    ledger, _ = make_ledger(money.pool)
    [purchase] = request.purchases
    await taken(ledger, claim(purchase.purchase_id), ticket(purchase.purchase_id, 1))
    await taken(ledger, drawn(purchase.purchase_id, 1), keep(purchase.purchase_id, 1))
    async with as_ledger(money.pool) as connection:
        query = "SELECT original_prompt, enhanced_prompt, enhanced_by FROM image_variants"
        [row] = await connection.fetch(query)
    assert tuple(row) == ("a lighthouse", told.prompt, "some-model")
    again = await admit.admit(money.pool, request, money.ann, None)
    assert (again.replayed, again.job.enhanced_prompt) == (True, told.prompt)
