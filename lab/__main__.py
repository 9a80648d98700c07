"""The lab's process: `python -m lab`."""

import asyncio
import os
import signal

import uvloop
from aiohttp import web

from lab import app
from lab.settings import Settings, SettingsError, give_up, read

_GRACE = 0.5  # seconds for calls that are under way; those that a fault hangs would take hours


async def serve(settings: Settings) -> None:
    """Serve until SIGTERM or SIGINT."""
    stop = asyncio.Event()
    for sign in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(sign, stop.set)
    world = app.world(settings)
    vendors = app.vendors(world)
    runner = web.AppRunner(
        app.application(world, vendors), access_log=None, shutdown_timeout=_GRACE
    )
    await runner.setup()
    await web.TCPSite(runner, settings.host, settings.port).start()
    print(f"the lab is at {world.base}, its control at {world.base}/_lab/ledger", flush=True)
    await stop.wait()
    for vendor in vendors:
        await vendor.reset()
    await runner.cleanup()


def main() -> None:
    """Read the settings from the environment, and serve."""
    try:
        found = read(os.environ)
    except SettingsError as error:
        give_up(error)
    uvloop.run(serve(found))


if __name__ == "__main__":
    main()
