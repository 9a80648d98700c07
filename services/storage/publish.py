"""
Publishes what was paid for on the CDN, a few files at a time.

The file is read through once before: what is damaged here is not copied. What is proven to
be there is written beside the file, so that the notes alone tell it.
"""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial

import prometheus_client

from chassis import logs
from chassis.errors import DataLoss, Fault, Precondition, Unavailable
from chassis.faults import point
from chassis.identity import Caller
from services.storage import names
from services.storage.assets import Assets
from services.storage.cdn import Busy, Cdn, CdnError, File, Published
from services.storage.inspect import SVG
from services.storage.keep import now
from services.storage.notes import FileNote, PublishedNote
from services.storage.vault import Full, Gone, Shelf, Sick, Vault

_AT_ONCE = 16  # each with a small picture or some blocks in memory
_WAITING = 256  # more come back later, rather than wait here
_AGAIN = 1.0  # seconds
_DONE = prometheus_client.Counter(
    "studio_publications_total", "Files offered to the CDN, by outcome.", ("outcome",)
)
log = logs.get()


@dataclass(slots=True, kw_only=True)
class Publish:
    """Publishes files of *vault* on *cdn*; None: there is none."""

    vault: Vault
    assets: Assets
    cdn: Cdn | None
    clock: Callable[[], datetime] = now
    _turns: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(_AT_ONCE))
    _under_way: int = 0

    def takes(self, note: FileNote) -> bool:
        """Whether such a file goes to the CDN: not a drawing, which may hold a script.

        We serve one in a sandbox; under a CDN's name it would come without.
        """
        return self.cdn is not None and note.readable and note.media_type != SVG

    async def publish(self, caller: Caller, name: str, display_name: str) -> PublishedNote:
        """Publish "assets/…" of the caller; Precondition, Unavailable, Missing, DataLoss."""
        cdn = self.cdn
        if cdn is None:
            raise Precondition(
                "CDN_NOT_CONFIGURED", "There is no CDN: set CLOUDINARY_URL to publish pictures."
            )
        note = await self._paid(caller, name)
        async with self._turn():
            file = await self._file(note, display_name)
            point("storage.publish.before_upload")
            try:
                published = await cdn.publish(file)
            except CdnError as error:
                raise _fault(error, cdn.name) from error
            point("storage.publish.after_upload")
            _DONE.labels("published").inc()
            return await self._noted(note, published)

    async def _paid(self, caller: Caller, name: str) -> FileNote:
        if not names.parse(name).asset:
            raise names.unknown(name)
        notes = await self.assets.notes(caller, name)
        if not any(note.purchase_id for note in notes):
            raise _refusal("Only what was paid for is published, never what a user has sent.")
        if not notes[0].readable:
            raise _refusal("These bytes are no picture that a CDN could serve.")
        if notes[0].media_type == SVG:
            raise _refusal("An SVG is served by the vault alone, in a sandbox.")
        return notes[0]

    @asynccontextmanager
    async def _turn(self) -> AsyncIterator[None]:
        if self._under_way >= _AT_ONCE + _WAITING:
            raise Unavailable(
                "CDN_UNAVAILABLE", "Too many files wait for the CDN.", retry_after=_AGAIN
            )
        self._under_way += 1
        try:
            async with self._turns:
                yield
        finally:
            self._under_way -= 1

    async def _file(self, note: FileNote, display_name: str) -> File:
        """Read it through, so that only sound bytes leave; a small one only this once."""
        try:
            found = await self.vault.digest(Shelf.FILES, note.link)
        except Gone:
            raise names.unknown(f"links/{note.link}") from None
        if found.sha256 != note.image_hash:
            raise DataLoss(
                "HASH_MISMATCH",
                "The file in the vault is not as it was kept: restore it from a backup.",
                metadata={"expected": note.image_hash, "found": found.sha256},
            )
        return File(
            link=note.link,
            user_id=note.user_id,
            display_name=display_name,
            media_type=note.media_type,
            size=note.size_bytes,
            md5=found.md5,
            read=partial(self.vault.read, Shelf.FILES, note.link)
            if found.content is None
            else partial(_part, found.content),
        )

    async def _noted(self, note: FileNote, published: Published) -> PublishedNote:
        noted = PublishedNote.of(note, published, self.clock().isoformat())
        with suppress(Full, Sick):  # the catalog has it, too
            await self.vault.annotate(Shelf.FILES, note.link, "cdn", noted.pack())
        return noted


async def _part(content: bytes, start: int, stop: int) -> AsyncIterator[bytes]:
    yield content[start:stop]


def _fault(error: CdnError, cdn: str) -> Fault:
    log.warning("not published", cdn=cdn, error=str(error))
    if isinstance(error, Busy):
        _DONE.labels("busy").inc()
        return Unavailable(
            "CDN_UNAVAILABLE", str(error), metadata={"cdn": cdn}, retry_after=error.retry_after
        )
    _DONE.labels("refused").inc()
    return Precondition("CDN_REFUSED", str(error), metadata={"cdn": cdn})


def _refusal(why: str) -> Precondition:
    return Precondition("CDN_REFUSED", why)
