"""
Server-sent events: durable frames, live frames, and an end that clients come back from.

One write for each wake-up, whatever piled up meanwhile; live frames that a newer one
replaces are dropped, durable ones never. A client that does not read slows the source
down, and one that takes nothing for a minute is let go. Never compressed.
"""

import asyncio
import json
import random
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import aclosing, suppress
from dataclasses import dataclass
from typing import Any

from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from chassis import logs
from chassis.errors import Fault

SILENCE = 15.0  # seconds until a comment tells that the stream lives
STUCK = 60.0  # seconds that one write may take
BACKLOG = 64 * 1024  # bytes that wait for a slow client before the source is not read on
LATER = "studio.later"  # in a scope: the stream to be sent when the application has returned
HEADERS = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}

log = logs.get()
_written = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode


@dataclass(frozen=True, slots=True)
class Frame:
    """One event; *sequence* is 0 for a live one, which a newer one of its *topic* replaces."""

    text: bytes
    sequence: int = 0
    topic: str = ""


def frame(event: str, data: Mapping[str, Any], sequence: int = 0, topic: str = "") -> Frame:
    """Write a frame as the protocol has it: an id on durable events only."""
    number = f"id: {sequence}\n" if sequence else ""
    text = f"{number}event: {event}\ndata: {_written(data)}\n\n"
    return Frame(text.encode("utf-8", "replace"), sequence, topic)


class Streams:
    """The streams that are open in this process, to end them all when it stops."""

    def __init__(self) -> None:
        self.open: set[EventStream] = set()
        self.leaving = False  # the process ends soon

    def enter(self, stream: "EventStream") -> None:
        """Take in a stream that starts; while the process stops it ends at once."""
        self.open.add(stream)
        if self.leaving:
            stream.leave()

    def leave(self) -> None:
        """End all streams, telling clients to come back soon."""
        self.leaving = True
        for stream in self.open:
            stream.leave()


class EventStream(Response):
    """
    Sends what *source* yields; leaving it closes *source* and nothing else.

    *failed* makes the last frame of a source that ended in a fault, or None where the
    client shall just come back and resume.
    """

    media_type = "text/event-stream"

    def __init__(
        self,
        source: AsyncIterator[Frame],
        streams: Streams,
        failed: Callable[[Fault], Frame | None],
        headers: Mapping[str, str] | None = None,
        *,
        silence: float = SILENCE,
        stuck: float = STUCK,
    ) -> None:
        self._silence, self._stuck = silence, stuck
        self.status_code, self.background = 200, None
        self.init_headers({**HEADERS, **(headers or {})})
        self._source, self._streams, self._failed = source, streams, failed
        first = f"retry: {random.randint(1000, 2000)}\n\n"
        self._pending: dict[object, bytes] = {"retry": first.encode()}
        self._wake = asyncio.Event()
        self._wake.set()
        self._room: asyncio.Event | None = None  # of a client that does not keep up
        self._held = 0  # bytes that are pending
        self._ended = self._gone = False

    def leave(self) -> None:
        """End soon, with a word to come back."""
        self._put("farewell", b": we stop; come back\nretry: 250\n\n")
        self._ended = True

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Leave the sending to whoever stands around the application, and all of it free."""
        del receive, send
        scope[LATER] = self

    async def run(self, receive: Receive, send: Send) -> None:
        """Send all of it."""
        tasks = [asyncio.create_task(self._read()), asyncio.create_task(self._listen(receive))]
        self._streams.enter(self)
        try:
            async with aclosing(self._source):  # type: ignore[type-var]
                try:
                    await self._write(send)
                finally:
                    for task in tasks:
                        task.cancel()
                    await asyncio.gather(*tasks, return_exceptions=True)
        finally:
            self._streams.open.discard(self)

    async def _read(self) -> None:
        """Take frames from the source as long as the client keeps up."""
        try:
            async for found in self._source:
                key = found.sequence or found.topic or object()
                self._put(key, found.text)
                if self._held >= BACKLOG:
                    self._room = asyncio.Event()
                    await self._room.wait()
        except Fault as fault:
            if last := self._failed(fault):
                self._put("failed", last.text)
        except Exception:
            log.exception("an event stream failed")
        self._ended = True
        self._wake.set()

    async def _listen(self, receive: Receive) -> None:
        while (await receive())["type"] != "http.disconnect":
            pass
        self._gone = True
        self._wake.set()

    async def _write(self, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": self.raw_headers})
        with suppress(TimeoutError):
            while not self._gone:
                if chunk := await self._next():
                    async with asyncio.timeout(self._stuck):
                        await send({"type": "http.response.body", "body": chunk, "more_body": True})
                if self._ended and not self._pending and not self._gone:
                    await send({"type": "http.response.body", "body": b""})
                    return

    async def _next(self) -> bytes:
        """Return all that waits; after a silence, a comment."""
        try:
            async with asyncio.timeout(self._silence):
                await self._wake.wait()
        except TimeoutError:
            return b":\n\n"
        self._wake.clear()
        if self._gone:
            return b""
        chunk = b"".join(self._pending.values())
        self._pending.clear()
        self._held = 0
        if self._room:
            self._room.set()
        return chunk

    def _put(self, key: object, text: bytes) -> None:
        self._held += len(text) - len(self._pending.pop(key, b""))
        self._pending[key] = text
        self._wake.set()
