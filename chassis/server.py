"""
A gRPC server of ours: around every call the caller's identity, a trace, a time and the
translation of faults; health, reflection, and an end that drains.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import aclosing
from functools import partial
from typing import Any, TypeAlias

import grpc
from google.protobuf.message import DecodeError
from grpc_health.v1 import health, health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection
from grpc_status import rpc_status

from chassis import errors, identity, logs, telemetry
from chassis.channel import MAX_ANSWER, MAX_MESSAGE
from chassis.foreign import STRICTEST, Guard

_OPTIONS = (
    ("grpc.so_reuseport", 0),  # a second copy on the port must fail, not share it
    ("grpc.max_receive_message_length", MAX_MESSAGE),
    ("grpc.max_send_message_length", MAX_ANSWER),
    ("grpc.max_metadata_size", 8192),
    ("grpc.keepalive_permit_without_calls", 1),
    ("grpc.http2.min_recv_ping_interval_without_data_ms", 10_000),
    # Without these two a burst of new streams ends some of them before their handler.
    ("grpc.server.max_pending_requests", 20_000),
    ("grpc.server.max_pending_requests_hard_limit", 20_000),
)

STUCK = 60.0  # seconds in which a stream's reader takes a message, or is let go

Add = Callable[[grpc.aio.Server], None]
Context: TypeAlias = "grpc.aio.ServicerContext[Any, Any]"
Work = Callable[[], Awaitable[Any]]
log = logs.get()


class Server:
    """
    Serves *services*, each a function that adds one, under their full *names*.

    *resolve* turns a person's credential into a caller; *secret* verifies services'. *guard*
    keeps foreign pages out. Who takes nothing of his stream for *stuck* seconds is let go.
    """

    def __init__(
        self,
        services: Sequence[tuple[str, Add]],
        *,
        secret: bytes,
        resolve: identity.Resolve,
        guard: Guard = STRICTEST,
        stuck: float = STUCK,
    ) -> None:
        around = _Around(secret, resolve, guard, stuck)
        self._server = grpc.aio.server(interceptors=(around,), options=_OPTIONS)
        self._health = health.aio.HealthServicer()
        for _name, add in services:
            add(self._server)
        health_pb2_grpc.add_HealthServicer_to_server(self._health, self._server)
        names = [name for name, _add in services]
        reflection.enable_server_reflection(
            [*names, health.SERVICE_NAME, reflection.SERVICE_NAME], self._server
        )
        self._names = ["", *names]

    async def start(self, host: str, port: int, setting: str) -> None:
        """Listen on *host* and *port*; *setting* is named where the port is taken."""
        try:
            bound = self._server.add_insecure_port(f"{host}:{port}")
        except RuntimeError:
            bound = 0
        if bound != port:
            raise SystemExit(
                f"port {port} on {host} cannot be bound: stop what holds it, or set {setting}"
            )
        await self._server.start()
        for name in self._names:
            await self._health.set(name, health_pb2.HealthCheckResponse.SERVING)

    async def leave(self) -> None:
        """Say that we leave: who listens to our health sends what is new to another."""
        await self._health.enter_graceful_shutdown()

    async def stop(self, *, lame: float, grace: float) -> None:
        """Say that we leave, wait *lame* seconds for callers to notice, then drain."""
        await self.leave()
        await asyncio.sleep(lame)
        await self._server.stop(grace)


class _Around(grpc.aio.ServerInterceptor):
    """Wraps each handler, once for all calls; health's and reflection's stay open to all."""

    def __init__(
        self, secret: bytes, resolve: identity.Resolve, guard: Guard, stuck: float
    ) -> None:
        self._secret, self._resolve, self._guard, self._stuck = secret, resolve, guard, stuck
        self._handlers: dict[str, Any] = {}  # by method, of those that there are

    async def intercept_service(self, continuation: Any, details: Any) -> Any:
        method: str = details.method
        if method not in self._handlers:
            handler = await continuation(details)
            if handler is None:
                return _unknown(method)
            ours = not method.startswith("/grpc.")
            around = partial(self._call, method)
            self._handlers[method] = _wrapped(handler, around, self._stuck) if ours else handler
        return self._handlers[method]

    async def _call(self, method: str, context: Context, work: Work) -> Any:
        began, code = time.perf_counter(), "OK"
        metadata: dict[str, Any] = dict(context.invocation_metadata() or ())
        try:
            with telemetry.span(method, parent=metadata):
                self._guard.grpc(metadata)
                caller = await identity.authenticate(metadata, self._secret, self._resolve)
                identity.current.set(caller)
                return await work()
        except errors.Fault as fault:
            code = fault.code.name
            await context.abort_with_status(rpc_status.to_status(errors.to_status(fault)))
        except (asyncio.CancelledError, GeneratorExit):
            code = "CANCELLED"
            raise
        except grpc.aio.AbortError:
            code = "ABORTED"
            raise
        except Exception as error:
            code = "INTERNAL"
            log.exception("a call failed", method=method)
            status = errors.to_status(errors.defect(error))
            await context.abort_with_status(rpc_status.to_status(status))
        finally:
            seconds = time.perf_counter() - began
            telemetry.RPC_SECONDS.labels(method, code).observe(seconds)


def _wrapped(handler: Any, around: Callable[[Context, Work], Awaitable[Any]], stuck: float) -> Any:
    """Put *around* a handler of any of the four kinds; streams are async generators.

    A request is read inside of it: what is none is a fault as any other.
    """
    read = _each if handler.request_streaming else _read

    async def unary(request: Any, context: Context) -> Any:
        async def work() -> Any:
            message = read(handler.request_deserializer, request)
            return await (handler.unary_unary or handler.stream_unary)(message, context)

        return await around(context, work)

    async def stream(request: Any, context: Context) -> None:
        async def work() -> None:
            message = read(handler.request_deserializer, request)
            answers = (handler.unary_stream or handler.stream_stream)(message, context)
            async with aclosing(answers):  # its last words are said now, not when it is collected
                async for answer in answers:
                    await _write(answer, context, stuck)

        await around(context, work)

    make = {
        (False, False): grpc.unary_unary_rpc_method_handler,
        (False, True): grpc.unary_stream_rpc_method_handler,
        (True, False): grpc.stream_unary_rpc_method_handler,
        (True, True): grpc.stream_stream_rpc_method_handler,
    }[handler.request_streaming, handler.response_streaming]
    return make(
        stream if handler.response_streaming else unary,
        response_serializer=handler.response_serializer,
    )


async def _write(answer: Any, context: Context, stuck: float) -> None:
    try:
        async with asyncio.timeout(stuck):
            await context.write(answer)
    except TimeoutError:
        raise _unread() from None
    except grpc.aio.InternalError:  # nothing can be sent: the caller has left
        raise asyncio.CancelledError from None


def _read(parse: Callable[[bytes], Any], request: bytes) -> Any:
    try:
        return parse(request)
    except DecodeError as error:
        raise errors.Invalid(
            "REQUEST_INVALID",
            "The bytes are no message of this method: send it as the .proto files declare it.",
        ) from error


async def _each(parse: Callable[[bytes], Any], requests: AsyncIterator[bytes]) -> Any:
    async for request in requests:
        yield _read(parse, request)


def _unread() -> errors.Fault:
    return errors.Unavailable(
        "SERVICE_UNAVAILABLE",
        "The stream was not read for too long: go on after the last event that came.",
        retry_after=1.0,
    )


def _unknown(method: str) -> Any:
    """Answer a call of any of the four kinds before it has sent anything."""

    async def refuse(_requests: Any, context: Context) -> AsyncIterator[bytes]:
        fault = errors.Unimplemented(
            "REQUEST_INVALID",
            "There is no such method here: see the .proto files, or ask by server reflection.",
            metadata={"method": method},
        )
        await context.abort_with_status(rpc_status.to_status(errors.to_status(fault)))
        yield b""

    return grpc.stream_stream_rpc_method_handler(refuse)
