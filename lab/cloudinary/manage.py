"""The Upload API's other calls: explicit, rename, destroy, tags, context. Each is signed."""

from collections.abc import Callable
from dataclasses import dataclass, replace

from aiohttp import web

from lab.cloudinary import answers, changes
from lab.cloudinary.assets import Asset, Key, unique
from lab.cloudinary.cloud import Cloud, check_cloud, said
from lab.cloudinary.fields import Form, listed, pairs, read_form
from lab.cloudinary.refusals import Refusal, missing, not_found
from lab.cloudinary.upload import check_public_id, check_signed

# Their clients send these unsigned since 1.46.
_NOT_SIGNED = frozenset({"notification_url", "batch_id"})


@dataclass(frozen=True, slots=True)
class Manage:
    """What changes assets that are there."""

    cloud: Cloud

    async def explicit(self, request: web.Request) -> web.Response:
        form = await _signed(request)
        if "type" not in form.fields:
            raise missing("type")
        asset = self._found(_key(request, form, "public_id"))
        changes.eager(form)
        asset = changes.described(asset, form)
        self.cloud.shelf.put(asset)
        return said(await changes.with_extras(self.cloud, asset, form))

    async def rename(self, request: web.Request) -> web.Response:
        form = await _signed(request)
        asset = self._found(_key(request, form, "from_public_id"))
        to = replace(
            _key(request, form, "to_public_id"), type=form.text("to_type") or asset.key.type
        )
        check_public_id(to.public_id)
        if to != asset.key and self.cloud.shelf.get(to) and not form.says("overwrite"):
            raise Refusal(400, f"to_public_id ({to.public_id}) already exists")
        self.cloud.shelf.drop(asset.key)
        asset = replace(asset, key=to)
        self.cloud.shelf.put(asset)
        return said(answers.uploaded(self.cloud, asset))

    async def destroy(self, request: web.Request) -> web.Response:
        form = await _signed(request)
        gone = self.cloud.shelf.drop(_key(request, form, "public_id"))
        return said({"result": "not found" if gone is None else "ok"})

    async def tags(self, request: web.Request) -> web.Response:
        form = await _signed(request, left_out=_NOT_SIGNED)
        tags, command = listed(form.text("tag")), form.text("command")
        if not tags and command != "remove_all":
            raise missing("tag")
        return self._each(request, form, lambda asset: _tagged(asset, tags, command))

    async def context(self, request: web.Request) -> web.Response:
        form = await _signed(request, left_out=_NOT_SIGNED)
        match form.text("command"):
            case "add":
                more = pairs(form.text("context"))
                return self._each(
                    request, form, lambda asset: replace(asset, context=asset.context | more)
                )
            case "remove_all":
                return self._each(request, form, lambda asset: replace(asset, context={}))
        raise Refusal(400, f"Invalid command - {form.text('command')}")

    def _found(self, key: Key) -> Asset:
        if not (asset := self.cloud.shelf.get(key)):
            raise not_found(key.public_id)
        return asset

    def _each(
        self, request: web.Request, form: Form, change: Callable[[Asset], Asset]
    ) -> web.Response:
        """Carry *change* out on all assets named; tells which were there."""
        if not (public_ids := form.many("public_ids")):
            raise missing("public_ids")
        keys = [replace(_key(request, form), public_id=public_id) for public_id in public_ids]
        found = [asset for asset in map(self.cloud.shelf.get, keys) if asset]
        for asset in found:
            self.cloud.shelf.put(change(asset))
        return said({"public_ids": [asset.key.public_id for asset in found]})


async def _signed(request: web.Request, *, left_out: frozenset[str] = frozenset()) -> Form:
    check_cloud(request)
    form = await read_form(request)
    check_signed(form, left_out=left_out)
    return form


def _key(request: web.Request, form: Form, name: str = "") -> Key:
    """The key that the path and the field *name* make."""
    if name and not form.text(name):
        raise missing(name)
    return Key(request.match_info["kind"], form.text("type") or "upload", form.text(name))


def _tagged(asset: Asset, tags: list[str], command: str) -> Asset:
    match command:
        case "add":
            return replace(asset, tags=unique((*asset.tags, *tags)))
        case "remove":
            return replace(asset, tags=tuple(tag for tag in asset.tags if tag not in tags))
        case "replace":
            return replace(asset, tags=unique(tags))
        case "remove_all":
            return replace(asset, tags=())
    raise Refusal(400, f"Invalid command - {command}")
