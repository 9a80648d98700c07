"""
Cloudinary: kept pictures under their links, from the vault's own bytes.

Their package signs; the calls go over aiohttp, since theirs blocks, reads whole files and
waits without end, and httpx on top of it takes more processor than the rest of a call. The
name is the link, so that what was uploaded by a call whose answer was lost is found by the
next one (`existing`), and compared like any other.
"""

import asyncio
import json
import time
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any
from urllib.parse import urlsplit

import aiohttp
from cloudinary.utils import SIGNATURE_SHA256, api_sign_request

from services.storage.cdn import Account, Busy, CdnError, File, Published, Refused
from services.storage.cdns.multipart import Form

THUMBNAIL = "c_limit,f_webp,h_512,w_512"  # made at the upload, so that the first look is quick
CHUNK = 20_000_000  # bytes; a request takes 100 MB, a part but the last 5 MB at least
_SLOWEST = 200_000  # bytes a second: below, a call is given up
_LIMITED = frozenset({420, 429})
_PASSING = frozenset({408, 423, 425})  # 423: it is still at work on that name
_CONNECT = 5.0  # seconds
_LONGEST_ANSWER = 1_000_000  # bytes
_CUT = (aiohttp.ClientError, OSError, TimeoutError)


def session() -> aiohttp.ClientSession:
    """Make what the calls go over; each of them has an end of its own."""
    waits = aiohttp.ClientTimeout(total=None, sock_connect=_CONNECT)
    return aiohttp.ClientSession(timeout=waits, cookie_jar=aiohttp.DummyCookieJar())


@dataclass(slots=True, kw_only=True)
class Cloudinary:
    """Publishes in *account*'s cloud at *base*; *patience* in seconds: a call without a file."""

    http: aiohttp.ClientSession
    base: str
    account: Account
    chunk: int = CHUNK
    patience: float = 30.0
    clock: Callable[[], float] = time.time
    name: str = field(default="Cloudinary", init=False)

    async def publish(self, file: File, /) -> Published:
        answer = await self._upload(file, overwrite=False)
        if not _same(answer, file):  # another's bytes under that name, or damaged on the way
            answer = await self._upload(file, overwrite=True)
        if not _same(answer, file):
            raise Refused("Cloudinary's copy differs from the file, also when written anew")
        return self._published(answer, file)

    async def close(self) -> None:
        await self.http.close()

    async def _upload(self, file: File, *, overwrite: bool) -> Mapping[str, Any]:
        if file.size <= self.chunk:
            return await self._send(file, 0, file.size, overwrite=overwrite)
        answer: Mapping[str, Any] = {}
        upload = uuid.uuid4().hex
        for start in range(0, file.size, self.chunk):
            stop = min(start + self.chunk, file.size)
            part = {
                "X-Unique-Upload-Id": upload,
                "Content-Range": f"bytes {start}-{stop - 1}/{file.size}",
            }
            answer = await self._send(file, start, stop, part, overwrite=overwrite)
        return answer

    async def _send(
        self, file: File, start: int, stop: int, part: Mapping[str, str] = {}, *, overwrite: bool
    ) -> Mapping[str, Any]:
        """Post the bytes *start* to *stop* under a fresh signature."""
        form = Form(
            fields=self._signed(file, overwrite=overwrite),
            filename=file.link,
            media_type=file.media_type,
            size=stop - start,
        )
        url = f"{self.base}/v1_1/{self.account.cloud}/image/upload"
        call = self.http.post(
            url,
            data=form.body(file.read(start, stop)),
            headers={**form.headers, **part},
            allow_redirects=False,
        )
        try:
            async with asyncio.timeout(self.patience + (stop - start) / _SLOWEST), call as answer:
                said = await _read(answer)
        except _CUT as error:
            raise Busy(f"Cloudinary did not answer: {type(error).__name__}") from error
        return self._judged(answer, said)

    def _signed(self, file: File, *, overwrite: bool) -> dict[str, str]:
        fields = {
            "public_id": file.link,
            "asset_folder": f"image_gen/{file.user_id}",
            "display_name": file.display_name,
            "unique_filename": "0",
            "overwrite": str(int(overwrite)),
            "eager": THUMBNAIL,
            "timestamp": str(int(self.clock())),
        }
        secret = self.account.secret.reveal()
        signature = api_sign_request(fields, secret, SIGNATURE_SHA256, signature_version=2)
        return {**fields, "signature": signature, "api_key": self.account.key}

    def _judged(self, answer: aiohttp.ClientResponse, said: bytes) -> Mapping[str, Any]:
        found = _json(said)
        if _is_success(answer) and found:
            return found
        error = found.get("error")
        words = str(error.get("message", "")) if isinstance(error, dict) else ""
        words = words.replace(self.account.secret.reveal(), "***")[:300]
        why = f"Cloudinary answered {answer.status} {words}".rstrip()
        raise _kind(answer)(why, retry_after=self._wait(answer.headers))

    def _wait(self, headers: Mapping[str, str]) -> float | None:
        """Seconds until it wants to be asked again, where it says so."""
        said = headers.get("retry-after") or headers.get("x-featureratelimit-reset") or ""
        if said.isdecimal():
            return float(said)
        try:
            when = parsedate_to_datetime(said)
        except ValueError:
            return None
        now = datetime.fromtimestamp(self.clock(), UTC)
        return max(0.0, ((when if when.tzinfo else when.replace(tzinfo=UTC)) - now).total_seconds())

    def _published(self, answer: Mapping[str, Any], file: File) -> Published:
        scheme = urlsplit(self.base).scheme  # http only on this machine
        which = "secure_url" if scheme == "https" else "url"
        url = answer.get(which)
        eager = answer.get("eager")
        made = eager[0].get(which) if isinstance(eager, list) and eager else None
        if isinstance(url, str) and not isinstance(made, str):  # not told of what was there
            made = url.replace("/upload/", f"/upload/{THUMBNAIL}/", 1)
        for each in (url, made):
            if not isinstance(each, str) or not _serves(each, scheme, file.link):
                raise Refused(f"Cloudinary names no {scheme} URL of that name: {str(each)[:200]}")
        return Published(str(url), str(made))


def _serves(url: str, scheme: str, link: str) -> bool:
    parts = urlsplit(url)
    return parts.scheme == scheme and bool(parts.hostname) and link in parts.path


def _same(answer: Mapping[str, Any], file: File) -> bool:
    return answer.get("bytes") == file.size and answer.get("etag") == file.md5


def _kind(answer: aiohttp.ClientResponse) -> type[CdnError]:
    """What a status means; success without JSON, as every proxy's page, is not an answer."""
    status = answer.status
    passing = status in _LIMITED | _PASSING or status >= 500 or _is_success(answer)
    return Busy if passing else Refused


def _is_success(answer: aiohttp.ClientResponse) -> bool:
    return 200 <= answer.status < 300


async def _read(answer: aiohttp.ClientResponse) -> bytes:
    said = b""
    async for block in answer.content.iter_any():
        said += block
        if len(said) > _LONGEST_ANSWER:
            break
    return said


def _json(said: bytes) -> dict[str, Any]:
    try:
        found = json.loads(said)
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}
