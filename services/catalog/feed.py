"""
A user's feed: what happened after a job's log had ended, and that it ended.

Its numbers have no gap: they come from a counter in the user's row, under its lock.
"""

from collections.abc import Iterator, Sequence

from imagestudio.type.v1 import job_event_pb2
from services.catalog.database import Connection
from services.catalog.log import kind_of
from services.catalog.queries import SQL
from services.catalog.rows import ENDED_JOB, Batch

Event = job_event_pb2.JobEvent


def divided(
    batch: Batch, events: Sequence[tuple[int, Event]]
) -> tuple[list[tuple[int, Event]], list[tuple[int, Event]]]:
    """Divide *events* into those of logs, by job, and those of jobs that had ended, by user."""
    logged, late = [], []
    for job_id, event in events:
        job = batch.jobs[job_id]
        if job.state in ENDED_JOB:
            event.job = f"jobs/{job_id}"
            late.append((job.user_id, event))
        else:
            logged.append((job_id, event))
    return logged, late


def endings(batch: Batch, ended: Sequence[tuple[int, Event]]) -> Iterator[tuple[int, Event]]:
    """Yield, by user, the news of jobs that *ended*: how, and not what they brought."""
    for job_id, event in ended:
        news = Event(job=f"jobs/{job_id}", completed=event.completed)
        for long in ("spec", "images", "failures"):
            news.completed.job.ClearField(long)
        yield batch.jobs[job_id].user_id, news


async def append(connection: Connection, news: Sequence[tuple[int, Event]]) -> set[int]:
    """Write *news*, by user and in order, into the feeds; return whose have gone on."""
    if not news:
        return set()
    counts: dict[int, int] = {}
    rows = []
    for user_id, event in news:
        counts[user_id] = counts.get(user_id, 0) + 1
        rows.append((user_id, counts[user_id], kind_of(event), event.SerializeToString()))
    columns = map(list, zip(*rows, strict=True))
    await connection.execute(SQL.append_to_feed, list(counts), *columns)
    return set(counts)
