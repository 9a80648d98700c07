"""Admits a job: job, purchases, reservation and first events in one statement."""

from collections.abc import Sequence

import asyncpg
from google.protobuf import json_format

from chassis import faults
from chassis.errors import Exhausted, Exists, Invalid, Precondition, Unavailable
from imagestudio.catalog.v1 import ledger_pb2, ledger_service_pb2
from imagestudio.type.v1 import cost_pb2, job_event_pb2, job_pb2, purchase_pb2
from services.catalog import arguments, completion, log
from services.catalog.database import Connection, Pool, as_ledger, by_statement
from services.catalog.queries import SQL

_TITLE = 80  # characters of the prompt that stand in for a title
_TRIES = 3  # between two of them the month turns, or something is given back
_ONCE = "image_jobs_user_id_request_id_key"

Request = ledger_service_pb2.AdmitRequest
Response = ledger_service_pb2.AdmitResponse


async def admit(pool: Pool, request: Request, user_id: int, server_cap: int | None) -> Response:
    """
    Admit what *request* asks for *user_id*, or return the job that its id has admitted.

    *server_cap* is the most in micro-USD that a user may spend in a month; None is no cap.
    """
    if not request.purchases:
        raise Invalid("REQUEST_INVALID", "A job without purchases makes nothing.")
    for _ in range(_TRIES):
        faults.point("ledger.before_admit")
        admitted = await _admit_once(pool, request, user_id, server_cap)
        faults.point("ledger.after_admit")
        if admitted is not None:
            return admitted
        async with as_ledger(pool) as connection:
            found = await _replay_or_refuse(connection, request, user_id, server_cap)
        if found is not None:
            return found
    why = "What is left of the month's cap is changing too fast; ask again."
    raise Unavailable("SERVICE_UNAVAILABLE", why, retry_after=1.0)


async def _admit_once(
    pool: Pool, request: Request, user_id: int, server_cap: int | None
) -> Response | None:
    try:
        async with by_statement(pool) as connection:
            return await _insert(connection, request, user_id, server_cap)
    except asyncpg.UniqueViolationError as error:
        if error.constraint_name != _ONCE:
            raise
        return None


async def _insert(
    connection: Connection, request: Request, user_id: int, server_cap: int | None
) -> Response | None:
    spec, bought = request.spec, request.purchases
    reserved = sum(purchase.reserved_usd_micros for purchase in bought)
    if reserved:
        await connection.execute(SQL.ensure_spending, user_id)
    events = _first_events(request)
    prompt = request.original_prompt or spec.prompt
    title = spec.title or prompt[:_TITLE]
    row = await connection.fetchrow(
        SQL.admit_within_cap,
        *(user_id, request.request_id, reserved, server_cap),
        *(title, spec.project, spec.use_case, request.preset_used, prompt),
        *(json_format.MessageToDict(spec), request.fingerprint),
        *_columns(bought),
        list(range(1, len(events) + 1)),
        [log.kind_of(event) for event in events],
        [event.SerializeToString() for event in events],
        arguments.job_id(request.retry_of, "retry_of") if request.retry_of else None,
        [purchase.repeats or None for purchase in bought],
        list(request.providers_needed),
        *(request.prompt_enhanced.prompt, request.prompt_enhanced.enhanced_by),
    )
    if row is None:
        return None
    job = _job(request, row, user_id, title, prompt)
    job.last_sequence = len(events)
    for number, event in enumerate(events, 1):
        log.finish(event, row["job_id"], number, row["created_at"], public_url="")
    return Response(job=job, estimate=request.estimate, events=events)


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
    job.create_time.FromDatetime(row["created_at"])
    job.update_time.CopyFrom(job.create_time)
    return job


def _columns(bought: Sequence[ledger_pb2.PlannedPurchase]) -> Sequence[list[object]]:
    return (
        [purchase.purchase_id for purchase in bought],
        [purchase.provider for purchase in bought],
        [purchase.model_key for purchase in bought],
        [purchase.ordinal for purchase in bought],
        [purchase.fingerprint for purchase in bought],
        [purchase.reserved_usd_micros for purchase in bought],
    )


def _first_events(request: Request) -> list[job_event_pb2.JobEvent]:
    event = job_event_pb2.JobEvent
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
        event(accepted=event.Accepted(estimate=request.estimate)),
        *(event(prompt_enhanced=told) for told in enhanced),
        *(event(warning=warning) for warning in request.warnings),
        event(queued=event.Queued(purchases=purchases)),
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
