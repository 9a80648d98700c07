"""
Admits jobs: job, purchases, reservation and first events of all that gathered in one statement.

A job of which something stands in the way (it was admitted before, a cap, a provider that takes
nothing) is left out there, and asked for alone: then it is known what that was. So is that of a
user whose month another transaction holds for long.
"""

import asyncio
import itertools
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import asyncpg
from google.protobuf import json_format

from chassis import faults, logs
from chassis.errors import Exhausted, Exists, Fault, Invalid, Precondition, Unavailable, defect
from chassis.gathering import Gathering
from imagestudio.catalog.v1 import ledger_service_pb2
from imagestudio.type.v1 import cost_pb2, job_event_pb2, job_pb2, purchase_pb2
from services.catalog import arguments, completion
from services.catalog import log as joblog
from services.catalog.database import Connection, Pool, as_ledger, by_statement
from services.catalog.queries import SQL

_TITLE = 80  # characters of the prompt that stand in for a title
_TRIES = 3  # between two of them the month turns, or something is given back
_ONCE = "image_jobs_user_id_request_id_key"

_CALLS = 64  # in one statement
_PATIENCE = 1.0  # seconds for a statement of several users; edges hold their months far shorter
_GIVEN_UP = (asyncpg.DeadlockDetectedError, asyncpg.SerializationError)  # for a rival's
log = logs.get()

Event = job_event_pb2.JobEvent
Request = ledger_service_pb2.AdmitRequest
Response = ledger_service_pb2.AdmitResponse


@dataclass(frozen=True, slots=True)
class Asked:
    """One job that a user asks for."""

    request: Request
    user_id: int

    @property
    def reserved(self) -> int:
        """Micro-USD that its purchases may cost."""
        return sum(purchase.reserved_usd_micros for purchase in self.request.purchases)

    @property
    def prompt(self) -> str:
        """As the user wrote it."""
        return self.request.original_prompt or self.request.spec.prompt

    @property
    def title(self) -> str:
        """As the user named it, or how his prompt begins."""
        return self.request.spec.title or self.prompt[:_TITLE]


class Admissions:
    """
    Admits jobs: while one statement is under way the next jobs gather, no timer.

    *server_cap* is the most in micro-USD that a user may spend in a month; None is no cap.
    """

    def __init__(self, pool: Pool, server_cap: int | None) -> None:
        self._pool, self._server_cap = pool, server_cap
        work = partial(_together, pool, server_cap)
        self._gathering = Gathering[Sequence[Asked], Sequence[Response | None]](work, most=_CALLS)

    async def admit(self, asked: Sequence[Asked]) -> list[Response | Fault]:
        """Admit each, or say why not; what stood in the others' way is asked for alone."""
        found = await self._gathering.do(asked)
        left = [one for one, admitted in zip(asked, found, strict=True) if admitted is None]
        if not left:
            return [admitted for admitted in found if admitted]
        users = sorted({one.user_id for one in left})
        told = await asyncio.gather(*(self._of_user(left, user_id) for user_id in users))
        alone = dict(zip(users, map(iter, told), strict=True))
        return [
            admitted or next(alone[one.user_id]) for one, admitted in zip(asked, found, strict=True)
        ]

    async def _of_user(self, left: Sequence[Asked], user_id: int) -> list[Response | Fault]:
        """
        Ask for what is *left* of one user, one by one: all would wait for the same month.

        Where one waits in vain, the others do not wait as well.
        """
        told: list[Response | Fault] = []
        for one in left:
            if one.user_id == user_id:
                vain = told and isinstance(told[-1], Fault) and _is_late(told[-1])
                told.append(told[-1] if vain else await self._alone(one))
        return told

    async def _alone(self, asked: Asked) -> Response | Fault:
        try:
            return await admit(self._pool, asked.request, asked.user_id, self._server_cap)
        except Fault as fault:
            return fault
        except Exception as error:
            log.exception("an admission broke off")
            return defect(error)


async def admit(pool: Pool, request: Request, user_id: int, server_cap: int | None) -> Response:
    """
    Admit what *request* asks for *user_id*, or return the job that its id has admitted.

    *server_cap* is the most in micro-USD that a user may spend in a month; None is no cap.
    """
    if not request.purchases:
        raise Invalid("REQUEST_INVALID", "A job without purchases makes nothing.")
    asked = Asked(request, user_id)
    for _ in range(_TRIES):
        if asked.reserved:
            async with by_statement(pool) as connection:
                await connection.execute(SQL.ensure_spending, user_id)
        [admitted] = await _admit(pool, [asked], server_cap)
        if admitted is not None:
            return admitted
        async with as_ledger(pool) as connection:
            found = await _replay_or_refuse(connection, request, user_id, server_cap)
        if found is not None:
            return found
    why = "What is left of the month's cap is changing too fast; ask again."
    raise Unavailable("SERVICE_UNAVAILABLE", why, retry_after=1.0)


