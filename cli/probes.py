"""
Is it really ready? One question for each kind of server, asked over its own protocol.

Each returns at once with yes or no; whoever waits asks again. Plain sockets, so that the
supervisor stays small.
"""

import asyncio
import json
import struct
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

Probe = Callable[[], Awaitable[bool]]
_PATIENCE = 2.0  # seconds for one question
_PROTOCOL = 196608  # PostgreSQL's version 3.0


def postgres(port: int) -> Probe:
    """It asks for a password: before recovery is over it answers with an error."""

    async def ask() -> bool:
        words = b"user\0studio\0database\0studio\0\0"
        hello = struct.pack("!ii", len(words) + 8, _PROTOCOL) + words
        async with _connection(port) as (reader, writer):
            writer.write(hello)
            return await reader.readexactly(1) == b"R"

    return _safely(ask)


def nats(port: int) -> Probe:
    """It greets, with JetStream recovered."""

    async def ask() -> bool:
        async with _connection(port) as (reader, _):
            greeting = await reader.readline()
            return bool(json.loads(greeting.removeprefix(b"INFO ")).get("jetstream"))

    return _safely(ask)


def http(port: int, path: str) -> Probe:
    """It answers a GET with 200."""

    async def ask() -> bool:
        async with _connection(port) as (reader, writer):
            host = f"127.0.0.1:{port}"
            writer.write(
                f"GET {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n".encode()
            )
            return (await reader.readline()).split(b" ")[1:2] == [b"200"]

    return _safely(ask)


def _safely(ask: Probe) -> Probe:
    async def probe() -> bool:
        try:
            async with asyncio.timeout(_PATIENCE):
                return await ask()
        except (OSError, ValueError, EOFError, TimeoutError):
            return False

    return probe


@asynccontextmanager
async def _connection(
    port: int,
) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        yield reader, writer
    finally:
        writer.close()
