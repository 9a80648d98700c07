"""The life of a process: settings, logs, a loop, signals that ask for its end, and metrics."""

import asyncio
import gc
import os
import signal
import sys
from collections.abc import Awaitable, Callable
from typing import TypeVar

import prometheus_client

from chassis import logs, settings, telemetry

if sys.platform != "win32":
    import uvloop

Settings = TypeVar("Settings")


def run(
    process: str, kind: type[Settings], main: Callable[[Settings, asyncio.Event], Awaitable[None]]
) -> None:
    """Read a *kind* from the environment and run *main* until its event is set by a signal."""
    try:
        found = settings.read(kind, os.environ)
    except settings.SettingsError as error:
        settings.give_up(error)
    logs.configure(process, os.environ.get("LOG_LEVEL", "info"))
    telemetry.configure(process, os.environ.get("OTEL_EXPORTER_OTLP_ENDPOINT", ""))

    async def live() -> None:
        stop, loop = asyncio.Event(), asyncio.get_running_loop()
        asked: list[float] = []

        def ask() -> None:
            asked.append(loop.time())
            stop.set()

        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, ask)
        _collect_in_small_lots()
        await main(found, stop)
        if asked:
            logs.get().info("drained", seconds=round(loop.time() - asked[0], 3))

    try:
        _loop_run(live())
    finally:
        telemetry.flush()


def _collect_in_small_lots() -> None:
    """
    What is imported lives for ever, but for a few KB: the collector need not look through it.

    Nor through what has been there for long, but rarely. What is new it sees in small lots, since
    nothing moves while it looks: a fifth of a second was seen where 100,000 had gathered.
    """
    gc.freeze()
    gc.enable()
    gc.set_threshold(5_000, 1, 1_000)


def serve_metrics(host: str, port: int) -> None:
    """Answer /metrics, and by that tell that the process is up; call it when it is ready."""
    try:
        prometheus_client.start_http_server(port, host)
    except OSError as error:
        raise SystemExit(f"port {port} on {host} (metrics) cannot be bound: {error}") from error


def _loop_run(main: Awaitable[None]) -> None:
    if sys.platform == "win32":
        asyncio.run(main)  # type: ignore[arg-type]
    else:
        uvloop.run(main)  # type: ignore[arg-type]
