"""Cancels a job: what nobody has claimed ends at once, the rest is asked to end."""

from chassis import faults
from imagestudio.type.v1 import job_pb2
from services.catalog import completion, endings, jobs, ledger, saving
from services.catalog.database import Connection, Pool, as_ledger
from services.catalog.news import News
from services.catalog.queries import SQL
from services.catalog.rows import ENDED_JOB, Batch, Job


async def cancel(pool: Pool, news: News, job_id: int, user_id: int) -> job_pb2.Job:
    """Cancel a job of *user_id*; one that has ended is returned as it is."""
    faults.point("ledger.before_cancel")
    async with as_ledger(pool) as connection:
        row = await connection.fetchrow(SQL.lock_job_of_user, job_id, user_id)
        if row is None:
            raise jobs.unknown(f"jobs/{job_id}")
        job = Job(**row)
        told = saving.Told()
        if job.state not in ENDED_JOB:
            told = await _cancel(connection, job)
        failures = await completion.failures_of(connection, [job_id])
        found = await completion.whole_jobs(connection, [job_id], [user_id], failures)
    faults.point("ledger.after_cancel")
    news.tell(told)
    return found[job_id]


async def _cancel(connection: Connection, job: Job) -> saving.Told:
    planned = await connection.fetch(SQL.planned_purchases_of_job, job.job_id)
    rows = await connection.fetch(SQL.purchases_by_id, [row["purchase_id"] for row in planned])
    now = await connection.fetchval(SQL.clock)
    purchases = {row["purchase_id"]: ledger.purchase_from(row) for row in rows}
    batch = Batch(now=now, jobs={job.job_id: job}, purchases=purchases, permits={})
    batch.failed.add(job.job_id)  # perhaps: the job ends here where only the CDN was waited for
    before = {key: saving.state_of(purchase) for key, purchase in purchases.items()}
    job.state = "canceling"
    for purchase in purchases.values():
        if purchase.state == "planned":
            endings.cancel_planned(batch, purchase)
    told = await saving.save(connection, batch, before, {})
    await connection.execute(SQL.mark_canceling, job.job_id)
    return told
