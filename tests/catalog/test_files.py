"""A user's files: what is drawn from one keeps it, and a job that is over lets it go."""

import pytest

from chassis.errors import Precondition
from imagestudio.catalog.v1 import ledger_pb2
from imagestudio.type.v1 import image_pb2
from services.catalog import admit, cancel, files
from services.catalog.database import as_ledger
from tests.catalog.purchases import asking, make_ledger

HASH = "ab" * 32


@pytest.fixture
async def user(pools):
    async with as_ledger(pools.ledger) as connection:
        return await connection.fetchval(
            "INSERT INTO users (subject) VALUES ('somebody') RETURNING user_id"
        )


async def record(pool, user_id):
    file = ledger_pb2.FileRecord(
        image_hash=HASH, link=f"{user_id:a>26}", media_type="image/png", size_bytes=9,
        size=image_pb2.PixelSize(width=1, height=1), readable=True,
    )  # fmt: skip
    await files.record(pool, file, user_id)


async def drawn_from(pool, user_id, image_hash):
    request = asking()
    request.spec.references.add(asset=f"assets/{image_hash}", media_type="image/png")
    return (await admit.admit(pool, request, user_id, None)).job.name


async def test_a_file_that_an_open_job_is_drawn_from_is_not_forgotten(pools, user):
    pool, user_id = pools.ledger, user
    await record(pool, user_id)
    await drawn_from(pool, user_id, "cd" * 32)  # another file's job is no reason
    job = await drawn_from(pool, user_id, HASH)
    with pytest.raises(Precondition) as refused:
        await files.forget(pool, HASH, user_id)
    assert refused.value.reason == "ASSET_IN_USE"
    await cancel.cancel(pool, make_ledger(pool)[1], int(job.removeprefix("jobs/")), user_id)
    await files.forget(pool, HASH, user_id)
    await files.forget(pool, HASH, user_id)  # again is fine