async def _together(
    pool: Pool, server_cap: int | None, calls: Sequence[Sequence[Asked]]
) -> Sequence[Sequence[Response | None]]:
    asked = list(itertools.chain.from_iterable(calls))
    try:
        found = await _admit(pool, asked, server_cap)
    except Exception as error:  # perhaps of one of them: each is tried alone
        if _is_of_all(error):
            raise
        found = [None] * len(asked)
    split = iter(found)
    return [list(itertools.islice(split, len(call))) for call in calls]


def _is_of_all(error: Exception) -> bool:
    """Whether none can be admitted just now: the database is away, or its disk is full."""
    away = isinstance(error, Unavailable) and not isinstance(error.__cause__, _GIVEN_UP)
    return away or isinstance(error, Exhausted)


def _is_late(fault: Fault) -> bool:
    return isinstance(fault.__cause__, TimeoutError)


async def _admit(
    pool: Pool, asked: Sequence[Asked], server_cap: int | None
) -> list[Response | None]:
    """
    Admit all that may be, in one statement; None for each that something stands against.

    Of several users none waits long for another's month.
    """
    faults.point("ledger.before_admit")
    events = [_first_events(one.request) for one in asked]
    several = len({one.user_id for one in asked}) > 1
    try:
        async with by_statement(pool) as connection:
            columns = (*_jobs(asked, events), server_cap, *_purchases(asked), *_log(events))
            rows = await _admitted(connection, columns, several=several)
    except asyncpg.UniqueViolationError as error:
        if error.constraint_name != _ONCE:
            raise
        rows = []
    faults.point("ledger.after_admit")
    found: list[Response | None] = [None] * len(asked)
    for row in rows:
        place = row["place"]
        found[place] = _response(asked[place], row, events[place])
    return found


async def _admitted(
    connection: Connection, columns: Sequence[Any], *, several: bool
) -> list[asyncpg.Record]:
    """The rows of what is admitted; what it did before its time was over is found by its id."""
    if not several:
        return await connection.fetch(SQL.admit_within_caps, *columns, False)
    try:
        return await connection.fetch(SQL.admit_within_caps, *columns, False, timeout=_PATIENCE)
    except TimeoutError:
        log.warning("months are held for long; who is held up is asked for alone")
        return await connection.fetch(SQL.admit_within_caps, *columns, True)


def _jobs(asked: Sequence[Asked], events: Sequence[Sequence[Event]]) -> Iterable[list[Any]]:
    """The columns of jobs; then those of the providers needed."""
    rows = [
        (
            *(place, one.user_id, one.request.request_id, one.reserved, one.title),
            *(one.request.spec.project, one.request.spec.use_case, one.request.preset_used),
            *(one.prompt, one.request.prompt_enhanced.prompt),
            one.request.prompt_enhanced.enhanced_by,
            json.dumps(json_format.MessageToDict(one.request.spec)),
            one.request.fingerprint,
            _retry_of(one.request),
            *(len(events[place]), len(one.request.purchases)),
        )
        for place, one in enumerate(asked)
    ]
    needed = [
        (place, name) for place, one in enumerate(asked) for name in one.request.providers_needed
    ]
    return (*_columns(rows, 16), *_columns(needed, 2))


def _retry_of(request: Request) -> int | None:
    return arguments.job_id(request.retry_of, "retry_of") if request.retry_of else None


def _purchases(asked: Sequence[Asked]) -> Iterable[list[Any]]:
    rows = [
        (
            *(place, bought.purchase_id, bought.provider, bought.model_key, bought.ordinal),
            *(bought.fingerprint, bought.reserved_usd_micros, bought.repeats or None),
        )
        for place, one in enumerate(asked)
        for bought in one.request.purchases
    ]
    return _columns(rows, 8)


def _log(events: Sequence[Sequence[Event]]) -> Iterable[list[Any]]:
    rows = [
        (place, number, joblog.kind_of(event), event.SerializeToString())
        for place, told in enumerate(events)
        for number, event in enumerate(told, 1)
    ]
    return _columns(rows, 4)


def _columns(rows: Sequence[tuple[Any, ...]], width: int) -> list[list[Any]]:
    return [list(column) for column in zip(*rows, strict=True)] or [[] for _ in range(width)]


def _response(asked: Asked, row: asyncpg.Record, events: Sequence[Event]) -> Response:
    job = _job(asked.request, row, asked.user_id, asked.title, asked.prompt)
    job.last_sequence = len(events)
    completion.remember_spec(row["job_id"], asked.request.request_id, asked.request.spec)
    for number, event in enumerate(events, 1):
        joblog.finish(event, row["job_id"], number, row["created_at"], public_url="")
    return Response(job=job, estimate=asked.request.estimate, events=events)


