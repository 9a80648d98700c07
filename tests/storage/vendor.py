"""
A vendor's file host on loopback, scripted byte by byte, with a resolver and a dialer.

The guard judges the addresses that the script's names have; whatever it then dials ends at
the host on loopback, and is written down.
"""

import asyncio
import ssl
import time
from collections.abc import Awaitable, Callable
from contextlib import aclosing, asynccontextmanager
from datetime import datetime
from ipaddress import ip_address
from pathlib import Path

from services.storage import dial
from services.storage.dial import Dialer
from services.storage.fetch import Fetch
from services.storage.sources import Link, Policy

TLS = Path(__file__).parent / "tls"  # of an authority that nobody has, valid for a century
LOOPBACK = ip_address("127.0.0.1")
PUBLIC, OTHER_PUBLIC = "93.184.216.34", "2606:4700::1111"
FILES = "https://files.replicate.delivery"
Script = Callable[[asyncio.StreamWriter], Awaitable[None]]


def says(raw: bytes) -> Script:
    """Send these bytes and end."""

    async def script(writer):
        writer.write(raw)

    return script


def http(body: bytes, status: str = "200 OK", **headers: str) -> Script:
    """Send a proper answer."""
    said = {"content-length": str(len(body)), "content-type": "image/png"}
    said |= {name.replace("_", "-"): value for name, value in headers.items()}
    lines = "".join(f"{name}: {value}\r\n" for name, value in said.items() if value)
    return says(f"HTTP/1.1 {status}\r\n{lines}\r\n".encode() + body)


async def endlessly(writer, block: bytes, pause: float = 0.0) -> None:
    """Send *block* again and again, until it is hung up on."""
    while True:
        writer.write(block)
        await writer.drain()
        await asyncio.sleep(pause)  # after a hang-up drain alone would never let go


def slowly(head: bytes, content: bytes, step: int, pause: float) -> Script:
    """Send *step* bytes of *content* every *pause* seconds."""

    async def script(writer):
        writer.write(head)
        for start in range(0, len(content), step):
            writer.write(content[start : start + step])
            await asyncio.sleep(pause)

    return script


def stopped(head: bytes, content: bytes, seconds: float) -> Script:
    """Send *content* after *seconds* in which nothing in this process goes on."""

    async def script(writer):
        writer.write(head)
        await writer.drain()
        time.sleep(seconds)
        writer.write(content)

    return script


async def taking_its_time(seconds: float) -> None:
    """Be a reader whose disk is slow."""
    await asyncio.sleep(seconds)


def moved(to: str, status: int = 307) -> Script:
    return http(b"", f"{status} Moved", location=to)


class Vendor:
    """*scripts* by path, *names* with their answers; what came is in the lists."""

    def __init__(self) -> None:
        self.port = 0
        self.scripts: dict[str, Script] = {}
        self.names: dict[str, list[list[str]]] = {}  # each time it is asked, the next answer
        self.otherwise = [PUBLIC]
        self.refusing: set[str] = set()
        self.resolved: list[str] = []
        self.dialed: list[tuple[str, int]] = []
        self.requests: list[bytes] = []
        self.named: list[str] = []  # by TLS
        self._answering: set[asyncio.Task] = set()

    @property
    def paths(self) -> list[str]:
        return [request.split()[1].decode() for request in self.requests]

    async def resolve(self, host):
        self.resolved.append(host)
        if host == "127.0.0.1":
            return [LOOPBACK]
        answers = self.names.get(host, [self.otherwise])
        found = answers.pop(0) if len(answers) > 1 else answers[0]
        if not found:
            raise OSError("no such name")
        return [ip_address(text) for text in found]

    async def connect(self, address, port):
        self.dialed.append((str(address), port))
        if str(address) in self.refusing:
            raise ConnectionRefusedError(str(address))
        return await dial.connect(LOOPBACK, self.port)

    def dialer(self) -> Dialer:
        trusting = ssl.create_default_context(cafile=str(TLS / "authority.pem"))
        return Dialer(resolve=self.resolve, connect=self.connect, tls=lambda: trusting)

    def fetch(self, lab_url: str = "", **options) -> Fetch:
        return Fetch(policy=Policy(lab_url), dialer=self.dialer(), **options)

    async def get(self, url: str, fetch: Fetch | None = None) -> bytes:
        """Fetch as storage does; fails rather than hangs."""
        async with asyncio.timeout(60), aclosing(pictured(fetch or self.fetch(), url)) as pieces:
            return b"".join([piece async for piece in pieces])

    async def answer(self, reader, writer):
        task = asyncio.current_task()
        self._answering.add(task)
        try:
            request = await reader.readuntil(b"\r\n\r\n")
            self.requests.append(request)
            await self.scripts.get(request.split()[1].decode(), says(b""))(writer)
            await writer.drain()
        except (OSError, asyncio.IncompleteReadError, asyncio.CancelledError):
            return  # it was hung up on, as it should be
        finally:
            self._answering.discard(task)
            writer.close()

    async def hang_up(self):
        for task in self._answering:
            task.cancel()
        while self._answering:
            await asyncio.wait(self._answering)


def pictured(fetch: Fetch, url: str, provider="replicate", expires: datetime | None = None):
    return fetch.pictured(Link(url, provider, expires))


@asynccontextmanager
async def vendor_host(certificate: str | None = "vendor.pem"):
    """Serve on loopback, over TLS as *.replicate.delivery; in the clear without *certificate*."""
    vendor, secure = Vendor(), None
    if certificate:
        secure = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        secure.load_cert_chain(TLS / certificate)
        secure.sni_callback = lambda _socket, name, _context: vendor.named.append(name)
    server = await asyncio.start_server(vendor.answer, "127.0.0.1", 0, ssl=secure)
    vendor.port = server.sockets[0].getsockname()[1]
    try:
        yield vendor
    finally:
        server.close()
        await vendor.hang_up()
        await server.wait_closed()
