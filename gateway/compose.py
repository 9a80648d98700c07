"""
From settings to a running server, and its end.

The end is polite: streams are told to come back, connections end with their next answer,
and what is being answered is finished.
"""

import asyncio
import contextlib
import socket
import sys
from collections.abc import Iterator

import uvicorn

from chassis import logs
from gateway.app import build
from gateway.services import Services
from gateway.settings import Settings
from gateway.sse import STUCK, Streams

_GRACE = 10  # seconds for answers that are under way when we are asked to stop
log = logs.get()


class _Server(uvicorn.Server):
    """Leaves signals to whoever runs the process."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


async def serve(settings: Settings, stop: asyncio.Event) -> None:
    """Serve until *stop* is set."""
    listener = listen(settings.host, settings.port)
    services, streams = Services(settings), Streams()
    server = _Server(
        uvicorn.Config(
            build(settings, services, streams),
            http="httptools",
            ws="none",
            lifespan="off",
            log_config=None,
            access_log=False,
            server_header=False,
            proxy_headers=False,
            backlog=2048,
            timeout_keep_alive=75,
            timeout_graceful_shutdown=_GRACE,
        )
    )
    serving = asyncio.create_task(server.serve([listener]))
    stopping = asyncio.create_task(stop.wait())
    log.info("ready", host=settings.host, port=settings.port)
    await asyncio.wait([serving, stopping], return_when=asyncio.FIRST_COMPLETED)
    streams.leave()
    await asyncio.sleep(settings.lame)
    server.should_exit = True
    stopping.cancel()
    try:
        await serving
    finally:
        await services.close()


def listen(host: str, port: int, stuck: float = STUCK) -> socket.socket:
    """
    Listen; SystemExit where the port is taken.

    Of a client that takes nothing for *stuck* seconds the kernel closes the connection (Linux):
    closed by us it would stay for as long as its last bytes are not taken.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        listener = socket.create_server((host, port), family=family, backlog=2048)
    except OSError as error:
        raise SystemExit(
            f"port {port} on {host} cannot be bound ({error.strerror}): "
            "stop what holds it, or set GATEWAY_PORT"
        ) from error
    if sys.platform == "linux":
        listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, int(stuck * 1000))
    return listener
