"""The files of users who upload them: recorded when durable, forgotten before deletion."""

from chassis.errors import Precondition
from imagestudio.catalog.v1 import ledger_pb2, ledger_service_pb2
from services.catalog.database import Pool, as_ledger
from services.catalog.queries import SQL


async def record(
    pool: Pool, file: ledger_pb2.FileRecord, user_id: int
) -> ledger_service_pb2.RecordFileResponse:
    """Record *file* of *user_id*; the same bytes again are the same record."""
    async with as_ledger(pool) as connection:
        created = await connection.fetchval(
            SQL.record_file,
            *(user_id, file.image_hash, file.link, file.media_type, file.size_bytes),
            *(file.size.width, file.size.height, file.readable),
        )
        known = created is None
        if known:
            created = await connection.fetchval(SQL.file_created_at, user_id, file.image_hash)
    recorded = ledger_pb2.FileRecord()
    recorded.CopyFrom(file)
    recorded.user = f"users/{user_id}"
    recorded.create_time.FromDatetime(created)
    return ledger_service_pb2.RecordFileResponse(file=recorded, deduplicated=known)


async def forget(pool: Pool, image_hash: str, user_id: int) -> None:
    """
    Forget a file; fine where there is none.

    ASSET_IN_USE where a variant shows it, or an open job is drawn from it.
    """
    name = f"assets/{image_hash}"
    named = {"references": [{"asset": name}]}
    async with as_ledger(pool) as connection:
        gone = await connection.fetchval(SQL.forget_file_if_unused, user_id, image_hash, named)
        if gone is not None:
            return
        if await connection.fetchval(SQL.file_created_at, user_id, image_hash) is not None:
            raise Precondition(
                "ASSET_IN_USE",
                f"A picture in the catalog shows {name}, or an open job is drawn from it; its "
                "bytes stay.",
                metadata={"name": name},
            )
