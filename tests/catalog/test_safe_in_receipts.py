"""A picture that was paid for and lies in its receipt: what fails at keeping it is tried on."""

from datetime import timedelta
from functools import partial

import pytest
from google.rpc import code_pb2

from chassis import errors
from imagestudio.catalog.v1 import edge_pb2
from services.catalog import endings
from services.catalog.endings import AGAIN, AGAIN_AT_MOST, MAX_TRIES
from services.catalog.ledger import Change
from tests.catalog.books import purchase_of
from tests.catalog.conftest import run_as_owner
from tests.catalog.purchases import admitted, claim, drawn, fail, make_ledger, taken, ticket, warn

LONG_OVER = "UPDATE purchases SET deadline = now() - interval '1 hour'"


async def row_of(pools, purchase_id):
    return await purchase_of(pools, purchase_id, "state, charged, not_before - now() AS pause")


async def in_its_receipt(pools, user, ledger):
    [made] = await admitted(pools.ledger, user, reserve=500)
    await taken(ledger, claim(made), ticket(made, 1), drawn(made, 1, cost=500))
    return made


async def failing(pools, database_url, ledger, made, times, edge=fail):
    """Have it fail *times* more; the pauses between are over at once."""
    found = []
    for _ in range(times):
        await taken(ledger, edge(made, await fence_of(pools, made)))
        found.append((await row_of(pools, made))["pause"])
        await run_as_owner(database_url, "UPDATE purchases SET not_before = now()")
        await ledger.apply([claim(made)])
    return found


async def fence_of(pools, made):
    return (await purchase_of(pools, made))["fence"]


def spoilt(purchase_id, fence):
    fault = errors.Invalid("IMAGE_UNREADABLE", "the bytes are not base64 text")
    step = edge_pb2.FailEdge(error=errors.to_status(fault))
    assert step.error.code == code_pb2.INVALID_ARGUMENT
    return edge_pb2.Edge(purchase_id=purchase_id, fence=fence, fail=step)


@pytest.fixture
def ledger(pools):
    return make_ledger(pools.ledger)[0]


async def test_it_is_tried_ever_less_often_and_not_given_up(pools, user, ledger, database_url):
    made = await in_its_receipt(pools, user, ledger)
    pauses = await failing(pools, database_url, ledger, made, MAX_TRIES + 8)
    row = await row_of(pools, made)
    assert (row["state"], row["charged"]) == ("drawn", "yes")
    later = pauses[MAX_TRIES - 1 :]
    second = timedelta(seconds=5)
    assert AGAIN - second < later[0] <= AGAIN
    assert 2 * AGAIN - second < later[1] <= 2 * AGAIN
    assert AGAIN_AT_MOST - second < later[-1] <= AGAIN_AT_MOST


async def test_that_it_waits_for_the_vault_is_no_reason_to_set_it_aside(
    pools, user, ledger, database_url
):
    """Its worker ends meanwhile, and whoever takes it from him finds it tried often enough."""
    made = await in_its_receipt(pools, user, ledger)
    await failing(pools, database_url, ledger, made, MAX_TRIES)
    await taken(ledger, warn(made, await fence_of(pools, made)))

    def orphan(batch):
        endings.orphan(batch, batch.purchases[made], alone=False)

    await ledger.change([Change(made, "fail", orphan)])
    assert (await row_of(pools, made))["state"] == "drawn"


async def dies_alone(ledger, made):
    await ledger.change([Change(made, "fail", partial(orphaned, made))])


def orphaned(made, batch):
    endings.orphan(batch, batch.purchases[made], alone=True)


@pytest.mark.parametrize("state", ["running", "drawn"])
@pytest.mark.parametrize("told", [True, False])
async def test_who_dies_while_storage_is_away_has_not_died_of_it(
    pools, user, ledger, database_url, state, told
):
    """Each is alone with it when he is killed: one of them is back when storage is, too."""
    [made] = await admitted(pools.ledger, user, reserve=500)
    await taken(ledger, claim(made), ticket(made, 1, f"receipt:{made}"))
    if state == "drawn":
        await taken(ledger, drawn(made, 1, cost=500))
    if told and state == "drawn":
        await taken(ledger, warn(made, 1))
    for _ in range(MAX_TRIES + 2):
        await run_as_owner(database_url, LONG_OVER)
        await dies_alone(ledger, made)
        assert (await row_of(pools, made))["state"] == state
        await run_as_owner(database_url, "UPDATE purchases SET not_before = now()")
        await taken(ledger, claim(made))


async def test_what_is_no_picture_is_set_aside(pools, user, ledger, database_url):
    made = await in_its_receipt(pools, user, ledger)
    await failing(pools, database_url, ledger, made, MAX_TRIES, spoilt)
    assert (await row_of(pools, made))["state"] == "quarantined"


A_DAY_AGO = {
    "sent": "sent_at = now() - interval '25 hours'",
    "planned in a copy": "sent_at = NULL, deadline = now() - interval '25 hours'",
}


@pytest.mark.parametrize("ordered", A_DAY_AGO.values(), ids=A_DAY_AGO)
async def test_what_failed_for_a_day_is_set_aside(pools, user, ledger, database_url, ordered):
    made = await in_its_receipt(pools, user, ledger)
    await failing(pools, database_url, ledger, made, MAX_TRIES)
    await run_as_owner(database_url, f"UPDATE purchases SET {ordered}")
    await failing(pools, database_url, ledger, made, 1)
    assert (await row_of(pools, made))["state"] == "quarantined"
