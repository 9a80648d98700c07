"""Ends the jobs whose last purchase has just ended: the terminal state and `completed`."""

import json
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import fields
from functools import lru_cache
from typing import Any

import asyncpg
from google.protobuf import json_format

from imagestudio.type.v1 import cost_pb2, image_pb2, job_event_pb2, job_pb2
from services.catalog.database import Connection
from services.catalog.log import stamp
from services.catalog.queries import SQL
from services.catalog.rows import ENDED_JOB, Batch, Job, basis
from services.catalog.words import CHARGED, JOB_STATES

_JOB = [each.name for each in fields(Job)]
Images = Mapping[tuple[str, int], image_pb2.ImageOutput]  # by purchase and output


def begin_waits(batch: Batch) -> None:
    """Give the jobs that wait for nothing but the CDN from now on their last moment."""
    for job in batch.jobs.values():
        if not job.open_purchases and job.publishing and job.complete_by is None:
            job.complete_by = batch.now + batch.publish_wait


def looks_back(batch: Batch) -> bool:
    """Whether `complete` reads purchases, which must then be written as they are now."""
    return bool(_troubled(batch, ending(batch)))


async def complete(
    connection: Connection, batch: Batch, kept: Images
) -> list[tuple[int, job_event_pb2.JobEvent]]:
    """
    End the jobs in *batch* that have nothing open; return their last events.

    *kept* is the images that are new in this batch. What it does not know it reads: the
    failures of a job of which a purchase has failed, the images of one that has older ones.
    """
    through = ending(batch)
    if not through:
        return []
    troubled = _troubled(batch, through)
    failures = await failures_of(connection, troubled) if troubled else {}
    risks = await risks_of(connection, troubled) if troubled else {}
    images = await _images_of(connection, batch, through, kept)
    events = []
    for job in through:
        failed = failures.get(job.job_id, [])
        job.state = _end_of(job.state, made=job.last_version > 0, failed=bool(failed))
        told = job_message({name: getattr(job, name) for name in _JOB})
        told.last_sequence += 1  # this event's own
        told.end_time.CopyFrom(stamp(batch.now))
        told.update_time.CopyFrom(told.end_time)
        told.images.extend(images[job.job_id])
        told.failures.extend(failed)
        tell_risk(told, risks.get(job.job_id))
        completed = job_event_pb2.JobEvent.Completed(job=told)
        events.append((job.job_id, job_event_pb2.JobEvent(completed=completed)))
    return events


def ending(batch: Batch) -> list[Job]:
    """Return the jobs in *batch* that end now."""
    jobs = batch.jobs.values()
    return [
        job
        for job in jobs
        if not job.open_purchases and job.state not in ENDED_JOB and not _waits(batch, job)
    ]


def _waits(batch: Batch, job: Job) -> bool:
    """Whether the CDN may still have something of *job* before its log ends."""
    unpublished = job.publishing and job.state != "canceling"
    return bool(unpublished and job.complete_by and batch.now < job.complete_by)


def _troubled(batch: Batch, through: Sequence[Job]) -> list[int]:
    failed = batch.failed | {p.job_id for p in batch.purchases.values() if p.has_failed}
    return [job.job_id for job in through if job.job_id in failed]


async def _images_of(
    connection: Connection, batch: Batch, through: Sequence[Job], kept: Images
) -> dict[int, list[image_pb2.ImageOutput]]:
    found: dict[int, list[image_pb2.ImageOutput]] = {job.job_id: [] for job in through}
    for (purchase_id, _index), image in kept.items():
        if (job_id := batch.purchases[purchase_id].job_id) in found:
            found[job_id].append(image)
    older = [job.job_id for job in through if len(found[job.job_id]) < job.last_version]
    if older:
        found |= {job_id: [] for job_id in older}
        for row in await connection.fetch(SQL.images_of_jobs, older):
            found[row["job_id"]].append(image_message(row))
    return found


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
    known = basis(metered=row["metered"] or row["charged"] == "no")
    return job_pb2.JobFailure(
        purchase_id=row["purchase_id"],
        model=row["model_key"],
        reason=error.get("reason", "PURCHASE_UNCLEAR" if row["ending"] == "unclear" else ""),
        message=error.get("message", ""),
        charged=CHARGED[row["charged"] or ""],
        cost=cost_pb2.Cost(usd_micros=row["cost"], basis=known),
    )


