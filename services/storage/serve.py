"""The storage process, from its start to its end."""

import asyncio

from chassis.run import serve_metrics
from chassis.settings import SettingsError, give_up
from services.storage import compose
from services.storage.settings import Settings


async def serve(settings: Settings, stop: asyncio.Event) -> None:
    """Serve until *stop*, then let running calls end."""
    try:
        storage = compose.storage(settings)
        await storage.vault.open()
    except SettingsError as error:
        give_up(error)
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
