"""All clients of a campaign: so many at once, until the plan has no more for them."""

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass, field
from urllib.parse import urlsplit

import aiohttp
import grpc

from cli.chaos import rpc
from cli.chaos.client import Client, Outcome
from cli.chaos.plan import Visit
from cli.chaos.rest import Rest
from cli.chaos.rpc import Rpc
from cli.chaos.ways import Way

_RETOLD = 60.0  # seconds for a whole log, once all is quiet
_AT_ONCE = 16  # logs that are read again side by side


@dataclass(slots=True)
class Crowd:
    """Clients of the studio at *address*; *keys* by user, *patience* in seconds for a job."""

    address: str
    keys: Mapping[str, str]
    patience: float
    http: aiohttp.ClientSession
    channel: grpc.aio.Channel
    outcomes: list[Outcome] = field(default_factory=list)

    async def go(self, visits: Sequence[Visit], at_once: int) -> list[Outcome]:
        """Go through *visits*, *at_once* side by side, in their order."""
        waiting, gone = iter(visits), list[Outcome]()

        async def one_after_the_other() -> None:
            for visit in waiting:
                outcome = await Client(self._way(visit), Outcome(visit=visit), self.patience).run()
                gone.append(outcome)
                self.outcomes.append(outcome)

        await asyncio.gather(*(one_after_the_other() for _ in range(at_once)))
        return gone

    async def retold(self) -> list[str]:
        """Read every log again, each the way that its client came: a line for each difference."""
        waiting, found = iter([each for each in self.outcomes if each.log]), list[str]()

        async def one_after_the_other() -> None:
            for outcome in waiting:
                try:
                    async with asyncio.timeout(_RETOLD):
                        found.extend(await self._retold(outcome))
                except Exception as error:
                    found.append(f"the log of job {outcome.job} is not told again: {error!r}")

        await asyncio.gather(*(one_after_the_other() for _ in range(_AT_ONCE)))
        return found

    async def _retold(self, outcome: Outcome) -> list[str]:
        assert outcome.job is not None
        async with aclosing(self._way(outcome.visit).watch(outcome.job, 0)) as stream:  # type: ignore[type-var]
            told = [heard async for heard in stream if heard.sequence]
        return [
            f"event {was.sequence} of job {outcome.job}, {was.kind}, is told otherwise: {now.kind}"
            for was, now in zip(outcome.log, told, strict=False)
            if was != now
        ]

    def _way(self, visit: Visit) -> Way:
        key = self.keys[visit.user]
        if visit.over_grpc:
            return Rpc(self.channel, key)
        return Rest(self.address, key, self.http)


@asynccontextmanager
async def crowd(address: str, keys: Mapping[str, str], patience: float) -> AsyncIterator[Crowd]:
    """Open what the clients of the studio at *address* share."""
    connector = aiohttp.TCPConnector(limit=0, force_close=True)
    async with (
        aiohttp.ClientSession(connector=connector, trust_env=False) as http,
        rpc.channel(urlsplit(address).netloc) as channel,
    ):
        yield Crowd(address, keys, patience, http, channel)


def rate(outcomes: Sequence[Outcome]) -> float | None:
    """
    Jobs a second while every client had one: up to the moment when the last one began.

    None where no job was through by then: of so few jobs none can be told.
    """
    began, full = min(each.began for each in outcomes), max(each.began for each in outcomes)
    through = sum(each.completed and each.ended <= full for each in outcomes)
    return through / (full - began) if through and full > began else None
