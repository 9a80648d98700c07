"""The generator process, from its start to its end."""

import asyncio

from chassis.beside import Beside
from chassis.run import serve_metrics
from chassis.settings import SettingsError, give_up
from services.generator import compose
from services.generator.settings import Settings
from services.generator.sketching.easel import Easel

# Seconds for the last words: what language calls cost, and the numbers of what was kept. With
# the settling, the drain and the goodbye before them it is less than the 10 seconds that a
# process gets to end, also where catalog and storage are away.
_LAST = 0.7


async def serve(settings: Settings, stop: asyncio.Event, easel: Easel | None = None) -> None:
    """Serve until *stop*; then let go of what is open, and let running calls end."""
    try:
        generator = compose.generator(settings, easel)
    except SettingsError as error:
        give_up(error)
    beside = await begin(generator, settings)
    serve_metrics(settings.host, settings.port + 100)
    await stop.wait()
    await end(generator, beside, settings)


async def begin(generator: compose.Generator, settings: Settings) -> Beside:
    """Start all of *generator*; returns what goes on beside its server and its worker."""
    generator.hints.start()
    await generator.bus.start()
    generator.ledger.start()
    generator.live.start()
    beside = Beside()
    for each in (generator.numbering, generator.rounds, generator.strays, generator.calendar):
        beside.start(each.run())
    await generator.worker.start()
    await generator.server.start(settings.host, settings.port, "GENERATOR_PORT")
    return beside


async def end(generator: compose.Generator, beside: Beside, settings: Settings) -> None:
    """Let go of what is open, hear what nobody else could, and close all."""
    await generator.server.leave()
    await generator.worker.let_go(settings.settle)
    generator.hub.close()
    await asyncio.gather(
        generator.worker.leave(settings.drain),
        generator.server.stop(lame=settings.lame, grace=settings.drain),
        generator.rewriter.close(settings.drain),
    )
    await beside.close()
    await asyncio.gather(
        generator.rewriter.meter.close(_LAST),
        generator.numbering.tell(_LAST),  # what is left, if it can be told
    )
    await generator.live.close()
    await generator.ledger.close()
    await generator.bus.close()
    for each in reversed(generator.outgoing):
        await each.aclose()
    await generator.easel.close()
    await generator.storage.close()
    await generator.catalog.close()
