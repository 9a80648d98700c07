"""Jobs that are admitted in one statement: each as if it were alone, on a real PostgreSQL."""

import asyncio
import uuid

import asyncpg
import pytest

from chassis import identity
from chassis.errors import Exhausted, Exists, Fault, Unavailable, from_status
from imagestudio.catalog.v1 import ledger_service_pb2 as pb
from imagestudio.catalog.v1.ledger_service_pb2_grpc import LedgerServiceStub
from services.catalog import workers
from services.catalog.admit import Admissions, Asked
from services.catalog.database import as_ledger, connect
from tests.catalog.books import spending, taken
from tests.catalog.conftest import run_as_owner
from tests.catalog.purchases import admitted, asking, claim
from tests.catalog.served import served
from tests.catalog.test_health import PATIENCE, beat, refusing
from tests.generator.wire import SECRET


@pytest.fixture
async def sql(database_url):
    connection = await connect(database_url, "studio_ledger")
    yield connection
    await connection.close()


@pytest.fixture
async def other(pools) -> int:
    """Another user."""
    async with as_ledger(pools.ledger) as connection:
        return await connection.fetchval(
            "INSERT INTO users (subject) VALUES ('another') RETURNING user_id"
        )


async def begun(pools, *users):
    """Have each of *users* a month, so that nothing stands in the way of the first order."""
    for user in users:
        await Admissions(pools.ledger, None).admit([Asked(asking(reserve=1), user)])


def refusals(found):
    return [each.reason if isinstance(each, Fault) else "" for each in found]


async def test_jobs_of_many_users_are_one_statement_and_each_is_its_user_s(pools, user, other, sql):
    await begun(pools, user, other)
    asked = [Asked(asking(2, reserve=place), (user, other)[place % 2]) for place in range(7)]
    asked[3].request.retry_of = "jobs/1"  # the first user's: none of this one's
    asked[4].request.retry_of = "jobs/1"
    found = await Admissions(pools.ledger, 1_000).admit(asked)
    assert [each.job.user for each in found] == [f"users/{one.user_id}" for one in asked]
    rows = await sql.fetch("SELECT * FROM image_jobs WHERE job_id > 2 ORDER BY job_id")
    assert [f"jobs/{row['job_id']}" for row in rows] == [each.job.name for each in found]
    assert len({row["created_at"] for row in rows}) == 1
    assert [row["retry_of"] for row in rows] == [None, None, None, None, 1, None, None]
    for one, row in zip(asked, rows, strict=True):
        assert (row["user_id"], str(row["request_id"])) == (one.user_id, one.request.request_id)
        bought = await sql.fetch(
            "SELECT * FROM purchases WHERE job_id = $1 ORDER BY ordinal", row["job_id"]
        )
        assert [str(each["purchase_id"]) for each in bought] == [
            each.purchase_id for each in one.request.purchases
        ]
        assert {each["user_id"] for each in bought} == {one.user_id}
        told = "SELECT kind FROM job_events WHERE job_id = $1 ORDER BY sequence"
        assert await sql.fetch(told, row["job_id"]) == [("accepted",), ("queued",)]
    assert await spending(pools, user) == (0, 1 + 2 * (0 + 2 + 4 + 6))
    assert await spending(pools, other) == (0, 1 + 2 * (1 + 3 + 5))


@pytest.mark.parametrize("whose", ["the server's", "the user's"])
async def test_a_cap_is_exact_and_who_is_over_it_hinders_no_other(pools, user, other, sql, whose):
    await begun(pools, user, other)
    if whose == "the user's":
        await sql.execute("UPDATE spending SET cap = 101 WHERE user_id = $1", user)
    cap = 101 if whose == "the server's" else None
    requests = [(asking(reserve=60), user), (asking(reserve=99), other), (asking(reserve=0), user)]
    requests += [(asking(reserve=60), user), (asking(reserve=40), user)]
    found = await Admissions(pools.ledger, cap).admit([Asked(*each) for each in requests])
    refused = [place for place, each in enumerate(found) if isinstance(each, Exhausted)]
    assert len(refused) == 1  # 60 + 60 + 40 are more than 100, two of them are not
    assert refused[0] in (0, 3, 4)
    reserved = 160 - requests[refused[0]][0].purchases[0].reserved_usd_micros
    assert await spending(pools, user) == (0, 1 + reserved)
    assert await spending(pools, other) == (0, 100)


async def test_many_at_once_reserve_what_fits_and_no_more(pools, user):
    admissions = Admissions(pools.ledger, 400_000)

    async def ask() -> bool:
        [found] = await admissions.admit([Asked(asking(reserve=40_000), user)])
        return not isinstance(found, Exhausted)

    assert sum(await asyncio.gather(*(ask() for _ in range(40)))) == 10
    assert await spending(pools, user) == (0, 400_000)


