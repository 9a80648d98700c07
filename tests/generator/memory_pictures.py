"""The seam's `Pictures` in memory, with what a test has put into it."""

import hashlib

from services.generator import provider as seam


class MemoryPictures:
    def __init__(self) -> None:
        self.kept: dict[str, bytes] = {}
        self.away = False  # nothing can be had while storage is away

    def add(self, content: bytes, media_type: str = "image/png", **more: object) -> seam.Reference:
        asset = hashlib.sha256(content).hexdigest()
        self.kept[asset] = content
        return seam.Reference(asset=asset, media_type=media_type, **more)

    async def read(self, asset: str, /) -> bytes:
        if self.away:
            raise seam.Unavailable("storage is away")
        if asset not in self.kept:
            raise seam.Refused(f"there is no {asset}")
        return self.kept[asset]
