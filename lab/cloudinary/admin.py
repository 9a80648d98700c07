"""The Admin API: listing and removing what is there; with key and secret, so many calls an hour."""

import base64
import binascii
import hmac
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass
from datetime import timedelta
from email.utils import format_datetime
from typing import TypeVar

from aiohttp import web

from lab.cloudinary import answers
from lab.cloudinary.assets import Asset, Key
from lab.cloudinary.cloud import KEY, SECRET, Cloud, Hour, check_cloud, said
from lab.cloudinary.fields import Form, read_options
from lab.cloudinary.refusals import Refusal, missing, not_found
from lab.door import LAG

_PAGE, _PAGE_MOST = 10, 500
_RAW_MOST = 10 * 1024 * 1024
_PIXELS_MOST = 25_000_000

_Item = TypeVar("_Item")

Handler = Callable[[web.Request, Form], Awaitable[answers.Answer]]


@dataclass(frozen=True, slots=True)
class Admin:
    """The Admin API of one cloud."""

    cloud: Cloud

    def open_to_its_key(self, handler: Handler) -> Callable[[web.Request], Awaitable[web.Response]]:
        """*handler* behind key and secret and the hour's limit, whose state every answer tells."""

        async def answer(request: web.Request) -> web.Response:
            check_cloud(request)
            _check_key(request)
            hour = self.cloud.count_admin_call()
            limit = self.cloud.plan.admin_limit
            if hour.calls > limit:
                again = f"{hour.ends:%Y-%m-%d %H:%M:%S} UTC"
                raise Refusal(
                    420,
                    f"Rate Limit Exceeded. Limit of {limit} api operations reached."
                    f" Try again on {again}",
                )
            done = said(await handler(request, await read_options(request)))
            done.headers.update(_rates(hour, limit))
            return done

        return answer

    async def ping(self, _request: web.Request, _options: Form) -> answers.Answer:
        return {"status": "ok"}

    async def usage(self, _request: web.Request, _options: Form) -> answers.Answer:
        assets = list(self.cloud.shelf)
        derived = [
            made for asset in assets for made in self.cloud.shelf.derived(asset.key).values()
        ]
        most = self.cloud.plan.image_max_bytes or _RAW_MOST
        stored = sum(len(asset.content) for asset in assets)
        stored += sum(len(made.content) for made in derived)
        return {
            "plan": "Lab",
            "last_updated": f"{self.cloud.world.clock.now():%Y-%m-%d}",
            "objects": {"usage": len(assets) + len(derived)},
            "storage": {"usage": stored},
            "resources": len(assets),
            "derived_resources": len(derived),
            "media_limits": {
                "image_max_size_bytes": most,
                "raw_max_size_bytes": _RAW_MOST,
                "image_max_px": _PIXELS_MOST,
            },
        }

    async def listing(self, request: web.Request, options: Form) -> answers.Answer:
        """By type, prefix, ids, tag or folder; the newest first; what lags is not there yet."""
        since = self.cloud.world.clock.now() - timedelta(seconds=request.get(LAG, 0.0))
        found = [
            asset for asset in _chosen(self.cloud, request, options) if asset.created_at <= since
        ]
        if options.text("direction", "desc") not in {"asc", "1"}:
            found.reverse()
        page, more = _page(found, options)
        extras = [name for name in ("tags", "context") if options.says(name)]
        told = {"resources": [answers.listed(self.cloud, asset, extras) for asset in page]}
        return told | more

    async def detail(self, request: web.Request, _options: Form) -> answers.Answer:
        key = _key(request)
        if not (asset := self.cloud.shelf.get(key)):
            raise not_found(key.public_id)
        return answers.detailed(self.cloud, asset)

    async def delete(self, request: web.Request, options: Form) -> answers.Answer:
        """By ids, prefix or tag, or all of a type: one of them has to be said."""
        ids = options.many("public_ids")
        tag = request.match_info.get("tag")
        if not (ids or tag or options.text("prefix") or options.says("all")):
            raise missing("public_ids")
        keys = [asset.key for asset in _chosen(self.cloud, request, options)]
        counts = {key.public_id: self.cloud.shelf.drop(key) for key in keys}
        return {
            "deleted": dict.fromkeys(counts, "deleted")
            | {each: "not_found" for each in ids if each not in counts},
            "deleted_counts": {
                each: {"original": 1, "derived": derived} for each, derived in counts.items()
            },
            "partial": False,
        }

    async def tags(self, request: web.Request, options: Form) -> answers.Answer:
        kind, prefix = request.match_info["kind"], options.text("prefix")
        found = sorted(
            {tag for asset in self.cloud.shelf if asset.key.resource_type == kind
             for tag in asset.tags if tag.startswith(prefix)}
        )  # fmt: skip
        page, more = _page(found, options)
        return {"tags": page} | more


def _check_key(request: web.Request) -> None:
    scheme, _, encoded = request.headers.get("Authorization", "").partition(" ")
    try:
        key, _, secret = base64.b64decode(encoded, validate=True).decode().partition(":")
    except (binascii.Error, UnicodeDecodeError):
        key = secret = ""
    if scheme.lower() != "basic" or not key:
        raise Refusal(401, "Authorization Required")
    if key != KEY:
        raise Refusal(401, "unknown api_key")
    if not hmac.compare_digest(secret.encode(), SECRET.encode()):
        raise Refusal(401, "api_secret mismatch")


def _rates(hour: Hour, limit: int) -> dict[str, str]:
    return {
        "X-FeatureRateLimit-Limit": str(limit),
        "X-FeatureRateLimit-Remaining": str(limit - hour.calls),
        "X-FeatureRateLimit-Reset": format_datetime(hour.ends, usegmt=True),
    }


def _key(request: web.Request) -> Key:
    found = request.match_info
    return Key(found["kind"], found["type"], found["public_id"])


def _chosen(cloud: Cloud, request: web.Request, options: Form) -> Iterable[Asset]:
    """The assets that path and options name, in the order of their making."""
    path, ids = request.match_info, options.many("public_ids")
    prefix, folder = options.text("prefix"), options.text("asset_folder")
    return [
        asset
        for asset in cloud.shelf
        if path.get("kind") in {None, asset.key.resource_type}
        and path.get("type") in {None, asset.key.type}
        and ("tag" not in path or path["tag"] in asset.tags)
        and (not ids or asset.key.public_id in ids)
        and (not folder or asset.asset_folder == folder)
        and asset.key.public_id.startswith(prefix)
    ]


def _page(found: list[_Item], options: Form) -> tuple[list[_Item], answers.Answer]:
    """A page of *found*; the cursor of the next one counts what was listed."""
    size, start = options.text("max_results", str(_PAGE)), options.text("next_cursor", "0")
    if not size.isdecimal() or not 1 <= int(size) <= _PAGE_MOST:
        raise Refusal(400, f"Invalid value for parameter max_results - {size}")
    if not start.isdecimal():
        raise Refusal(400, f"Invalid value for parameter next_cursor - {start}")
    stop = int(start) + int(size)
    more: answers.Answer = {"next_cursor": str(stop)} if stop < len(found) else {}
    return found[int(start) : stop], more
