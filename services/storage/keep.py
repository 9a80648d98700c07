"""
Keeps a picture: from bytes that come in to a file, its note and a link, durable.

Identical bytes of one user are one file. A picture that was bought again gets one more
note, so that the notes alone tell all that was paid for.
"""

from collections.abc import AsyncIterable, Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from chassis.faults import point
from services.storage.catalog import Catalog
from services.storage.incoming import Claim, Incoming
from services.storage.names import Links
from services.storage.notes import FileNote
from services.storage.room import Room
from services.storage.turns import Turns
from services.storage.vault import Draft, Shelf, Vault


def now() -> datetime:
    """Return the time in UTC."""
    return datetime.now(UTC)


@dataclass(frozen=True, slots=True, kw_only=True)
class Origin:
    """Whose bytes they are and what paid for them; without *purchase_id* nothing did."""

    user_id: int
    purchase_id: str = ""
    output_index: int = 0
    job: str = ""
    model: str = ""
    prompt: str = ""
    provenance: Mapping[str, Any] | None = None  # the catalog's, as it is written down
    prepared: str = ""  # as what it was made here to go to a provider


@dataclass(frozen=True, slots=True)
class Kept:
    """A file that is safe; *deduplicated* where the user had the same bytes before."""

    note: FileNote
    deduplicated: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Keep:
    """Keeps files in *vault*; what nobody paid for is recorded in *catalog* at once."""

    vault: Vault
    links: Links
    room: Room
    turns: Turns
    catalog: Catalog
    clock: Callable[[], datetime] = now

    async def keep(self, chunks: AsyncIterable[bytes], origin: Origin, claim: Claim) -> Kept:
        """
        Take *chunks* to their end and keep them.

        Raises Invalid or DataLoss where they are not what they must be, Exhausted where
        there is no room; then nothing is there.
        """
        incoming = Incoming(claim, paid=bool(origin.purchase_id))
        if not origin.purchase_id:
            await self.room.check()
        async with self.room.watched(), self.vault.draft() as draft:
            async for chunk in chunks:
                incoming.feed(chunk)
                await draft.write(chunk)
            return await self._name(draft, self._note(incoming, origin))

    async def _name(self, draft: Draft, note: FileNote) -> Kept:
        async with self.turns.take(note.link):
            found = await draft.keep(Shelf.FILES, note.link, note.pack())
            kept = Kept(note, deduplicated=False)
            if found is not None:
                first = FileNote.unpack(found.note)
                kept = Kept(first, deduplicated=True)
                if found.size != first.size_bytes:  # damaged from outside; these bytes heal it
                    await draft.keep(Shelf.FILES, note.link, found.note, replace=True)
                await self._add_note(first, note)
            if not note.purchase_id:
                point("storage.keep.before_record")
                await self.catalog.record(note)
                point("storage.keep.after_record")
            return kept

    async def _add_note(self, first: FileNote, note: FileNote) -> None:
        """Write down one more purchase of the same bytes."""
        paid = (note.purchase_id, note.output_index)
        if note.purchase_id and paid != (first.purchase_id, first.output_index):
            key = f"{note.purchase_id}.{note.output_index}"
            await self.vault.annotate(Shelf.FILES, note.link, key, note.pack())

    def _note(self, incoming: Incoming, origin: Origin) -> FileNote:
        sha256, picture = incoming.finish()
        return FileNote(
            created_at=self.clock().isoformat(),
            user_id=origin.user_id,
            media_type=picture.media_type,
            size_bytes=incoming.size,
            purchase_id=origin.purchase_id,
            image_hash=sha256,
            link=self.links.of(origin.user_id, sha256),
            width=picture.width,
            height=picture.height,
            readable=picture.readable,
            job=origin.job,
            model=origin.model,
            prompt=origin.prompt,
            output_index=origin.output_index,
            provenance=origin.provenance,
            prepared=origin.prepared,
        )
