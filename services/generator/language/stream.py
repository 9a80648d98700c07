"""What the companies' streams have in common: events of JSON, and refusals before the first."""

import asyncio
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import httpx

from services.generator import provider as seam
from services.generator.providers import answered, google_errors, openai_errors, transport

_MOST = 4 << 20  # bytes of an answer: many times the longest that is asked for
_REFUSALS = frozenset({400, 404, 413, 422})
_NOT_STARTED = frozenset({503, 529})  # with an error of its own words in the body


@dataclass(frozen=True, slots=True, kw_only=True)
class Door:
    """How a company's API is reached; *patience* is in seconds, for a whole answer."""

    http: httpx.AsyncClient
    company: str
    key: str  # the setting that has its key
    patience: float

    async def events(self, path: str, body: object) -> AsyncIterator[dict[str, Any]]:
        """
        Send *body* once; yield each event's data, an object.

        Raises Refused, Unavailable or Unclear, and once it has begun Unclear alone.
        """
        until = asyncio.get_running_loop().time() + self.patience
        request = self.http.build_request("POST", path, json=body)
        asking = self.http.send(request, stream=True)
        answer = await transport.answer(asking, self.patience, never_sent=seam.Unavailable)
        try:
            if not answer.is_success:
                raise await self._refusal(answer, until)
            lines = _lines(answer)
            while (line := await _next(lines, until)) is not None:
                if line.startswith(b"data:") and line[5:].strip() != b"[DONE]":
                    yield _object(line[5:])
        finally:
            await answer.aclose()

    async def _refusal(self, answer: httpx.Response, until: float) -> seam.ProviderError:
        try:
            async with asyncio.timeout_at(until):
                return self._refused(await answered.said(answer))
        except TimeoutError:
            return seam.Unclear(f"{answer.status_code}, and its words did not end in time")

    def _refused(self, answer: httpx.Response) -> seam.ProviderError:
        status, error = answer.status_code, transport.own_error(answer)
        own_words = bool(transport.plainly(answer).get("error"))
        if status == 402 or _is_empty(status, error):
            return seam.NoCredit(f"the account with {self.company} is empty: top it up there")
        if status in (401, 403):
            wish = f"set {self.key} to a valid one, then start anew"
            return seam.NotKnown(f"{self.company} does not take the key: {wish}")
        if status == 429:
            return transport.busy(answer, google_errors.wait(error))
        kind: type[seam.ProviderError] = seam.Unclear
        if status in _REFUSALS:
            kind = seam.ContentRefused if transport.is_of_content(answer.text) else seam.Refused
        elif status in _NOT_STARTED and own_words:
            kind = seam.Unavailable
        return transport.error(kind, answer)


def _is_empty(status: int, error: dict[str, Any]) -> bool:
    """By its codes; words tell no more than that somebody speaks of billing, as of a rate."""
    if openai_errors.is_of_account(error) or error.get("type") == "billing_error":
        return True
    if status == 400 and "credit balance" in str(error.get("message")):  # Anthropic, without one
        return True
    return google_errors.is_of_account(error)


async def _lines(answer: httpx.Response) -> AsyncIterator[bytes]:
    """The lines of an answer, however long one is; Unclear once all have too many bytes."""
    held, size = bytearray(), 0
    async for chunk in answer.aiter_bytes():
        size += len(chunk)
        if size > _MOST:
            raise seam.Unclear(f"an answer of more than {_MOST} bytes")
        held += chunk
        if b"\n" in chunk:
            *lines, held = held.split(b"\n")
            for line in lines:
                yield bytes(line)
    yield bytes(held)


async def _next(lines: AsyncIterator[bytes], until: float) -> bytes | None:
    try:
        async with asyncio.timeout_at(until):
            return await anext(lines)
    except StopAsyncIteration:
        return None
    except seam.ProviderError:
        raise
    except Exception as error:  # cut, or too slow: it is written for all we know
        raise seam.Unclear(transport.told(error)) from error


def _object(text: bytes) -> dict[str, Any]:
    try:
        found = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise seam.Unclear("an event that is no JSON") from error
    if not isinstance(found, dict):
        raise seam.Unclear("an event that is no JSON object")
    return found


def broke_off(error: Any) -> seam.Unclear:
    """What an event's *error* says of a stream that it ends."""
    told = error if isinstance(error, dict) else {"message": error}
    words = [told[name] for name in ("message", "type", "status", "code") if told.get(name)]
    return seam.Unclear(f"it broke off: {words[0] if words else 'it does not say why'}"[:500])


def tokens(said: Any, *names: str) -> int:
    """Add up the counts that *said* has under *names*; what is no count is none."""
    counts = [said.get(name) for name in names] if isinstance(said, dict) else []
    return sum(count for count in counts if type(count) is int and count > 0)
