"""
Finds what nobody works on: the purchases of dead workers, open work left alone, and jobs
that have waited for the CDN long enough.

One watches and sweeps at a time, in all replicas: whoever holds an advisory lock, on a connection
that only the watch has, so that its end frees the lock.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import timedelta

import asyncpg

from chassis import faults, logs
from chassis.beside import Beside
from chassis.errors import Unavailable
from services.catalog import endings
from services.catalog.ledger import Change, Ledger
from services.catalog.news import News
from services.catalog.permits import UNTOLD
from services.catalog.queries import SQL
from services.catalog.reach import is_gone
from services.catalog.rows import Batch
from services.catalog.vigil import Vigil
from services.catalog.wakes import Wake

LEFT_ALONE = timedelta(seconds=1)  # a planned purchase's first moment is its admitter's
INBOX = timedelta(days=7)  # a webhook is of use while its purchase may be unclear
TALK = timedelta(minutes=10)  # a language call has told what it cost by then, or never will
MOST = 200  # purchases announced at once for one provider
MOST_PUBLISHED = 100  # likewise, of what only the CDN has not: new work goes first
TOGETHER = 500  # purchases that one transaction takes from their dead owners
_SOON = 0.05  # seconds: no look follows the last one sooner
log = logs.get()


@dataclass(slots=True, kw_only=True)
class Sweeper:
    """
    Sweeps every *pause* seconds and at each *wake*; a worker silent for *patience* is dead.

    Who is, is watched for beside it: a sweep that is slow, or fails, keeps nobody unburied.
    """

    connect: Callable[[], Awaitable[asyncpg.Connection]]
    ledger: Ledger
    news: News
    patience: float = 3.0
    pause: float = 1.0
    wake: Wake = field(default_factory=Wake)
    vigil: Vigil = field(init=False)

    def __post_init__(self) -> None:
        self.vigil = Vigil(timedelta(seconds=self.patience))

    async def run(self) -> None:
        """Watch and sweep for ever; a lost database only makes it wait."""
        await self._ever_again(self._hold_and_watch)

    async def _ever_again(self, session: Callable[[asyncpg.Connection], Awaitable[None]]) -> None:
        """Give *session* a connection of its own, and another one whenever it fails."""
        while True:
            try:
                connection = await self.connect()
                try:
                    await session(connection)
                finally:
                    connection.terminate()
            except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
                if is_gone(error):
                    log.warning("a sweep was broken off", error=repr(error))
                else:
                    log.exception("a sweep failed")
            except Unavailable:
                pass  # it is told by who found it so
            except Exception:
                log.exception("a sweep failed")
            await asyncio.sleep(self.pause)

    async def _hold_and_watch(self, connection: asyncpg.Connection) -> None:
        while not await connection.fetchval(SQL.hold_sweep):  # noqa: ASYNC110
            await asyncio.sleep(self.pause)  # the lock is PostgreSQL's
        self.vigil.begin_anew()  # after an outage the living beat first
        sweeping = Beside()
        sweeping.start(self._ever_again(self._sweep_on))
        try:
            await self._watch(connection)
        finally:
            await sweeping.close()

    async def _watch(self, connection: asyncpg.Connection) -> None:
        """Look for the dead in time, or the vigil is no vigil: no sweep is waited for."""
        loop = asyncio.get_running_loop()
        while True:
            began = loop.time()
            pause = self.patience / 3
            with suppress(Unavailable):  # a full pool: the vigil sees the gap, the sweeps go on
                pause = await self.bury(connection)
            await asyncio.sleep(max(_SOON, began + pause - loop.time()))

    async def _sweep_on(self, connection: asyncpg.Connection) -> None:
        while True:
            self.wake.forget()
            await self.sweep(connection)
            await self.wake.wait(self.pause)

    async def sweep(self, connection: asyncpg.Connection) -> None:
        """Sweep once."""
        orphans = await connection.fetch(SQL.orphaned_purchases)
        faults.point("sweep.before_orphans")
        await self._take_over(orphans)
        faults.point("sweep.before_announce")
        most = MOST + len(orphans)
        due = await connection.fetch(SQL.due_purchases, LEFT_ALONE, most, UNTOLD)
        due += await connection.fetch(SQL.due_publications, MOST_PUBLISHED + len(orphans))
        now = [row for row in due if not row["on_trial"]]
        self.news.announce((row["purchase_id"], row["provider"], _once(row)) for row in now)
        for provider in {row["provider"] for row in due if row["on_trial"]}:
            self.news.ration(provider)
        late = await connection.fetch(SQL.jobs_that_waited)
        await self.ledger.change([Change(row["purchase_id"], "", _nothing) for row in late])
        await connection.execute(SQL.forget_webhooks, INBOX)
        await connection.execute(SQL.close_forgotten_language_calls, TALK)

    async def bury(self, connection: asyncpg.Connection) -> float:
        """
        Forget the workers that were silent; return in how many seconds it is time to look again.

        Who is dead was so when it was asked what time it is: whatever holds this up from then on
        holds up the heartbeats of the living as well.
        """
        silent = timedelta(seconds=self.patience)
        now = await self.ledger.look_at_the_clock()
        if self.vigil.looks(now):
            if await connection.execute(SQL.bury_silent_workers, now - silent) != "DELETE 0":
                self.wake.up()
        else:
            await connection.execute(SQL.cap_heartbeats)
        next_death: float | None = await connection.fetchval(SQL.next_death, silent)
        often = self.patience / 3
        return often if next_death is None else min(next_death, often)

    async def _take_over(self, orphans: Sequence[asyncpg.Record]) -> None:
        for start in range(0, len(orphans), TOGETHER):
            await self.ledger.change([_orphan(row) for row in orphans[start : start + TOGETHER]])


def _once(row: asyncpg.Record) -> str:
    return f"{row['fence']}.{row['turn']}"


def _nothing(_batch: Batch) -> None:
    """Have a job looked at again: its wait for the CDN is over, so that it is completed."""


def _orphan(row: asyncpg.Record) -> Change:
    return orphaned(row["purchase_id"], row["fence"], alone=row["together"] == 1)


def orphaned(purchase_id: str, fence: int, *, alone: bool) -> Change:
    """Take a purchase from who owns it no more; *alone* with it he died."""

    def apply(batch: Batch) -> None:
        purchase = batch.purchases[purchase_id]
        if purchase.fence == fence and purchase.has_work and purchase.owner:
            endings.orphan(batch, purchase, alone=alone)

    return Change(purchase_id, "fail", apply)
