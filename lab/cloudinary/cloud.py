"""One cloud: its assets, uploads under way, plan and secret, and how it answers."""

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from secrets import token_hex
from urllib.parse import quote

from aiohttp import web

from lab.cloudinary.assets import Asset, Shelf
from lab.cloudinary.chunks import Chunks
from lab.cloudinary.refusals import Refusal
from lab.world import World

NAME = "lab"
KEY = "lab"
SECRET = "lab-secret"  # noqa: S105 — the lab's door key is in its documentation


@dataclass(slots=True)
class Plan:
    """
    What the account may do; *image_max_bytes* of None: as much as a request carries.

    *instant*: it works as fast as the real one, whose work is on other machines. Of an image
    only the head is read, and eager images are made when somebody first looks at them.
    """

    image_max_bytes: int | None = None
    admin_limit: int = 500  # calls of the admin API by the hour
    instant: bool = False


@dataclass(slots=True)
class Hour:
    """The admin calls of an hour."""

    ends: datetime
    calls: int = 0


@dataclass(slots=True, kw_only=True)
class Cloud:
    """What all its routes share."""

    world: World
    shelf: Shelf = field(default_factory=Shelf)
    chunks: Chunks = field(default_factory=Chunks)
    plan: Plan = field(default_factory=Plan)
    hour: Hour | None = None

    def clear(self) -> None:
        self.shelf.clear()
        self.chunks.clear()
        self.plan, self.hour = Plan(), None

    def url(self, asset: Asset, transformation: str = "", extension: str | None = None) -> str:
        """Where *asset* is delivered, as it is or transformed."""
        key = asset.key
        end = asset.extension if extension is None else extension
        parts = [
            f"{self.world.base}/cloudinary/{NAME}/{key.resource_type}/{key.type}",
            transformation,
            f"v{asset.version}",
            quote(key.public_id + end),
        ]
        return "/".join(filter(None, parts))

    def count_admin_call(self) -> Hour:
        """Count a call of the admin API; beyond the plan's limit it is refused until the hour."""
        now = self.world.clock.now()
        if self.hour is None or self.hour.ends <= now:
            ends = now.replace(minute=0, second=0, microsecond=0) + timedelta(hours=1)
            self.hour = Hour(ends)
        self.hour.calls += 1
        return self.hour


def check_cloud(request: web.Request) -> None:
    """Refuse a call to any cloud but the lab's."""
    name = request.match_info["cloud"]
    if name != NAME:
        raise Refusal(401, f"Invalid cloud_name {name}")


def said(answer: object, status: int = 200) -> web.Response:
    """*answer* as JSON, with an id to name it by."""
    return web.json_response(answer, status=status, headers={"X-Request-Id": token_hex(16)})


def refused(refusal: Refusal) -> web.Response:
    """*refusal* in body and header."""
    answer = said({"error": {"message": refusal.message}}, refusal.status)
    answer.headers["X-Cld-Error"] = header_safe(refusal.message)
    return answer


def header_safe(text: str) -> str:
    """A header holds one line of Latin letters; the rest is escaped."""
    return text.encode("ascii", "backslashreplace").decode().replace("\r", " ").replace("\n", " ")
