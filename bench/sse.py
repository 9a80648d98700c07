"""
A lean client for REST and server-sent events, so that the load costs little of the machine.

One connection is one `Wire`; its answers are read as they come, each event with its arrival.
"""

import asyncio
import json
import time
from collections.abc import Callable
from typing import Any

import httptools

Heard = Callable[[str, int, bytes, float], None]  # event, its id or 0, data, arrival by time.time


class CutError(Exception):
    """The connection ended before the answer did."""


class Wire(asyncio.Protocol):
    """One HTTP/1.1 connection that asks one thing at a time."""

    def __init__(self, port: int) -> None:
        self.port, self.status = port, 0
        self._transport: asyncio.Transport | None = None
        self._parser: Any = None
        self._heard: Heard | None = None
        self._rest = b""
        self._done: asyncio.Future[None] | None = None
        self.begun: asyncio.Event = asyncio.Event()

    async def ask(
        self,
        method: str,
        path: str,
        body: dict[str, Any] | None = None,
        heard: Heard | None = None,
    ) -> bytes:
        """Send a request; return the answer's body, or "" where *heard* took its events."""
        if self._transport is None or self._transport.is_closing():
            loop = asyncio.get_running_loop()
            await loop.create_connection(lambda: self, "127.0.0.1", self.port)
        assert self._transport is not None
        self._parser, self._heard, self._rest = httptools.HttpResponseParser(self), heard, b""
        self._done = asyncio.get_running_loop().create_future()
        self.begun.clear()
        content = json.dumps(body).encode() if body is not None else b""
        head = (
            f"{method} {path} HTTP/1.1\r\nHost: 127.0.0.1:{self.port}\r\n"
            f"Content-Type: application/json\r\nContent-Length: {len(content)}\r\n\r\n"
        )
        self._transport.write(head.encode() + content)
        await self._done
        return self._rest

    def close(self) -> None:
        """Leave, also in the middle of an answer."""
        if self._transport:
            self._transport.abort()

    # -- asyncio's side

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport  # type: ignore[assignment]

    def data_received(self, data: bytes) -> None:
        self._parser.feed_data(data)

    def connection_lost(self, _error: Exception | None) -> None:
        if self._done and not self._done.done():
            self._done.set_exception(CutError("the connection ended before the answer did"))

    # -- the parser's side

    def on_headers_complete(self) -> None:
        self.status = self._parser.get_status_code()
        if self.status >= 300:
            self._heard = None
        self.begun.set()

    def on_body(self, chunk: bytes) -> None:
        if self._heard is None:
            self._rest += chunk
            return
        now = time.time()
        *frames, self._rest = (self._rest + chunk).split(b"\n\n")
        for frame in frames:
            if event := _fields(frame):
                self._heard(*event, now)

    def on_message_complete(self) -> None:
        if self._done and not self._done.done():
            self._done.set_result(None)


def _fields(frame: bytes) -> tuple[str, int, bytes] | None:
    """Name, id and data of one event; None for a comment or a `retry` alone."""
    name, number, data = "", 0, b""
    for line in frame.split(b"\n"):
        field, _, value = line.partition(b": ")
        if field == b"event":
            name = value.decode()
        elif field == b"id":
            number = int(value)
        elif field == b"data":
            data = value
    return (name, number, data) if name else None


async def get(port: int, path: str) -> Any:
    """GET a JSON answer over a connection of its own."""
    wire = Wire(port)
    try:
        body = await wire.ask("GET", path)
    finally:
        wire.close()
    if wire.status != 200:
        raise RuntimeError(f"GET {path}: {wire.status} {body[:200].decode(errors='replace')}")
    return json.loads(body)
