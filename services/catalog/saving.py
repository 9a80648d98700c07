"""Writes a batch back: each kind of row in one statement, in an order that keys allow."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from google.protobuf import json_format

from imagestudio.type.v1 import cost_pb2, image_pb2, job_event_pb2
from services.catalog import completion, log
from services.catalog.database import Connection
from services.catalog.queries import SQL
from services.catalog.rows import ENDED_JOB, Batch, Job, Kept, Purchase


@dataclass(slots=True)
class Told:
    """What is to be told once the transaction is committed."""

    events: list[tuple[int, int, datetime, job_event_pb2.JobEvent]] = field(default_factory=list)
    planned: list[Purchase] = field(default_factory=list)  # anybody may take these now
    freed: dict[str, int] = field(default_factory=dict)  # permits by provider, where limited
    alarms: list[tuple[str, str]] = field(default_factory=list)


State = tuple[Any, ...]


def state_of(purchase: Purchase) -> State:
    """Return the columns that an edge may change, state and fence first."""
    return (
        purchase.state,
        purchase.fence,
        purchase.ending,
        purchase.owner,
        purchase.tries,
        purchase.not_before,
        purchase.ticket,
        purchase.reserved,
        purchase.cost,
        purchase.charged,
        purchase.sent_at,
        purchase.deadline,
        json.dumps(purchase.error) if purchase.error else None,
        tuple((output.index, output.state) for output in purchase.outputs),
    )


async def save(
    connection: Connection, batch: Batch, before: Mapping[str, State], in_use: Mapping[str, int]
) -> Told:
    """Write what differs from *before*; *in_use* is the permits as they were read."""
    changed = [p for key, p in batch.purchases.items() if state_of(p) != before[key]]
    await _move(connection, changed, before)
    await _plan(connection, batch.planned)
    variants = await _keep(connection, [e for _job, e in batch.events if isinstance(e, Kept)])
    await _write_outputs(connection, changed, before)
    await _move_money(connection, batch)
    freed = await _write_permits(connection, batch, in_use)
    events = [(job_id, _event(event, variants)) for job_id, event in batch.events]
    events += await completion.complete(connection, batch)
    numbered = await _append(connection, batch, events)
    touched = {p.job_id for p in (*changed, *batch.planned)} | {job_id for job_id, _e in events}
    await _write_jobs(connection, [batch.jobs[job_id] for job_id in sorted(touched)])
    planned = [p for p in batch.planned if p.state == "planned"]
    planned += [p for p in batch.let_go if p.is_open and (p.not_before or batch.now) <= batch.now]
    return Told(numbered, planned, freed, batch.alarms)


async def _move(
    connection: Connection, changed: Sequence[Purchase], before: Mapping[str, State]
) -> None:
    if not changed:
        return
    ids = [purchase.purchase_id for purchase in changed]
    was = [before[purchase_id] for purchase_id in ids]
    columns = list(zip(*(state_of(purchase)[:-1] for purchase in changed), strict=True))
    state, fence, ending, owner, *rest = columns
    moved = await connection.execute(
        SQL.move_purchases_if_state_and_fence,
        ids,
        [old[0] for old in was],
        [old[1] for old in was],
        *(state, ending, owner, fence, *rest),
    )
    if moved != f"UPDATE {len(ids)}":
        raise RuntimeError(f"{moved} of {len(ids)}: somebody changed a purchase without its job")


async def _plan(connection: Connection, planned: Sequence[Purchase]) -> None:
    if planned:
        rows = [
            (
                *(p.purchase_id, p.job_id, p.user_id, p.provider, p.model_key, p.ordinal),
                *(p.attempt, p.state, p.fingerprint, p.period, p.reserved, p.ticket),
                *(p.charged, p.sent_at, p.fence),
            )
            for p in planned
        ]
        await connection.execute(SQL.insert_purchases, *map(list, zip(*rows, strict=True)))


async def _keep(
    connection: Connection, kept: Sequence[Kept]
) -> dict[tuple[str, int], image_pb2.ImageOutput]:
    if not kept:
        return {}
    files = [
        (
            *(k.purchase.user_id, k.file.image_hash, k.file.link, k.file.media_type),
            *(k.file.size_bytes, k.file.size.width, k.file.size.height, k.file.readable),
        )
        for k in kept
    ]
    await connection.execute(SQL.record_files, *map(list, zip(*files, strict=True)))
    rows = await connection.fetch(
        SQL.insert_variants, *map(list, zip(*(_variant(k) for k in kept), strict=True))
    )
    ids = {(row["purchase_id"], row["output_index"]): row["variant_id"] for row in rows}
    images = {}
    for k in kept:
        key = (k.purchase.purchase_id, k.output.index)
        k.output.variant_id = ids[key]
        images[key] = _image(k)
    return images


def _variant(kept: Kept) -> tuple[Any, ...]:
    purchase, image, file = kept.purchase, kept.image, kept.file
    time = image.generation_time
    return (
        *(purchase.job_id, purchase.user_id, kept.version, purchase.model_key),
        *(image.model_version, kept.prompt, "", ""),  # no prompt is rewritten yet
        *(image.negative_prompt, json.dumps(json_format.MessageToDict(image.parameters))),
        *(file.link, file.size.width, file.size.height),
        image.seed if image.HasField("seed") else None,
        time.ToMilliseconds() if image.HasField("generation_time") else None,
        *(kept.cost, image.replicate_prediction_id or None, image.image_hash),
        *(purchase.purchase_id, kept.output.index, file.media_type, file.size_bytes),
    )


def _image(kept: Kept) -> image_pb2.ImageOutput:
    purchase, image, file = kept.purchase, kept.image, kept.file
    found = image_pb2.ImageOutput(
        variant=f"jobs/{purchase.job_id}/variants/{kept.output.variant_id}",
        purchase_id=purchase.purchase_id,
        output_index=kept.output.index,
        version_number=kept.version,
        model=purchase.model_key,
        url=f"/i/{file.link}",
        thumbnail_url=f"/i/{file.link}/thumbnail",
        image_hash=image.image_hash,
        media_type=file.media_type,
        size_bytes=file.size_bytes,
        size=file.size,
        cost=cost_pb2.Cost(usd_micros=kept.cost, basis=cost_pb2.COST_BASIS_METERED),
    )
    if image.HasField("seed"):
        found.seed = image.seed
    if image.HasField("generation_time"):
        found.generation_time.CopyFrom(image.generation_time)
    return found


def _event(
    event: job_event_pb2.JobEvent | Kept, images: Mapping[tuple[str, int], image_pb2.ImageOutput]
) -> job_event_pb2.JobEvent:
    if isinstance(event, Kept):
        image = images[event.purchase.purchase_id, event.output.index]
        return job_event_pb2.JobEvent(image_kept=image)
    return event


async def _write_outputs(
    connection: Connection,
    changed: Sequence[Purchase],
    before: Mapping[str, State],
) -> None:
    rows = []
    for purchase in changed:
        was = dict(before[purchase.purchase_id][-1])
        rows += [
            (
                *(purchase.purchase_id, o.index, o.source, o.expires_at),
                *(o.state, o.image_hash, o.variant_id),
            )
            for o in purchase.outputs
            if was.get(o.index) != o.state
        ]
    if rows:
        await connection.execute(SQL.write_outputs, *map(list, zip(*rows, strict=True)))


async def _move_money(connection: Connection, batch: Batch) -> None:
    moved = sorted((key, sums) for key, sums in batch.spent.items() if any(sums))
    if not moved:
        return
    users, periods = [key[0] for key, _s in moved], [key[1] for key, _s in moved]
    await connection.fetch(SQL.lock_spending, users, periods)
    spent, reserved = [s[0] for _k, s in moved], [s[1] for _k, s in moved]
    await connection.execute(SQL.move_money, users, periods, spent, reserved)


async def _write_permits(
    connection: Connection, batch: Batch, in_use: Mapping[str, int]
) -> dict[str, int]:
    moved = [p for p in batch.permits.values() if p.in_use != in_use[p.provider]]
    if not moved:
        return {}
    deltas = [permits.in_use - in_use[permits.provider] for permits in moved]
    names, tokens = [permits.provider for permits in moved], [permits.tokens for permits in moved]
    await connection.execute(SQL.write_permits, names, deltas, tokens)
    limited = zip(moved, deltas, strict=True)
    return {p.provider: -delta for p, delta in limited if delta < 0 and p.max_in_flight}


async def _append(
    connection: Connection,
    batch: Batch,
    events: Sequence[tuple[int, job_event_pb2.JobEvent]],
) -> list[tuple[int, int, datetime, job_event_pb2.JobEvent]]:
    if not events:
        return []
    numbers = []
    for job_id, _ in events:
        batch.jobs[job_id].last_sequence += 1
        numbers.append(batch.jobs[job_id].last_sequence)
    rows = await connection.fetch(
        SQL.append_events,
        [job_id for job_id, _e in events],
        numbers,
        [log.kind_of(event) for _j, event in events],
        [event.SerializeToString() for _j, event in events],
    )
    at = rows[0]["created_at"]
    return [(job_id, n, at, e) for (job_id, e), n in zip(events, numbers, strict=True)]


async def _write_jobs(connection: Connection, jobs: Sequence[Job]) -> None:
    if jobs:
        rows = [
            (
                *(job.job_id, job.state, job.last_sequence, job.last_version),
                *(job.open_purchases, job.cost, job.state in ENDED_JOB),
            )
            for job in jobs
        ]
        await connection.execute(SQL.write_jobs, *map(list, zip(*rows, strict=True)))
