"""Writes a batch back: new rows first, then all that differs in one statement."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import astuple, dataclass, field, replace
from datetime import datetime
from typing import Any

from google.protobuf import json_format

from imagestudio.type.v1 import cost_pb2, image_pb2, job_event_pb2
from services.catalog import completion, feed, log, permits
from services.catalog.database import Connection
from services.catalog.queries import SQL
from services.catalog.rows import ENDED_JOB, Batch, Job, Kept, Permits, Purchase, basis


@dataclass(slots=True)
class Told:
    """What is to be told once the transaction is committed."""

    events: list[tuple[int, int, datetime, job_event_pb2.JobEvent]] = field(default_factory=list)
    planned: list[Purchase] = field(default_factory=list)  # anybody may take these now
    fed: set[int] = field(default_factory=set)  # users whose feed has gone on
    freed: dict[str, int] = field(default_factory=dict)  # so many may be claimed, by provider
    on_trial: list[str] = field(default_factory=list)  # providers to which one more may go
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
        purchase.publishing,
        purchase.sent_back,
        purchase.sent_back_since,
        purchase.account,
        purchase.metered,
        purchase.unlisted_since,
        purchase.unlisted_at,
        tuple((output.index, output.state) for output in purchase.outputs),
    )


def permitted(batch: Batch) -> dict[str, Permits]:
    """The permits as they were read, for `save`."""
    return {key: replace(found) for key, found in batch.permits.items()}


Numbered = tuple[int, int, job_event_pb2.JobEvent]  # job_id, sequence


async def save(
    connection: Connection, batch: Batch, before: Mapping[str, State], were: Mapping[str, Permits]
) -> Told:
    """Write what differs from *before*; the permits *were* so when they were read."""
    changed = [p for key, p in batch.purchases.items() if state_of(p) != before[key]]
    await _plan(connection, batch.planned)
    images = await _keep(connection, [e for _job, e in batch.events if isinstance(e, Kept)])
    await _publish(connection, batch)
    await _move_money(connection, batch)
    completion.begin_waits(batch)
    left = _Left(changed, _moved_permits(batch, were))
    logged, late = feed.divided(batch, [(job, _event(e, images)) for job, e in batch.events])
    left.events = _numbered(batch, logged)
    told = Told(alarms=batch.alarms)
    if completion.looks_back(batch):  # at rows as this batch leaves them
        told.events += await _write(connection, batch, before, left)
        left = _Left()
    ended = await completion.complete(connection, batch, images)
    left.events += _numbered(batch, ended)
    told.events += await _write(connection, batch, before, left)
    await _settle(connection, batch)
    told.fed = await feed.append(connection, [*batch.feed, *late, *feed.endings(batch, ended)])
    await _set_health(connection, batch, were)
    told.freed = _freed(batch, were)
    told.on_trial = [
        key
        for key, found in batch.permits.items()
        if permits.frees_on_trial(were[key], found, batch.now)
    ]
    told.planned = [p for p in batch.planned if p.state == "planned"]
    told.planned += [
        p for p in batch.let_go if p.has_work and (p.not_before or batch.now) <= batch.now
    ]
    return told


@dataclass(slots=True)
class _Left:
    """What is left to write."""

    changed: Sequence[Purchase] = ()
    permits: Sequence[tuple[str, int, float, int]] = ()  # see _moved_permits
    events: list[Numbered] = field(default_factory=list)


async def _write(
    connection: Connection, batch: Batch, before: Mapping[str, State], left: _Left
) -> list[tuple[int, int, datetime, job_event_pb2.JobEvent]]:
    touched = {p.job_id for p in left.changed} | {job_id for job_id, _n, _e in left.events}
    touched |= {p.job_id for p in batch.planned}
    if not touched:
        return []
    [row] = await connection.fetch(
        SQL.move_purchases_if_state_and_fence,
        *_columns([_moved(p, before[p.purchase_id]) for p in left.changed], 23),
        *_columns(_changed_outputs(left.changed, before), 9),
        *_columns(left.permits, 4),
        *_columns([(j, n, log.kind_of(e), e.SerializeToString()) for j, n, e in left.events], 4),
        *_columns([_job(batch.jobs[job_id]) for job_id in sorted(touched)], 9),
    )
    if row["moved"] != len(left.changed):
        what = f"{row['moved']} of {len(left.changed)} purchases moved"
        raise RuntimeError(f"{what}: somebody changed one without its job")
    return [(job_id, number, row["at"], event) for job_id, number, event in left.events]


def _columns(rows: Sequence[tuple[Any, ...]], width: int) -> list[list[Any]]:
    return [list(column) for column in zip(*rows, strict=True)] or [[] for _ in range(width)]


def _moved(purchase: Purchase, was: State) -> tuple[Any, ...]:
    state, fence, ending, owner, *rest = state_of(purchase)[:-1]
    return (purchase.purchase_id, was[0], was[1], state, ending, owner, fence, *rest)


def _changed_outputs(
    changed: Sequence[Purchase], before: Mapping[str, State]
) -> list[tuple[Any, ...]]:
    return [
        (
            *(p.purchase_id, o.index, o.source, o.expires_at, o.state, o.image_hash),
            *(o.variant_id, o.version_number, o.to_publish),
        )
        for p in changed
        for o in p.outputs
        if (o.index, o.state) not in before[p.purchase_id][-1]
    ]


def _job(job: Job) -> tuple[Any, ...]:
    return (
        *(job.job_id, job.state, job.last_sequence, job.last_version),
        *(job.open_purchases, job.cost, job.state in ENDED_JOB, job.publishing, job.complete_by),
    )


def _numbered(batch: Batch, events: Sequence[tuple[int, job_event_pb2.JobEvent]]) -> list[Numbered]:
    numbered = []
    for job_id, event in events:
        batch.jobs[job_id].last_sequence += 1
        numbered.append((job_id, batch.jobs[job_id].last_sequence, event))
    return numbered


def _moved_permits(batch: Batch, were: Mapping[str, Permits]) -> list[tuple[str, int, float, int]]:
    """Provider, change of those in use, tokens, change of those being sent."""
    moved = []
    for key, found in batch.permits.items():
        used, sent = found.in_use - were[key].in_use, found.sending - were[key].sending
        if used or sent or found.tokens_taken:
            moved.append((key, used, found.tokens, sent))
    return moved


def _freed(batch: Batch, were: Mapping[str, Permits]) -> dict[str, int]:
    offered = (
        (key, permits.offered(were[key], found, batch.now)) for key, found in batch.permits.items()
    )
    return {key: count for key, count in offered if count > 0}


async def _set_health(connection: Connection, batch: Batch, were: Mapping[str, Permits]) -> None:
    """Write how providers do; their rows are locked, as nothing else changes it."""
    for key, found in batch.permits.items():
        if (found.breaker, found.allowance) == (were[key].breaker, were[key].allowance):
            continue
        told, stands = found.allowance, found.breaker
        await connection.execute(
            SQL.set_health,
            *(key, told and told.left, told and told.until),
            *(stands.state, stands.recent, stands.heard_at, stands.retry_at),
            *(stands.probe, stands.openings, stands.refusal),
        )


async def _plan(connection: Connection, planned: Sequence[Purchase]) -> None:
    if planned:
        rows = [
            (
                *(p.purchase_id, p.job_id, p.user_id, p.provider, p.model_key, p.ordinal),
                *(p.attempt, p.state, p.fingerprint, p.period, p.reserved, p.ticket),
                *(p.charged, p.sent_at, p.deadline, p.fence, p.tries),
            )
            for p in planned
        ]
        await connection.execute(SQL.insert_purchases, *map(list, zip(*rows, strict=True)))


async def _keep(
    connection: Connection, kept: Sequence[Kept]
) -> dict[tuple[str, int], image_pb2.ImageOutput]:
    if not kept:
        return {}
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


async def _publish(connection: Connection, batch: Batch) -> None:
    if batch.published:
        rows = [
            (
                each.purchase.user_id,
                each.output.variant_id,
                each.image.url,
                each.image.thumbnail_url,
            )
            for each in batch.published
        ]
        columns = map(list, zip(*rows, strict=True))
        await connection.execute(SQL.publish_variants, *columns, batch.now)


async def _settle(connection: Connection, batch: Batch) -> None:
    if batch.settled:
        columns = map(list, zip(*map(astuple, batch.settled), strict=True))
        await connection.execute(SQL.insert_settlements, *columns)


def _variant(kept: Kept) -> tuple[Any, ...]:
    purchase, image, file = kept.purchase, kept.image, kept.file
    time = image.generation_time
    return (
        *(purchase.job_id, purchase.user_id, kept.version, purchase.model_key),
        *(image.model_version, kept.prompt, kept.enhanced, kept.enhanced_by),
        *(image.negative_prompt, json.dumps(json_format.MessageToDict(image.parameters))),
        *(file.link, file.size.width, file.size.height),
        image.seed if image.HasField("seed") else None,
        time.ToMilliseconds() if image.HasField("generation_time") else None,
        *(kept.cost, image.replicate_prediction_id or None, image.image_hash),
        *(purchase.purchase_id, kept.output.index, file.media_type, file.size_bytes),
        *(file.readable, kept.variant_id),
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
        path=f"/i/{file.link}",
        image_hash=image.image_hash,
        media_type=file.media_type,
        size_bytes=file.size_bytes,
        size=file.size,
        cost=cost_pb2.Cost(usd_micros=kept.cost, basis=basis(metered=purchase.metered)),
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


async def _move_money(connection: Connection, batch: Batch) -> None:
    moved = sorted((key, sums) for key, sums in batch.spent.items() if any(sums))
    if not moved:
        return
    users, periods = [key[0] for key, _s in moved], [key[1] for key, _s in moved]
    if len(await connection.fetch(SQL.lock_spending, users, periods)) < len(moved):
        # Nothing was reserved in that month, and it cost something all the same.
        await connection.execute(SQL.begin_spending, users, periods)
    spent, reserved = [s[0] for _k, s in moved], [s[1] for _k, s in moved]
    await connection.execute(SQL.move_money, users, periods, spent, reserved)
