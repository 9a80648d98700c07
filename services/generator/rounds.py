"""
One look now and then, for all who watch here together: has a log gone on without its news?

News may be lost on the way. Where none can come at all, the looks are as frequent as a
watcher is impatient.
"""

import asyncio
import itertools
from dataclasses import dataclass

from chassis import errors, logs
from chassis.channel import Peer
from imagestudio.catalog.v1 import ledger_service_pb2, ledger_service_pb2_grpc
from services.generator.hub import Hub

SELDOM = 10.0  # seconds between two looks
OFTEN = 1.0  # the same without news
_MOST = 1000  # jobs in one call
_TIMEOUT = 10.0  # seconds
log = logs.get()


@dataclass(slots=True)
class Rounds:
    """Asks *catalog* how far the logs have come that *hub* has listeners for."""

    hub: Hub
    catalog: Peer
    ledger: "ledger_service_pb2_grpc.LedgerServiceAsyncStub"

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
        loop = asyncio.get_running_loop()
        looked = loop.time()
        while True:
            await asyncio.sleep(OFTEN)
            if self.hub.connected and loop.time() - looked < SELDOM:
                continue
            looked = loop.time()
            try:
                await self.look()
            except errors.Fault as fault:
                log.warning("nobody says how far the logs are", error=str(fault))
            except Exception:
                log.exception("a look at the logs broke off")
