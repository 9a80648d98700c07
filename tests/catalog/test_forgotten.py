"""A claim whose caller is gone, on a real PostgreSQL and the wire, does not stay its worker's."""

import asyncio

import pytest

from imagestudio.catalog.v1 import ledger_pb2, ledger_service_pb2, ledger_service_pb2_grpc
from services.catalog import workers
from services.catalog.database import as_ledger, connect
from services.catalog.sweeper import Sweeper
from tests.catalog.books import purchase_of
from tests.catalog.purchases import admitted, claim, make_ledger, park, taken, ticket, unclear
from tests.catalog.served import served
from tests.generator.own_worker import hired
from tests.generator.scripted_ledger import Shop

PATIENCE = 10_000.0  # seconds: not over within a test


async def until(pools, purchase_id, state):
    async with asyncio.timeout(45):
        while (found := await purchase_of(pools, purchase_id))["state"] != state or found["owner"]:
            await asyncio.sleep(0.05)
    return found


async def test_a_claim_whose_caller_is_gone_is_given_back_and_what_is_in_hand_is_not(
    pools, user, ledger
):
    held, sending, running = await admitted(pools.ledger, user, 3)
    await taken(ledger, claim(held), ticket(held, 1), park(held, 1))
    async with (
        served(pools.ledger, ledger, patience=3) as peer,
        hired(peer, Shop(), most=1) as worker,
    ):
        me = worker.worker_id
        async with asyncio.timeout(60):  # its heartbeat brings it the one that nobody has
            while (await purchase_of(pools, held))["owner"] != me:
                await asyncio.sleep(0.05)
        await taken(ledger, claim(sending, me), claim(running, me), ticket(running, 1))
        found = await until(pools, sending, "unclear")  # nobody can tell that it never left
        assert (found["tries"], found["fence"]) == (1, 1)
        found = await until(pools, running, "running")
        assert (found["tries"], found["fence"]) == (1, 1)
        found = await purchase_of(pools, held, "state, owner, tries, fence")
        assert tuple(found) == ("running", me, 0, 2)
        assert worker.worker_id == me


async def test_a_goodbye_has_what_the_worker_had_given_to_others_before_the_next_sweep_is_due(
    pools, user, ledger, database_url
):
    earlier, mine = await admitted(pools.ledger, user, 2)
    await workers.beat(pools.ledger, limited("w1"), PATIENCE)
    await taken(ledger, claim(earlier, "gone"), claim(mine, "w1"), ticket(mine, 1))
    sweeper = Sweeper(
        connect=lambda: connect(database_url, "studio_ledger"), ledger=ledger,
        news=make_ledger(pools.ledger)[1], patience=PATIENCE, pause=PATIENCE,
    )  # fmt: skip
    heard = {"news": sweeper.news, "gone": sweeper.wake}
    async with served(pools.ledger, ledger, patience=PATIENCE, **heard) as peer:
        sweeping = asyncio.create_task(sweeper.run())
        await until(pools, earlier, "unclear")  # the first sweep has begun
        assert (await purchase_of(pools, mine))["owner"] == "w1"
        stub = ledger_service_pb2_grpc.LedgerServiceStub(peer.channel)
        await peer.ask(stub.Heartbeat, asking(leaving=True), timeout=60)
        await until(pools, mine, "running")
        sweeping.cancel()


@pytest.mark.parametrize("orderly", [True, False])
async def test_only_a_worker_that_died_with_it_alone_makes_it_a_try(
    pools, user, ledger, database_url, orderly
):
    """A worker that ends well says goodbye itself; of one that was killed its successor does."""
    [mine] = await admitted(pools.ledger, user)
    await workers.beat(pools.ledger, limited("w1"), PATIENCE)
    await taken(ledger, claim(mine, "w1"), ticket(mine, 1))
    sweeper = Sweeper(
        connect=lambda: connect(database_url, "studio_ledger"), ledger=ledger,
        news=make_ledger(pools.ledger)[1], patience=PATIENCE, pause=PATIENCE,
    )  # fmt: skip
    async with served(pools.ledger, ledger, patience=PATIENCE) as peer:
        stub = ledger_service_pb2_grpc.LedgerServiceStub(peer.channel)
        await peer.ask(stub.Heartbeat, asking(leaving=True, orderly=orderly), timeout=60)
    connection = await sweeper.connect()
    await sweeper.sweep(connection)
    await connection.close()
    found = await purchase_of(pools, mine, "state, owner, tries, fence")
    assert tuple(found) == ("running", None, not orderly, 2)


async def test_a_goodbye_waits_for_no_ledger_that_is_held_up(pools, user, ledger, database_url):
    [mine] = await admitted(pools.ledger, user)
    await workers.beat(pools.ledger, limited("w1"), PATIENCE)
    await taken(ledger, claim(mine, "w1"), ticket(mine, 1))
    rival = await connect(database_url, "studio_ledger")
    async with rival.transaction():
        await rival.execute("SELECT FROM image_jobs FOR UPDATE")
        async with served(pools.ledger, ledger, patience=PATIENCE) as peer:
            stub = ledger_service_pb2_grpc.LedgerServiceStub(peer.channel)
            await peer.ask(stub.Heartbeat, asking(leaving=True, orderly=True), timeout=60)
            assert await rival.fetchval("SELECT count(*) FROM workers") == 0
    await rival.close()


def limited(worker):
    limit = ledger_pb2.ProviderLimit(provider="sketch", lookup_possible=True)
    return ledger_service_pb2.HeartbeatRequest(worker_id=worker, limits=[limit])


async def test_a_worker_is_told_what_is_its_and_what_is_through_is_nobodys(pools, user, ledger):
    mine, parked, others, doubted = await admitted(pools.ledger, user, 4)
    limit = ledger_service_pb2.HeartbeatRequest(worker_id="w1")
    await workers.beat(pools.ledger, limit, 3.0)
    async with as_ledger(pools.ledger) as connection:
        await connection.execute("INSERT INTO workers (worker_id) VALUES ('w1')")
    await taken(ledger, claim(mine), claim(parked), claim(others, "w2"), claim(doubted))
    await taken(ledger, ticket(parked, 1), park(parked, 1), unclear(doubted, 1))
    answer = await workers.beat(pools.ledger, asking(tell_owned=True), 3.0)
    assert {(each.purchase_id, each.fence) for each in answer.owned} == {(mine, 1), (doubted, 1)}
    assert not (await workers.beat(pools.ledger, asking(), 3.0)).owned


def asking(**more):
    return ledger_service_pb2.HeartbeatRequest(worker_id="w1", **more)
