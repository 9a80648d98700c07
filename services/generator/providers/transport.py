"""
HTTP to the companies that draw, and what its failures prove.

httpx's own class proves nothing: httpx-aiohttp 0.2 reports a server that read the whole
order and hung up as httpx.ConnectTimeout. Only the cause tells, and only on this transport.
"""

import asyncio
import json
import os
import re
import ssl
from collections.abc import Awaitable
from contextvars import ContextVar
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any, Protocol

import aiohttp
import httpx
from httpx_aiohttp import AiohttpTransport

from services.generator import provider as seam

_NEVER_SENT = (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError)
_CONNECT = 10.0  # seconds until a connection is had
CONNECTIONS = 128  # of a client
_queued = ContextVar("whether a call had to wait for a connection of ours", default=False)
# The session has aiohttp's. Where it is given none, the transport reads all certificates again, 30
# ms of a processor for each client, and never uses them: this one, if it ever were, trusts nobody.
_UNUSED = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
_KEPT = 15.0  # seconds an idle connection is kept: less than any server does
_CONTENT = re.compile(
    r"nsfw|flagged as sensitive|\bE005\b|content (?:policy|moderation)|safety (?:filter|system)"
    r"|prohibited content|moderated",
    re.IGNORECASE,
)
_NEVER = re.compile(r"\brequest too large\b|\blimit:? 0\b(?![.,]\d)", re.IGNORECASE)
_RATES = (  # headers with how many calls are left, and when that is renewed
    ("ratelimit-remaining", "ratelimit-reset"),
    ("x-ratelimit-remaining-requests", "x-ratelimit-reset-requests"),
)
# The same of tokens. Nobody knows how many the next call takes: what counts is that none is left.
_TOKENS = ("x-ratelimit-remaining-tokens", "x-ratelimit-reset-tokens")
_KEYS = re.compile(r"\b(?:AIza|sk-|r8_)[\w*-]{6,}")  # of the vendors', whole or masked
_DURATION = re.compile(r"(?:(\d+)h)?(?:(\d+)m(?!s))?(?:([\d.]+)s)?(?:(\d+)ms)?")
_LONGEST_WAIT = 300.0  # seconds until we look again, however long a provider sends us away for


class Outgoing(Protocol):
    """What goes out of here, and is closed at the end: what was opened last first."""

    async def aclose(self) -> None: ...


def client(
    base_url: str, headers: dict[str, str], connections: int = CONNECTIONS
) -> httpx.AsyncClient:
    """A client that repeats and follows nothing; call it inside the running loop."""
    tracing = aiohttp.TraceConfig()
    tracing.on_connection_queued_start.append(_note)
    session = aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(limit=connections, keepalive_timeout=_KEPT),
        cookie_jar=aiohttp.DummyCookieJar(),
        trace_configs=[tracing],
    )
    return httpx.AsyncClient(
        base_url=base_url,
        headers=headers,
        transport=AiohttpTransport(client=session, verify=_UNUSED),
        timeout=httpx.Timeout(None, connect=_CONNECT, pool=_CONNECT),
    )


async def _note(*_about: object) -> None:
    """All connections are in use; it runs in the task of the call that waits for one."""
    _queued.set(True)


async def answer(
    asking: Awaitable[httpx.Response],
    seconds: float,
    *,
    never_sent: type[seam.ProviderError] = seam.Unclear,
) -> httpx.Response:
    """
    Wait for an answer, *seconds* in all; Unclear where none came.

    Raises *never_sent* where it is proven that nothing left; NotReady instead of Unavailable
    where it waited for a connection of ours, which tells nothing of the provider.
    """
    _queued.set(False)
    try:
        async with asyncio.timeout(seconds):
            return await asking
    except Exception as error:  # whatever its class: aiohttp's own come through, too
        if isinstance(error.__cause__, _NEVER_SENT):
            full = _queued.get() and isinstance(error.__cause__, aiohttp.ConnectionTimeoutError)
            if never_sent is seam.Unavailable and full:
                raise seam.NotReady("all connections to it are in use") from error
            raise never_sent(told(error)) from error
        raise seam.Unclear(told(error)) from error


def told(error: Exception) -> str:
    """Say in plain words what happened to a connection: users read it, too."""
    cause = error.__cause__ or error
    number = getattr(getattr(cause, "os_error", cause), "errno", None) or 0
    detail = f" ({os.strerror(number)})" if number > 0 else ""
    match error, cause:
        case _, aiohttp.ClientConnectorError() | aiohttp.ConnectionTimeoutError():
            return f"it cannot be reached{detail}: check the network, and its *_BASE_URL if set"
        case TimeoutError(), _:
            return "no whole answer came in time"
        case httpx.ReadError(), httpx.ReadError():  # in our own words: see `within`
            return str(error)
        case ((httpx.HTTPError() | aiohttp.ClientError() | OSError()), _):
            return f"the connection broke off before the whole answer had come{detail}"
    return f"the call failed in a way that nobody foresaw: {type(error).__name__}, {error}"


async def within(http: httpx.AsyncClient, path: str, most: int) -> httpx.Response:
    """GET *path*; an answer of more than *most* bytes breaks off, as it may have no end."""
    async with http.stream("GET", path) as found:
        body = bytearray()
        async for part in found.aiter_bytes():
            body += part
            if len(body) > most:
                raise httpx.ReadError(f"an answer of more than {most} bytes")
    coded = ("content-encoding", "content-length", "transfer-encoding")
    headers = [(name, value) for name, value in found.headers.items() if name not in coded]
    return httpx.Response(found.status_code, headers=headers, content=bytes(body))


