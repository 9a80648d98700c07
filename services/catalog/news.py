"""
Tells the world what has been committed: events to who watches, open work to who is free.

Everything here may be lost: a watcher finds a gap and reads the log, the sweeper says
open work again.
"""

import asyncio
import time
import uuid
from collections.abc import Awaitable, Callable, Coroutine, Iterable
from dataclasses import dataclass, field
from typing import Any

import asyncpg
import prometheus_client

from chassis import logs, telemetry
from chassis.beside import Beside
from chassis.bus import Bus
from services.catalog import log as joblog
from services.catalog.database import Pool, as_ledger, by_statement
from services.catalog.permits import UNTOLD
from services.catalog.queries import SQL
from services.catalog.saving import Told
from services.catalog.wakes import SUBJECT, Wakes

LOST = "news.lost"  # and nothing in it to read
AGAIN = 5  # seconds after which the same work may be announced again
PACE = 0.2  # seconds between two orders that waited for a provider which is on trial
_FIRST = "00000000-0000-0000-0000-000000000000"  # is before every purchase
ALARMS = prometheus_client.Counter(
    "studio_purchase_alarms",
    "Purchases lost, doubled, unclear or quarantined, and orders of unknown ones.",
    ("kind",),
)
log = logs.get()


@dataclass(slots=True)
class News:
    """Speaks through *bus*; links get *public_url* in front; *pause* waits between two orders."""

    bus: Bus
    pool: Pool
    public_url: str
    wakes: Wakes = field(default_factory=Wakes)
    pause: Callable[[float], Awaitable[None]] = asyncio.sleep
    _beside: Beside = field(default_factory=Beside)
    _rationing: Beside = field(default_factory=Beside)
    _rationed: dict[str, bool] = field(default_factory=dict)  # providers; True: look once more

    def tell(self, told: Told) -> None:
        """Tell what a batch did; returns at once."""
        for kind, purchase_id in told.alarms:
            ALARMS.labels(kind).inc()
            log.warning("purchase alarm", kind=kind, purchase_id=purchase_id)
        if told.events:
            self._spawn(self._publish(told))
        for user_id in told.fed:
            self.wakes.wake(user_id)
            self._spawn(self.bus.publish(f"{SUBJECT}.{user_id}", b""))
        if told.planned:
            self.announce((p.purchase_id, p.queue, p.fence) for p in told.planned)
        if told.freed:
            self._spawn(self._offer(told.freed))
        for provider in told.on_trial:
            self.ration(provider)

    def announce(self, work: Iterable[tuple[str, str, int | str]], *, anew: bool = False) -> None:
        """
        Queue purchases, each as (purchase_id, provider or ANY, its turn); returns at once.

        The same is said once in a while only, but *anew* where something has changed.
        """
        window = str(uuid.uuid4()) if anew else str(int(time.time() // AGAIN))
        headers = telemetry.carried()
        for purchase_id, provider, turn in work:
            once = f"{purchase_id}:{turn}:{window}"
            self._spawn(self._announce(f"work.{provider}", purchase_id, once, headers))

    def ration(self, provider: str) -> None:
        """
        Announce what waits for a *provider* on trial, one by one; returns at once.

        What leaves together is answered together, and is all in work at once then, in the way
        of other providers' work. Here it goes at a pace, as long as more may be out.
        """
        if provider not in self._rationed:
            self._rationing.start(self._guarded(self._ration(provider)))
        self._rationed[provider] = True

    async def tell_of_loss(self) -> None:
        """Have all who watch look by themselves: what was to be told until now may be lost."""
        await self.bus.publish(LOST, b"")

    async def close(self) -> None:
        """Wait for what is still being told; what would be told later, the sweeper tells."""
        await self._rationing.close()
        await self._beside.ended()

    async def _publish(self, told: Told) -> None:
        for job_id, sequence, at, event in told.events:
            joblog.finish(event, job_id, sequence, at, self.public_url)
            await self.bus.publish(f"news.job.{job_id}", event.SerializeToString())

    async def _announce(self, subject: str, payload: str, once: str, headers: Any) -> None:
        await self.bus.announce(subject, payload.encode(), once=once, headers=headers)

    async def _offer(self, freed: dict[str, int]) -> None:
        async with as_ledger(self.pool) as connection:
            for provider, count in freed.items():
                rows = await connection.fetch(SQL.next_planned, provider, count)
                work = [(r["purchase_id"], r["provider"], r["fence"]) for r in rows]
                self.announce(work, anew=True)  # who was refused a permit has just been told

    async def _ration(self, provider: str) -> None:
        try:
            while self._rationed[provider]:
                self._rationed[provider], last = False, _FIRST
                while row := await self._next_on_trial(provider, last):
                    last = row["purchase_id"]
                    self.announce([(last, provider, row["fence"])], anew=True)  # as there is room
                    await self.pause(PACE)
        finally:
            del self._rationed[provider]

    async def _next_on_trial(self, provider: str, after: str) -> asyncpg.Record | None:
        async with by_statement(self.pool) as connection:
            return await connection.fetchrow(SQL.next_on_trial, provider, after, UNTOLD)

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        self._beside.start(self._guarded(work))

    async def _guarded(self, work: Coroutine[Any, Any, None]) -> None:
        try:
            await work
        except Exception as error:
            log.warning("news not told", error=repr(error))
