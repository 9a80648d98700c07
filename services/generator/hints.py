"""
Hints that a provider has news of a purchase: whoever waits to look again looks now.

One replica receives a webhook and tells all by NATS; each wakes its own. A hint may be
lost, or come for nothing: it saves a wait and proves nothing.
"""

import asyncio
from dataclasses import dataclass, field

from nats.aio.msg import Msg

from chassis.bus import Bus

MOST = 4096  # hints kept for who has not begun to wait; the oldest go first


@dataclass(slots=True)
class Hints:
    """Waits that a hint cuts short; heard on `hint.{provider}`."""

    bus: Bus
    most: int = MOST
    _waiting: dict[str, set[asyncio.Event]] = field(default_factory=dict)
    _early: dict[str, None] = field(default_factory=dict)  # in the order in which they came
    _listening: bool = False

    def start(self) -> None:
        """Listen from the first connection to NATS on, which keeps it over all later ones."""
        self.bus.on_connect.append(self._listen)

    async def tell(self, provider: str, reference: str) -> None:
        """Wake whoever waits for *reference*, here and in every other replica."""
        if self._listening and self.bus.connected:  # then it comes back to us, too
            await self.bus.publish(f"hint.{provider}", reference.encode())
        else:
            self.hint(reference)

    def hint(self, reference: str) -> None:
        """Wake whoever waits for *reference* here, or who will wait next."""
        for waiting in self._waiting.get(reference, ()):
            waiting.set()
        if reference not in self._waiting:
            self._early.pop(reference, None)
            self._early[reference] = None
            if len(self._early) > self.most:
                del self._early[next(iter(self._early))]

    async def wait(self, reference: str, seconds: float) -> None:
        """Wait *seconds*, or until a hint for *reference* comes, or has just come."""
        if reference in self._early:
            del self._early[reference]
            return
        woken = asyncio.Event()
        self._waiting.setdefault(reference, set()).add(woken)
        try:
            async with asyncio.timeout(seconds):
                await woken.wait()
        except TimeoutError:
            return
        finally:
            self._waiting[reference].discard(woken)
            if not self._waiting[reference]:
                del self._waiting[reference]

    async def _listen(self) -> None:
        while not self._listening and self.bus.connected:  # a slow NATS says nothing at first
            self._listening = await self.bus.subscribe("hint.*", self._heard) is not None

    async def _heard(self, message: Msg) -> None:
        self.hint(message.data.decode("utf-8", "replace"))
