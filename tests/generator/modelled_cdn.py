"""
A CDN for the simulation: it fails, dies for a while, takes what it does not answer for, and
refuses some for long. What is safe is never its to lose.
"""

import random
from dataclasses import fields
from datetime import UTC, datetime, timedelta
from typing import Any

from services.catalog import completion
from services.catalog.rows import Batch, Job
from services.generator import moves
from tests.generator.modelled_ledger import Rows, promise

WAIT = 10.0  # seconds that a job's end waits for it
_EPOCH = datetime(2026, 1, 1, tzinfo=UTC)


class Cdn:
    """Where it is *wanted*, each kept output shall be there; *rows* is the ledger."""

    def __init__(self, dice: random.Random, rows: Rows) -> None:
        self.rows, self.wanted = rows, dice.random() < 0.7
        self.refuses = dice.random() < 0.1  # a wrong secret, until somebody mends it
        self.assets: set[tuple[int, int]] = set()
        self.job = Job(**dict.fromkeys((each.name for each in fields(Job)), None))
        self.through_at: float | None = None  # when the job was seen to wait for the CDN alone
        self.completed_at: float | None = None
        self.looked_at = -1.0

    def publish(self, held: Any, effect: moves.Publish):
        """One upload of a worker's."""
        world, index = held.world, effect.index
        down = held.bad() or (self.refuses and not world.calm)
        yield
        if not down or held.bad():  # down, and yet it was taken: the answer is lost
            self.assets.add((held.number, index))
        yield
        if down:
            delay = 900.0 if self.refuses else 1.0
            held.happen(moves.Unpublished(index, "no answer", delay))
        elif held.bad():
            held.happen(moves.Raised("a defect"))
        else:
            held.happen(moves.Uploaded(index))

    def look(self) -> None:
        """Let the ledger's own rule say, as its edges and its sweeper do, whether the job ends."""
        rows, job = self.rows, self.job
        if self.completed_at is not None:
            return
        job.open_purchases = sum(row.is_open for row in rows.rows.values())
        job.publishing = sum(row.publishing for row in rows.rows.values())
        job.state = "canceling" if rows.canceling else "running"
        now = _EPOCH + timedelta(seconds=rows.now)
        wait = timedelta(seconds=WAIT)
        batch = Batch(now=now, jobs={1: job}, purchases={}, permits={}, publish_wait=wait)
        completion.begin_waits(batch)
        if not job.open_purchases:
            self.through_at = rows.now if self.through_at is None else self.through_at
            overdue = self.looked_at >= self.through_at + WAIT
            promise(not overdue, "no job waits longer than the wait", 1, rows.rows[1])
        self.looked_at = rows.now
        if not completion.ending(batch):
            return
        self.completed_at = rows.now
        early = rows.now < self.through_at + WAIT and job.publishing and not rows.canceling
        promise(not early, "a job waits for the CDN", 1, rows.rows[1])

    def check(self) -> None:
        """Each kept output is there, where it is wanted, and the job did not wait for long."""
        row = self.rows.rows[1]
        published = set(self.rows.published)
        promise(published <= self.assets, "published means there", 1, row)
        promise(len(published) == len(self.rows.published), "published once", 1, row)
        kept = set(self.rows.variants) if self.wanted else set()
        promise(published == kept, "what is kept is published in the end", 1, row)
        promise(self.completed_at is not None, "every job ends", 1, row)
