"""Reads a job's log, and makes what the ledger answers fit for the outside."""

from collections.abc import Sequence
from typing import TypeVar

from chassis.errors import Invalid, Precondition
from imagestudio.catalog.v1 import ledger_service_pb2 as pb
from imagestudio.type.v1 import job_event_pb2
from services.catalog import admit, completion, log, present_ledger
from services.catalog.database import Pool, as_ledger, by_statement
from services.catalog.jobs import unknown
from services.catalog.queries import SQL
from services.catalog.rows import ENDED_JOB

MOST_JOBS = 1000  # whose positions are told in one call
WithJob = TypeVar("WithJob", pb.AdmitResponse, pb.RequestCancelResponse)
WithAdmitted = TypeVar(
    "WithAdmitted", pb.ReadUnclearResponse, pb.ReadAdmittedResponse, pb.ReserveSpendingResponse
)


async def events(
    pool: Pool, job_id: int, user_id: int, after: int, most: int, public_url: str
) -> pb.ReadEventsResponse:
    """Read up to *most* events after number *after* of a job of *user_id*."""
    async with as_ledger(pool) as connection:
        # The position first: what the events then show beyond it is no gap, but "ended"
        # without the last event would end a watch too early.
        position = await connection.fetchrow(SQL.log_position, job_id, user_id)
        rows = await connection.fetch(SQL.events_after, job_id, after, most)
    if position is None:
        raise unknown(f"jobs/{job_id}")
    last = max([position["last_sequence"], *(row["sequence"] for row in rows[-1:])])
    if not 0 <= after <= last:
        raise Invalid(
            "REQUEST_INVALID",
            f"The log of jobs/{job_id} has come to event {last}, and {after} was asked for; "
            f"ask for 0 to {last}.",
            fields={"after_sequence": f"must be 0 to {last}"},
            metadata={"field": "after_sequence"},
        )
    found = pb.ReadEventsResponse(last_sequence=last, ended=position["state"] in ENDED_JOB)
    for row in rows:
        event = job_event_pb2.JobEvent.FromString(row["payload"])
        found.events.append(
            log.finish(event, job_id, row["sequence"], row["created_at"], public_url)
        )
    return found


async def positions(pool: Pool, job_ids: Sequence[int]) -> pb.ReadPositionsResponse:
    """Tell how far the logs of *job_ids* have come."""
    if len(job_ids) > MOST_JOBS:
        raise Precondition("REQUEST_INVALID", f"At most {MOST_JOBS} jobs in one call.")
    async with by_statement(pool) as connection:
        rows = await connection.fetch(SQL.log_positions, job_ids)
    found = {row["job_id"]: row["last_sequence"] for row in rows}
    return pb.ReadPositionsResponse(last_sequences=[found.get(job_id, 0) for job_id in job_ids])


async def unclear(
    pool: Pool, request: pb.ReadUnclearRequest, job_id: int, user_id: int
) -> pb.ReadUnclearResponse:
    """Read what of a job of *user_id* may have been charged and brought no picture."""
    async with as_ledger(pool) as connection:
        again = await admit.replayed(connection, user_id, request.request_id, request.fingerprint)
        if again is not None:
            return pb.ReadUnclearResponse(admitted=again)
        jobs = await completion.whole_jobs(connection, [job_id], [user_id], {})
        rows = await connection.fetch(SQL.unclear_of_job, job_id)
    if job_id not in jobs:
        raise unknown(f"jobs/{job_id}")
    jobs[job_id].ClearField("images")
    purchases = [present_ledger.unclear(row, job_id) for row in rows]
    return pb.ReadUnclearResponse(job=jobs[job_id], purchases=purchases)


async def admitted(
    pool: Pool, request: pb.ReadAdmittedRequest, user_id: int
) -> pb.ReadAdmittedResponse:
    """Read the job that a request of *user_id* has admitted, if it has."""
    async with as_ledger(pool) as connection:
        asked = request.request_id, request.fingerprint
        return pb.ReadAdmittedResponse(admitted=await admit.replayed(connection, user_id, *asked))


def absolute(answer: WithJob, public_url: str) -> WithJob:
    """Put *public_url* in front of the links of an answer's job, in place."""
    for image in answer.job.images:
        log.publish(image, public_url)
    return answer


def absolute_admitted(answer: WithAdmitted, public_url: str) -> WithAdmitted:
    """The same for an answer that may tell what was admitted already."""
    if answer.HasField("admitted"):
        absolute(answer.admitted, public_url)
    return answer
