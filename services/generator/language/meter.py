"""
Money for language calls: held under the spend cap before one is made, settled by what it used.

A call whose answer is lost counts with all that was held for it: it is never made again for that.
What one cost is told until it is heard, or until the process ends.
"""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from chassis import logs
from chassis.beside import Beside
from chassis.channel import Peer
from chassis.errors import Fault, was_cut
from imagestudio.catalog.v1 import ledger_service_pb2 as pb
from imagestudio.catalog.v1 import ledger_service_pb2_grpc
from imagestudio.type.v1 import cost_pb2

_TIMEOUT = 5.0  # seconds
_AGAIN = 2.0  # seconds until what was not heard is told again
_CHARGED = {True: cost_pb2.CHARGED_YES, False: cost_pb2.CHARGED_NO, None: cost_pb2.CHARGED_UNKNOWN}
log = logs.get()


@dataclass(frozen=True, slots=True)
class Bill:
    """What a call cost in micro-USD; *charged* None where nobody can tell."""

    charged: bool | None
    cost: int = 0


@dataclass(frozen=True, slots=True)
class Meter:
    """Speaks to the catalog's ledger for the user of the running call; *pause* waits."""

    catalog: Peer
    ledger: "ledger_service_pb2_grpc.LedgerServiceAsyncStub"
    pause: Callable[[float], Awaitable[None]] = asyncio.sleep
    _settling: Beside = field(default_factory=Beside)

    async def reserve(self, request: pb.ReserveSpendingRequest) -> pb.ReserveSpendingResponse:
        """Hold money; SPEND_CAP_EXCEEDED where it is not left. The same id holds once."""
        try:
            answer: pb.ReserveSpendingResponse = await self.catalog.insist(
                self.ledger.ReserveSpending, request, timeout=_TIMEOUT
            )
        except (Fault, asyncio.CancelledError) as error:
            if not isinstance(error, Fault) or was_cut(error):  # it may be held for all we know
                self._tell(request.reservation_id, request.holder, Bill(charged=False))
            raise
        return answer

    async def settle(self, reservation: str, holder: str, bill: Bill, answer: str = "") -> None:
        """Tell what a call cost, and what to keep of its answer; goes on when its caller leaves."""
        await asyncio.wait({self._tell(reservation, holder, bill, answer)}, timeout=_TIMEOUT)

    async def close(self, patience: float) -> None:
        """Wait *patience* seconds for what is being settled; what is not heard counts in full."""
        await self._settling.close(patience)

    def _tell(
        self, reservation: str, holder: str, bill: Bill, answer: str = ""
    ) -> asyncio.Task[None]:
        request = pb.SettleSpendingRequest(
            reservation_id=reservation,
            holder=holder,
            charged=_CHARGED[bill.charged],
            cost_usd_micros=bill.cost,
            answer=answer,
        )
        return self._settling.start(self._told(request))

    async def _told(self, request: pb.SettleSpendingRequest) -> None:
        while True:
            try:
                await self.catalog.insist(self.ledger.SettleSpending, request, timeout=_TIMEOUT)
            except Fault as fault:
                named = {"reservation": request.reservation_id, "why": str(fault)}
                log.warning("a language call is not settled", **named)
                if not (was_cut(fault) or fault.reason == "DISK_FULL"):
                    return
            else:
                return
            await self.pause(_AGAIN)
