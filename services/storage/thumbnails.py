"""
Thumbnails: made when first asked for, once, and kept. What cannot be read has a
placeholder, which is not kept: a later version may read it.
"""

from collections.abc import Iterable
from dataclasses import dataclass

import prometheus_client

from services.storage.child import Child, Unreadable
from services.storage.notes import FileNote
from services.storage.turns import Turns
from services.storage.vault import Full, Shelf, Sick, Vault

_REMEMBERED = 10_000  # links
_MADE = prometheus_client.Counter(
    "studio_thumbnails_made_total", "Thumbnails asked of the decoding child, by outcome.", ("made",)
)


@dataclass(frozen=True, slots=True)
class Thumbnail:
    """A WebP; with *stand_in* it shows nothing of its file, which cannot be read."""

    content: bytes
    stand_in: bool = False


class Thumbnails:
    """Thumbnails of the files in *vault*, WebP of at most 512 by 512 pixels."""

    def __init__(self, vault: Vault, turns: Turns, child: Child) -> None:
        self._vault, self._turns, self._child = vault, turns, child
        self._unreadable: dict[str, None] = {}  # so that nobody makes us try again and again
        self._placeholder = b""

    async def of(self, note: FileNote) -> Thumbnail:
        """Return the thumbnail of a file that is there."""
        if not note.readable or note.link in self._unreadable:
            return await self._stand_in()
        if kept := await self._kept(note.link):
            return Thumbnail(kept)
        async with self._turns.take(f"thumbnail of {note.link}"):
            if kept := await self._kept(note.link):
                return Thumbnail(kept)
            try:
                made = await self._child.thumbnail(await self._content(note.link))
            except Unreadable:
                _MADE.labels("no").inc()
                self._remember(note.link)
                return await self._stand_in()
            _MADE.labels("yes").inc()
            await self._keep(note.link, made)
            return Thumbnail(made)

    async def _kept(self, link: str) -> bytes:
        found = await self._vault.find(Shelf.THUMBNAILS, link)
        return await self._content(link, Shelf.THUMBNAILS) if found else b""

    async def _content(self, link: str, shelf: Shelf = Shelf.FILES) -> bytes:
        blocks: Iterable[bytes] = [block async for block in self._vault.read(shelf, link)]
        return b"".join(blocks)

    async def _keep(self, link: str, made: bytes) -> None:
        async with self._turns.take(link):
            if await self._vault.find(Shelf.FILES, link) is None:
                return  # deleted in the meantime
            try:
                async with self._vault.draft() as draft:
                    await draft.write(made)
                    await draft.keep(Shelf.THUMBNAILS, link, b"")
            except (Full, Sick):
                return  # it is shown, and made again when that can be kept

    async def _stand_in(self) -> Thumbnail:
        if not self._placeholder:
            self._placeholder = await self._child.placeholder()
        return Thumbnail(self._placeholder, stand_in=True)

    def _remember(self, link: str) -> None:
        if len(self._unreadable) >= _REMEMBERED:
            self._unreadable.clear()
        self._unreadable[link] = None
