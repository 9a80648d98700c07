"""
NATS: news (core subjects, lost where nobody listens) and work (a JetStream queue).

Nothing here is needed for anything to be true: with NATS gone, publishing drops, and
whoever waits for news must look for himself now and then.
"""

import asyncio
import json
from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import dataclass, field
from typing import Any

import nats
import nats.errors
import nats.js.errors
from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.aio.subscription import Subscription
from nats.js import JetStreamContext
from nats.js.api import AckPolicy, ConsumerConfig, RetentionPolicy, StorageType, StreamConfig

from chassis import logs

STREAM = "WORK"
_LAST = 2.0  # seconds in which what is pending must leave, and again for the connection to close
_FAILS = (nats.errors.Error, nats.js.errors.Error, OSError, TimeoutError)
log = logs.get()


@dataclass(slots=True)
class Bus:
    """One connection that comes back by itself; *on_connect* runs at each connect."""

    url: str
    name: str
    on_connect: list[Callable[[], Awaitable[None]]] = field(default_factory=list)
    _client: Client = field(default_factory=Client)
    _jetstream: JetStreamContext | None = None
    _connecting: asyncio.Task[None] | None = None
    _asked: set[asyncio.Task[list[Msg]]] = field(default_factory=set)  # of the server that is there
    _has_queue: bool = False

    async def start(self) -> None:
        """Begin to connect; returns at once, whether NATS is there or not."""
        self._connecting = asyncio.create_task(self._connect())

    @property
    def connected(self) -> bool:
        """Whether NATS can be reached now, and on: at its end, nothing begins any more."""
        return self._client.is_connected and not self._client.is_draining

    async def close(self) -> None:
        """Send what is pending, if it can be sent in a moment, and end."""
        if self._connecting:
            self._connecting.cancel()
        if self._client.is_connected:
            await _ended(self._client.drain())
        if not self._client.is_closed:
            await _ended(self._client.close())

    async def publish(self, subject: str, payload: bytes) -> None:
        """Tell whoever listens now; dropped where NATS is gone."""
        if self.connected:
            try:
                await self._client.publish(subject, payload)
            except (nats.errors.Error, OSError) as error:
                log.warning("news dropped", subject=subject, error=repr(error))

    async def announce(
        self, subject: str, payload: bytes, *, once: str, headers: dict[str, str] | None = None
    ) -> bool:
        """Queue work; *once* names it, so that saying it twice queues one. False: not queued."""
        if not self.connected or self._jetstream is None:
            return False
        marked = {"Nats-Msg-Id": once, **(headers or {})}
        try:
            await self._jetstream.publish(subject, payload, timeout=2, headers=marked)
        except _FAILS as error:
            log.warning("work not announced", subject=subject, error=repr(error))
            return False
        return True

    async def subscribe(
        self, subject: str, heard: Callable[[Msg], Awaitable[None]]
    ) -> Subscription | None:
        """Hear *subject* from the moment this returns; None where NATS is gone."""
        if not self.connected:
            return None
        try:
            subscription = await self._client.subscribe(subject, cb=heard)
            try:
                await self._echo()
            except (nats.errors.Error, OSError):
                await subscription.unsubscribe()  # who asks again is not to hear all twice
                return None
        except (nats.errors.Error, OSError):
            return None
        return subscription

    async def _echo(self) -> None:
        """Return when NATS has taken what was said before; `flush` of nats-py overtakes it."""
        inbox = self._client.new_inbox()
        echo = await self._client.subscribe(inbox)
        try:
            await self._client.publish(inbox)
            await echo.next_msg(timeout=2)
        finally:
            await echo.unsubscribe()

    async def pull(self, subject: str, most: int, *, wait: float) -> list[Msg]:
        """Take up to *most* pieces of work, waiting *wait* seconds for the first."""
        if not self.connected or self._jetstream is None:
            await asyncio.sleep(min(wait, 0.5))  # nothing to wait on: do not spin
            return []
        durable = subject.replace(".", "-")
        try:
            queue = await self._jetstream.pull_subscribe_bind(durable, STREAM)
            try:
                return await self._unless_cut(queue.fetch(most, timeout=wait))
            finally:
                await queue.unsubscribe()
        except nats.errors.TimeoutError:
            return []
        except (nats.errors.Error, nats.js.errors.Error, OSError) as error:
            log.warning("no work pulled", subject=subject, error=repr(error))
            await self._queue(self._jetstream)
            await self._consumer(subject)
            await asyncio.sleep(min(wait, 0.5))
            return []

    async def _unless_cut(self, asked: Coroutine[Any, Any, list[Msg]]) -> list[Msg]:
        """What is answered; nothing where the server died meanwhile: nobody was asked."""
        asking = asyncio.create_task(asked)
        self._asked.add(asking)
        try:
            await asyncio.wait([asking])
            return [] if asking.cancelled() else asking.result()
        finally:
            self._asked.discard(asking)
            asking.cancel()

    async def pull_rest(self, subject: str, most: int) -> list[Msg]:
        """Take up to *most* pieces of work that wait now; waits for no other."""
        found: list[Msg] = []
        if not self.connected or most < 1:
            return found
        asked = json.dumps({"batch": most, "no_wait": True}).encode()
        where = f"$JS.API.CONSUMER.MSG.NEXT.{STREAM}.{subject.replace('.', '-')}"
        try:
            inbox = self._client.new_inbox()
            answers = await self._client.subscribe(inbox)
            try:
                await self._client.publish(where, asked, reply=inbox)
                while len(found) < most:
                    message = await answers.next_msg(timeout=2)
                    if "Status" in (message.headers or {}):  # there is no more
                        break
                    found.append(message)
            finally:
                await answers.unsubscribe()
        except (nats.errors.Error, OSError) as error:
            log.warning("not all work pulled", subject=subject, error=repr(error))
        return found

    async def consume(self, subject: str) -> None:
        """Have a durable consumer of exactly *subject*, now and after a wipe of NATS."""

        async def again() -> None:
            await self._consumer(subject)

        self.on_connect.append(again)
        if self.connected:
            await again()

    async def _connect(self) -> None:
        while True:
            try:
                await self._client.connect(
                    self.url,
                    name=self.name,
                    connect_timeout=2,
                    allow_reconnect=True,
                    reconnect_time_wait=0.2,  # type: ignore[arg-type]  # it takes fractions
                    max_reconnect_attempts=-1,
                    ping_interval=5,
                    max_outstanding_pings=2,
                    pending_size=8 * 1024 * 1024,
                    error_cb=_quiet,
                    reconnected_cb=self._connected,
                )
            except (nats.errors.Error, OSError, TimeoutError):
                await asyncio.sleep(0.2)
            else:
                break
        await self._connected()

    async def _connected(self) -> None:
        self._jetstream = self._client.jetstream(timeout=2)
        for asking in self._asked:
            asking.cancel()
        await self._queue(self._jetstream)
        for prepare in self.on_connect:  # news need no queue, and no listener another one
            try:
                await prepare()
            except _FAILS as error:
                log.warning("not ready after a connect", error=repr(error))

    async def _queue(self, jetstream: JetStreamContext) -> None:
        """Have the work queue, unless NATS cannot make it just now."""
        config = StreamConfig(
            name=STREAM,
            subjects=["work.>"],
            retention=RetentionPolicy.WORK_QUEUE,
            storage=StorageType.FILE,
            duplicate_window=60,
            max_age=3600,  # the sweeper says again what nobody took
        )
        try:
            await jetstream.add_stream(config)
            self._has_queue = True
        except _FAILS as error:
            self._has_queue = False
            log.warning("the work queue is not ready", error=repr(error))

    async def _consumer(self, subject: str) -> None:
        """Have a consumer of the queue; without a queue `pull` has both made, once that goes."""
        if self._jetstream is None or not self._has_queue:
            return
        config = ConsumerConfig(
            durable_name=subject.replace(".", "-"),
            filter_subject=subject,
            ack_policy=AckPolicy.EXPLICIT,
            ack_wait=10,
            max_ack_pending=5000,
        )
        try:
            await self._jetstream.add_consumer(STREAM, config)
        except _FAILS as error:
            log.warning("no consumer of work", subject=subject, error=repr(error))


async def _ended(ending: Coroutine[Any, Any, None]) -> None:
    """Wait a moment for *ending*: a NATS that stands still is waited for without an end in it."""
    task = asyncio.create_task(ending)
    await asyncio.wait([task], timeout=_LAST)
    while not task.done():  # it swallows the first of them
        task.cancel()
        await asyncio.wait([task], timeout=0.01)
    if error := asyncio.CancelledError() if task.cancelled() else task.exception():
        log.warning("news may not have left at the end", error=repr(error))


async def _quiet(error: Exception) -> None:
    log.debug("nats", error=repr(error))