def _job(
    request: Request, row: asyncpg.Record, user_id: int, title: str, prompt: str
) -> job_pb2.Job:
    job = job_pb2.Job(
        name=f"jobs/{row['job_id']}",
        user=f"users/{user_id}",
        title=title,
        project=request.spec.project,
        use_case=request.spec.use_case,
        preset_used=request.preset_used,
        state=job_pb2.JOB_STATE_QUEUED,
        original_prompt=prompt,
        enhanced_prompt=request.prompt_enhanced.prompt,
        enhanced_by=request.prompt_enhanced.enhanced_by,
        spec=request.spec,
        request_id=request.request_id,
        fingerprint=request.fingerprint,
        cost=cost_pb2.Cost(basis=cost_pb2.COST_BASIS_METERED),
        retry_of=request.retry_of,
    )
    job.create_time.CopyFrom(joblog.stamp(row["created_at"]))
    job.update_time.CopyFrom(job.create_time)
    return job


def _first_events(request: Request) -> list[Event]:
    purchases = [
        purchase_pb2.Purchase(
            purchase_id=purchase.purchase_id,
            provider=purchase.provider,
            model=purchase.model_key,
            ordinal=purchase.ordinal,
            attempt=1,
            state=purchase_pb2.PURCHASE_STATE_PLANNED,
            reserved_usd_micros=purchase.reserved_usd_micros,
        )
        for purchase in request.purchases
    ]
    enhanced = [request.prompt_enhanced] if request.HasField("prompt_enhanced") else []
    return [
        Event(accepted=Event.Accepted(estimate=request.estimate)),
        *(Event(prompt_enhanced=told) for told in enhanced),
        *(Event(warning=warning) for warning in request.warnings),
        Event(queued=Event.Queued(purchases=purchases)),
    ]


async def _replay_or_refuse(
    connection: Connection, request: Request, user_id: int, server_cap: int | None
) -> Response | None:
    """The job that is admitted already; None where nothing stands in the way any more."""
    found = await replayed(connection, user_id, request.request_id, request.fingerprint)
    if found is None:
        await refuse_where_nothing_is_sold(connection, request.providers_needed)
        needed = sum(purchase.reserved_usd_micros for purchase in request.purchases)
        await refuse_over_cap(connection, needed, user_id, server_cap)
    return found


async def replayed(
    connection: Connection, user_id: int, request_id: str, fingerprint: str
) -> Response | None:
    """Return the job that *request_id* has admitted; Exists where it was another request."""
    row = await connection.fetchrow(SQL.job_by_request, user_id, request_id)
    if row is None:
        return None
    if row["fingerprint"] != fingerprint:
        raise Exists(
            "REQUEST_ID_REUSED",
            "That request id was used for another request; choose a new one.",
            metadata={"request_id": request_id},
        )
    ids = [row["job_id"]]
    failures = await completion.failures_of(connection, ids)
    jobs = await completion.whole_jobs(connection, ids, [user_id], failures)
    payload = await connection.fetchval(SQL.first_event, row["job_id"])
    accepted = job_event_pb2.JobEvent.FromString(payload).accepted
    return Response(job=jobs[row["job_id"]], replayed=True, estimate=accepted.estimate)


async def refuse_where_nothing_is_sold(connection: Connection, providers: Sequence[str]) -> None:
    """Raise Precondition where one of *providers* takes no order of ours just now."""
    rows = await connection.fetch(SQL.refusing_providers, list(providers))
    for row in rows:
        refusal = row["refusal"]
        raise Precondition(
            refusal["reason"],
            refusal["message"],
            metadata={"provider": row["provider"]},
            retry_after=float(row["seconds"]),
        )


async def refuse_over_cap(
    connection: Connection, needed: int, user_id: int, server_cap: int | None
) -> None:
    """Raise Exhausted where *needed* micro-USD are more than the month's caps leave *user_id*."""
    await connection.execute(SQL.ensure_spending, user_id)  # a month may just have begun
    [row] = await connection.fetch(SQL.spending_of_user, user_id)
    caps = [cap for cap in (row["cap"], server_cap) if cap is not None]
    cap, used = min(caps, default=None), row["spent"] + row["reserved"]
    if cap is None or used + needed <= cap:
        return
    which = "SPEND_CAP_USD" if cap == server_cap else "the cap (`studio cap`)"
    raise Exhausted(
        "SPEND_CAP_EXCEEDED",
        f"This needs ${needed / 1e6:.4f}, and ${max(0, cap - used) / 1e6:.4f} of the month's "
        f"${cap / 1e6:.2f} is left. Ask for less, raise {which}, or wait for the next month.",
        metadata={
            "cap_usd_micros": str(cap),
            "spent_usd_micros": str(row["spent"]),
            "reserved_usd_micros": str(row["reserved"]),
            "estimate_usd_micros": str(needed),
        },
        retry_after=float(row["seconds_left"]),
    )
