"""
Delivery: originals byte for byte, derived images as the URL says, refusals in a header.

``/{cloud}/{kind}/{type}/[s--signature--/][transformation/…][v1/]public_id[.format]``
"""

import mimetypes
import re
from dataclasses import dataclass
from urllib.parse import unquote

from aiohttp import web

from lab.cloudinary import changes, signing
from lab.cloudinary.assets import Asset, Key, md5_of
from lab.cloudinary.cloud import SECRET, Cloud, check_cloud, header_safe
from lab.cloudinary.pictures import FORMATS, MEDIA_TYPES, OTHER_NAMES
from lab.cloudinary.refusals import Refusal, not_found
from lab.cloudinary.transformations import check, is_component, looks_meant

_SIGNATURE = re.compile(r"s--([\w-]{8}|[\w-]{32})--")
_VERSION = re.compile(r"v\d{1,12}")
_KEPT = "public, no-transform, immutable, max-age=2592000"


@dataclass(frozen=True, slots=True)
class _Address:
    """What a delivery URL names; *source* is a public id with or without a format behind it."""

    signature: str | None
    transformation: str
    source: str


@dataclass(frozen=True, slots=True)
class Delivery:
    """Serves what the cloud holds."""

    cloud: Cloud

    async def __call__(self, request: web.Request) -> web.Response:
        check_cloud(request)
        kind, type_ = request.match_info["kind"], request.match_info["type"]
        address = _parsed(request.rel_url.raw_path.split("/", 5)[5])
        _check_signature(address, is_needed=type_ != "upload")
        check(address.transformation)
        asset, name = self._found(kind, type_, unquote(address.source))
        if not address.transformation and name in {"", asset.extension[1:]}:
            return _served(request, asset.content, asset.etag, _media_type(asset))
        accept = request.headers.get("Accept", "")
        made = await changes.made(self.cloud, asset, address.transformation, name, accept)
        return _served(request, made.content, md5_of(made.content), MEDIA_TYPES[made.format])

    def _found(self, kind: str, type_: str, source: str) -> tuple[Asset, str]:
        """The asset, and the format that the URL asks for if it does."""
        if asset := self.cloud.shelf.get(Key(kind, type_, source)):
            return asset, ""
        stem, _, extension = source.rpartition(".")
        name = OTHER_NAMES.get(extension, extension)
        if name not in FORMATS:
            raise not_found(source)
        asset = self.cloud.shelf.get(Key(kind, type_, stem))
        if not asset or not asset.shape:
            raise not_found(stem)
        return asset, name


def refused(refusal: Refusal) -> web.Response:
    """An empty page; the reason is in the header."""
    return web.Response(
        status=refusal.status, headers={"X-Cld-Error": header_safe(refusal.message)}
    )


def _parsed(path: str) -> _Address:
    """Take *path* apart, still escaped; without a version a folder may look like a step."""
    segments = path.split("/")
    signature = None
    if found := _SIGNATURE.fullmatch(segments[0]):
        signature = found[1]
        segments = segments[1:]
    for at, segment in enumerate(segments[:-1]):
        if _VERSION.fullmatch(segment) and all(map(looks_meant, segments[:at])):
            return _Address(signature, "/".join(segments[:at]), "/".join(segments[at + 1 :]))
    steps = 0
    while steps < len(segments) - 1 and is_component(segments[steps]):
        steps += 1
    return _Address(signature, "/".join(segments[:steps]), "/".join(segments[steps:]))


def _check_signature(address: _Address, *, is_needed: bool) -> None:
    if address.signature is None:
        if is_needed:
            raise Refusal(401, "deny or ACL failure")
        return
    path = "/".join(filter(None, (address.transformation, address.source)))
    if not signing.signs_url(address.signature, path, SECRET):
        raise Refusal(401, f"Invalid signature s--{address.signature}--")


def _media_type(asset: Asset) -> str:
    if asset.shape:
        return MEDIA_TYPES[asset.shape.format]
    return mimetypes.guess_type(asset.key.public_id)[0] or "application/octet-stream"


def _served(request: web.Request, content: bytes, md5: str, media_type: str) -> web.Response:
    etag = f'"{md5}"'
    headers = {
        "ETag": etag,
        "Cache-Control": _KEPT,
        "Access-Control-Allow-Origin": "*",
        "Vary": "Accept",
    }
    if request.headers.get("If-None-Match") == etag:
        return web.Response(status=304, headers=headers)
    return web.Response(body=content, content_type=media_type, headers=headers)
