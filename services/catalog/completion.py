"""Ends the jobs whose last purchase has just ended: the terminal state and `completed`."""

import json
from collections import defaultdict
from collections.abc import Sequence

import asyncpg
from google.protobuf import json_format

from imagestudio.type.v1 import cost_pb2, image_pb2, job_event_pb2, job_pb2
from services.catalog.database import Connection
from services.catalog.queries import SQL
from services.catalog.rows import ENDED_JOB, Batch
from services.catalog.words import CHARGED, JOB_STATES


async def complete(
    connection: Connection, batch: Batch
) -> list[tuple[int, job_event_pb2.JobEvent]]:
    """End the jobs in *batch* that have nothing open; return their last events."""
    through = [
        job for job in batch.jobs.values() if not job.open_purchases and job.state not in ENDED_JOB
    ]
    if not through:
        return []
    ids = [job.job_id for job in through]
    failures = await failures_of(connection, ids)
    wholes = await whole_jobs(connection, ids, [job.user_id for job in through], failures)
    events = []
    for job in through:
        failed = bool(failures.get(job.job_id))
        job.state = _end_of(job.state, made=job.last_version > 0, failed=failed)
        told = wholes[job.job_id]
        told.state, told.cost.usd_micros = JOB_STATES[job.state], job.cost
        before = sum(job_id == job.job_id for job_id, _event in batch.events)
        told.last_sequence = job.last_sequence + before + 1
        told.last_version = job.last_version
        told.cost.basis = cost_pb2.COST_BASIS_METERED
        told.end_time.FromDatetime(batch.now)
        told.update_time.FromDatetime(batch.now)
        completed = job_event_pb2.JobEvent.Completed(job=told)
        events.append((job.job_id, job_event_pb2.JobEvent(completed=completed)))
    return events


def _end_of(state: str, *, made: bool, failed: bool) -> str:
    if not failed:
        return "succeeded"
    if state == "canceling":
        return "canceled"
    return "partially_succeeded" if made else "failed"


async def failures_of(
    connection: Connection, job_ids: Sequence[int]
) -> dict[int, list[job_pb2.JobFailure]]:
    """Read, by job, the last attempts where no attempt brought anything."""
    found: dict[int, list[job_pb2.JobFailure]] = defaultdict(list)
    for row in await connection.fetch(SQL.failures_of_jobs, list(job_ids)):
        found[row["job_id"]].append(failure_message(row))
    return found


def failure_message(row: asyncpg.Record) -> job_pb2.JobFailure:
    """Render a row of failures_of_jobs."""
    error = json.loads(row["error"]) if row["error"] else {}
    return job_pb2.JobFailure(
        purchase_id=row["purchase_id"],
        model=row["model_key"],
        reason=error.get("reason", "PURCHASE_UNCLEAR" if row["ending"] == "unclear" else ""),
        message=error.get("message", ""),
        charged=CHARGED[row["charged"] or ""],
    )


async def whole_jobs(
    connection: Connection,
    job_ids: Sequence[int],
    user_ids: Sequence[int],
    failures: dict[int, list[job_pb2.JobFailure]],
) -> dict[int, job_pb2.Job]:
    """Read jobs with images (links as paths) and *failures*, of these users alone."""
    rows = await connection.fetch(SQL.job_whole, list(job_ids), list(user_ids))
    jobs = {row["job_id"]: job_message(row) for row in rows}
    for job_id, job in jobs.items():
        job.failures.extend(failures.get(job_id, []))
    for row in await connection.fetch(SQL.images_of_jobs, list(jobs)):
        jobs[row["job_id"]].images.append(image_message(row))
    return jobs


def job_message(row: asyncpg.Record) -> job_pb2.Job:
    """Render a row of job_whole, without images and failures."""
    job = job_pb2.Job(
        name=f"jobs/{row['job_id']}",
        user=f"users/{row['user_id']}",
        title=row["title"],
        project=row["project"],
        use_case=row["use_case"],
        preset_used=row["preset_used"],
        state=JOB_STATES[row["state"]],
        original_prompt=row["original_prompt"],
        spec=json_format.Parse(row["spec"], job_pb2.JobSpec(), ignore_unknown_fields=True),
        request_id=row["request_id"],
        fingerprint=row["fingerprint"],
        last_sequence=row["last_sequence"],
        last_version=row["last_version"],
        cost=cost_pb2.Cost(usd_micros=row["cost"], basis=cost_pb2.COST_BASIS_METERED),
        retry_of=f"jobs/{row['retry_of']}" if row["retry_of"] else "",
    )
    job.create_time.FromDatetime(row["created_at"])
    job.update_time.FromDatetime(row["updated_at"])
    if row["ended_at"]:
        job.end_time.FromDatetime(row["ended_at"])
    return job


def image_message(row: asyncpg.Record) -> image_pb2.ImageOutput:
    image = image_pb2.ImageOutput(
        variant=f"jobs/{row['job_id']}/variants/{row['variant_id']}",
        purchase_id=row["purchase_id"],
        output_index=row["output_index"],
        version_number=row["version_number"],
        model=row["model_key"],
        url=row["cdn_url"],
        thumbnail_url=row["thumbnail_url"],
        image_hash=row["image_hash"],
        media_type=row["media_type"],
        size_bytes=row["bytes"],
        size=image_pb2.PixelSize(width=row["width"], height=row["height"]),
        thumbhash=row["thumbhash"],
        seed=row["seed"],
        cost=cost_pb2.Cost(usd_micros=row["cost"], basis=cost_pb2.COST_BASIS_METERED),
    )
    if row["generation_time_ms"] is not None:
        image.generation_time.FromMilliseconds(row["generation_time_ms"])
    if row["published_at"]:
        image.publish_time.FromDatetime(row["published_at"])
    return image
