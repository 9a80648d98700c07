"""A wire that answers by a script, and Replicate on it."""

from datetime import UTC, datetime

import httpx

from services.generator.provider import Order
from services.generator.providers.account import Account
from services.generator.providers.replicate import Replicate
from tests import patient
from tests.generator.memory_pictures import no_files

SLUG = "black-forest-labs/flux-schnell"
ID = "01890000-0000-7000-8000-000000000001"  # of 28 June 2023, 03:15:47 UTC
INPUTS = {"prompt": "a lighthouse", "seed": 7}
ASKED, DATE = datetime(2026, 11, 22, 7, 10, tzinfo=UTC), "Sun, 22 Nov 2026 07:10:00 GMT"
OURS = "user/us"  # our account
ORDER = Order(
    purchase_id=ID, slug=SLUG, inputs=INPUTS, give_up_after=300, asked=ASKED, account=OURS
)


class Script(httpx.AsyncBaseTransport):
    """Answers each request with the next line, and remembers what was asked."""

    def __init__(self, *lines: httpx.Response | Exception) -> None:
        self.lines, self.asked, self.pauses = list(lines), [], []
        self.requests: list[httpx.Request] = []

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        self.requests.append(request)
        self.asked.append(f"{request.method} {request.url.path}")
        line = self.lines.pop(0)
        if isinstance(line, Exception):
            raise line
        return line

    async def pause(self, reference: str, seconds: float) -> None:
        self.pauses.append((reference, seconds))


def replicate(transport: httpx.AsyncBaseTransport, **extra) -> Replicate:
    http = patient.AsyncClient(transport=transport, base_url=extra.pop("url", "https://r.test"))
    if isinstance(transport, Script):
        extra.setdefault("pause", transport.pause)
    settings = {
        "files": no_files(http),
        "hook": None,
        "usual": {SLUG: 8.0},
        "prices": {SLUG: 3_000},
        "whose": Account(OURS),
    } | extra
    return Replicate(http=http, **settings)


def says(code: int = 200, **body: object) -> httpx.Response:
    """An answer of a provider whose clock is as ours is."""
    return httpx.Response(code, json=body, headers={"date": DATE})
