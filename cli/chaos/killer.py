"""Kills processes with SIGKILL, one every so often, as the plan draws them."""

import asyncio
import os
import signal
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass, field

from cli.chaos import plan
from cli.chaos.ground import Ground


@dataclass(slots=True)
class Killer:
    """Kills on *ground* every *pause* seconds until it is canceled; counts by name."""

    ground: Ground
    seed: int
    pause: float
    killed: Counter[str] = field(default_factory=Counter)

    async def run(self) -> None:
        """Kill for ever: whatever runs but for the supervisor and the lab."""
        loop = asyncio.get_running_loop()
        due = loop.time()
        for chance in plan.victims(self.seed):
            due += self.pause
            await asyncio.sleep(max(0.0, due - loop.time()))
            alive = self.ground.alive()
            if not alive:
                continue
            name, pid = alive[int(chance * len(alive))]
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
                self.killed[name] += 1
