"""
Bytes on their way in: counted, hashed and looked at as they pass.

What a user sends must be a picture within the limits. What was paid for is taken as it
is: refusing it would lose it.
"""

import hashlib
from dataclasses import dataclass, field
from typing import Any

from chassis.errors import DataLoss, Invalid
from services.storage.inspect import Inspector, Picture
from services.storage.names import invalid

TAKEN = ("image/png", "image/jpeg", "image/webp")  # by vendors
MAX_BYTES = 25 * 1024 * 1024
MAX_PIXELS = 50_000_000
MAX_SIDE = 16_384  # pixels


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """What is said of bytes before they come; None or empty is not said."""

    size: int | None = None
    sha256: str = ""
    media_type: str = ""


@dataclass(slots=True)
class Incoming:
    """*paid* bytes are never refused for what they are."""

    claim: Claim
    paid: bool
    size: int = 0
    _hash: Any = field(default_factory=hashlib.sha256)
    _inspector: Inspector = field(default_factory=Inspector)

    def __post_init__(self) -> None:
        claimed = self.claim.size
        if claimed is not None and claimed < 1:
            raise invalid("header.size_bytes", "say how many bytes will come, at least 1")
        if not self.paid and claimed is not None and claimed > MAX_BYTES:
            raise too_large(MAX_BYTES, "bytes")

    def feed(self, chunk: bytes) -> None:
        """Take note of the next bytes; Invalid as soon as they are too many."""
        self.size += len(chunk)
        if self.claim.size is not None and self.size > self.claim.size:
            raise invalid("header.size_bytes", f"more than the {self.claim.size} bytes came")
        self._hash.update(chunk)
        self._inspector.feed(chunk)
        if not self.paid:
            self._check_limits()

    def finish(self) -> tuple[str, Picture]:
        """Return SHA-256 and picture once all has come; Invalid or DataLoss where they lie."""
        if self.claim.size is not None and self.size != self.claim.size:
            raise invalid(
                "header.size_bytes", f"{self.claim.size} bytes were announced, {self.size} came"
            )
        if not self.size:
            raise invalid("source_uri", "no bytes are there")
        self._inspector.end()
        found = self._hash.hexdigest()
        if self.claim.sha256 and self.claim.sha256 != found:
            raise DataLoss(
                "HASH_MISMATCH",
                "The bytes that came are not those that were announced: send them again.",
                metadata={"expected": self.claim.sha256[:64], "found": found},
            )
        if not self.paid:
            self._check_picture()
        return found, self._inspector.picture

    def _check_limits(self) -> None:
        width, height = self._inspector.size or (0, 0)
        if max(width, height) > MAX_SIDE:
            raise too_large(MAX_SIDE, "pixels a side")
        if width * height > MAX_PIXELS:
            raise too_large(MAX_PIXELS, "pixels")

    def _check_picture(self) -> None:
        found = self._inspector.picture
        if not found.readable or found.media_type not in TAKEN:
            raise Invalid(
                "IMAGE_UNREADABLE",
                "These bytes are no whole PNG, JPEG or WebP: send the file itself, and no form.",
                metadata={"media_type": self._inspector.media_type},
            )
        if self.claim.media_type not in ("", found.media_type):
            raise invalid("header.media_type", f"the bytes are {found.media_type}; say that")


def too_large(limit: int, unit: str) -> Invalid:
    """Return the answer to a picture of more than *limit* of *unit*."""
    return Invalid(
        "IMAGE_TOO_LARGE",
        f"The picture is too large: send one of at most {limit:,} {unit}.",
        metadata={"limit": str(limit), "unit": unit},
    )