async def test_a_request_that_comes_twice_in_a_statement_is_one_job(pools, user):
    await begun(pools, user)
    request, changed = asking(reserve=10), asking(reserve=10)
    changed.request_id, changed.fingerprint = request.request_id, "b" * 64
    asked = [Asked(each, user) for each in (request, request, asking(reserve=10), changed)]
    found = await Admissions(pools.ledger, None).admit(asked[:3])
    assert found[0].job.name == found[1].job.name != found[2].job.name
    assert sorted(each.replayed for each in found) == [False, False, True]
    again = await Admissions(pools.ledger, None).admit(asked)
    assert [isinstance(each, Exists) for each in again] == [False, False, False, True]
    assert [each.replayed for each in again[:3]] == [True] * 3
    assert await spending(pools, user) == (0, 1 + 20)


async def test_what_is_refused_hinders_no_other(pools, user, ledger, sql):
    await workers.beat(pools.ledger, beat("w1"), PATIENCE)
    await refusing(ledger, pools, user)
    await sql.execute("UPDATE permits SET retry_at = now() + interval '1 hour'")
    unsold = asking(provider="far")
    unsold.providers_needed.append("far")
    senseless = asking()
    senseless.retry_of = "no job"
    admissions = Admissions(pools.ledger, None)
    for odd, why in (
        (unsold, "PROVIDER_BALANCE_EMPTY"),
        (asking(0), "REQUEST_INVALID"),
        (senseless, "REQUEST_INVALID"),
    ):
        asked = [Asked(each, user) for each in (asking(provider="far"), odd, asking(reserve=5))]
        assert refusals(await admissions.admit(asked)) == ["", why, ""]


async def test_a_defect_is_told_as_one_and_without_its_words(pools, user):
    [found] = await Admissions(pools.ledger, None).admit([Asked(asking(request_id="none"), user)])
    assert (found.reason, found.metadata) == ("INTERNAL", {"kind": "DataError"})


async def test_months_are_locked_in_the_order_of_their_users(pools, user, other, database_url):
    """As batches of edges do: who waits for the first of two must not hold the second."""
    await begun(pools, user, other)
    holder = await asyncpg.connect(database_url)
    async with holder.transaction():
        await holder.execute("UPDATE spending SET reserved = 2 WHERE user_id = $1", user)
        asked = [Asked(asking(reserve=7), other), Asked(asking(reserve=7), user)]
        admitting = asyncio.create_task(Admissions(pools.ledger, 9).admit(asked))
        while not await holder.fetchval("SELECT count(*) FROM pg_locks WHERE NOT granted"):
            assert not admitting.done()
        await holder.execute("SELECT FROM spending WHERE user_id = $1 FOR UPDATE NOWAIT", other)
    assert refusals(await admitting) == ["", ""]  # 2 and 7 are 9, by the row as it is now
    await holder.close()


async def test_one_user_s_held_month_refuses_nobody_else(pools, user, other, sql, database_url):
    await begun(pools, user, other)
    holder, admissions = await asyncpg.connect(database_url), Admissions(pools.ledger, 100)
    async with holder.transaction():
        await holder.execute("UPDATE spending SET reserved = 60 WHERE user_id = $1", user)
        asked = [Asked(asking(reserve=30), each) for each in (user, other, user)]
        admitting = asyncio.create_task(admissions.admit(asked))
        while await spending(pools, other) == (0, 1):
            assert not admitting.done()
        assert await sql.fetchval("SELECT count(*) FROM image_jobs WHERE user_id = $1", user) == 1
    refused = refusals(await admitting)
    assert sorted(refused) == ["", "", "SPEND_CAP_EXCEEDED"]
    assert refused[1] == ""
    assert (await spending(pools, user), await spending(pools, other)) == ((0, 90), (0, 31))
    await holder.close()


async def test_who_waits_for_a_held_month_takes_one_connection_of_the_database(
    pools, user, other, sql, database_url
):
    """All of them were the connections that the others' edges go by."""
    await begun(pools, user, other)
    holder = await asyncpg.connect(database_url)
    async with holder.transaction():
        await holder.execute("UPDATE spending SET reserved = 2 WHERE user_id = $1", user)
        asked = [Asked(asking(reserve=1), each) for each in (other, *[user] * 20)]
        admitting = asyncio.create_task(Admissions(pools.ledger, None).admit(asked))
        at_once, waited = 0, set()
        while not admitting.done():  # the month is held for longer than anybody waits
            rows = await sql.fetch("SELECT virtualtransaction FROM pg_locks WHERE NOT granted")
            at_once = max(at_once, len(rows))
            waited.update(rows)
            if len(waited) > 2:  # all together, then one alone: the others know of it
                break
    found = await admitting
    assert (at_once, len(waited)) == (1, 2)
    assert refusals(found) == ["", *["SERVICE_UNAVAILABLE"] * 20]
    assert await spending(pools, user) == (0, 2)
    await holder.close()


