"""
Draws off the event loop, in child processes that come and go with the work.

Children are plain processes on pipes: one that is killed is replaced and its work repeated, since
drawing is free and always comes out the same; one that is idle for a while ends.
"""

import asyncio
import os
import pickle
import sys
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from pathlib import Path

from services.generator.sketching.scene import Scene
from services.generator.sketching.work import ANSWER, BANDS, DONE, FRAME, LENGTH, Part, Work

_ROOT = Path(__file__).parents[3]
_INHERITED = ("PATH", "LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH", "PYTHONHOME")  # and no secret
_TRIES = 5  # children that may die under one piece of work
_CALM = 6  # paced drawings at once that are drawn band by band, as many as a child remembers
_STRIDE = 4  # bands at a time when there are more

Report = Callable[[float], None]
Pause = Callable[[float], Awaitable[object]]


class DrawingError(Exception):
    """There is no picture, and asking again for the same one will not help."""


class _GoneError(Exception):
    """The child died before it answered."""


class _Child:
    """One process that draws, one request at a time."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self.process = process
        self.bedtime: asyncio.TimerHandle | None = None

    @classmethod
    async def start(cls) -> "_Child":
        environment = {name: os.environ[name] for name in _INHERITED if name in os.environ}
        return cls(
            await asyncio.create_subprocess_exec(
                sys.executable, "-m", "services.generator.sketching.child",
                stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE,
                cwd=_ROOT, env=environment | {"PYTHONPATH": str(_ROOT)},
            )
        )  # fmt: skip

    async def ask(self, work: Work, report: Report) -> bytes:
        """The child's answer; raises _GoneError where it dies first."""
        requests, answers = self.process.stdin, self.process.stdout
        assert requests is not None
        assert answers is not None
        request = pickle.dumps(work)
        try:
            requests.write(LENGTH.pack(len(request)) + request)
            await requests.drain()
            while True:
                kind, length = FRAME.unpack(await answers.readexactly(FRAME.size))
                body = await answers.readexactly(length)
                if kind != DONE:
                    break
                report(LENGTH.unpack(body)[0] / BANDS)
        except (OSError, asyncio.IncompleteReadError) as error:
            raise _GoneError from error
        if kind == ANSWER:
            return body
        raise DrawingError(f"{body.decode()}; change its size or style")

    def dismiss(self) -> None:
        """End politely: a child without input ends."""
        if self.bedtime is not None:
            self.bedtime.cancel()
        if self.process.stdin is not None:
            self.process.stdin.close()

    def kill(self) -> None:
        self.dismiss()
        with suppress(ProcessLookupError):
            self.process.kill()


class Easel:
    """
    Where scenes become files.

    *children* draw at once, one for two processors where it is not said; one that has had nothing
    to do for *idle* seconds ends; paced drawings keep at most *keep* bytes between them.
    """

    def __init__(
        self, *, children: int | None = None, idle: float = 30.0, keep: int = 64 << 20,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:  # fmt: skip
        self._places = asyncio.Semaphore(children or max(1, (os.cpu_count() or 1) // 2))
        self._idle_seconds, self._keep, self._clock = idle, keep, clock
        self._alive: set[_Child] = set()
        self._resting: list[_Child] = []
        self._ends: set[asyncio.Task[None]] = set()
        self._kept = self._pacing = 0
        self._closed = False

    @property
    def pids(self) -> frozenset[int]:
        """The processes that live now."""
        return frozenset(child.process.pid for child in self._alive)

    async def draw(
        self, scene: Scene, media_type: str, *, seconds: float, report: Report,
        pause: Pause = asyncio.sleep,
    ) -> bytes:  # fmt: skip
        """
        The file with *scene* in it, after about *seconds*; *report* hears the share that is drawn.

        Raises DrawingError where there can be no picture, RuntimeError on a closed easel.
        """
        heard = 0.0

        def hear(share: float) -> None:
            nonlocal heard
            if share > heard:  # a repeated drawing starts again, which concerns nobody
                heard = share
                report(share)

        kept: list[Part] = []
        try:
            done = await self._paced(scene, seconds, hear, pause, kept) if seconds > 0 else 0
            return await self._do(Work(scene, done, BANDS, media_type, tuple(kept)), hear)
        finally:
            self._kept -= sum(len(part.rows or b"") for part in kept)

    async def _paced(
        self, scene: Scene, seconds: float, hear: Report, pause: Pause, kept: list[Part]
    ) -> int:
        """Draw all bands but the last, each when its time comes; the number that is drawn."""
        began, done = self._clock(), 0
        self._pacing += 1
        try:
            while True:
                stride = 1 if self._pacing <= _CALM else _STRIDE
                late = began + seconds * min(done + stride, BANDS) / BANDS - self._clock()
                if late > 0:
                    await pause(late)
                due = int((self._clock() - began) / seconds * BANDS)
                stop = max(done + stride, due)
                if stop >= BANDS:
                    return done
                rows = await self._do(Work(scene, done, stop), hear)
                fits = self._kept + len(rows) <= self._keep
                kept.append(Part(stop, rows if fits else None))
                self._kept += len(rows) if fits else 0
                done = stop
        finally:
            self._pacing -= 1

    async def _do(self, work: Work, report: Report) -> bytes:
        """*work* done by some child, by the next one where it dies."""
        async with self._places:
            for _ in range(_TRIES):
                child = await self._child()
                try:
                    answer = await child.ask(work, report)
                except _GoneError:
                    self._end(child)
                except DrawingError:
                    self._rest(child)
                    raise
                except BaseException:  # cancelled: nobody waits for what it is drawing
                    self._end(child)
                    raise
                else:
                    self._rest(child)
                    return answer
        raise DrawingError(
            f"{_TRIES} drawing processes died over one picture; see that there is memory left"
        )

    async def _child(self) -> _Child:
        if self._closed:
            raise _closed()
        if self._resting:
            child = self._resting.pop()
        else:
            child = await _Child.start()
            self._alive.add(child)
            if self._closed:
                self._end(child)
                raise _closed()
        if child.bedtime is not None:
            child.bedtime.cancel()
        return child

    def _rest(self, child: _Child) -> None:
        if self._closed:
            self._end(child)
            return
        self._resting.append(child)
        loop = asyncio.get_running_loop()
        child.bedtime = loop.call_later(self._idle_seconds, self._retire, child)

    def _retire(self, child: _Child) -> None:
        self._resting.remove(child)
        child.dismiss()
        self._bury(child)

    def _end(self, child: _Child) -> None:
        child.kill()
        self._bury(child)

    def _bury(self, child: _Child) -> None:
        """Wait for the process in the background, so that none stays behind as a zombie."""

        async def wait() -> None:
            await child.process.wait()
            self._alive.discard(child)

        task = asyncio.get_running_loop().create_task(wait())
        self._ends.add(task)
        task.add_done_callback(self._ends.discard)

    async def close(self) -> None:
        """End all children; drawings that are under way raise."""
        self._closed = True
        self._resting.clear()
        for child in tuple(self._alive):
            self._end(child)
        while self._ends:
            await asyncio.gather(*self._ends)


def _closed() -> RuntimeError:
    return RuntimeError("the easel is closed; draw before close(), or make a new one")
