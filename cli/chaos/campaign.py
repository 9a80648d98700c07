"""A campaign from its first job to the sheet: load, kills and bad days, quiet, and the count."""

import asyncio
import hashlib
import time
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import aiohttp

from cli.chaos import plan, users
from cli.chaos.crowd import Crowd, crowd, rate
from cli.chaos.evidence import Evidence, unfinished
from cli.chaos.ground import Ground
from cli.chaos.killer import Killer
from cli.chaos.sheet import Sheet, sheet
from cli.chaos.weather import Weather

_LOOK = 1.0  # seconds between two looks
_FETCHES = 16  # pictures at once
_TOLD = 10.0  # seconds between two words on how far it is
# Seconds from an order's claim until its doubt is told: ANSWER_SECONDS of deploy.md.
LONGEST = 377.0
_BESIDE = 105.0  # for what is before and after: its turn, the deaths meanwhile, its pictures
PATIENCE = LONGEST + _BESIDE
# Of a job three orders may be lost one after the other, and each is absent after two LOOKUP_LAGs.
_LAGS = 3 * 2 * 2
_SMALL = 16 * 1024  # bytes of the vendor's pictures: what is proven here is not their size


def patience_with(lag: float) -> float:
    """Seconds that a job may take where listings are late by *lag*, as `ground.times` has it."""
    return PATIENCE + _LAGS * lag


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """
    What is asked of a campaign; *kill_every* in seconds, 0: nothing is killed.

    *patience* is how many seconds a job may take, and then how many it may take until nothing
    is under way any more, *pace* how many a vendor takes to draw, *lag* by how many its listings
    are late at the most.
    """

    jobs: int
    kill_every: float
    seed: int
    at_once: int = 24
    faults: bool = True
    compare: bool = False
    patience: float = PATIENCE
    pace: float = 0.3
    lag: float = 2.0


@dataclass(slots=True)
class Campaign:
    """One campaign on *ground*."""

    wanted: Wanted
    ground: Ground
    say: Callable[[str], None]
    killer: Killer = field(init=False)
    weather: Weather = field(init=False)

    def __post_init__(self) -> None:
        self.killer = Killer(self.ground.running, self.wanted.seed, self.wanted.kill_every)
        self.weather = Weather(self.ground.lab, self.wanted.seed, self.wanted.lag, self.wanted.pace)

    async def run(self) -> Sheet:
        """Go through it and count."""
        wanted = self.wanted
        caps = {plan.CAPPED: plan.cap(wanted.jobs)}
        keys = await asyncio.to_thread(users.make, self.ground.settings, caps[plan.CAPPED])
        await self._prepare()
        async with crowd(self.ground.settings.address, keys, wanted.patience) as clients:
            began, calm = time.monotonic(), None
            if wanted.compare:
                visits = plan.visits(wanted.seed, wanted.jobs, part="calm")
                calm = rate(await clients.go(visits, wanted.at_once))
                if calm:
                    self.say(f"{calm:.1f} jobs a second without kills and faults")
                caps = {plan.CAPPED: 2 * caps[plan.CAPPED]}  # as much again: both parts are alike
                await asyncio.to_thread(users.allow, self.ground.settings, keys, caps[plan.CAPPED])
            async with self._trouble(clients):
                visits = plan.visits(wanted.seed, wanted.jobs)
                troubled = rate(await clients.go(visits, wanted.at_once))
            seconds = time.monotonic() - began
            found = await self._evidence(clients, caps)
        return sheet(
            found, wanted, killer=self.killer, struck=self.weather.struck, calm=calm,
            troubled=troubled, seconds=seconds,
        )  # fmt: skip

    async def _prepare(self) -> None:
        ask = self.ground.lab.ask
        await asyncio.to_thread(
            ask, "PUT", "/_lab/pace", {"seconds": self.wanted.pace, "bytes": _SMALL}
        )
        none = {"creates_per_minute": None, "others_per_minute": None}
        await asyncio.to_thread(ask, "PUT", "/_lab/vendors/replicate", none)
        fast = {"instant": True, "admin_limit": 1_000_000}
        await asyncio.to_thread(ask, "PUT", "/_lab/vendors/cloudinary", fast)

    @asynccontextmanager
    async def _trouble(self, clients: Crowd) -> AsyncIterator[None]:
        """Kill and misbehave meanwhile; what raises there ends the campaign."""
        work = [self._tell(clients)]
        work += [self.killer.run()] if self.wanted.kill_every else []
        work += [self.weather.run()] if self.wanted.faults else []
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(each) for each in work]
            try:
                yield
            finally:
                for task in tasks:
                    task.cancel()
        await self.weather.clear()

    async def _tell(self, clients: Crowd) -> None:
        while True:
            await asyncio.sleep(_TOLD)
            killed, through = self.killer.killed.total(), len(clients.outcomes)
            self.say(f"{through} jobs are through, {killed} processes were killed")

    async def _evidence(self, clients: Crowd, caps: Mapping[str, int]) -> Evidence:
        """Wait for quiet, then read everything."""
        ledger = await self._quiet()
        lab = self.ground.lab
        return Evidence(
            outcomes=clients.outcomes,
            ledger=ledger,
            charges=await asyncio.to_thread(lab.charges),
            assets=await asyncio.to_thread(lab.assets),
            pictures=await asyncio.to_thread(lab.pictures),
            caps=caps,
            served=await self._served(clients.http, ledger["files"]),
            retold=await clients.retold(),
        )

    async def _quiet(self) -> Mapping[str, Sequence[Mapping[str, Any]]]:
        give_up, told = time.monotonic() + self.wanted.patience, 0.0
        while True:
            ledger = await asyncio.to_thread(self.ground.audit)
            open_ = list(unfinished(ledger))
            if not open_ or time.monotonic() > give_up:
                return ledger
            if time.monotonic() > told + _TOLD:
                told = time.monotonic()
                self.say(f"waiting for quiet: {len(open_)} under way, such as: {open_[0]}")
            await asyncio.sleep(_LOOK)

    async def _served(
        self, http: aiohttp.ClientSession, files: Sequence[Mapping[str, Any]]
    ) -> dict[str, str]:
        """Fetch every file from the vault: the hash of what came, or why nothing did."""
        found, waiting = dict[str, str](), iter(files)

        async def one_after_the_other() -> None:
            for file in waiting:
                url = f"{self.ground.settings.address}/i/{file['link']}"
                found[file["link"]] = await _fetched(http, url)

        await asyncio.gather(*(one_after_the_other() for _ in range(_FETCHES)))
        return found


async def _fetched(http: aiohttp.ClientSession, url: str) -> str:
    try:
        async with http.get(url, timeout=aiohttp.ClientTimeout(total=30)) as answer:
            content = await answer.read()
    except (aiohttp.ClientError, TimeoutError, OSError) as error:
        return repr(error)
    return hashlib.sha256(content).hexdigest() if answer.status == 200 else f"HTTP {answer.status}"
