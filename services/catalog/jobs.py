"""Jobs as their user sees them."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

import asyncpg

from chassis.errors import Missing
from imagestudio.catalog.v1 import catalog_service_pb2 as pb
from services.catalog import arguments
from services.catalog.database import Connection, Pool, as_user
from services.catalog.pages import Page
from services.catalog.queries import SQL
from services.catalog.words import JOB_STATES, word

Row = asyncpg.Record
_WINDOW = 500  # newest jobs with the words that one look finds
_KINDS = {"jobs": "job", "variants": "variant", "apiKeys": "API key"}
_LOOKS = 5  # windows for one page, then it is shorter than asked for


@dataclass(frozen=True, slots=True)
class JobFound:
    """A job with its images, by version, its failures, by ordinal, and what is at risk, if any."""

    job: Row
    images: Sequence[Row]
    failures: Sequence[Row]
    risk: Row | None  # count, micros


@dataclass(frozen=True, slots=True)
class JobsFound:
    """A page of jobs, what is at risk by job where anything is, and the next token."""

    jobs: Sequence[Row]
    risks: Mapping[int, Row]  # count, micros
    more: str


@dataclass(frozen=True, slots=True)
class Jobs:
    """Reads; the ledger alone writes jobs."""

    pool: Pool

    async def get(self, user_id: int, name: str) -> JobFound:
        """Return "jobs/12"; Missing where it is nobody's or another's."""
        job_id = arguments.job_id(name)
        async with as_user(self.pool, user_id) as connection:
            job = await connection.fetchrow(SQL.get_job, user_id, job_id)
            if job is None:
                raise unknown(name)
            images = await connection.fetch(SQL.images_of_job, user_id, job_id)
            failures = await connection.fetch(SQL.failures_of_job, user_id, job_id)
            risks = await _risks(connection, user_id, [job])
        return JobFound(job, images, failures, risks.get(job_id))

    async def newest(self, user_id: int, wanted: pb.JobFilter, page: Page) -> JobsFound:
        """Return a page, newest first."""
        narrowed, words = _narrowed(wanted), arguments.text(wanted.query, "filter.query", 1000)
        async with as_user(self.pool, user_id) as connection:
            risky = await _at_risk(connection, user_id) if wanted.at_risk_only else None
            if words.strip():
                rows, more = await _with_words(connection, user_id, words, narrowed, risky, page)
            else:
                rows, more = await _without(connection, user_id, narrowed, risky, page)
            return JobsFound(rows, await _risks(connection, user_id, rows), more)


async def _risks(connection: Connection, user_id: int, jobs: Sequence[Row]) -> dict[int, Row]:
    job_ids = [job["job_id"] for job in jobs]
    rows = await connection.fetch(SQL.risks_of_own_jobs, user_id, job_ids)
    return {row["job_id"]: row for row in rows}


async def _at_risk(connection: Connection, user_id: int) -> set[int]:
    return {row["job_id"] for row in await connection.fetch(SQL.jobs_at_risk, user_id)}


async def _without(
    connection: Connection,
    user_id: int,
    narrowed: Sequence[object],
    only: Collection[int] | None,
    page: Page,
) -> tuple[list[Row], str]:
    """Look for jobs with whatever words; *only* among these, where they are named."""
    rows = await connection.fetch(
        SQL.list_jobs, user_id, page.below(), page.size + 1, *narrowed, only
    )
    more = page.next(rows[page.size - 1]["job_id"]) if len(rows) > page.size else ""
    return rows[: page.size], more


async def _with_words(
    connection: Connection,
    user_id: int,
    words: str,
    narrowed: Sequence[object],
    only: Collection[int] | None,
    page: Page,
) -> tuple[list[Row], str]:
    """Look through windows of jobs with the words until the page is full; *only* among these."""
    below, rows = page.below(), list[Row]()
    for _look in range(_LOOKS):
        found = await connection.fetch(SQL.find_jobs, words, below, _WINDOW)
        ids = [row["found_id"] for row in found]
        chosen = [each for each in ids if only is None or each in only]
        rows += await connection.fetch(
            SQL.list_jobs, user_id, below, page.size + 1 - len(rows), *narrowed, chosen
        )
        if len(rows) > page.size:
            return rows[: page.size], page.next(rows[page.size - 1]["job_id"])
        if len(ids) < _WINDOW:
            return rows, ""
        below = ids[-1]
    return rows, page.next(below)


def _narrowed(wanted: pb.JobFilter) -> tuple[object, ...]:
    """Read a filter but for its words, in the order of list_jobs' parameters from $4."""
    if len(wanted.states) > 64:
        raise arguments.invalid("filter.states", "must have 64 values at most")
    states = [word(JOB_STATES, state) for state in wanted.states]
    if not all(states):
        raise arguments.invalid("filter.states", "must be states that a job can have")
    return (
        states or None,
        arguments.texts(wanted.models, "filter.models"),
        arguments.text(wanted.project, "filter.project", 200) or None,
        arguments.text(wanted.use_case, "filter.use_case", 200) or None,
        arguments.text(wanted.preset, "filter.preset", 200) or None,
        arguments.time_of(wanted, "created_from", "filter"),
        arguments.time_of(wanted, "created_before", "filter"),
    )


def unknown(name: str) -> Missing:
    """Make the one answer for what is not there and for what is another's."""
    *above, number = name.split("/")
    kind = _KINDS.get(above[-1]) if above else None
    what = f"{kind} {number}" if kind else repr(name)
    return Missing("RESOURCE_UNKNOWN", f"There is no {what} of yours.", metadata={"name": name})
