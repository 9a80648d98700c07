"""The storage process: `python -m services.storage`."""

import asyncio
import sys

from chassis import lean

with lean.imports(without=("rich",)):
    from chassis.run import run, serve_metrics
    from chassis.settings import SettingsError, give_up
    from services.storage import compose
    from services.storage.settings import Settings


async def main(settings: Settings, stop: asyncio.Event) -> None:
    """Serve until *stop*, then let running calls end."""
    try:
        storage = compose.storage(settings)
    except SettingsError as error:
        give_up(error)
    await storage.vault.open()
    await storage.server.start(settings.host, settings.port, "STORAGE_PORT")
    with storage.room.shown():
        serve_metrics(settings.host, settings.port + 100)
        await stop.wait()
    await storage.server.stop(lame=settings.lame, grace=settings.drain)
    await storage.child.close()
    if storage.cdn:
        await storage.cdn.close()
    await storage.peer.close()
    await storage.vault.close()


if __name__ == "__main__":
    sys.setswitchinterval(0.0005)  # a thread that has written waits for its turn after each call
    run("storage", Settings, main)
