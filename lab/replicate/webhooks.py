"""
Webhooks: signed, at most two a second of those in between, the last one told until it is heard.

They go to loopback alone, and to hosts that the lab's settings name. Their timestamps are real,
since the receiver's clock does not follow the lab's.
"""

import asyncio
import base64
import hashlib
import hmac
import ipaddress
import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from urllib.parse import parse_qs, urlsplit

import aiohttp

from lab.replicate.prediction import Hook
from lab.replicate.problems import Flaw
from lab.world import World

EVENTS = ("start", "output", "logs", "completed")
_USUAL = frozenset({"output", "completed"})  # where no filter is given
_AGAIN = (0, 1, 2, 4, 8, 16, 32)  # seconds before each telling of the end: a minute in all
_DEADLINE = 5.0  # seconds for an answer
_APART = 0.5  # seconds between two webhooks of one kind, start and end apart
_WHERE = "webhook"


def hook(url: object, wanted: object, hosts: frozenset[str]) -> Hook | Flaw:
    """Where to tell what; a flaw where that is not allowed."""
    if not isinstance(url, str) or not _may_go_to(url, hosts):
        text = "Must be an https URL; of the lab, an http URL on loopback or of LAB_WEBHOOK_HOSTS"
        return Flaw("webhook", "webhook", text)
    events = _USUAL if wanted is None else wanted
    if not isinstance(events, list | frozenset) or not set(events) <= set(EVENTS):
        return Flaw("enum", "webhook_events_filter", f"Must be of {', '.join(EVENTS)}")
    purchase = parse_qs(urlsplit(url).query).get("purchase_id")
    return Hook(url, frozenset(events), purchase[0] if purchase else None)


def _may_go_to(url: str, hosts: frozenset[str]) -> bool:
    try:
        found = urlsplit(url)
        name, _ = found.hostname or "", found.port
    except ValueError:
        return False
    if found.scheme not in ("http", "https") or found.username is not None:
        return False
    if name == "localhost" or name in hosts:
        return True
    try:
        return ipaddress.ip_address(name).is_loopback
    except ValueError:
        return False


def signature(key: str, name: str, timestamp: str, body: bytes) -> str:
    """The header that proves who sent *body*, after Standard Webhooks."""
    secret = base64.b64decode(key.removeprefix("whsec_"))
    signed = f"{name}.{timestamp}.".encode() + body
    digest = hmac.digest(secret, signed, hashlib.sha256)
    return "v1," + base64.b64encode(digest).decode()


@dataclass(slots=True)
class Post:
    """Sends webhooks, each in its own time, so that late ones are overtaken."""

    world: World
    key: str = field(
        default_factory=lambda: "whsec_" + base64.b64encode(secrets.token_bytes(24)).decode()
    )
    _session: aiohttp.ClientSession | None = None
    _sending: set[asyncio.Task[None]] = field(default_factory=set)

    def send(self, target: Hook, event: str, render: Callable[[], bytes]) -> None:
        """Tell *target* of *event*, if it wants to hear of it; *render* makes the body now."""
        if event not in target.events:
            return
        name = f"msg_{secrets.token_urlsafe(20)}"
        pauses = _AGAIN if event == "completed" else _AGAIN[:1]
        task = asyncio.create_task(self._tell(target.url, name, render(), pauses))
        self._sending.add(task)
        task.add_done_callback(self._sending.discard)

    async def reset(self) -> None:
        """Send nothing more."""
        for task in self._sending:
            task.cancel()
        await asyncio.gather(*self._sending, return_exceptions=True)
        if self._session:
            await self._session.close()
            self._session = None

    async def _tell(self, url: str, name: str, body: bytes, pauses: tuple[int, ...]) -> None:
        for pause in pauses:
            await self.world.clock.sleep(pause)
            if await self._reaches(url, name, body):
                return

    async def _reaches(self, url: str, name: str, body: bytes) -> bool:
        """Send once; whether a 2xx was heard."""
        self.world.calls["replicate", _WHERE] += 1
        strike = self.world.faults.strike("replicate", _WHERE)
        await self.world.clock.sleep(strike.delay)
        if strike.kind == "drop_before":
            return False
        heard = await self._posted(url, name, body)
        if strike.twice:
            heard = await self._posted(url, name, body)
        return heard and strike.kind != "drop_after"

    async def _posted(self, url: str, name: str, body: bytes) -> bool:
        timestamp = str(int(time.time()))
        headers = {
            "Content-Type": "application/json",
            "webhook-id": name,
            "webhook-timestamp": timestamp,
            "webhook-signature": signature(self.key, name, timestamp, body),
        }
        try:
            async with self._open().post(
                url, data=body, headers=headers, allow_redirects=False
            ) as answer:
                return 200 <= answer.status < 300
        except (aiohttp.ClientError, TimeoutError, OSError):
            return False

    def _open(self) -> aiohttp.ClientSession:
        if self._session is None:
            self._session = aiohttp.ClientSession(
                timeout=aiohttp.ClientTimeout(total=_DEADLINE), trust_env=False
            )
        return self._session
