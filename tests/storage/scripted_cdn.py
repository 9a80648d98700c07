"""
Cloudinary's side of the wire, scripted: it takes uploads whole or in parts, checks signatures
with the vendor's own function, and answers wrongly where a test says so.
"""

import asyncio
import hashlib
import time
from collections.abc import Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from aiohttp import web
from cloudinary.utils import api_sign_request

from tests.ports import free_port

KEY, SECRET, CLOUD = "1234", "a-secret-of-the-cdn", "studio"


@dataclass
class Upload:
    """One request as it came."""

    fields: dict[str, str]
    headers: Mapping[str, str]  # in any case
    size: int = 0
    filename: str = ""
    media_type: str = ""


class Body:
    """The bytes of one file so far, all of them only where they are few."""

    def __init__(self) -> None:
        self.sha256, self.md5, self.content = hashlib.sha256(), hashlib.md5(), bytearray()

    def take(self, block: bytes) -> None:
        self.sha256.update(block)
        self.md5.update(block)
        if len(self.content) < 2_000_000:
            self.content += block


@dataclass
class Asset:
    """What the CDN holds."""

    fields: dict[str, str]
    sha256: str
    md5: str
    size: int
    version: int
    content: bytes  # of a small one


@dataclass
class ScriptedCdn:
    """*script* answers the next requests, each once it was read: a response, or what raises."""

    port: int = field(default_factory=free_port)
    uploads: list[Upload] = field(default_factory=list)
    assets: dict[str, Asset] = field(default_factory=dict)
    script: list = field(default_factory=list)
    parts: dict[str, Body] = field(default_factory=dict)
    lies: dict[str, object] = field(default_factory=dict)  # laid over the next answers
    lost: int = 0  # answers of uploads that were taken
    eager: bool = True
    under_way: int = 0
    may_answer: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def base(self) -> str:
        return f"http://127.0.0.1:{self.port}/cdn"

    @property
    def url(self) -> str:
        return f"cloudinary://{KEY}:{SECRET}@{CLOUD}"

    async def upload(self, request: web.Request) -> web.StreamResponse:
        self.under_way += 1
        try:
            return await self._upload(request)
        finally:
            self.under_way -= 1

    async def _upload(self, request: web.Request) -> web.StreamResponse:
        upload = Upload({}, request.headers)
        self.uploads.append(upload)
        body = self.parts.pop(upload.headers.get("X-Unique-Upload-Id", ""), None) or Body()
        async for part in await request.multipart():
            if part.name != "file":
                upload.fields[part.name] = await part.text()
                continue
            upload.filename, upload.media_type = part.filename, part.headers["Content-Type"]
            while block := await part.read_chunk(65_536):
                upload.size += len(block)
                body.take(block)
        await self.may_answer.wait()
        if self.script and (line := self.script.pop(0)) is not None:
            return await line(request)
        if wrong := self._wrong(upload):
            return _error(401, wrong)
        answer = self._kept(upload, body)
        if self.lost:
            self.lost -= 1
            return await cut(request)
        return answer

    def _wrong(self, upload: Upload) -> str:
        signed = {k: v for k, v in upload.fields.items() if k not in ("api_key", "signature")}
        expected = api_sign_request(signed, SECRET, "sha256")
        if upload.fields.get("api_key") != KEY or upload.fields.get("signature") != expected:
            return f"Invalid Signature {upload.fields.get('signature')}."
        late = abs(time.time() - int(upload.fields["timestamp"])) > 3600
        return "Stale request" if late else ""

    def _kept(self, upload: Upload, body: Body) -> web.Response:
        fields, span = upload.fields, upload.headers.get("Content-Range", "")
        if span and int(span.partition("-")[2].partition("/")[0]) + 1 < int(
            span.rpartition("/")[2]
        ):
            self.parts[upload.headers["X-Unique-Upload-Id"]] = body
            return web.json_response({"done": False})
        size = int(span.rpartition("/")[2]) if span else upload.size
        name, existing = fields["public_id"], False
        if name in self.assets and fields.get("overwrite") == "0":
            existing = True
        else:
            version = 1 + (self.assets[name].version if name in self.assets else 1000)
            sha256, md5 = body.sha256.hexdigest(), body.md5.hexdigest()
            self.assets[name] = Asset(fields, sha256, md5, size, version, bytes(body.content))
        return web.json_response(self._answer(name, existing=existing))

    def _answer(self, name: str, *, existing: bool) -> dict[str, object]:
        asset = self.assets[name]
        url = f"{self.base}/{CLOUD}/image/upload/v{asset.version}/{name}.png"
        made = url.replace("/upload/", f"/upload/{asset.fields.get('eager')}/")
        answer = {
            "public_id": name,
            "version": asset.version,
            "bytes": asset.size,
            "etag": asset.md5,
            "url": url,
            "secure_url": url.replace("http:", "https:"),
        }
        if existing:
            answer["existing"] = True
        elif self.eager:
            answer["eager"] = [{"url": made, "secure_url": made.replace("http:", "https:")}]
        return answer | self.lies

    async def serve(self, request: web.Request) -> web.Response:
        """Deliver; whatever transformation is asked for, the picture is not changed."""
        asset = self.assets.get(request.match_info["file"].removesuffix(".png"))
        if asset is None:
            raise web.HTTPNotFound
        return web.Response(body=asset.content, content_type="image/png")


def _error(status: int, message: str, **headers: str) -> web.Response:
    said = {"error": {"message": message}}
    return web.json_response(said, status=status, headers={"X-Cld-Error": message, **headers})


def says(status: int, message: str = "no", **headers: str):
    """A line of the script: an error of theirs."""

    async def line(_request):
        return _error(status, message, **{k.replace("_", "-"): v for k, v in headers.items()})

    return line


def page(status: int):
    """A line of the script: what a proxy says in their place."""

    async def line(_request):
        return web.Response(status=status, text="<html>Bad day</html>", content_type="text/html")

    return line


async def cut(request):
    """A line of the script: the connection is reset, the answer never comes."""
    request.transport.abort()
    return web.Response()


@asynccontextmanager
async def scripted_cdn():
    cdn = ScriptedCdn()
    cdn.may_answer.set()
    app = web.Application(client_max_size=1 << 40)
    app.router.add_get(f"/cdn/{CLOUD}/image/upload/{{rest:.*}}/{{file}}", cdn.serve)
    app.router.add_post(f"/cdn/v1_1/{CLOUD}/image/upload", cdn.upload)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", cdn.port).start()
    try:
        yield cdn
    finally:
        await runner.cleanup()
