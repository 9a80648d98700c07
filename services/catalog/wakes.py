"""
Wakes who watches a feed: at once after a commit of this process, over NATS after another's.

A word that is lost costs no more than the time until the watcher looks by himself.
"""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field

from nats.aio.msg import Msg
from nats.aio.subscription import Subscription

from chassis.bus import Bus

SUBJECT = "news.user"  # and the user's number; there is nothing in it to read


@dataclass(slots=True, eq=False)
class Wake:
    """Whether something has come since the last look."""

    _set: asyncio.Event = field(default_factory=asyncio.Event)

    def forget(self) -> None:
        """Begin a look: what comes from now on counts."""
        self._set.clear()

    def up(self) -> None:
        """Have somebody look."""
        self._set.set()

    async def wait(self, seconds: float) -> bool:
        """Wait for a word, *seconds* at most; False where none has come."""
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._set.wait()
        return self._set.is_set()


@dataclass(slots=True)
class Wakes:
    """Those who watch here, by user; *closed* once this process ends."""

    closed: bool = False
    _waiting: dict[int, set[Wake]] = field(default_factory=dict)
    _heard: Subscription | None = None

    @contextmanager
    def listen(self, user_id: int) -> Iterator[Wake]:
        """Give a `Wake` that hears of every change of the user's feed from now on."""
        wake = Wake()
        self._waiting.setdefault(user_id, set()).add(wake)
        try:
            yield wake
        finally:
            self._waiting[user_id].discard(wake)
            if not self._waiting[user_id]:
                del self._waiting[user_id]

    def wake(self, user_id: int) -> None:
        """Have all look who watch the feed of a user."""
        for wake in self._waiting.get(user_id, ()):
            wake.up()

    def close(self) -> None:
        """Have everybody go and watch elsewhere."""
        self.closed = True
        self._wake_all()

    def hear(self, bus: Bus) -> None:
        """Hear of other processes' commits over *bus*, from each connect on."""

        async def again() -> None:
            self._wake_all()  # what was said meanwhile is lost; a subscription renews itself
            while self._heard is None and bus.connected:  # a slow NATS says nothing at first
                self._heard = await bus.subscribe(f"{SUBJECT}.*", self._on_news)

        bus.on_connect.append(again)

    async def _on_news(self, message: Msg) -> None:
        self.wake(int(message.subject.rpartition(".")[2]))

    def _wake_all(self) -> None:
        for waiting in self._waiting.values():
            for wake in waiting:
                wake.up()
