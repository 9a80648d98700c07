"""
``POST …/upload``: bytes come in and stay, under an id that the client chose or got.

With overwrite=0 an id that is taken keeps what it has, and the answer says so: who lost an
answer may send everything again.
"""

import asyncio
import re
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from aiohttp import web

from lab.cloudinary import answers, changes, pictures, signing, sources
from lab.cloudinary.assets import Asset, Key, md5_of, random_id
from lab.cloudinary.cloud import KEY, SECRET, Cloud, check_cloud, said
from lab.cloudinary.fields import Form, listed, read_form
from lab.cloudinary.pictures import Shape
from lab.cloudinary.refusals import Refusal, missing
from lab.cloudinary.transformations import derive

_KINDS = frozenset({"image", "raw", "video", "auto"})
_LONGEST = 255
_UNFIT = re.compile(r"[?&#\\%<> ]")
_UPGRADE = "Upgrade your plan to enjoy higher limits https://www.cloudinary.com/pricing/upgrades/file-limit"


def check_signed(form: Form, *, left_out: frozenset[str] = frozenset()) -> None:
    """Refuse a call that is not signed with the lab's secret; *left_out* is not under it."""
    if "signature" not in form.fields:
        if form.text("upload_preset"):
            raise Refusal(400, "Upload preset not found")  # the lab has none
        raise Refusal(400, "Upload preset must be specified when using unsigned upload")
    if not (key := form.text("api_key")):
        raise missing("api_key")
    if key != KEY:
        raise Refusal(401, f"Unknown API key {key}")
    fields = {name: value for name, value in form.fields.items() if name not in left_out}
    # On the real clock: a client does not follow the lab's when that is put forward.
    signing.check(fields, SECRET, datetime.now(UTC))


@dataclass(frozen=True, slots=True)
class Upload:
    """The upload of one cloud."""

    cloud: Cloud

    async def __call__(self, request: web.Request) -> web.Response:
        check_cloud(request)
        if (kind := request.match_info["kind"]) not in _KINDS:
            raise Refusal(400, f"Invalid resource_type {kind}")
        form = await read_form(request)
        check_signed(form)
        content = await sources.content_of(form)
        if content_range := request.headers.get("Content-Range"):
            upload_id = request.headers.get("X-Unique-Upload-Id")
            whole = self.cloud.chunks.add(upload_id, content_range, content)
            if isinstance(whole, int):
                return said(_so_far(form, kind, whole))
            content = whole
        return said(await self._keep(form, kind, content))

    async def _keep(self, form: Form, kind: str, content: bytes) -> answers.Answer:
        self._check_size(content, kind)
        changes.eager(form)
        if self.cloud.plan.instant:
            content, shape = _read(form, kind, content, whole=False)
        else:
            content, shape = await asyncio.to_thread(_read, form, kind, content)
        key = _key(form, "image" if shape else "raw", shape)
        before = self.cloud.shelf.get(key)
        if before and not form.says("overwrite", default=True):
            return answers.uploaded(self.cloud, before) | {"existing": True}
        asset = _asset(form, key, content, shape, self.cloud.world.clock.now())
        if before:
            version = max(before.version + 1, asset.version)
            asset = replace(asset, asset_id=before.asset_id, version=version)
        self.cloud.shelf.put(asset)
        told = await changes.with_extras(self.cloud, asset, form)
        return told | ({"overwritten": True} if before else {})

    def _check_size(self, content: bytes, kind: str) -> None:
        most = self.cloud.plan.image_max_bytes
        if most is not None and kind != "raw" and len(content) > most:
            text = f"File size too large. Got {len(content)}. Maximum is {most}. {_UPGRADE}"
            raise Refusal(400, text)
        if not content:
            raise Refusal(400, "Empty file")


def _so_far(form: Form, kind: str, size: int) -> answers.Answer:
    told: answers.Answer = {"done": False, "bytes": size, "kind": "upload", "resource_type": kind}
    return told | ({"public_id": form.text("public_id")} if form.text("public_id") else {})


def _read(
    form: Form, kind: str, content: bytes, *, whole: bool = True
) -> tuple[bytes, Shape | None]:
    """The bytes to keep, which an incoming transformation changes, and their shape."""
    if kind == "raw":
        return content, None
    if kind == "video":
        raise Refusal(400, "Unsupported video format or file")
    try:
        shape = pictures.inspect(content, whole=whole)
    except Refusal:
        if kind == "auto":
            return content, None
        raise
    allowed = listed(form.text("allowed_formats"))
    if allowed and (form.text("format") or shape.format) not in allowed:
        raise Refusal(400, f"Image file format {shape.format} not allowed")
    if transformation := "/".join(_incoming(form)):
        content = derive(content, transformation).content
        shape = pictures.inspect(content)
    return content, shape


def _incoming(form: Form) -> list[str]:
    """What is to be done to the original before it is kept; a format is a step like others."""
    steps = [form.text("transformation")]
    if name := form.text("format"):
        steps.append(f"f_{name}")
    return [step for step in steps if step]


def _key(form: Form, resource_type: str, shape: Shape | None) -> Key:
    folder = form.text("folder") or form.text("public_id_prefix")
    if form.says("use_asset_folder_as_public_id_prefix"):
        folder = form.text("asset_folder")
    name = form.text("public_id") or _generated(form, shape)
    public_id = f"{folder}/{name}" if folder else name
    check_public_id(public_id)
    return Key(resource_type, form.text("type") or "upload", public_id)


def _generated(form: Form, shape: Shape | None) -> str:
    """An id of the lab's making: random, or the file's name; a raw file keeps its extension."""
    _, dot, extension = (form.filename or "").rpartition(".")
    end = f".{extension}" if dot and not shape else ""
    if not form.says("use_filename"):
        return random_id(20) + end
    stem = _UNFIT.sub("_", sources.name_of(form))
    return (f"{stem}_{random_id(6)}" if form.says("unique_filename", default=True) else stem) + end


def check_public_id(public_id: str) -> None:
    """Refuse an id that could not stand in a URL."""
    bad = public_id.strip("/ ") != public_id or "//" in public_id
    if bad or len(public_id) > _LONGEST or set("?&#\\%<>") & {*public_id}:
        raise Refusal(400, f"public_id ({public_id}) is invalid")


def _asset(form: Form, key: Key, content: bytes, shape: Shape | None, now: datetime) -> Asset:
    name, public_name = sources.name_of(form), key.public_id.rsplit("/", 1)[-1]
    is_named_by_file = form.says("use_filename_as_display_name")
    asset = Asset(
        key=key,
        asset_id=random_id(32),
        version=int(now.timestamp()),
        created_at=now,
        content=content,
        etag=md5_of(content),
        shape=shape,
        asset_folder=form.text("asset_folder") or form.text("folder"),
        display_name=name if is_named_by_file else public_name,
        original_filename=name,
    )
    return changes.described(asset, form)
