"""
Threads for steps that block, with a shorter way there and back than an executor's.

A step costs no future of its own for the thread, and steps that end together wake the loop once.
"""

import asyncio
import threading
import weakref
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from queue import SimpleQueue
from typing import Any, TypeVar

Result = TypeVar("Result")


class Hands:
    """Up to *count* threads of a *name*, each started when all others are at work."""

    def __init__(self, count: int, name: str) -> None:
        self._count, self._name = count, name
        self._desk, self._under_way = _Desk(), 0
        self._threads: list[threading.Thread] = []
        self._gate, self._closed = threading.Lock(), False
        weakref.finalize(self, self._desk.dismiss, count)  # else they would wait for ever

    async def do(self, work: Callable[[], Result]) -> Result:
        """
        Run *work* in a thread, to its end even where the caller is cancelled.

        Nobody may tidy up after a step that still runs. RuntimeError once it is closed, or where
        no thread can start.
        """
        step = _Step(work, asyncio.get_running_loop())
        self._under_way += 1
        try:
            with self._gate:  # behind the threads' dismissal nobody would ever do it
                if self._closed:
                    raise RuntimeError("no step is begun after the end")
                if len(self._threads) < min(self._under_way, self._count):
                    self._hire()
                self._desk.steps.put(step)
            await step.waiter
        except asyncio.CancelledError:
            while not step.ended:
                step.waiter = step.loop.create_future()
                with suppress(asyncio.CancelledError):
                    await step.waiter
            raise
        finally:
            self._under_way -= 1
        result: Result = step.outcome()
        return result

    def close(self) -> None:
        """Finish what was begun, and begin nothing more. Blocks."""
        with self._gate:
            self._closed = True
            self._desk.dismiss(self._count)
        for thread in self._threads:
            thread.join()

    def _hire(self) -> None:
        name = f"{self._name}_{len(self._threads)}"
        thread = threading.Thread(target=self._desk.work, name=name, daemon=True)
        thread.start()
        self._threads.append(thread)


class _Step:
    """One step: what is to be done, who waits for it, and how it ended."""

    def __init__(self, work: Callable[[], Any], loop: asyncio.AbstractEventLoop) -> None:
        self.loop, self.waiter, self.ended = loop, loop.create_future(), False
        self._work = work
        self._result: Any = None
        self._error: BaseException | None = None

    def run(self) -> None:
        """Do it, in a thread."""
        try:
            self._result = self._work()
        except BaseException as error:  # it is the waiter's, and the thread goes on
            self._error = error

    def tell(self) -> None:
        """Let the waiter go on, in the loop."""
        self.ended = True
        if not (self.waiter.done() or self.loop.is_closed()):
            self.waiter.set_result(None)

    def outcome(self) -> Any:
        """Return its result, or raise what it raised."""
        error, self._error = self._error, None
        if error is None:
            return self._result
        try:
            raise error
        finally:
            del error  # which leads back to this frame


class _Desk:
    """Where steps lie for the threads, and then for the loop."""

    def __init__(self) -> None:
        self.steps: SimpleQueue[_Step | None] = SimpleQueue()
        self._ended: deque[_Step] = deque()
        self._told = False  # the loop is about to look into *ended*

    def work(self) -> None:
        """Do steps until we are dismissed."""
        while step := self.steps.get():
            step.run()
            self._ended.append(step)
            if not self._told:
                self._told = True  # first: the loop takes it back before it looks
                try:
                    step.loop.call_soon_threadsafe(self._tell)
                except RuntimeError:  # the loop is closed, and nobody waits any more
                    self._told = False
            del step

    def dismiss(self, count: int) -> None:
        """Let *count* threads end when all steps are done."""
        for _ in range(count):
            self.steps.put(None)

    def _tell(self) -> None:
        self._told = False
        while self._ended:
            self._ended.popleft().tell()
