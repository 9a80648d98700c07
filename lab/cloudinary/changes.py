"""What an upload and an explicit call say about an asset beside its bytes, and make of it."""

import asyncio
from dataclasses import replace

from lab.cloudinary import answers, pictures
from lab.cloudinary.assets import Asset, unique
from lab.cloudinary.cloud import Cloud
from lab.cloudinary.fields import Form, listed, pairs
from lab.cloudinary.pictures import FORMATS, OTHER_NAMES
from lab.cloudinary.refusals import Refusal
from lab.cloudinary.transformations import Derived, check, derive, format_of


def described(asset: Asset, form: Form) -> Asset:
    """*asset* with the tags, context, folder and name that *form* gives it."""
    name = form.text("display_name")
    if "/" in name:
        raise Refusal(400, "Display name cannot contain slashes")
    return replace(
        asset,
        tags=unique(listed(form.text("tags"))) if "tags" in form.fields else asset.tags,
        context=pairs(form.text("context")) if "context" in form.fields else asset.context,
        asset_folder=form.text("asset_folder") or asset.asset_folder,
        display_name=name or asset.display_name,
    )


def eager(form: Form) -> list[tuple[str, str]]:
    """The derived images that *form* asks for: transformation and format; nonsense is refused."""
    found = []
    for text in filter(None, form.text("eager").split("|")):
        before, slash, last = text.rpartition("/")
        is_format = bool(slash) and (not last or OTHER_NAMES.get(last, last) in FORMATS)
        transformation, name = (before, last) if is_format else (text, "")
        check(transformation)
        found.append((transformation, name))
    return found


async def with_extras(cloud: Cloud, asset: Asset, form: Form) -> answers.Answer:
    """The answer about *asset* with what was asked for: eager images, a perceptual hash."""
    told = answers.uploaded(cloud, asset)
    if wanted := eager(form):
        told["eager"] = [await _eager(cloud, asset, *each) for each in wanted]
    if form.says("phash") and asset.shape:
        told["phash"] = await asyncio.to_thread(pictures.perceptual_hash, asset.content)
    return told


async def _eager(cloud: Cloud, asset: Asset, transformation: str, name: str) -> answers.Answer:
    if not cloud.plan.instant:
        derived = await made(cloud, asset, transformation, name)
        return answers.made(cloud, asset, transformation, derived)
    if not asset.shape:
        raise _no_image()
    return answers.promised(
        cloud, asset, transformation, format_of(transformation, name or asset.shape.format)
    )


async def made(
    cloud: Cloud, asset: Asset, transformation: str, name: str, accept: str = ""
) -> Derived:
    """A derived image, made once; *name* is the format that its URL asks for, if any."""
    if not asset.shape:
        raise _no_image()
    webp = "image/webp" if "image/webp" in accept else ""
    wanted = OTHER_NAMES.get(name, name) or asset.shape.format
    kept = cloud.shelf.derived(asset.key)
    key = transformation, f"{wanted};{webp}"
    if key not in kept:
        kept[key] = await asyncio.to_thread(
            derive, asset.content, transformation, to=wanted, accept=webp
        )
    return kept[key]


def _no_image() -> Refusal:
    return Refusal(400, "Transformations are of images")
