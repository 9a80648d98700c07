"""
Watching a user's feed: what it has from any number on, then whatever comes, without end.

The feed is the truth and a word of news only quickens: it is read again at every word, and
at every heartbeat without one.
"""

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass

from chassis.errors import Fault, Invalid, Unavailable
from imagestudio.type.v1 import job_event_pb2
from services.catalog import log
from services.catalog.database import Pool, as_user
from services.catalog.queries import SQL
from services.catalog.wakes import Wakes

SILENCE = 10.0  # seconds until a heartbeat
_PAGE = 500
Event = job_event_pb2.JobEvent


@dataclass(frozen=True, slots=True)
class Feeds:
    """Reads as the user; links get *public_url* in front."""

    pool: Pool
    wakes: Wakes
    public_url: str
    silence: float = SILENCE

    async def watch(self, user_id: int, after: int) -> AsyncIterator[Event]:
        """
        Yield a heartbeat that tells how far the feed is, then what comes after number *after*.

        Invalid where the feed has not come to *after*; Unavailable where this process ends.
        """
        with self.wakes.listen(user_id) as wake:
            newest = await self._newest(user_id)
            if not 0 <= after <= newest:
                raise _beyond(after, newest)
            yield _heartbeat(newest)
            while True:
                wake.forget()
                page = await self._page(user_id, after)
                for event in page:
                    yield event
                    after = event.sequence
                if len(page) == _PAGE:
                    continue
                if not self.wakes.closed and not await wake.wait(self.silence):
                    yield _heartbeat(after)
                if self.wakes.closed:
                    raise _ending()

    async def _newest(self, user_id: int) -> int:
        async with as_user(self.pool, user_id) as connection:
            found: int | None = await connection.fetchval(SQL.feed_position, user_id)
        return found or 0

    async def _page(self, user_id: int, after: int) -> Sequence[Event]:
        async with as_user(self.pool, user_id) as connection:
            rows = await connection.fetch(SQL.feed_after, user_id, after, _PAGE)
        events = []
        for row in rows:
            event = Event.FromString(row["payload"])
            job_id = int(event.job.rpartition("/")[2])
            number, at = row["sequence"], row["created_at"]
            events.append(log.finish(event, job_id, number, at, self.public_url))
        return events


def _heartbeat(last: int) -> Event:
    event = Event(heartbeat=Event.Heartbeat(last_sequence=last))
    event.event_time.GetCurrentTime()
    return event


def _beyond(after: int, newest: int) -> Invalid:
    return Invalid(
        "REQUEST_INVALID",
        f"The feed has come to number {newest}, and {after} was asked for; ask for 0 to {newest}.",
        fields={"after_sequence": f"must be 0 to {newest}"},
        metadata={"field": "after_sequence"},
    )


def _ending() -> Fault:
    return Unavailable(
        "SERVICE_UNAVAILABLE",
        "This catalog ends; watch on after the last number.",
        metadata={"service": "catalog"},
        retry_after=0.25,
    )
