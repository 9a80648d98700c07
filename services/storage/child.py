"""
The decoding child as its parent sees it: started when needed, one picture at a time,
killed when it takes too long, replaced when it died, ended when idle.
"""

import asyncio
import os
import sys
from asyncio.subprocess import PIPE, Process
from pathlib import Path

from chassis import logs
from chassis.errors import Unavailable

_ROOT = Path(__file__).parent.parent.parent
_TIMEOUT = 20.0  # seconds of the clock; its own limit of 10 s of processor comes first
_MOST = 256 * 1024 * 1024  # bytes of a picture; beyond, nobody tries to decode it

_WHY = {
    b"large": "it has too many pixels",
    b"memory": "decoding it takes too much memory",
    b"damaged": "its bytes are damaged",
}

# RuntimeError is what uvloop raises where it has seen the end of a pipe before we write to it.
_DIED = (OSError, asyncio.IncompleteReadError, TimeoutError, RuntimeError)

log = logs.get()


class Unreadable(Exception):
    """The child cannot make a picture of these bytes, or dies of them."""


class Child:
    """One decoding process at most; it ends *idle* seconds after its last picture."""

    def __init__(self, *, idle: float = 30.0) -> None:
        self._idle = idle
        self._process: Process | None = None
        self._turn = asyncio.Lock()
        self._ending: asyncio.TimerHandle | None = None

    @property
    def pid(self) -> int | None:
        """The running process."""
        return self._process.pid if self._process else None

    async def thumbnail(self, content: bytes) -> bytes:
        """Return the WebP of *content*; raises Unreadable."""
        return await self._of(b"T", content)

    async def reference(self, content: bytes, *, mask: bool) -> bytes:
        """Return what of *content* may go to a provider, a PNG or a JPEG; raises Unreadable."""
        return await self._of(b"M" if mask else b"R", content)

    async def placeholder(self) -> bytes:
        """Return the WebP that stands for what cannot be read."""
        return await self._ask(b"P", b"")

    async def close(self) -> None:
        """End the process."""
        async with self._turn:
            await self._end()

    async def _of(self, wanted: bytes, content: bytes) -> bytes:
        if not 0 < len(content) <= _MOST:
            raise Unreadable("it is empty, or larger than anybody decodes")
        return await self._ask(wanted, content)

    async def _ask(self, wanted: bytes, content: bytes) -> bytes:
        async with self._turn:
            if self._ending:
                self._ending.cancel()
            try:
                return await self._ask_twice(wanted, content)
            finally:
                self._ending = asyncio.get_running_loop().call_later(self._idle, self._retire)

    async def _ask_twice(self, wanted: bytes, content: bytes) -> bytes:
        """Ask again where the child died: it may have been killed for no fault of the picture."""
        for _ in range(2):
            process = await self._running()
            try:
                async with asyncio.timeout(_TIMEOUT):
                    return await _exchange(process, wanted, content)
            except _DIED as error:
                await self._end(kill=True)
                log.warning("the decoding child died", error=repr(error), status=process.returncode)
            except asyncio.CancelledError:
                await self._end(kill=True)  # its answer would be taken for the next one's
                raise
        raise Unreadable("decoding it takes too long or too much memory")

    async def _running(self) -> Process:
        if self._process is None or self._process.returncode is not None:
            command = (sys.executable, "-m", "services.storage.decoder", str(os.getpid()))
            try:
                self._process = await asyncio.create_subprocess_exec(
                    *command, stdin=PIPE, stdout=PIPE, cwd=_ROOT, env={}
                )
            except OSError as error:
                raise Unavailable(
                    "SERVICE_UNAVAILABLE",
                    "No process can be started to decode the picture; try again in a moment.",
                    metadata={"service": "storage"},
                    retry_after=5.0,
                ) from error
        return self._process

    def _retire(self) -> None:
        process = self._process
        if process is not None and process.stdin is not None and not self._turn.locked():
            process.stdin.close()  # it ends with its input
            self._process = None

    async def _end(self, *, kill: bool = False) -> None:
        process, self._process = self._process, None
        if self._ending:
            self._ending.cancel()
        if process is None:
            return
        if kill and process.returncode is None:
            process.kill()
        if process.stdin is not None:
            process.stdin.close()
        await process.wait()


async def _exchange(process: Process, wanted: bytes, content: bytes) -> bytes:
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.write(wanted + len(content).to_bytes(8))
    process.stdin.write(content)
    await process.stdin.drain()
    head = await process.stdout.readexactly(5)
    body = await process.stdout.readexactly(int.from_bytes(head[1:]))
    if head[:1] != b"K":
        raise Unreadable(_WHY[body])
    return body
