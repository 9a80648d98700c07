"""Receipts: a provider's raw answer, kept before anybody parses it, and the pictures in it."""

import binascii
import hashlib
from collections.abc import AsyncIterable, AsyncIterator, Callable
from dataclasses import dataclass
from datetime import datetime

from chassis.errors import Invalid, Precondition
from services.storage.keep import now
from services.storage.names import Range, invalid, unknown
from services.storage.notes import ReceiptNote
from services.storage.room import Room
from services.storage.turns import Turns
from services.storage.vault import Draft, Gone, Shelf, Vault


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """Whose answer it is and as what it came."""

    user_id: int
    purchase_id: str
    provider: str
    media_type: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Receipts:
    """Keeps receipts in *vault*: one for a purchase, once."""

    vault: Vault
    room: Room
    turns: Turns
    clock: Callable[[], datetime] = now

    async def put(self, chunks: AsyncIterable[bytes], answer: Answer) -> ReceiptNote:
        """Keep *chunks*; the same again is fine, others are a Precondition STATE_CONFLICT."""
        digest, size = hashlib.sha256(), 0
        async with self.room.watched(), self.vault.draft() as draft:
            async for chunk in chunks:
                digest.update(chunk)
                size += len(chunk)
                await draft.write(chunk)
            return await self._name(draft, self._note(answer, digest.hexdigest(), size))

    async def pictured(self, part: Range) -> AsyncIterator[bytes]:
        """Yield the picture in a part of a receipt; Invalid where it is no base64 text, or cut."""
        left, carried = part.stop - part.start, b""
        try:
            async for block in self.vault.read(
                Shelf.RECEIPTS, part.purchase_id, part.start, part.stop
            ):
                left -= len(block)
                if part.raw:
                    yield block
                    continue
                text = carried + block
                whole = len(text) - len(text) % 4
                carried = text[whole:]
                yield _decoded(text[:whole], last=not left and not carried)
        except Gone:
            raise unknown(f"receipts/{part.purchase_id}") from None
        if left or carried:
            raise invalid("source_uri", "the range goes beyond the receipt, or cuts its text")

    async def _name(self, draft: Draft, note: ReceiptNote) -> ReceiptNote:
        async with self.turns.take(note.purchase_id):
            found = await draft.keep(Shelf.RECEIPTS, note.purchase_id, note.pack())
            if found is None:
                return note
            first = ReceiptNote.unpack(found.note)
            if first.sha256 != note.sha256:
                raise Precondition(
                    "STATE_CONFLICT",
                    "Another answer is kept for this purchase: read that one, and buy no more.",
                    metadata={"purchase_id": note.purchase_id, "state": "receipt kept"},
                )
            if found.size != first.size_bytes:
                await draft.keep(Shelf.RECEIPTS, note.purchase_id, found.note, replace=True)
            return first

    def _note(self, answer: Answer, sha256: str, size: int) -> ReceiptNote:
        return ReceiptNote(
            created_at=self.clock().isoformat(),
            user_id=answer.user_id,
            media_type=answer.media_type,
            size_bytes=size,
            purchase_id=answer.purchase_id,
            sha256=sha256,
            provider=answer.provider,
        )


def _decoded(text: bytes, *, last: bool) -> bytes:
    if not last and text.endswith(b"="):
        raise _no_base64()
    try:
        return binascii.a2b_base64(text, strict_mode=True)
    except binascii.Error:
        raise _no_base64() from None


def _no_base64() -> Invalid:
    return invalid("source_uri", "the bytes in that range are not base64 text")
