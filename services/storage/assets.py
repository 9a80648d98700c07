"""
Finds, reads and deletes what is kept. Whoever has a link may view; an asset's name is
worth something to its user only; a receipt is for services.
"""

import hashlib
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import TypeVar

from chassis import logs
from chassis.errors import DataLoss, OutOfRange, Precondition
from chassis.faults import point
from chassis.identity import Caller
from services.storage import names
from services.storage.catalog import Catalog
from services.storage.notes import FileNote, ReceiptNote, fullest
from services.storage.thumbnails import Thumbnail, Thumbnails
from services.storage.turns import Turns
from services.storage.vault import Found, Gone, Shelf, Vault

CHUNK = 64 * 1024  # bytes
log = logs.get()

Note = TypeVar("Note", FileNote, ReceiptNote)


@dataclass(frozen=True, slots=True)
class Content:
    """
    What is about to be read; *size* and *sha256* are those of the whole.

    With *stand_in* it is what is shown in place of a picture that cannot be read.
    """

    media_type: str
    size: int
    sha256: str
    chunks: AsyncIterator[bytes]
    stand_in: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Assets:
    """What is in *vault*, for whoever may see it."""

    vault: Vault
    links: names.Links
    turns: Turns
    thumbnails: Thumbnails
    catalog: Catalog

    async def get(self, caller: Caller, name: str) -> FileNote:
        """Return the note of "assets/…" of the caller or "links/…"; else Missing."""
        link = self._link(caller, name)
        found = await self.vault.find(Shelf.FILES, link)
        if found is None:
            found = await self._again(name, link)
        return _whole(found, FileNote.unpack(found.note))

    async def whole(self, caller: Caller, name: str) -> FileNote:
        """Return of a file, named likewise, the note that knows most: of the CDN, too."""
        note = await self.get(caller, name)
        return fullest(await self.vault.notes(Shelf.FILES, note.link) or [note.pack()])

    async def notes(self, caller: Caller, name: str) -> list[FileNote]:
        """Return all notes of a file, named likewise, the first one first; else Missing."""
        found = await self.vault.notes(Shelf.FILES, self._link(caller, name))
        if not found:
            raise names.unknown(name)
        return [FileNote.unpack(note) for note in found]

    async def open(self, caller: Caller, name: str, offset: int, *, thumbnail: bool) -> Content:
        """Open a file, its thumbnail or a receipt at *offset*; Missing, Denied, OutOfRange."""
        if names.parse(name).receipt:
            return await self._receipt(caller, name, offset, thumbnail=thumbnail)
        note = await self.get(caller, name)
        if thumbnail:
            return _in_memory(await self.thumbnails.of(note), offset)
        _check_offset(offset, note.size_bytes)
        chunks = self._chunks(Shelf.FILES, note.link, offset, note.size_bytes)
        return Content(note.media_type, note.size_bytes, note.image_hash, chunks)

    async def delete(self, caller: Caller, name: str, *, allow_missing: bool) -> None:
        """Delete a file that nothing refers to; Precondition ASSET_IN_USE, Missing."""
        link = self._link(caller, name)
        async with self.turns.take(link):
            notes = await self.vault.notes(Shelf.FILES, link)
            there = notes or await self.vault.is_torn(Shelf.FILES, link)
            if not there and allow_missing:
                return
            if not there or not names.parse(name).asset:
                raise names.unknown(name)
            if any(FileNote.unpack(note).purchase_id for note in notes):
                # It has a variant, or gets one with the edge that is on its way.
                raise _in_use(name)
            point("storage.assets.before_forget")
            await self.catalog.forget(names.parse(name).asset)
            point("storage.assets.after_forget")
            await self.vault.remove(Shelf.THUMBNAILS, link)  # first: the file tells of it
            await self.vault.remove(Shelf.FILES, link)

    async def _again(self, name: str, link: str) -> Found:
        """Tell what was never there, Missing, from what was taken out of the vault, DataLoss."""
        if not await self.vault.is_torn(Shelf.FILES, link):
            raise names.unknown(name)
        async with self.turns.take(link):  # who keeps or deletes it now has a note alone, too
            if found := await self.vault.find(Shelf.FILES, link):
                return found
            if not await self.vault.is_torn(Shelf.FILES, link):
                raise names.unknown(name)
        log.error("a file is gone from the vault", file=link)
        raise DataLoss(
            "HASH_MISMATCH",
            "This picture was kept, and its file is gone from the vault: restore it from a backup.",
            metadata={"found": "no file"},
        )

    def _link(self, caller: Caller, name: str) -> str:
        named = names.parse(name)
        if named.asset:
            return self.links.of(caller.require_user(), named.asset)
        if named.link:
            return named.link
        raise names.unknown(name)

    async def _receipt(self, caller: Caller, name: str, offset: int, *, thumbnail: bool) -> Content:
        caller.require_service("DownloadAsset of a receipt")
        if thumbnail:
            raise names.invalid("thumbnail", "a receipt has none")
        purchase_id = names.parse(name).receipt
        found = await self.vault.find(Shelf.RECEIPTS, purchase_id)
        if found is None:
            raise names.unknown(name)
        note = _whole(found, ReceiptNote.unpack(found.note))
        _check_offset(offset, note.size_bytes)
        chunks = self._chunks(Shelf.RECEIPTS, purchase_id, offset, note.size_bytes)
        return Content(note.media_type, note.size_bytes, note.sha256, chunks)

    async def _chunks(self, shelf: Shelf, name: str, start: int, stop: int) -> AsyncIterator[bytes]:
        try:
            async for block in self.vault.read(shelf, name, start, stop):
                for at in range(0, len(block), CHUNK):
                    yield block[at : at + CHUNK]
        except Gone:
            raise names.unknown(f"{shelf}/{name}") from None


def _whole(found: Found, note: Note) -> Note:
    if found.size == note.size_bytes:
        return note
    raise DataLoss(
        "HASH_MISMATCH",
        "The file in the vault is not as it was kept: restore it from a backup.",
        metadata={"expected": f"{note.size_bytes} bytes", "found": f"{found.size} bytes"},
    )


def _in_memory(thumbnail: Thumbnail, offset: int) -> Content:
    content = thumbnail.content
    _check_offset(offset, len(content))

    async def chunks() -> AsyncIterator[bytes]:
        for at in range(offset, len(content), CHUNK):
            yield content[at : at + CHUNK]

    sha256 = hashlib.sha256(content).hexdigest()
    return Content("image/webp", len(content), sha256, chunks(), thumbnail.stand_in)


def _check_offset(offset: int, size: int) -> None:
    if offset < 0:
        raise names.invalid("offset", "give 0 or more")
    if offset > size:
        raise OutOfRange(
            "REQUEST_INVALID",
            f"offset: the file has {size} bytes.",
            metadata={"field": "offset"},
            fields={"offset": f"give at most {size}"},
        )


def _in_use(name: str) -> Precondition:
    return Precondition(
        "ASSET_IN_USE",
        "A variant was made of this asset: delete the variant, its bytes stay kept.",
        metadata={"name": name},
    )
