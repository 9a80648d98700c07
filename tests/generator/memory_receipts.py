"""Receipts in memory, by the vault's rules: one for a purchase, once, whole or not at all."""

from collections.abc import Iterable

from chassis.errors import Precondition, Unavailable
from services.generator.provider import Drawn

SEAL = b"sealed"


class MemoryReceipts:
    """Reads, seals and writes; `broken` makes storage not answer."""

    def __init__(self) -> None:
        self.kept: dict[str, bytes] = {}
        self.holding: dict[str, Drawn | None] = {}  # by their writers' own word
        self.broken = False

    def sink(self, purchase_id: str) -> "MemorySink":
        return MemorySink(self, purchase_id)

    async def read(self, purchase_id: str, start: int, stop: int, /) -> bytes | None:
        self.answer()
        found = self.kept.get(purchase_id)
        return None if found is None else found[start:stop]

    async def seal(self, purchase_id: str, /) -> bool:
        self.answer()
        return self.kept.setdefault(purchase_id, SEAL) == SEAL

    def answer(self) -> None:
        if self.broken:
            raise Unavailable("SERVICE_UNAVAILABLE", "storage does not answer", retry_after=1)


class MemorySink:
    def __init__(self, receipts: MemoryReceipts, purchase_id: str) -> None:
        self.receipts, self.purchase_id, self.taken = receipts, purchase_id, b""

    async def write(self, chunk: bytes, /) -> None:
        self.receipts.answer()
        self.taken += chunk

    def written(self) -> Iterable[bytes]:
        return [self.taken]

    async def close(self, holding: Drawn | None = None, /) -> None:
        self.receipts.answer()
        self.receipts.holding[self.purchase_id] = holding
        first = self.receipts.kept.setdefault(self.purchase_id, self.taken)
        if first != self.taken:
            raise Precondition("STATE_CONFLICT", "another answer is kept for this purchase")
