"""The seam's `Pictures` in memory, with what a test has put into it."""

import hashlib

import httpx

from services.generator import models
from services.generator import provider as seam
from services.generator.providers.replicate_files import Files


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
            raise seam.NotReady("storage is away")
        if asset not in self.kept:
            raise seam.Unfit(f"there is no {asset}")
        return self.kept[asset]


def no_files(http: httpx.AsyncClient) -> Files:
    """What hands over input images, of which there are none."""
    return files_of(MemoryPictures(), http)


def files_of(pictures: MemoryPictures, http: httpx.AsyncClient, **more: object) -> Files:
    """What hands over those that a test has put into *pictures*, to the models that are sold."""
    sold = [model for model in models.EVERY if model.provider == "replicate"]
    slots = {model.slug: model.references for model in sold}
    return Files(http=http, pictures=pictures, slots=slots, **more)