@pytest.mark.parametrize("turns", range(3))
async def test_caps_are_exact_among_months_that_are_held_now_and_then(
    pools, user, other, database_url, turns
):
    await begun(pools, user, other)
    holder, admissions = await asyncpg.connect(database_url), Admissions(pools.ledger, 100)

    async def ask(whose: int) -> str:
        [found] = await admissions.admit([Asked(asking(reserve=10), whose)])
        return refusals([found])[0]

    asking_ = [asyncio.create_task(ask(each)) for each in (user, other) * 15]
    while not all(each.done() for each in asking_):
        async with holder.transaction():
            await holder.execute("SELECT FROM spending WHERE user_id = $1 FOR UPDATE", user)
    told = [await each for each in asking_]
    for whose, answers in ((user, told[::2]), (other, told[1::2])):
        assert await spending(pools, whose) == (0, 1 + 10 * answers.count(""))
        assert answers.count("") == 9
    await holder.close()


async def test_where_the_database_is_away_nobody_is_tried_alone(pools, user):
    admissions = Admissions(pools.ledger, None)
    await pools.ledger.close()
    with pytest.raises(Unavailable):
        await admissions.admit([Asked(asking(), user), Asked(asking(), user)])


async def test_each_is_admitted_for_the_user_of_its_own_token(pools, user, other, ledger):
    def admission(secret: bytes, user_id: int, service: str = "generator") -> pb.Admission:
        token = identity.mint(secret, identity.Caller(user_id, service=service))
        return pb.Admission(request=asking(), token=token)

    several = [
        *(admission(SECRET, user), admission(b"another secret", user), admission(SECRET, other)),
        *(admission(SECRET, user, service=""), admission(SECRET, 0), pb.Admission()),
    ]
    async with served(pools.ledger, ledger) as peer:
        stub = LedgerServiceStub(peer.channel)
        request = pb.AdmitManyRequest(admissions=several)
        answer = await peer.ask(stub.AdmitMany, request, timeout=10, user_id=0)
        nobody = await peer.ask(stub.AdmitMany, pb.AdmitManyRequest(), timeout=10, user_id=0)
    users = [each.admitted.job.user for each in answer.results]
    assert users == [f"users/{user}", "", f"users/{other}", "", "", ""]
    faults = [each.status for each in answer.results if each.HasField("status")]
    assert [from_status(each).reason for each in faults] == [
        "CREDENTIAL_INVALID", "SERVICE_ONLY", "CREDENTIAL_MISSING", "CREDENTIAL_INVALID",
    ]  # fmt: skip
    assert not nobody.results


async def test_what_nobody_takes_in_hand_is_announced(pools, user, ledger):
    news = ledger._news
    token = identity.mint(SECRET, identity.Caller(user, service="generator"))
    requests = [asking(2, request_id=str(uuid.uuid4())) for _ in range(2)]
    requests[0].handed_off = 1
    several = [pb.Admission(request=each, token=token) for each in requests]
    async with served(pools.ledger, ledger, news=news) as peer:
        stub, request = LedgerServiceStub(peer.channel), pb.AdmitManyRequest(admissions=several)
        for _ in range(2):  # told again, it is announced no more
            await peer.ask(stub.AdmitMany, request, timeout=10, user_id=0)
        await news.close()
    said = [payload for _subject, payload in news.bus.announced]
    left = [*requests[0].purchases[1:], *requests[1].purchases]
    assert sorted(said) == sorted(each.purchase_id for each in left)


async def test_a_number_that_is_given_a_second_time_is_no_spec_of_before(
    pools, user, ledger, sql, database_url
):
    """As after a copy of the database came back, while the catalog went on."""
    await admitted(pools.ledger, user, prompt="a lighthouse")
    await sql.execute("DELETE FROM image_jobs")
    await run_as_owner(database_url, "SELECT setval('image_jobs_job_id_seq', 1, false)")
    again = asking(prompt="a harbour")
    await sql.execute(
        """INSERT INTO image_jobs (user_id, title, project, use_case, preset_used, state, spec,
                                   original_prompt, request_id, fingerprint, last_sequence,
                                   open_purchases)
           VALUES ($1, '', '', '', '', 'queued', $2::text::jsonb, 'a harbour', $3, $4, 2, 1)""",
        *(user, '{"prompt": "a harbour", "models": ["sketch"], "count": 1}'),
        *(again.request_id, again.fingerprint),
    )
    [bought] = again.purchases
    await sql.execute(
        """INSERT INTO purchases (purchase_id, job_id, user_id, provider, model_key, ordinal,
                                  attempt, state, fingerprint, period, reserved)
           VALUES ($1, 1, $2, 'sketch', 'sketch', 0, 1, 'planned', $3, '2026-11-01', 0)""",
        *(bought.purchase_id, user, bought.fingerprint),
    )
    [claimed] = await taken(ledger, claim(bought.purchase_id))
    assert (claimed.purchase.job, claimed.spec.prompt) == ("jobs/1", "a harbour")
