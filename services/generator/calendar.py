"""
When models end, by their providers' own lists: read at the start and once a day, so that
nobody orders what is switched off, and the list of models says it before.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass

from chassis import logs
from services.generator import provider as seam
from services.generator.models import Registry
from services.generator.vendor import Vendor

DAY = 86_400.0  # seconds between two readings
AGAIN = 600.0  # the same after one that failed
log = logs.get()


@dataclass(slots=True)
class Calendar:
    """Tells *registry* what those of *vendors* say who tell such dates."""

    registry: Registry
    vendors: Mapping[str, Vendor]
    pause: Callable[[float], Awaitable[None]] = asyncio.sleep  # seconds

    async def read(self) -> bool:
        """Read every list; False where one could not be read, and what it told before stays."""
        whole = True
        for name, vendor in self.vendors.items():
            if not isinstance(vendor.provider, seam.TellsEnds):
                continue
            try:
                self.registry.learn(name, await vendor.provider.ends())
            except Exception as error:  # whatever it is: the others' lists are read
                log.warning("when models end is not told", provider=name, error=repr(error))
                whole = False
        return whole

    async def run(self) -> None:
        """Read for ever, once a day."""
        while True:
            await self.pause(DAY if await self.read() else AGAIN)
