"""In over REST, with Server-Sent Events."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import aiohttp

from cli.chaos import pictures
from cli.chaos.ways import Broken, Heard, Refused, Wrong, digest

_LOST = (aiohttp.ClientError, TimeoutError, OSError)
_SILENCE = 30.0  # seconds; a comment comes every 15
_PASSING = frozenset({429, 502, 503, 504, 507})


@dataclass(frozen=True, slots=True)
class Rest:
    """The studio at *address* for the user of *key*."""

    address: str
    key: str
    http: aiohttp.ClientSession

    async def start(self, request: dict[str, Any], request_id: str) -> str:
        body = await self._body(request)
        async with self._asked("POST", "/images/generate", body, request_id) as answer:
            return str((await answer.json())["job_id"])

    async def glance(self, request: dict[str, Any], request_id: str) -> str:
        body = await self._body(request)
        asked = self._asked("POST", "/images/generate/stream", body, request_id)
        async with asked as answer:
            await answer.content.readany()
            return answer.headers["Location"].rpartition("/")[2]

    async def generate(self, request: dict[str, Any], request_id: str) -> AsyncIterator[Heard]:
        body = await self._body(request)
        asked = self._asked("POST", "/images/generate/stream", body, request_id)
        async with asked as answer:
            job = answer.headers["Location"].rpartition("/")[2]
            async for heard in _events(job, answer):
                yield heard

    async def watch(self, job: str, after: int) -> AsyncIterator[Heard]:
        path = f"/images/jobs/{job}/events"
        async with self._asked("GET", path, after=after) as answer:
            async for heard in _events(job, answer):
                yield heard

    async def cancel(self, job: str) -> None:
        async with self._asked("POST", f"/images/jobs/{job}/cancel"):
            return

    async def _body(self, request: dict[str, Any]) -> dict[str, Any]:
        """The request with its input images sent ahead: the same one is the same asset."""
        if "references" not in request:
            return request
        found = []
        for each in request["references"]:
            content = pictures.picture(each["picture"])
            async with self._asked("POST", "/images/references", content=content) as answer:
                found.append({"id": (await answer.json())["id"], "role": each["role"]})
        return request | {"references": found}

    @asynccontextmanager
    async def _asked(
        self,
        method: str,
        path: str,
        body: dict[str, Any] | None = None,
        request_id: str = "",
        after: int | None = None,
        content: bytes | None = None,
    ) -> AsyncIterator[aiohttp.ClientResponse]:
        headers = {"Authorization": f"Bearer {self.key}"}
        headers |= {"Idempotency-Key": request_id} if request_id else {}
        headers |= {} if after is None else {"Last-Event-ID": str(after)}
        asking = self.http.request(
            method,
            self.address + path,
            json=body,
            data=content,
            headers=headers,
            timeout=aiohttp.ClientTimeout(total=None, sock_connect=5, sock_read=_SILENCE),
        )
        try:
            async with asking as answer:
                await _check(answer)
                yield answer
        except _LOST as error:
            raise Broken(repr(error)) from error


async def _check(answer: aiohttp.ClientResponse) -> None:
    if answer.status < 300:
        return
    text = await answer.text()
    if answer.status == 402 and '"SPEND_CAP_EXCEEDED"' in text:
        raise Refused(text)
    if answer.status in _PASSING:
        raise Broken(f"{answer.status} {text[:200]}")
    raise Wrong(f"{answer.method} {answer.url.path}: {answer.status} {text[:300]}")


async def _events(job: str, answer: aiohttp.ClientResponse) -> AsyncIterator[Heard]:
    """Parse Server-Sent Events; an `error` ends the stream, to be taken up again."""
    kind, number, data = "message", 0, ""
    async for line in answer.content:
        name, _, value = line.decode().rstrip("\n").partition(":")
        match name:
            case "event":
                kind = value.strip()
            case "id":
                number = int(value)
            case "data":
                data += value.strip()
            case "" if data:
                if kind == "error":
                    raise _told(data)
                yield Heard(job, number, kind, digest(data.encode()))
                kind, number, data = "message", 0, ""


def _told(data: str) -> Exception:
    status = json.loads(data).get("status")
    return Broken(data) if status in _PASSING else Wrong(f"error in a stream: {data[:300]}")
