"""Files that are given to models: uploaded, described, and gone after a day."""

import base64
import binascii
import hashlib
import json
import uuid
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import unquote_to_bytes

from aiohttp import web

from lab.replicate import telling
from lab.replicate.prediction import Prediction
from lab.replicate.problems import malformed, not_found
from lab.world import World

_LIFE = timedelta(hours=24)


@dataclass(frozen=True, slots=True, kw_only=True)
class Upload:
    """One file; what it holds nobody asks for, so its digests are enough."""

    id: str
    name: str
    content_type: str
    size: int
    md5: str
    sha256: str
    metadata: dict[str, Any]
    created: datetime

    def as_json(self, base: str) -> dict[str, object]:
        return {
            "id": self.id,
            "name": self.name,
            "content_type": self.content_type,
            "size": self.size,
            "etag": self.md5,
            "checksums": {"sha256": self.sha256, "md5": self.md5},
            "metadata": self.metadata,
            "created_at": telling.milliseconds(self.created),
            "expires_at": telling.milliseconds(self.created + _LIFE),
            "urls": {"get": f"{base}/replicate/v1/files/{self.id}"},
        }


@dataclass(frozen=True, slots=True)
class Uploads:
    """Everything under /v1/files."""

    world: World
    _kept: dict[str, Upload] = field(default_factory=dict)

    async def create(self, request: web.Request) -> web.Response:
        form = await request.post()
        content, metadata = form.get("content"), form.get("metadata", "{}")
        if not isinstance(content, web.FileField) or not isinstance(metadata, str):
            raise malformed("Missing content")
        try:
            described = json.loads(metadata)
        except ValueError as error:
            raise malformed("The metadata is no JSON") from error
        content.file.seek(0)
        data = content.file.read()
        made = Upload(
            id=str(uuid.uuid4()),
            name=content.filename,
            content_type=content.content_type,
            size=len(data),
            md5=hashlib.md5(data, usedforsecurity=False).hexdigest(),
            sha256=hashlib.sha256(data).hexdigest(),
            metadata=described,
            created=self.world.clock.now(),
        )
        self._kept[made.id] = made
        return web.json_response(made.as_json(self.world.base), status=201)

    async def show(self, _request: web.Request) -> web.Response:
        found = [one.as_json(self.world.base) for one in reversed(self._alive())]
        return web.json_response({"next": None, "previous": None, "results": found})

    async def get(self, request: web.Request) -> web.Response:
        return web.json_response(self._named(request).as_json(self.world.base))

    async def delete(self, request: web.Request) -> web.Response:
        del self._kept[self._named(request).id]
        return web.Response(status=204)

    def clear(self) -> None:
        self._kept.clear()

    def lacks(self, order: Prediction) -> str | None:
        """A link of *order* to a file that was never here, or is gone; None where all are here."""
        alive = {one.id for one in self._alive()}
        for link in _links(order):
            name = link.removeprefix(self._prefix)
            if name != link and name not in alive:
                return link
        return None

    def hashes(self, order: Prediction) -> Iterator[str]:
        """The SHA-256 of each picture that *order* was given; of one elsewhere the link."""
        for link in _links(order):
            known = self._kept.get(link.removeprefix(self._prefix))
            if link.startswith("data:"):
                yield hashlib.sha256(_inside(link)).hexdigest()
            else:
                yield known.sha256 if known else link

    @property
    def _prefix(self) -> str:
        return f"{self.world.base}/replicate/v1/files/"

    def _alive(self) -> list[Upload]:
        now = self.world.clock.now()
        return [one for one in self._kept.values() if now - one.created < _LIFE]

    def _named(self, request: web.Request) -> Upload:
        for one in self._alive():
            if one.id == request.match_info["id"]:
                return one
        raise not_found()


def _links(order: Prediction) -> Iterator[str]:
    """What *order* names for each input that its model takes a link for, a mask last."""
    inputs = sorted(order.model.properties.items(), key=lambda each: each[0] == "mask")
    for name, known in inputs:
        given = order.inputs.get(name)
        if "uri" not in (known.get("format"), known.get("items", {}).get("format")) or not given:
            continue
        yield from map(str, given if isinstance(given, list) else [given])


def _inside(url: str) -> bytes:
    """What a data URL holds; empty where it cannot be read."""
    kind, _, data = url.partition(",")
    try:
        return (
            base64.b64decode(data, validate=True) if ";base64" in kind else unquote_to_bytes(data)
        )
    except (ValueError, binascii.Error):
        return b""
