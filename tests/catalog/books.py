"""What the books of a purchase's job say: its row, its log, the money."""

from services.catalog import reading
from services.catalog.database import as_ledger
from tests.catalog.purchases import claim, drawn, taken, ticket


async def job_of(pools, purchase_id):
    async with as_ledger(pools.ledger) as connection:
        return await connection.fetchrow(
            "SELECT j.* FROM image_jobs j JOIN purchases USING (job_id) WHERE purchase_id = $1",
            purchase_id,
        )


async def purchase_of(pools, purchase_id, columns="*"):
    async with as_ledger(pools.ledger) as connection:
        return await connection.fetchrow(
            f"SELECT {columns} FROM purchases WHERE purchase_id = $1", purchase_id
        )


async def log_of(pools, purchase_id):
    job = await job_of(pools, purchase_id)
    found = await reading.events(
        pools.ledger, job["job_id"], job["user_id"], 0, 1000, "https://studio.test"
    )
    assert [event.sequence for event in found.events] == list(range(1, found.last_sequence + 1))
    return found.events


async def kinds_of(pools, purchase_id):
    return [event.WhichOneof("event") for event in await log_of(pools, purchase_id)]


async def spending(pools, user):
    async with as_ledger(pools.ledger) as connection:
        row = await connection.fetchrow(
            "SELECT spent, reserved FROM spending WHERE user_id = $1", user
        )
        return tuple(row)


async def bought(ledger, purchase_id, worker="w1", **paid):
    [purchase] = await taken(ledger, claim(purchase_id, worker))
    fence = purchase.fence
    await taken(ledger, ticket(purchase_id, fence), drawn(purchase_id, fence, **paid))
    return fence
