"""
A connection for one question and its answer, read into one block, over and over.

When the block is full the other side has to wait: an answer costs as much memory as that,
however fast it comes, and its bytes are copied once.
"""

import asyncio
from collections.abc import Callable
from typing import cast

BLOCK = 128 * 1024  # bytes


def unheard() -> None:
    """Tell nobody."""


class TooSlow(TimeoutError):
    """Too little comes."""


class Wire(asyncio.BufferedProtocol):
    """What `loop.create_connection` makes; nobody else reads from it."""

    def __init__(self) -> None:
        self._transport: asyncio.Transport | None = None
        self._block = memoryview(bytearray(BLOCK))
        self._filled = 0  # bytes of it
        self._over = False
        self._broken: Exception | None = None
        self._news: asyncio.Future[None] | None = None
        self._limit: asyncio.TimerHandle | None = None
        self._window: asyncio.TimerHandle | None = None
        self._least = self._usual = self._moved = 0  # bytes in a window; that came in this one
        self._length, self._slow = 0.0, unheard
        self._held_up = False  # the block was full in this window, and the other side had to wait

    def end_at(self, moment: float) -> None:
        """Break at *moment*, by the loop's clock: whoever reads then gets a TimeoutError."""
        over = TimeoutError("the connection's time is over")
        self._limit = asyncio.get_running_loop().call_at(moment, self._expire, over)

    def keep_up(
        self, window: float, least: int, usual: int = 0, slow: Callable[[], None] = unheard
    ) -> None:
        """
        Break where a reader waits and in *window* seconds less than *least* bytes came: TooSlow.

        Where less than *usual* came, *slow* is told.
        """
        self._length, self._least, self._usual, self._slow = window, least, usual, slow
        self._watch()

    async def read(self, least: int = 1) -> memoryview:
        """Return what has come, and wait for *least* bytes of it, up to a BLOCK, or the end.

        It is good until the caller waits for anything, and empty at the end. OSError: the
        connection broke.
        """
        while self._filled < least and not self._over:
            self._news = asyncio.get_running_loop().create_future()
            await self._news
        if not self._filled and self._broken:
            raise self._broken
        found, self._filled = self._block[: self._filled], 0
        if self._transport and len(found) == BLOCK:
            self._transport.resume_reading()
        return found

    def write(self, question: bytes) -> None:
        """Send it."""
        if self._transport:
            self._transport.write(question)

    def close(self) -> None:
        """End it now: whatever the other side still has to say."""
        for timer in (self._limit, self._window):
            if timer:
                timer.cancel()
        if self._transport:
            self._transport.abort()
        self._block = memoryview(bytearray())  # now, and not when its cycle is collected

    # -- what the loop calls

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Take it."""
        self._transport = cast("asyncio.Transport", transport)  # uvloop's do not inherit from it

    def get_buffer(self, _size: int) -> memoryview:
        """Say where the next bytes go."""
        return self._block[self._filled :]

    def buffer_updated(self, size: int) -> None:
        """Take note of them."""
        self._filled += size
        self._moved += size
        if self._transport and self._filled == BLOCK:
            self._held_up = True
            self._transport.pause_reading()
        self._tell()

    def eof_received(self) -> None:
        """Take note of the end."""
        self._end(None)

    def connection_lost(self, error: Exception | None) -> None:
        """Take note that nothing more comes."""
        self._transport = None
        self._end(error)

    def _watch(self) -> None:
        loop = asyncio.get_running_loop()
        due = loop.time() + self._length
        self._window = loop.call_at(due, self._look, due)

    def _look(self, due: float) -> None:
        """Judge the window that is over; not if we slept or held it up, or nobody waits to read."""
        slept = asyncio.get_running_loop().time() - due > self._length / 4
        waiting = self._news is not None and not self._news.done()
        if waiting and not slept and not self._held_up:
            if self._moved < self._least:
                self._expire(TooSlow(f"less than {self._least} bytes in {self._length} s"))
                return
            if self._moved < self._usual:
                self._slow()
        self._moved, self._held_up = 0, self._filled == BLOCK
        self._watch()

    def _expire(self, why: TimeoutError) -> None:
        self._filled = 0
        self._end(why)
        self.close()

    def _end(self, error: Exception | None) -> None:
        if not self._over:
            self._over, self._broken = True, error
        self._tell()

    def _tell(self) -> None:
        if self._news and not self._news.done():
            self._news.set_result(None)
