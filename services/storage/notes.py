"""
What is written beside a file: enough to make its rows in the catalog again.

One JSON object; fields are added, never renamed. An identical picture that is bought
again puts a note of its own beside the one file.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any, Self

from services.storage.cdn import Published

VERSION = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class _Note:
    created_at: str  # RFC 3339, UTC
    user_id: int
    media_type: str
    size_bytes: int
    purchase_id: str = ""
    version: int = VERSION

    def pack(self) -> bytes:
        """Write it down."""
        found = {field.name: getattr(self, field.name) for field in fields(self)}
        return json.dumps(found).encode()

    @classmethod
    def unpack(cls, written: bytes) -> Self:
        """Read what `pack` wrote, of this version or a later one."""
        found: dict[str, Any] = json.loads(written)
        return cls(
            **{field.name: found[field.name] for field in fields(cls) if field.name in found}
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class FileNote(_Note):
    """One kept file; without *purchase_id* it is what a user sent."""

    image_hash: str  # lower-case hex SHA-256
    link: str
    width: int  # 0 where it cannot be read
    height: int
    readable: bool
    job: str = ""  # "jobs/{job}"
    model: str = ""
    prompt: str = ""
    output_index: int = 0
    provenance: Mapping[str, Any] | None = None  # for the catalog; older notes have none
    prepared: str = ""  # "picture" or "mask": made here to go to a provider


@dataclass(frozen=True, slots=True, kw_only=True)
class PublishedNote(FileNote):
    """One file of which the CDN has a copy; one more note beside the file."""

    cdn_url: str
    cdn_thumbnail_url: str
    published_at: str  # RFC 3339, UTC

    @classmethod
    def of(cls, note: FileNote, published: Published, at: str) -> "PublishedNote":
        """Say of the file of *note* that it is *published* since *at*."""
        known = {each.name: getattr(note, each.name) for each in fields(FileNote)}
        return cls(
            **known,
            cdn_url=published.url,
            cdn_thumbnail_url=published.thumbnail_url,
            published_at=at,
        )


def fullest(notes: Sequence[bytes]) -> FileNote:
    """Return of a file's notes the one that knows most: of the CDN's copy, else the first."""
    for note in notes:
        if "cdn_url" in json.loads(note):
            return PublishedNote.unpack(note)
    return FileNote.unpack(notes[0])


@dataclass(frozen=True, slots=True, kw_only=True)
class ReceiptNote(_Note):
    """One raw answer of a provider."""

    sha256: str  # lower-case hex
    provider: str