async def risks_of(connection: Connection, job_ids: Sequence[int]) -> dict[int, asyncpg.Record]:
    """Read, by job, how much may have been charged and nobody knows whether it was."""
    rows = await connection.fetch(SQL.risks_of_jobs, list(job_ids))
    return {row["job_id"]: row for row in rows}


def tell_risk(job: job_pb2.Job, risk: asyncpg.Record | None) -> None:
    """Put a row of risks_of_jobs into *job*, in place."""
    if risk is not None:
        job.at_risk_count, job.at_risk_usd_micros = risk["count"], risk["micros"]


async def whole_jobs(
    connection: Connection,
    job_ids: Sequence[int],
    user_ids: Sequence[int],
    failures: dict[int, list[job_pb2.JobFailure]],
) -> dict[int, job_pb2.Job]:
    """Read jobs with images (links as paths) and *failures*, of these users alone."""
    rows = await connection.fetch(SQL.job_whole, list(job_ids), list(user_ids))
    jobs = {row["job_id"]: job_message(row) for row in rows}
    risks = await risks_of(connection, list(jobs))
    for job_id, job in jobs.items():
        job.failures.extend(failures.get(job_id, []))
        tell_risk(job, risks.get(job_id))
    for row in await connection.fetch(SQL.images_of_jobs, list(jobs)):
        jobs[row["job_id"]].images.append(image_message(row))
    return jobs


def job_message(row: asyncpg.Record | Mapping[str, Any]) -> job_pb2.Job:
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
        enhanced_prompt=row["enhanced_prompt"],
        enhanced_by=row["enhanced_by"],
        spec=spec_of(row["job_id"], row["request_id"], row["spec"]),
        request_id=row["request_id"],
        fingerprint=row["fingerprint"],
        last_sequence=row["last_sequence"],
        last_version=row["last_version"],
        cost=cost_pb2.Cost(usd_micros=row["cost"], basis=basis(metered=not row["cost"])),
        retry_of=f"jobs/{row['retry_of']}" if row["retry_of"] else "",
    )
    job.create_time.CopyFrom(stamp(row["created_at"]))
    job.update_time.CopyFrom(stamp(row["updated_at"]))
    if row["ended_at"]:
        job.end_time.FromDatetime(row["ended_at"])
    return job


_SPECS = 512  # of the jobs that are in work
_specs: dict[tuple[int, str], job_pb2.JobSpec] = {}


def remember_spec(job_id: int, request_id: str, spec: job_pb2.JobSpec) -> None:
    """Take note of the spec of a job that was just admitted; it never changes."""
    own = job_pb2.JobSpec()
    own.CopyFrom(spec)  # else all that it came with would be held, too
    _specs[job_id, request_id] = own
    if len(_specs) > _SPECS:
        del _specs[next(iter(_specs))]


def spec_of(job_id: int, request_id: str, text: str) -> job_pb2.JobSpec:
    """
    Return a job's spec, of which the database has *text*; not to be changed.

    Both ids, since a database that came back from a copy gives numbers a second time.
    """
    return _specs.get((job_id, request_id)) or _parsed(text)


@lru_cache(maxsize=_SPECS)
def _parsed(text: str) -> job_pb2.JobSpec:
    return json_format.Parse(text, job_pb2.JobSpec(), ignore_unknown_fields=True)


def image_message(row: asyncpg.Record) -> image_pb2.ImageOutput:
    image = image_pb2.ImageOutput(
        variant=f"jobs/{row['job_id']}/variants/{row['variant_id']}",
        purchase_id=row["purchase_id"],
        output_index=row["output_index"],
        version_number=row["version_number"],
        model=row["model_key"],
        url=row["cdn_url"],
        thumbnail_url=row["thumbnail_url"],
        path=row["path"],
        image_hash=row["image_hash"],
        media_type=row["media_type"],
        size_bytes=row["bytes"],
        size=image_pb2.PixelSize(width=row["width"], height=row["height"]),
        thumbhash=row["thumbhash"],
        seed=row["seed"],
        cost=cost_pb2.Cost(usd_micros=row["cost"], basis=basis(metered=row["metered"])),
    )
    if row["generation_time_ms"] is not None:
        image.generation_time.FromMilliseconds(row["generation_time_ms"])
    if row["published_at"]:
        image.publish_time.FromDatetime(row["published_at"])
    return image
