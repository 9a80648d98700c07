"""What the cloud holds, in memory: each original once, and what was derived from it."""

import secrets
import string
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from hashlib import md5, sha256

from lab.cloudinary.pictures import Shape
from lab.cloudinary.transformations import Derived

_LETTERS = string.ascii_lowercase + string.digits


@dataclass(frozen=True, slots=True)
class Key:
    """What names an asset: two of these may hold the same public id."""

    resource_type: str
    type: str
    public_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Asset:
    """An original and what is known of it; *shape* is None where it is no image."""

    key: Key
    asset_id: str  # stays through renaming and overwriting
    version: int  # in URLs: Unix seconds, more with every overwriting
    created_at: datetime
    content: bytes
    etag: str  # MD5
    shape: Shape | None
    asset_folder: str
    display_name: str
    original_filename: str
    tags: tuple[str, ...] = ()
    context: dict[str, str] = field(default_factory=dict)

    @property
    def sha256(self) -> str:
        """No vendor's answer has it: it is worked out when a test asks."""
        return sha256(self.content).hexdigest()

    @property
    def extension(self) -> str:
        """What follows the public id in a URL: an image's format; a raw file's is in its id."""
        return f".{self.shape.format}" if self.shape else ""


class Shelf:
    """The assets by key, in the order of their making, and their derived images."""

    def __init__(self) -> None:
        self._assets: dict[Key, Asset] = {}
        self._derived: dict[Key, dict[tuple[str, str], Derived]] = {}

    def __iter__(self) -> Iterator[Asset]:
        return iter(list(self._assets.values()))

    def get(self, key: Key) -> Asset | None:
        return self._assets.get(key)

    def put(self, asset: Asset) -> None:
        """Keep *asset*; other bytes than before make what was derived from those void."""
        before = self._assets.get(asset.key)
        if before is None or before.content != asset.content:
            self._derived[asset.key] = {}
        self._assets[asset.key] = asset

    def drop(self, key: Key) -> int | None:
        """Forget an asset; tells how many images were derived from it, None if it is not here."""
        if self._assets.pop(key, None) is None:
            return None
        return len(self._derived.pop(key, {}))

    def derived(self, key: Key) -> dict[tuple[str, str], Derived]:
        """By transformation and format; what is added once the asset is gone is gone with it."""
        return self._derived.get(key, {})

    def clear(self) -> None:
        self._assets.clear()
        self._derived.clear()


def md5_of(content: bytes) -> str:
    return md5(content, usedforsecurity=False).hexdigest()


def random_id(length: int) -> str:
    return "".join(secrets.choice(_LETTERS) for _ in range(length))


def unique(names: Iterable[str]) -> tuple[str, ...]:
    """*names* once each, sorted, as Cloudinary tells tags."""
    return tuple(sorted(set(names)))
