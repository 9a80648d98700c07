"""The catalog's process, from its start to its end."""

import asyncio

from chassis.run import serve_metrics
from services.catalog.compose import compose
from services.catalog.settings import Settings


async def serve(settings: Settings, stop: asyncio.Event) -> None:
    """Serve until *stop* is set, then drain."""
    catalog = await compose(settings)
    await catalog.bus.start()
    await catalog.server.start(settings.host, settings.port, "CATALOG_PORT")
    sweeping = asyncio.create_task(catalog.sweeper.run())
    serve_metrics(settings.host, settings.port + 100)
    await stop.wait()
    sweeping.cancel()
    catalog.news.wakes.close()
    await catalog.server.stop(lame=settings.lame, grace=settings.drain)
    await catalog.close()
