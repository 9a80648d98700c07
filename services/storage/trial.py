"""
Whether the vault takes what is written: tried, since free room on a disk proves nothing.

A folder that we may not write, a disk that was mounted read-only, that fails or hangs: all of
them look as well as ever until then, and what was paid for by that time could not be kept.
"""

import asyncio
from collections.abc import Awaitable, Callable
from math import inf

from chassis import logs
from services.storage.vault import Full, Sick

_FRESH = 1.0  # seconds
_PATIENCE = 4.0  # seconds; less than whoever asks for room has
log = logs.get()

Failure = Full | Sick


class Trial:
    """
    Knows how *write* ends, which makes a few bytes durable: tried when somebody asks.

    One at a time; an outcome counts for *fresh* seconds. One that takes longer than *patience*
    seconds has failed until it ends.
    """

    def __init__(
        self,
        write: Callable[[], Awaitable[None]],
        *,
        fresh: float = _FRESH,
        patience: float = _PATIENCE,
    ) -> None:
        self._write, self._fresh, self._patience = write, fresh, patience
        self._running: asyncio.Task[None] | None = None
        self._began = self._known = -inf
        self._failure: Failure | None = None

    async def failure(self) -> Failure | None:
        """Tell what keeps the vault from being written; None where nothing does."""
        now = asyncio.get_running_loop().time()
        if self._running is None and now - self._known >= self._fresh:
            self._began, self._running = now, asyncio.create_task(self._try())
        if running := self._running:
            left = self._began + self._patience - now
            await asyncio.wait((running,), timeout=max(0.0, left))
            if not running.done():
                self._learn(Sick("it does not answer"))
        return self._failure

    def doubt(self) -> None:
        """Have whoever asks next try a write, however fresh the last outcome is."""
        self._known = -inf

    def _learn(self, failure: Failure | None) -> None:
        """Take note of how a write ended; a change of it is logged."""
        before, self._failure = self._failure, failure
        self._known = asyncio.get_running_loop().time()
        if failure and not before:
            log.error("the vault cannot be written", error=str(failure))
        elif before and not failure:
            log.info("the vault can be written again")

    async def _try(self) -> None:
        failure: Failure | None = None
        try:
            await self._write()
        except (Full, Sick) as error:
            failure = error
        except Exception:  # a defect: what is not proven to be written may not be
            log.exception("a trial of the vault failed")
            failure = Sick("it fails, see storage's log")
        finally:
            self._running = None
        self._learn(failure)
