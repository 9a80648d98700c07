"""The lab's Cloudinary put together: its routes, what can be changed about it, what it keeps."""

from collections.abc import Awaitable, Callable, Iterable
from dataclasses import asdict
from http import HTTPStatus

from aiohttp import web

from lab.cloudinary import cloud, delivery
from lab.cloudinary.admin import Admin
from lab.cloudinary.cloud import Cloud, Plan
from lab.cloudinary.delivery import Delivery
from lab.cloudinary.manage import Manage
from lab.cloudinary.refusals import Refusal
from lab.cloudinary.upload import Upload
from lab.door import Door
from lab.world import World

_API = "/cloudinary/v1_1/{cloud}"
_DELIVERY = "/cloudinary/{cloud}/{kind:image|raw}/{type:upload|private|authenticated}/{path:.+}"
_WORDS = {
    420: "Rate Limit Exceeded",
    423: "Resource is locked, it is being processed",
    429: "Too many concurrent upload_api operations",
}

Handler = Callable[[web.Request], Awaitable[web.Response]]


class Cloudinary:
    """The vendor, under /cloudinary/."""

    name = "cloudinary"

    def __init__(self, world: World) -> None:
        self._cloud = Cloud(world=world)
        self._api = Door(world, self.name, lambda status: cloud.refused(_of(status)))
        self._cdn = Door(world, self.name, lambda status: delivery.refused(_of(status)))

    def routes(self) -> Iterable[web.RouteDef]:
        serve = _speaking(Delivery(self._cloud), delivery.refused)
        return [
            *self._upload_api(),
            *self._admin_api(),
            self._cdn.route("GET", _DELIVERY, "delivery", serve),  # and HEAD, as aiohttp has it
        ]

    def settings(self) -> dict[str, object]:
        return asdict(self._cloud.plan)

    def change(self, settings: dict[str, object]) -> None:
        merged = self.settings() | settings
        most = merged["image_max_bytes"]
        self._cloud.plan = Plan(
            image_max_bytes=None if most is None else _count("image_max_bytes", most),
            admin_limit=_count("admin_limit", merged["admin_limit"]),
            instant=_truth("instant", merged["instant"]),
        )

    def assets(self) -> list[dict[str, object]]:
        return [
            {
                "public_id": asset.key.public_id,
                "sha256": asset.sha256,
                "bytes": len(asset.content),
                "url": self._cloud.url(asset),
                "asset_folder": asset.asset_folder,
                "display_name": asset.display_name,
            }
            for asset in self._cloud.shelf
        ]

    def pictures(self) -> list[dict[str, object]]:
        """Nothing: it draws none."""
        return []

    async def reset(self) -> None:
        self._cloud.clear()

    def _upload_api(self) -> Iterable[web.RouteDef]:
        manage = Manage(self._cloud)
        for action, where, handler in (
            ("upload", "upload", Upload(self._cloud)),
            ("explicit", "manage", manage.explicit),
            ("rename", "manage", manage.rename),
            ("destroy", "delete", manage.destroy),
            ("tags", "manage", manage.tags),
            ("context", "manage", manage.context),
        ):
            path = f"{_API}/{{kind}}/{action}"
            yield self._api.route("POST", path, where, _speaking(handler, cloud.refused))

    def _admin_api(self) -> Iterable[web.RouteDef]:
        admin = Admin(self._cloud)
        for method, path, where, handler in (
            ("GET", "ping", "get", admin.ping),
            ("GET", "usage", "get", admin.usage),
            ("GET", "tags/{kind}", "list", admin.tags),
            ("GET", "resources/by_asset_folder", "list", admin.listing),
            ("GET", "resources/{kind}", "list", admin.listing),
            ("GET", "resources/{kind}/tags/{tag}", "list", admin.listing),
            ("GET", "resources/{kind}/{type}", "list", admin.listing),
            ("GET", "resources/{kind}/{type}/{public_id:.+}", "get", admin.detail),
            ("DELETE", "resources/{kind}/tags/{tag}", "delete", admin.delete),
            ("DELETE", "resources/{kind}/{type}", "delete", admin.delete),
        ):
            speaking = _speaking(admin.open_to_its_key(handler), cloud.refused)
            yield self._api.route(method, f"{_API}/{path}", where, speaking)


def _speaking(handler: Handler, refused: Callable[[Refusal], web.Response]) -> Handler:
    """*handler*, whose refusals become answers."""

    async def answer(request: web.Request) -> web.Response:
        try:
            return await handler(request)
        except Refusal as refusal:
            return refused(refusal)

    return answer


def _of(status: int) -> Refusal:
    """What Cloudinary says with *status* where a fault asks for it."""
    return Refusal(status, _WORDS.get(status) or HTTPStatus(status).phrase)


def _count(name: str, value: object) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or value < 1:
        raise ValueError(f"{name} is {value!r}, and no whole number from 1")
    return value


def _truth(name: str, value: object) -> bool:
    if value is True or value is False:
        return value
    raise ValueError(f"{name} is {value!r}, and neither true nor false")
