"""What Cloudinary tells of an asset, in the Upload API's and in the Admin API's words."""

import hashlib
from collections.abc import Iterable

from lab.cloudinary import signing
from lab.cloudinary.assets import Asset, random_id
from lab.cloudinary.cloud import KEY, SECRET, Cloud
from lab.cloudinary.transformations import Derived

Answer = dict[str, object]


def uploaded(cloud: Cloud, asset: Asset) -> Answer:
    """The answer to an upload, an explicit call or a rename."""
    version = str(asset.version)
    told: Answer = {
        "asset_id": asset.asset_id,
        "public_id": asset.key.public_id,
        "version": asset.version,
        "version_id": hashlib.sha256(f"{asset.asset_id}/{version}".encode()).hexdigest()[:32],
        "signature": signing.signature(
            {"public_id": asset.key.public_id, "version": version}, SECRET, version=1
        ),
        **_shape(asset),
        "resource_type": asset.key.resource_type,
        "created_at": _moment(asset),
        "tags": list(asset.tags),
        "bytes": len(asset.content),
        "type": asset.key.type,
        "etag": asset.etag,
        "placeholder": False,
        **_places(cloud, asset),
        "asset_folder": asset.asset_folder,
        "display_name": asset.display_name,
        "original_filename": asset.original_filename,
        "api_key": KEY,
    }
    return told | _context(asset)


def listed(cloud: Cloud, asset: Asset, extras: Iterable[str] = ()) -> Answer:
    """A line of a listing; tags and context are among the *extras* that were asked for."""
    told: Answer = {
        "asset_id": asset.asset_id,
        "public_id": asset.key.public_id,
        **_shape(asset),
        "version": asset.version,
        "resource_type": asset.key.resource_type,
        "type": asset.key.type,
        "created_at": _moment(asset),
        "bytes": len(asset.content),
        "asset_folder": asset.asset_folder,
        "display_name": asset.display_name,
        **_places(cloud, asset),
    }
    if "tags" in extras and asset.tags:
        told["tags"] = list(asset.tags)
    return told | (_context(asset) if "context" in extras else {})


def detailed(cloud: Cloud, asset: Asset) -> Answer:
    """All about one asset, its derived images included."""
    told = listed(cloud, asset, ("tags", "context")) | {"etag": asset.etag, "placeholder": False}
    told["derived"] = [
        made(cloud, asset, transformation, derived)
        for (transformation, _), derived in cloud.shelf.derived(asset.key).items()
    ]
    return told


def made(cloud: Cloud, asset: Asset, transformation: str, derived: Derived) -> Answer:
    """A derived image."""
    url = cloud.url(asset, transformation, f".{derived.format}")
    return {
        "transformation": transformation,
        "width": derived.width,
        "height": derived.height,
        "bytes": len(derived.content),
        "format": derived.format,
        "url": url,
        "secure_url": url,
    }


def promised(cloud: Cloud, asset: Asset, transformation: str, name: str) -> Answer:
    """A derived image that is made later, as with eager_async."""
    url = cloud.url(asset, transformation, f".{name}")
    return {
        "transformation": transformation,
        "status": "processing",
        "batch_id": random_id(64),
        "url": url,
        "secure_url": url,
    }


def _shape(asset: Asset) -> Answer:
    if not asset.shape:
        return {}
    return {
        "width": asset.shape.width,
        "height": asset.shape.height,
        "format": asset.shape.format,
    }


def _places(cloud: Cloud, asset: Asset) -> Answer:
    """Both lead to the lab, which has no TLS."""
    url = cloud.url(asset)
    return {"url": url, "secure_url": url}


def _context(asset: Asset) -> Answer:
    return {"context": {"custom": dict(asset.context)}} if asset.context else {}


def _moment(asset: Asset) -> str:
    return f"{asset.created_at:%Y-%m-%dT%H:%M:%SZ}"
