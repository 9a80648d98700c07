"""
From a target to a connection: resolved once, judged, and dialed at what was judged.

There is no client library between the judge and the socket: what connects is given an
address and cannot resolve, keep alive, follow, or go through a proxy. TLS is spoken on that
socket with the URL's name.
"""

import asyncio
import socket
import ssl
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from functools import cache
from ipaddress import ip_address

from services.storage.addresses import Address, is_public
from services.storage.sources import Failed, Forbidden, Target
from services.storage.wire import Wire

_TRIED = 4  # addresses of one name
_CONNECT = 5.0  # seconds for each
Resolve = Callable[[str], Awaitable[Sequence[Address]]]
Connect = Callable[[Address, int], Awaitable[socket.socket]]
trusting = cache(ssl.create_default_context)  # made for who needs it: 50 ms of CPU


async def resolve(host: str) -> Sequence[Address]:
    """Ask the system for all addresses of *host*, in its order of preference; OSError."""
    found = await asyncio.get_running_loop().getaddrinfo(host, 443, type=socket.SOCK_STREAM)
    return [ip_address(name[0]) for _family, _type, _protocol, _name, name in found]


async def connect(address: Address, port: int) -> socket.socket:
    """Connect to exactly *address*; OSError."""
    family = socket.AF_INET if address.version == 4 else socket.AF_INET6
    dialed = socket.socket(family, socket.SOCK_STREAM)
    dialed.setblocking(False)
    try:
        await asyncio.get_running_loop().sock_connect(dialed, (str(address), port))
    except BaseException:
        dialed.close()
        raise
    return dialed


@dataclass(frozen=True, slots=True)
class Dialer:
    """Opens connections to public addresses, and to the lab."""

    resolve: Resolve = resolve
    connect: Connect = connect
    tls: Callable[[], ssl.SSLContext] = trusting

    async def open(self, target: Target) -> Wire:
        """Open a connection to *target*; raises Forbidden, Failed."""
        addresses = await self._judged(target)
        try:
            return await self._wire(await self._reach(addresses, target.port), target)
        except OSError as error:
            raise Failed(f"{target.host} cannot be reached") from error

    async def _judged(self, target: Target) -> Sequence[Address]:
        """Resolve once: whoever is asked again may answer otherwise. One bad answer spoils all."""
        host = target.host
        try:
            found = await self.resolve(host.strip("[]"))
        except OSError as error:
            raise Failed(f"{host} has no address") from error
        if not found:
            raise Failed(f"{host} has no address")
        if target.lab and any(map(is_public, found)):
            raise Forbidden("address", f"{host} is not the lab: its address is public")
        if not target.lab and not all(map(is_public, found)):
            raise Forbidden("address", f"{host} has an address that is not public", passing=True)
        return found

    async def _reach(self, addresses: Sequence[Address], port: int) -> socket.socket:
        error: OSError = TimeoutError()
        for address in addresses[:_TRIED]:
            try:
                async with asyncio.timeout(_CONNECT):
                    return await self.connect(address, port)
            except OSError as failed:
                error = failed
        raise error

    async def _wire(self, dialed: socket.socket, target: Target) -> Wire:
        secure = target.scheme == "https"
        try:
            _transport, wire = await asyncio.get_running_loop().create_connection(
                Wire,
                sock=dialed,
                ssl=self.tls() if secure else None,
                server_hostname=target.host if secure else None,
            )
        except BaseException:
            dialed.close()
            raise
        return wire
