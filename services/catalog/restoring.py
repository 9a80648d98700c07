"""The rows that a rebuild writes, and the changes of the ledger that they ask for."""

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from datetime import date as day
from typing import Any

from google.protobuf import json_format

from imagestudio.type.v1 import job_event_pb2, job_pb2, purchase_pb2
from services.catalog import log, outcome, replay
from services.catalog.database import Connection
from services.catalog.ledger import Change
from services.catalog.queries import SQL
from services.catalog.rows import ENDED_JOB, OPEN
from services.catalog.sidecars import Copy, File, JobOfVault, Picture, Sidecars

_UNKNOWN = "unknown"  # whose picture an older note does not tell the provider of
_NO_PICTURE = "The catalog was made again from the vault, which has no picture of this order."


class CannotRebuild(Exception):
    """The vault and the database contradict each other; the message says where."""


@dataclass(slots=True)
class _Known:
    """What the database has of a job."""

    states: dict[str, str] = field(default_factory=dict)  # of its purchases
    places: dict[tuple[int, int], str] = field(default_factory=dict)  # ordinal, attempt: purchase
    variants: set[str] = field(default_factory=set)  # purchase#output


async def users(connection: Connection, found: Sidecars) -> None:
    """Have the users whose pictures there are; raise CannotRebuild where one is somebody else."""
    nameless = [user_id for user_id, subject in found.subjects.items() if not subject]
    for user_id in nameless:
        alone = len(nameless) == 1 and "local" not in found.subjects.values()
        found.subjects[user_id] = "local" if alone else f"user-{user_id}"
    rows = await connection.fetch(
        SQL.users_by_id, list(found.subjects), list(found.subjects.values())
    )
    there = {row["user_id"]: row["subject"] for row in rows}
    numbers = {row["subject"]: row["user_id"] for row in rows}
    for user_id, subject in found.subjects.items():
        if user_id in nameless and user_id in there:
            continue
        if there.get(user_id, subject) != subject or numbers.get(subject, user_id) != user_id:
            raise CannotRebuild(
                f"user {user_id} is {subject!r} in the vault and another one in the database: "
                "begin with an empty database, or with the copy that belongs to this vault"
            )
        if user_id not in there:
            await connection.execute(SQL.restore_user, user_id, subject)


async def file(connection: Connection, sent: File) -> None:
    """Record a file that a user sent."""
    await _record(connection, sent)


async def job(connection: Connection, wanted: JobOfVault) -> tuple[list[Change], int]:
    """
    Write the rows of a job that the ledger needs to take the vault's pictures.

    Return the changes that do it, and how many variants they bring.
    """
    row, purchases = wanted.row(), wanted.purchases()
    known = await _known(connection, wanted, row)
    fresh = known is None
    if known is None:
        known = _Known()
        await _insert_job(connection, wanted, row, purchases)
    missing = {key: found for key, found in purchases.items() if _lacks(known, found)}
    if not missing:
        return [], 0
    places = await _insert_purchases(connection, wanted, known, missing)
    if fresh:
        await _insert_missing(connection, wanted, row, purchases, places)
    await _ensure_spending(connection, wanted)
    return _changes(known, missing, places, fresh=fresh)


async def date(
    connection: Connection, wanted: JobOfVault, copies: Mapping[tuple[int, str], Copy]
) -> None:
    """Give the rows of a job the times that the notes tell, and the CDN's URLs."""
    rows = []
    for picture in wanted.pictures:
        copy = copies.get((picture.file.user_id, picture.file.record.image_hash))
        at = picture.file.created_at
        urls = (copy.url, copy.thumbnail_url, copy.at) if copy else (None, None, None)
        rows.append((picture.purchase_id, picture.index, at, *urls))
        await connection.execute(
            SQL.date_file, picture.file.user_id, picture.file.record.image_hash, at
        )
    await connection.execute(SQL.date_variants, *map(list, zip(*rows, strict=True)))
    await connection.execute(SQL.date_purchases, wanted.job_id)
    await connection.execute(SQL.date_job, wanted.job_id, max(row[2] for row in rows))


def _lacks(known: _Known, pictures: Sequence[Picture]) -> bool:
    return any(f"{one.purchase_id}#{one.index}" not in known.variants for one in pictures)


def _changes(
    known: _Known,
    missing: Mapping[str, Sequence[Picture]],
    places: Mapping[str, tuple[int, int]],
    *,
    fresh: bool,
) -> tuple[list[Change], int]:
    begun, kept, lost = list[Change](), list[Picture](), list[Change]()
    for key, pictures in missing.items():
        state, new = known.states.get(key, ""), key in places
        whole = len(pictures) == pictures[0].outputs
        if not new and state not in OPEN:
            continue  # its end is written: lost or ended; nothing is made of it by a guess
        if not new and state != "drawn" and not whole:
            continue  # the provider is asked for what is not here
        begun.append(replay.drawn(key, pictures))
        kept += [one for one in pictures if f"{key}#{one.index}" not in known.variants]
        here = {one.index for one in pictures}
        if new:
            gone = set(range(pictures[0].outputs)) - here
            lost += [replay.lost(key, index) for index in sorted(gone)]
        if new and not fresh:
            begun += [replay.superseded(each) for each in _before(known, places[key])]
    kept.sort(key=Picture.order)
    return [*begun, *map(replay.kept, kept), *lost], len(kept)


def _before(known: _Known, place: tuple[int, int]) -> list[str]:
    """Open purchases at the same place of the job, of earlier attempts."""
    return [
        purchase_id
        for (ordinal, attempt), purchase_id in known.places.items()
        if ordinal == place[0] and attempt < place[1] and known.states[purchase_id] in OPEN
    ]


