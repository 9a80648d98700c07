"""
A wire between two processes that a test holds, heals and cuts: a TCP proxy on a thread of its own.

Held, it takes connections and bytes and passes nothing on, as a network does that is parted.
"""

import asyncio
import contextlib
import threading
import time
from collections.abc import Callable, Collection, Iterator
from typing import Self

from tests.ports import free_port

_CHUNK = 65536
Lives = Callable[[], int | None]  # bytes of answers until a new connection is cut; None: never


def _for_ever() -> int | None:
    return None


class Wire:
    """Leads from `port` to *target*, on loopback both."""

    def __init__(self, target: int, lives: Lives = _for_ever) -> None:
        self.port, self.target, self.lives = free_port(), target, lives
        self.cuts = 0
        self._loop = asyncio.new_event_loop()
        self._open, self._ends = asyncio.Event(), asyncio.Event()
        self._writers: set[asyncio.StreamWriter] = set()
        self._listens = threading.Event()
        self._thread = threading.Thread(target=self._loop.run_until_complete, args=[self._run()])

    def __enter__(self) -> Self:
        self._thread.start()
        self.heal()
        assert self._listens.wait(60)
        return self

    def __exit__(self, *_failure: object) -> None:
        self.cut()
        self._loop.call_soon_threadsafe(self._ends.set)
        self._thread.join()
        self._loop.close()

    def hold(self) -> None:
        """Pass nothing on from now."""
        self._loop.call_soon_threadsafe(self._open.clear)

    def heal(self) -> None:
        """Pass on what was held, and what comes."""
        self._loop.call_soon_threadsafe(self._open.set)

    def cut(self) -> None:
        """Reset every connection."""
        self._loop.call_soon_threadsafe(self._reset)

    def _reset(self) -> None:
        for writer in self._writers:
            writer.transport.abort()

    async def _run(self) -> None:
        server = await asyncio.start_server(self._serve, "127.0.0.1", self.port)
        self._listens.set()
        await self._ends.wait()
        server.close()
        self._open.set()
        while left := asyncio.all_tasks() - {asyncio.current_task()}:
            self._reset()
            await asyncio.wait(left, timeout=0.1)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._writers.add(writer)
        await self._open.wait()
        try:
            theirs, to_them = await asyncio.open_connection("127.0.0.1", self.target)
        except OSError:
            writer.transport.abort()
            self._writers.discard(writer)
            return
        self._writers.add(to_them)
        pumps = [self._pump(reader, to_them, None), self._pump(theirs, writer, self.lives())]
        tasks = [asyncio.create_task(pump) for pump in pumps]
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        for each in (writer, to_them):
            self._writers.discard(each)
            each.close()

    async def _pump(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, left: int | None
    ) -> None:
        with contextlib.suppress(OSError):
            while chunk := await reader.read(_CHUNK):
                await self._open.wait()
                writer.write(chunk if left is None else chunk[:left])
                await writer.drain()
                if left is None:
                    continue
                left -= len(chunk)
                if left <= 0:
                    self.cuts += 1
                    return


@contextlib.contextmanager
def parted(wires: Collection[Wire]) -> Iterator[None]:
    """Hold *wires* meanwhile, and heal them."""
    for wire in wires:
        wire.hold()
    try:
        yield
    finally:
        for wire in wires:
            wire.heal()


def part(wires: Collection[Wire], seconds: float) -> None:
    """Hold *wires* for so long, and heal them."""
    with parted(wires):
        time.sleep(seconds)
