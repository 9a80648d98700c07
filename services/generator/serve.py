"""The generator process, from its start to its end."""

import asyncio

from chassis.run import serve_metrics
from chassis.settings import SettingsError, give_up
from services.generator import compose
from services.generator.settings import Settings
from services.generator.sketching.easel import Easel


async def serve(settings: Settings, stop: asyncio.Event, easel: Easel | None = None) -> None:
    """Serve until *stop*; then let go of what is open, and let running calls end."""
    try:
        generator = compose.generator(settings, easel)
    except SettingsError as error:
        give_up(error)
    generator.hints.start()
    await generator.bus.start()
    generator.ledger.start()
    generator.live.start()
    generator.numbering.start()
    generator.rounds.start()
    generator.strays.start()
    generator.calendar.start()
    await generator.worker.start()
    await generator.server.start(settings.host, settings.port, "GENERATOR_PORT")
    serve_metrics(settings.host, settings.port + 100)
    await stop.wait()
    await generator.server.leave()
    await generator.worker.let_go(settings.settle)
    generator.hub.close()
    await asyncio.gather(
        generator.worker.leave(settings.drain),
        generator.server.stop(lame=settings.lame, grace=settings.drain),
    )
    await generator.calendar.close()
    await generator.strays.close()
    await generator.rounds.close()
    await generator.numbering.close()
    await generator.live.close()
    await generator.ledger.close()
    await generator.bus.close()
    for http in generator.outgoing:
        await http.aclose()
    await generator.easel.close()
    await generator.storage.close()
    await generator.catalog.close()
