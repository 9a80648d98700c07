"""
Money for language calls: held under the spend cap before one is made, settled by what it used.

A call whose answer is lost counts with all that was held for it, and so does one that nobody
could settle: it is never made again for that.
"""

import asyncio
from dataclasses import dataclass, field

from chassis import logs
from chassis.channel import Peer
from chassis.errors import Fault
from imagestudio.catalog.v1 import ledger_service_pb2 as pb
from imagestudio.catalog.v1 import ledger_service_pb2_grpc
from imagestudio.type.v1 import cost_pb2

_TIMEOUT = 5.0  # seconds
log = logs.get()


@dataclass(frozen=True, slots=True)
class Bill:
    """What a call cost in micro-USD; *charged* None where nobody can tell."""

    charged: bool | None
    cost: int = 0


@dataclass(frozen=True, slots=True)
class Meter:
    """Speaks to the catalog's ledger for the user of the running call."""

    catalog: Peer
    ledger: "ledger_service_pb2_grpc.LedgerServiceAsyncStub"
    _settling: set[asyncio.Task[None]] = field(default_factory=set)

    async def reserve(self, request: pb.ReserveSpendingRequest) -> pb.ReserveSpendingResponse:
        """Hold money; SPEND_CAP_EXCEEDED where it is not left. The same id holds once."""
        answer: pb.ReserveSpendingResponse = await self.catalog.insist(
            self.ledger.ReserveSpending, request, timeout=_TIMEOUT
        )
        return answer

    async def settle(self, reservation: str, bill: Bill, answer: str = "") -> None:
        """Tell what a call cost, and what to keep of its answer; goes on when its caller leaves."""
        task = asyncio.create_task(self._settle(reservation, bill, answer))
        self._settling.add(task)
        task.add_done_callback(self._settling.discard)
        await asyncio.shield(task)

    async def _settle(self, reservation: str, bill: Bill, answer: str) -> None:
        charged = {True: cost_pb2.CHARGED_YES, False: cost_pb2.CHARGED_NO}
        request = pb.SettleSpendingRequest(
            reservation_id=reservation,
            charged=cost_pb2.CHARGED_UNKNOWN if bill.charged is None else charged[bill.charged],
            cost_usd_micros=bill.cost,
            answer=answer,
        )
        try:
            await self.catalog.insist(self.ledger.SettleSpending, request, timeout=_TIMEOUT)
        except Fault as fault:  # the sweeper counts it with all that was held
            log.warning("a language call is not settled", reservation=reservation, why=str(fault))