async def _known(connection: Connection, wanted: JobOfVault, told: job_pb2.Job) -> _Known | None:
    row = await connection.fetchrow(SQL.job_for_rebuild, wanted.job_id)
    if row is None:
        return None
    other = wanted.pictures[0].told.job.request_id not in ("", row["request_id"])
    if row["user_id"] != wanted.user_id or other:
        raise CannotRebuild(
            f"{told.name} is one job in the vault and another in the database: it is left as it is"
        )
    bought = await connection.fetch(SQL.purchases_for_rebuild, wanted.job_id)
    found = _Known(
        states={one["purchase_id"]: one["state"] for one in bought},
        places={(p["ordinal"], p["attempt"]): p["purchase_id"] for p in bought},
        variants=set(row["variants"]),
    )
    new = set(wanted.purchases()) - set(found.states)
    if new and row["state"] in ENDED_JOB:
        raise CannotRebuild(
            f"{told.name} has ended in the database, and the vault has more of it: "
            + ", ".join(sorted(new))
        )
    return found


async def _insert_job(
    connection: Connection,
    wanted: JobOfVault,
    row: job_pb2.Job,
    purchases: Mapping[str, Sequence[Picture]],
) -> None:
    await connection.execute(
        SQL.restore_job,
        *(wanted.job_id, wanted.user_id, row.title, row.project, row.use_case, row.preset_used),
        *(row.original_prompt, row.enhanced_prompt, row.enhanced_by),
        *(json_format.MessageToDict(row.spec), row.request_id),
        *(row.fingerprint, wanted.created_at),
    )
    event = job_event_pb2.JobEvent
    planned = [
        purchase_pb2.Purchase(
            purchase_id=key,
            provider=found[0].told.purchase.provider,
            model=found[0].model,
            ordinal=found[0].told.purchase.ordinal,
            attempt=1,
            state=purchase_pb2.PURCHASE_STATE_PLANNED,
        )
        for key, found in purchases.items()
    ]
    first = (event(accepted=event.Accepted()), event(queued=event.Queued(purchases=planned)))
    for number, told in enumerate(first, 1):
        at, payload = wanted.created_at, told.SerializeToString()
        await connection.execute(
            SQL.restore_event, wanted.job_id, number, log.kind_of(told), payload, at
        )


async def _insert_purchases(
    connection: Connection,
    wanted: JobOfVault,
    known: _Known,
    missing: Mapping[str, Sequence[Picture]],
) -> dict[str, tuple[int, int]]:
    """Write the purchases that the database has not; return the place of each in the job."""
    taken, places, rows = set(known.places), dict[str, tuple[int, int]](), list[Any]()
    for number, (key, pictures) in enumerate(missing.items()):
        if key in known.states:
            continue
        told, at = pictures[0].told, pictures[0].file.created_at
        old = not told.purchase.attempt
        place = (number, 1) if old else (told.purchase.ordinal, told.purchase.attempt)
        while place in taken:
            place = (place[0], place[1] + 1)
        taken.add(place)
        places[key] = place
        if told.purchase.HasField("send_time"):
            at = told.purchase.send_time.ToDatetime(UTC)
        provider = told.purchase.provider or _UNKNOWN
        rows.append((key, provider, pictures[0].model, *place, told.fingerprint, _month(at), at))
    columns = [list(column) for column in zip(*rows, strict=True)] or [[] for _ in range(8)]
    await connection.execute(SQL.restore_purchases, wanted.job_id, wanted.user_id, *columns)
    return places


async def _insert_missing(
    connection: Connection,
    wanted: JobOfVault,
    row: job_pb2.Job,
    purchases: Mapping[str, Sequence[Picture]],
    places: Mapping[str, tuple[int, int]],
) -> None:
    """Write an order that brought nothing for what was asked for and is not in the vault."""
    here = {
        places[key][0] + index
        for key, pictures in purchases.items()
        for index in range(pictures[0].outputs)
    }
    asked = len(row.spec.models) * row.spec.count
    gone = [] if len(here) >= asked else [place for place in range(asked) if place not in here]
    if gone:
        await connection.execute(
            SQL.restore_missing,
            *(wanted.job_id, wanted.user_id, _month(wanted.created_at)),
            outcome.said("INTERNAL", _NO_PICTURE),
            wanted.created_at,
            [str(uuid.uuid5(uuid.NAMESPACE_OID, f"{row.request_id}#{place}")) for place in gone],
            [row.spec.models[place // row.spec.count] for place in gone],
            gone,
        )


async def _ensure_spending(connection: Connection, wanted: JobOfVault) -> None:
    months = {_month(wanted.created_at)}
    for picture in wanted.pictures:
        months.add(_month(picture.file.created_at))
        if picture.told.purchase.HasField("send_time"):
            months.add(_month(picture.told.purchase.send_time.ToDatetime(UTC)))
    for month in sorted(months):
        await connection.execute(SQL.restore_spending, wanted.user_id, month)


async def _record(connection: Connection, sent: File) -> None:
    record = sent.record
    await connection.execute(
        SQL.record_file,
        *(sent.user_id, record.image_hash, record.link, record.media_type, record.size_bytes),
        *(record.size.width, record.size.height, record.readable),
    )
    await connection.execute(SQL.date_file, sent.user_id, record.image_hash, sent.created_at)


def _month(at: datetime) -> day:
    return at.astimezone(UTC).date().replace(day=1)
