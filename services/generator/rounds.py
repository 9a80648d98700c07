"""
One look now and then, for all who watch here together: has a log gone on without its news?

News may be lost on the way. Where none can come at all, the looks are as frequent as a
watcher is impatient; and one is at once wherever we or a catalog come back to NATS, since
what was said meanwhile reached nobody.
"""

import asyncio
import itertools
from contextlib import suppress
from dataclasses import dataclass, field

from nats.aio.msg import Msg

from chassis import errors, logs
from chassis.channel import Peer
from imagestudio.catalog.v1 import ledger_service_pb2, ledger_service_pb2_grpc
from services.generator.hub import Hub

SELDOM = 10.0  # seconds between two looks
OFTEN = 1.0  # the same without news, and after a look that failed
LOST = "news.lost"  # a catalog says by it that it may have spoken to nobody
_MOST = 1000  # jobs in one call
_TIMEOUT = 10.0  # seconds
log = logs.get()


@dataclass(slots=True)
class Rounds:
    """Asks *catalog* how far the logs have come that *hub* has listeners for."""

    hub: Hub
    catalog: Peer
    ledger: "ledger_service_pb2_grpc.LedgerServiceAsyncStub"
    seldom: float = SELDOM
    _called: asyncio.Event = field(default_factory=asyncio.Event)
    _hears: bool = False

    async def look(self) -> None:
        """Let every listener know how far his log has come."""
        await self.hub.subscribe()
        waiting = iter(self.hub.jobs)
        while jobs := list(itertools.islice(waiting, _MOST)):
            request = ledger_service_pb2.ReadPositionsRequest(jobs=[f"jobs/{job}" for job in jobs])
            ask = self.ledger.ReadPositions
            answer = await self.catalog.ask(ask, request, timeout=_TIMEOUT)
            for job, last in zip(jobs, answer.last_sequences, strict=True):
                self.hub.notice(job, last)

    async def run(self) -> None:
        """Look for ever."""
        self.hub.bus.on_connect.append(self._connected)
        await self._subscribe()
        loop = asyncio.get_running_loop()
        looked, failed = loop.time(), False
        while True:
            called = await self._is_called(OFTEN)
            due = loop.time() - looked >= self.seldom or not self.hub.connected
            if called or failed or due:
                looked, failed = loop.time(), not await self._has_looked()

    async def _is_called(self, seconds: float) -> bool:
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._called.wait()
        called = self._called.is_set()
        self._called.clear()
        return called

    async def _has_looked(self) -> bool:
        try:
            await self.look()
        except errors.Fault as fault:
            log.warning("nobody says how far the logs are", error=str(fault))
        except Exception:
            log.exception("a look at the logs broke off")
        else:
            return True
        return False

    async def _connected(self) -> None:
        await self._subscribe()
        self._called.set()

    async def _subscribe(self) -> None:
        bus = self.hub.bus
        while not self._hears and bus.connected:  # a slow NATS says nothing at first
            self._hears = await bus.subscribe(LOST, self._heard) is not None

    async def _heard(self, _message: Msg) -> None:
        self._called.set()
