"""The lab put together: one world, its vendors, their routes."""

from collections.abc import Sequence

from aiohttp import web

from lab.anthropic.vendor import Anthropic
from lab.cloudinary.vendor import Cloudinary
from lab.control import Control
from lab.google import text as google
from lab.google.vendor import Google
from lab.openai import text as openai
from lab.openai.vendor import OpenAI
from lab.recraft.vendor import Recraft
from lab.replicate.vendor import Replicate
from lab.settings import Settings
from lab.world import Pace, Vendor, World
from lab.writing.author import Author

_MOST = 128 << 20  # bytes of a request's body; an upload may have 100 MB


def world(settings: Settings) -> World:
    """A new world as *settings* say."""
    return World(
        base=settings.url,
        hosts=settings.webhook_hosts,
        usual_pace=Pace(seconds=settings.pace),
    )


def vendors(shared: World) -> list[Vendor]:
    """Every vendor that the lab imitates."""
    author = Author()
    writing = [desk(shared, author) for desk in (Anthropic, openai.Text, google.Text)]
    drawing = [vendor(shared) for vendor in (Recraft, OpenAI, Google, Cloudinary)]
    return [Replicate(shared), *writing, *drawing]


def application(shared: World, known: Sequence[Vendor]) -> web.Application:
    """The routes of all *known* vendors, and the control's."""
    found = web.Application(client_max_size=_MOST)
    found.add_routes(Control(shared, known).routes())
    for vendor in known:
        found.add_routes(vendor.routes())
    return found
