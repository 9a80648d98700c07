"""
Calls to another service of ours: each with a deadline, a user and the trace.

A call waits for a peer that is just starting, and is then sent at most once: what may
be sent again is for the caller to know, who then insists on it.
"""

import asyncio
import json
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any, TypeVar

import grpc

from chassis import errors, identity, telemetry

MAX_MESSAGE = 16 * 1024 * 1024  # bytes that are asked
MAX_ANSWER = 64 * 1024 * 1024  # a page of the longest texts there are
OPTIONS = (
    ("grpc.max_receive_message_length", MAX_ANSWER),
    ("grpc.max_send_message_length", MAX_MESSAGE),
    ("grpc.keepalive_time_ms", 30_000),
    ("grpc.keepalive_timeout_ms", 10_000),
    ("grpc.http2.max_pings_without_data", 0),
    ("grpc.http2.bdp_probe", 0),  # it lets what a slow reader leaves grow to megabytes
    ("grpc.initial_reconnect_backoff_ms", 100),
    ("grpc.min_reconnect_backoff_ms", 100),
    ("grpc.max_reconnect_backoff_ms", 100),  # the least there is: a killed peer is soon back
    ("grpc.dns_min_time_between_resolutions_ms", 1_000),  # 30 s: too long for a new container
    ("grpc.enable_retries", 0),
    # A peer that says that it leaves is sent nothing more: what is new waits for another one.
    (
        "grpc.service_config",
        json.dumps(
            {
                "loadBalancingConfig": [{"round_robin": {}}],
                "healthCheckConfig": {"serviceName": ""},
            }
        ),
    ),
)
_PAUSES = (0.1, 0.3, 0.9)  # seconds before a call is made again
Answer = TypeVar("Answer")


class Peer:
    """
    Another service at *target*; *service* is our own name, signed with *secret*.

    Make it inside the running loop. Failures come as `chassis.errors.Fault`. *clock* dates what is
    signed, in seconds.
    """

    def __init__(
        self,
        target: str,
        name: str,
        *,
        service: str,
        secret: bytes,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.channel = grpc.aio.insecure_channel(target, options=OPTIONS)
        self.name, self._service, self._secret = name, service, secret
        self._clock = clock

    async def ask(
        self, method: Any, request: Any, *, timeout: float, user_id: int | None = None
    ) -> Any:
        """Call a method of a stub of this channel; *timeout* in seconds."""
        metadata = self._metadata(user_id)
        try:
            return await method(request, timeout=timeout, metadata=metadata, wait_for_ready=True)
        except grpc.aio.AioRpcError as error:
            raise errors.from_rpc(error, self.name) from error

    async def insist(
        self, method: Any, request: Any, *, timeout: float, user_id: int | None = None
    ) -> Any:
        """
        As `ask`, and again where the peer was cut off before it answered.

        For what may be done twice: its contract says IDEMPOTENT, or that it only reads. A call that
        waited for its peer for longer than its token lasts is signed anew.
        """

        async def attempt() -> Any:
            try:
                return await self.ask(method, request, timeout=timeout, user_id=user_id)
            except errors.Unauthenticated as fault:
                if fault.reason != "CREDENTIAL_EXPIRED":
                    raise
            return await self.ask(method, request, timeout=timeout, user_id=user_id)

        return await insisting(attempt)

    async def stream(
        self, method: Any, request: Any, *, timeout: float | None, user_id: int | None = None
    ) -> AsyncIterator[Any]:
        """Yield what a streaming method answers; leaving the loop ends the call."""
        metadata = self._metadata(user_id)
        call = method(request, timeout=timeout, metadata=metadata, wait_for_ready=True)
        try:
            async for message in call:
                yield message
        except grpc.aio.AioRpcError as error:
            raise errors.from_rpc(error, self.name) from error
        finally:
            call.cancel()

    async def close(self) -> None:
        """End the channel and what runs on it."""
        await self.channel.close()

    def token(self, user_id: int | None = None) -> str:
        """Sign for whom the running call is, or for *user_id*; lasts 60 seconds."""
        running = identity.current.get(None)
        if user_id is None and running is not None:
            speaks = identity.Caller(running.user_id, running.scopes, self._service)
        else:
            speaks = identity.Caller(user_id or 0, service=self._service)
        return identity.mint(self._secret, speaks, self._clock())

    def _metadata(self, user_id: int | None) -> tuple[tuple[str, str], ...]:
        return ((identity.HEADER, self.token(user_id)), *telemetry.carried().items())


async def insisting(attempt: Callable[[], Awaitable[Answer]]) -> Answer:
    """Return what *attempt* does, and again where its peer was cut off before it answered."""
    for pause in _PAUSES:
        try:
            return await attempt()
        except errors.Fault as fault:
            if not errors.was_cut(fault) or isinstance(fault, errors.Late):
                raise
        await asyncio.sleep(pause)
    return await attempt()
