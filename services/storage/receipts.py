"""Receipts: a provider's raw answer, kept before anybody parses it, and the pictures in it."""

import binascii
import hashlib
import re
from collections.abc import AsyncIterable, AsyncIterator, Callable
from dataclasses import dataclass
from datetime import datetime

from chassis.errors import Precondition
from services.storage.keep import now
from services.storage.names import Range, invalid, unknown
from services.storage.notes import ReceiptNote
from services.storage.room import Room
from services.storage.turns import Turns
from services.storage.vault import Draft, Gone, Shelf, Vault

_MEANT = {
    rb"\/": b"/",
    rb"\r": b"",
    rb"\n": b"",
    rb"\u000a": b"",
    rb"\u000d": b"",
    rb"\u002b": b"+",
    rb"\u002f": b"/",
    rb"\u003d": b"=",
}
_ESCAPE = re.compile(b"|".join(map(re.escape, _MEANT)), re.IGNORECASE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """Whose answer it is and as what it came."""

    user_id: int
    purchase_id: str
    provider: str
    media_type: str


@dataclass(frozen=True, slots=True)
class Receipt:
    """One that is safe; *content* is what it holds, where that is small and still at hand."""

    note: ReceiptNote
    content: bytes | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Receipts:
    """Keeps receipts in *vault*: one for a purchase, once."""

    vault: Vault
    room: Room
    turns: Turns
    clock: Callable[[], datetime] = now

    async def put(self, chunks: AsyncIterable[bytes], answer: Answer) -> Receipt:
        """Keep *chunks*; the same again is fine, others are a Precondition STATE_CONFLICT."""
        digest, size = hashlib.sha256(), 0
        async with self.room.watched(), self.vault.draft() as draft:
            async for chunk in chunks:
                digest.update(chunk)
                size += len(chunk)
                await draft.write(chunk)
            content = draft.content()
            note = await self._name(draft, self._note(answer, digest.hexdigest(), size))
            return Receipt(note, content)

    async def pictured(self, part: Range, content: bytes | None = None) -> AsyncIterator[bytes]:
        """
        Yield the picture in a part of a receipt, decoded unless it lies there raw.

        It is read back, unless *content* is all of the receipt.
        Base64 text is the inside of a string in JSON: it may have escapes, and line breaks count
        as nothing. Invalid where it is no such text.
        """
        left, carried, half = part.stop - part.start, b"", b""
        try:
            async for block in self._blocks(part, content):
                left -= len(block)
                if part.raw:
                    yield block
                    continue
                plain, half = _unescaped(half + block)
                text = carried + plain
                whole = len(text) - len(text) % 4
                if left and text[:whole].endswith(b"="):  # its end, unless more than breaks follow
                    whole -= 4
                carried = text[whole:]
                yield _decoded(text[:whole])
        except Gone:
            raise unknown(f"receipts/{part.purchase_id}") from None
        if left or carried or half:
            raise invalid("source_uri", "the range goes beyond the receipt, or cuts its text")

    async def _blocks(self, part: Range, content: bytes | None) -> AsyncIterator[bytes]:
        if content is not None:
            yield content[part.start : part.stop]
            return
        found = self.vault.read(Shelf.RECEIPTS, part.purchase_id, part.start, part.stop)
        async for block in found:
            yield block

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


def _unescaped(text: bytes) -> tuple[bytes, bytes]:
    """Base64 text without JSON's escapes and line breaks, and half an escape at its end."""
    last = text.rfind(b"\\", -5) if b"\\" in text[-5:] else len(text)
    if text[last + 1 : last + 2] not in (b"", b"u"):
        last = len(text)
    plain = _ESCAPE.sub(lambda found: _MEANT[found.group().lower()], text[:last])
    return plain.translate(None, b"\r\n"), text[last:]


def _decoded(text: bytes) -> bytes:
    try:
        return binascii.a2b_base64(text, strict_mode=True)
    except binascii.Error:
        raise invalid("source_uri", "the bytes in that range are not base64 text") from None