def plainly(found: httpx.Response) -> dict[str, Any]:
    """The JSON object of an answer; empty where it holds none."""
    try:
        told = found.json()
    except (ValueError, RecursionError):
        return {}
    return told if isinstance(told, dict) else {}


def own_error(found: httpx.Response) -> dict[str, Any]:
    """What an answer has as its "error"; empty where that is no object."""
    told = plainly(found).get("error")
    return told if isinstance(told, dict) else {}


def error(
    kind: type[seam.ProviderError], found: httpx.Response, wait: str = ""
) -> seam.ProviderError:
    """
    What an answer says went wrong, in its own words, but for any key in them.

    *wait* are the seconds that it tells in a way of its own, if they are a number; the wait in
    its body goes before the header's.
    """
    seconds = float(wait) if _is_number(wait) else _wait(found)
    why = f"{found.status_code} {_words(found)}".strip()
    return kind(why[:2000], retry_after=seconds and min(seconds, _LONGEST_WAIT))


def _words(found: httpx.Response) -> str:
    if found.status_code == 401:  # they may show a part of the key
        return ""
    told, inner = plainly(found), own_error(found)
    said = inner or told
    words = told.get("detail") or said.get("message") or told.get("error")
    if not words or not isinstance(words, str | list):
        words = found.text[:500]
    elif isinstance(code := said.get("code"), str) and code:
        words = f"{words} ({code})"
    text = words if isinstance(words, str) else json.dumps(words, ensure_ascii=False)
    return _KEYS.sub("***", text)


def _wait(found: httpx.Response) -> float | None:
    """Seconds until it may be asked again: a number, or in the header a date; None: unsaid."""
    text = str(plainly(found).get("retry_after") or found.headers.get("retry-after"))
    if _is_number(text):
        return float(text)
    until, now = _date(text), date(found) or datetime.now(UTC)
    return (until - now).total_seconds() if until and until > now else None


def date(found: httpx.Response) -> datetime | None:
    """The provider's time when it answered; None where it does not tell."""
    told = _date(found.headers.get("date", ""))
    return told if told and told.year < 9999 else None  # else what is added to it overflows


def _date(text: str) -> datetime | None:
    try:
        found = parsedate_to_datetime(text)
    except (ValueError, OverflowError):
        return None
    return found.replace(tzinfo=found.tzinfo or UTC)


def is_of_content(why: str) -> bool:
    """Whether *why* is a refusal of what was asked for: it is text, and nothing else tells."""
    return bool(_CONTENT.search(why))


def refused(found: httpx.Response, *, no_credit: str, not_known: str) -> seam.ProviderError:
    """What an answer refuses; an empty account and a bad token with what to do about them."""
    why = error(seam.Refused, found)
    if found.status_code == 402:
        return seam.NoCredit(f"{no_credit} ({why})")
    if found.status_code == 401:
        return seam.NotKnown(f"{not_known} ({why})")
    return seam.ContentRefused(str(why)) if is_of_content(str(why)) else why


def allowance(found: httpx.Response) -> seam.Allowance | None:
    """How many more calls of this kind an answer's rate headers leave us; None: unsaid."""
    tokens = _rates(found, _TOKENS)
    if tokens and not tokens[0].left:
        return tokens[0]
    return next(iter(_rates(found, *_RATES)), None)


def _rates(found: httpx.Response, *kinds: tuple[str, str]) -> list[seam.Allowance]:
    told = []
    for names in kinds:
        left, renewal = (found.headers.get(name, "") for name in names)
        wait = _seconds(renewal)
        if _is_number(left) and wait is not None:
            told.append(seam.Allowance(int(float(left)), min(wait, _LONGEST_WAIT)))
    return told


def busy(found: httpx.Response, wait: str = "") -> seam.ProviderError:
    """
    Of a 429: nothing more is to be sent before the wait that it tells is over.

    OverLimit where no time alone will help: the limit is 0, or less than that one order.

    *wait* as in `error`. Where nothing is told, it is the longest until a rate is renewed that
    is used up; where none is, that of any: an order may take more tokens than are left.
    """
    told = error(seam.Busy, found, wait)
    if _NEVER.search(str(told)):
        return seam.OverLimit(str(told))
    if not told.retry_after:
        rates = _rates(found, *_RATES, _TOKENS)
        used_up = [each for each in rates if not each.left]
        told.retry_after = max((each.seconds for each in used_up or rates), default=None)
    if told.retry_after:
        told.allowance = seam.Allowance(0, told.retry_after)
    return told


def _seconds(text: str) -> float | None:
    """Seconds of "90", "1m30s" or "20ms"; None for anything else."""
    if _is_number(text):
        return float(text)
    match = _DURATION.fullmatch(text)
    if not text or match is None or not (match[3] is None or _is_number(match[3])):
        return None
    hours, minutes, seconds, thousandths = (float(part or 0) for part in match.groups())
    return hours * 3600 + minutes * 60 + seconds + thousandths / 1000


def _is_number(text: str) -> bool:
    return text.isascii() and text.replace(".", "", 1).isdecimal()
