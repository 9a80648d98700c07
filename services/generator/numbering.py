"""
Has storage write down how the catalog has numbered what is kept, some time after it was kept.

Nothing waits for it, and what is lost of it is only a number: a catalog that has to be made
again of the vault gives such a variant a new one.
"""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from chassis import errors, faults, logs
from chassis.channel import Peer
from imagestudio.catalog.v1 import ledger_pb2
from imagestudio.storage.v1 import storage_service_pb2, storage_service_pb2_grpc

PAUSE = 1.0  # seconds in which they gather
_MOST = 1000  # in one call
_HELD = 20_000  # while storage is away; then the oldest are forgotten
_TIMEOUT = 10.0  # seconds
log = logs.get()


@dataclass(slots=True)
class Numbering:
    """Tells storage, by *peer*; *pause* waits between calls."""

    peer: Peer
    stub: "storage_service_pb2_grpc.StorageServiceAsyncStub"
    pause: Callable[[float], Awaitable[None]] = asyncio.sleep
    _waiting: list[storage_service_pb2.VariantNumber] = field(default_factory=list)
    _wake: asyncio.Event = field(default_factory=asyncio.Event)

    def add(self, purchase_id: str, output: ledger_pb2.PurchaseOutput) -> None:
        """Take note of the number of a kept *output*; returns at once."""
        number = storage_service_pb2.VariantNumber(
            purchase_id=purchase_id,
            output_index=output.index,
            variant=output.variant,
            version_number=output.version_number,
        )
        self._waiting.append(number)
        del self._waiting[:-_HELD]
        self._wake.set()

    async def run(self) -> None:
        """Tell for ever what is added."""
        while True:
            await self._wake.wait()
            await self.pause(PAUSE)
            if await self.tell():
                self._wake.clear()

    async def tell(self, patience: float = _TIMEOUT) -> bool:
        """Tell all that waits, *patience* seconds a call; False where some of it waits on."""
        while told := self._waiting[:_MOST]:
            request = storage_service_pb2.RecordVariantsRequest(variants=told)
            faults.point("numbering.before_call")
            try:
                await self.peer.ask(self.stub.RecordVariants, request, timeout=patience)
            except errors.Fault as fault:
                log.info("numbers wait to be written down", error=str(fault))
                return False
            faults.point("numbering.after_call")
            del self._waiting[: len(told)]
        return True
