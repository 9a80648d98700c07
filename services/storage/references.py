"""
References: of a user's picture, what may go to a provider.

The picture is decoded in the child and written anew, so that nothing goes out but its pixels:
no place where it was taken, no camera, no thumbnail of what was cut off. What was made so is
taken as it is when it is named again, and the same picture always makes the same asset.
"""

from collections.abc import AsyncIterator
from contextlib import aclosing
from dataclasses import dataclass, field

from chassis.errors import Fault, Invalid
from chassis.identity import Caller
from services.storage.assets import Assets
from services.storage.child import Child, Unreadable
from services.storage.fetch import Fetch
from services.storage.incoming import MAX_BYTES, Claim, Incoming, too_large
from services.storage.keep import Keep, Origin
from services.storage.lane import Lane, Lanes
from services.storage.names import invalid
from services.storage.notes import FileNote
from services.storage.sources import Link, Trouble

MOST = 20 * 1024 * 1024  # bytes of what goes to a provider
FETCHED = 16  # URLs at once: each may have brought 25 MiB by now, though one that is dead nothing
_DECODED = 4  # pictures at once: each is in memory while it waits for the one decoder
_EACH = 2  # of one user's, so that a few slow URLs of hers are in nobody's way but her own
_PHOTOS = (b"ftypheic", b"ftypheix", b"ftyphevc", b"ftypmif1", b"ftypmsf1", b"ftypavif")


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """One picture: at *uri*, *content* itself, or the file *asset*; the others are empty."""

    uri: str = ""
    content: bytes = b""
    asset: str = ""
    media_type: str = ""  # what it is said to be; empty is not said
    mask: bool = False

    @property
    def kind(self) -> str:
        """As what it is prepared."""
        return "mask" if self.mask else "picture"


@dataclass(frozen=True, slots=True, kw_only=True)
class References:
    """Prepares with *child* what *fetch* or *assets* have, and keeps it with *keep*."""

    keep: Keep
    assets: Assets
    fetch: Fetch
    child: Child
    fetching: Lane = field(default_factory=lambda: Lane(FETCHED))
    decoding: Lane = field(default_factory=lambda: Lane(_DECODED))
    lanes: Lanes = field(default_factory=lambda: Lanes(_EACH))

    async def prepare(self, caller: Caller, wanted: Wanted) -> FileNote:
        """Return what may go to a provider; Invalid where the picture cannot be had or read."""
        if wanted.asset:
            note = await self.assets.get(caller, wanted.asset)
            if note.prepared == wanted.kind:
                return note
        user = caller.require_user()
        async with self.lanes.of(str(user)).turn(None):
            made = await self._turned(caller, wanted)
        origin = Origin(user_id=user, prepared=wanted.kind)
        return (await self.keep.keep(_whole(made), origin, Claim())).note

    async def _turned(self, caller: Caller, wanted: Wanted) -> bytes:
        """Decode in turn; what a URL brought is in memory until then, and so counts until then."""
        if wanted.uri:
            async with self.fetching.turn(None):
                content = await self._fetched(wanted.uri)
                async with self.decoding.turn(None):
                    return await self._made(content, wanted)
        async with self.decoding.turn(None):
            return await self._made(wanted.content or await self._file(caller, wanted), wanted)

    async def _made(self, content: bytes, wanted: Wanted) -> bytes:
        _check(content, wanted.media_type)
        try:
            made = await self.child.reference(content, mask=wanted.mask)
        except Unreadable as error:
            raise _unreadable(str(error)) from error
        if len(made) > MOST:
            raise too_large(MOST, "bytes once its metadata is gone; save it as a JPEG")
        return made

    async def _file(self, caller: Caller, wanted: Wanted) -> bytes:
        found = await self.assets.open(caller, wanted.asset, 0, thumbnail=False)
        return await _gathered(found.chunks)

    async def _fetched(self, uri: str) -> bytes:
        link = Link(uri, "", None)
        try:
            async with aclosing(self.fetch.pictured(link)) as chunks:
                return await _gathered(chunks)
        except Trouble as trouble:
            whose = link.host or "that address"
            raise invalid("source", f"the picture at {whose} cannot be had: {trouble}") from trouble


async def _gathered(chunks: AsyncIterator[bytes]) -> bytes:
    found = bytearray()
    async for chunk in chunks:
        found += chunk
        if len(found) > MAX_BYTES:
            raise too_large(MAX_BYTES, "bytes")
    return bytes(found)


def _check(content: bytes, said: str) -> None:
    """Refuse by its headers, before anything decodes it, what no provider takes."""
    if content[4:12] in _PHOTOS:
        raise _unreadable("it is a HEIC or AVIF; save it as a JPEG")
    incoming = Incoming(Claim(media_type=said), paid=False)
    incoming.feed(content)
    incoming.finish()


def _unreadable(why: str) -> Fault:
    return Invalid(
        "IMAGE_UNREADABLE",
        f"The picture cannot be used: {why}.",
        metadata={"field": "source"},
        fields={"source": why},
    )


async def _whole(content: bytes) -> AsyncIterator[bytes]:
    yield content
