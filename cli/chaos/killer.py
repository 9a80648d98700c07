"""Kills processes with SIGKILL, one every so often, as the plan draws them."""

import asyncio
import os
import signal
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field

from cli.chaos import plan
from cli.chaos.ground import KILLABLE, Running

_DOWN = 1  # processes at once; above it all are waited for: a busy machine must get up again
_LOOK = 0.05  # seconds between two looks whether they are back


@dataclass(slots=True)
class Killer:
    """Kills of what is *running* every *pause* seconds until it is canceled; counts by name."""

    running: Callable[[], Sequence[Running]]
    seed: int
    pause: float
    killed: Counter[str] = field(default_factory=Counter)
    waited: float = 0.0  # seconds in all, for processes to come back

    async def run(self) -> None:
        """Kill for ever: whatever answers but for the supervisor and the lab."""
        now = asyncio.get_running_loop().time
        due = now()
        for chance in plan.victims(self.seed):
            due = max(due + self.pause, now())
            await asyncio.sleep(due - now())
            victims = await self._answering()
            if len(victims) < KILLABLE - _DOWN:
                victims = await self._all()
                self.waited += now() - due
            if not victims:
                continue
            chosen = victims[int(chance * len(victims))]
            with suppress(ProcessLookupError):
                os.kill(chosen.pid, signal.SIGKILL)
                self.killed[chosen.name] += 1

    async def _all(self) -> list[Running]:
        """Everything, once all of it answers, and a pause after that."""
        while len(await self._answering()) < KILLABLE:  # noqa: ASYNC110  (nobody tells of it)
            await asyncio.sleep(_LOOK)
        await asyncio.sleep(self.pause)
        return await self._answering()

    async def _answering(self) -> list[Running]:
        running = self.running()
        answers = await asyncio.gather(*(each.answers() for each in running))
        return [each for each, answer in zip(running, answers, strict=True) if answer]
