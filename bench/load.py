"""Whole jobs over REST and over gRPC, each with the times at which its events arrived."""

import asyncio
import itertools
import json
import time
from collections.abc import Callable, Coroutine, Iterable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, TypeVar

import grpc

from bench.sse import CutError, Wire
from imagestudio.generator.v1 import generator_service_pb2 as generator
from imagestudio.generator.v1.generator_service_pb2_grpc import GeneratorServiceStub
from imagestudio.type.v1 import image_pb2, job_pb2

PROMPT = "a lighthouse at dawn"
_serial = itertools.count(
    int(time.time()) % 1_000_000 * 1000
)  # a seed each: other bytes, other file


@dataclass(slots=True)
class Run:
    """One job as its client saw it; times by time.time, in seconds."""

    sent: float
    job: str = ""
    first: float = 0.0  # arrival of the first event
    ended: float = 0.0
    arrivals: dict[int, float] = field(default_factory=dict)  # of durable events, by sequence
    kinds: dict[int, str] = field(default_factory=dict)
    wrong: str = ""  # why it does not count as a success

    @property
    def latency(self) -> float:
        return self.ended - self.sent

    def hear(self, kind: str, sequence: int, now: float) -> None:
        self.first = self.first or now
        if sequence:
            self.arrivals[sequence], self.kinds[sequence] = now, kind

    def check_log(self) -> None:
        """A success has every event from 1 on, in order."""
        if list(self.arrivals) != list(range(1, len(self.arrivals) + 1)):
            self.wrong = self.wrong or f"events {list(self.arrivals)}"


Job = Callable[[], Coroutine[Any, Any, Run]]
Result = TypeVar("Result")


class Rest:
    """Jobs by POST /images/generate/stream, a connection for each that is in flight."""

    def __init__(self, port: int, side: int = 0, *, model: str = "", **parameters: Any) -> None:
        self._port = port
        self._asked = {"models": [model]} if model else {"size": f"{side}x{side}"}
        self._parameters = {"sketch": parameters} if parameters else None
        self._free: list[Wire] = []

    async def run(self, **parameters: Any) -> Run:
        """Run one job to its last event."""
        wire = self._free.pop() if self._free else Wire(self._port)
        body: dict[str, Any] = {"prompt": PROMPT, "seed": next(_serial), **self._asked}
        if chosen := ({"sketch": parameters} if parameters else self._parameters):
            body["parameters"] = chosen
        run = Run(time.time())

        def heard(kind: str, sequence: int, data: bytes, now: float) -> None:
            run.hear(kind, sequence, now)
            if kind == "accepted":
                run.job = json.loads(data)["job_id"]
            elif kind == "completed":
                run.ended = now
                found = json.loads(data)
                if (found["state"], len(found["images"])) != ("succeeded", 1):
                    run.wrong = f"{found['state']}: {found['failures']}"

        try:
            answer = await wire.ask("POST", "/images/generate/stream", body, heard)
        except (CutError, OSError) as error:
            run.wrong = repr(error)
            wire.close()
            return run
        self._free.append(wire)
        if not run.ended:
            run.wrong = run.wrong or f"{wire.status} {answer[:300].decode(errors='replace')}"
        run.check_log()
        return run

    async def close(self) -> None:
        for wire in self._free:
            wire.close()


class Grpc:
    """Jobs by GenerateImages through the edge."""

    def __init__(self, port: int, side: int) -> None:
        self._channel = grpc.aio.insecure_channel(f"127.0.0.1:{port}")
        self._stub = GeneratorServiceStub(self._channel)
        self._side = side

    async def run(self) -> Run:
        """Run one job to its last event."""
        size = image_pb2.PixelSize(width=self._side, height=self._side)
        spec = job_pb2.JobSpec(prompt=PROMPT, size=size, seed=next(_serial))
        run = Run(time.time())
        try:
            async for answer in self._stub.GenerateImages(
                generator.GenerateImagesRequest(spec=spec), timeout=60
            ):
                event, now = answer.event, time.time()
                run.job = event.job.removeprefix("jobs/")
                run.hear(event.WhichOneof("event") or "", event.sequence, now)
                if event.HasField("completed"):
                    run.ended = now
                    if event.completed.job.state != job_pb2.JOB_STATE_SUCCEEDED:
                        run.wrong = f"state {event.completed.job.state}"
        except grpc.aio.AioRpcError as error:
            run.wrong = f"{error.code().name}: {error.details()}"
        if not run.ended:
            run.wrong = run.wrong or "no end"
        run.check_log()
        return run

    async def event_times(self, job: str) -> dict[int, float]:
        """When each event of *job* happened, by sequence, by the database's clock."""
        request = generator.WatchGenerationRequest(name=f"jobs/{job}")
        return {
            answer.event.sequence: answer.event.event_time.ToNanoseconds() / 1e9
            async for answer in self._stub.WatchGeneration(request, timeout=30)
            if answer.event.sequence
        }

    async def close(self) -> None:
        await self._channel.close()


async def in_flight(job: Job, *, at_once: int, count: int = 0, seconds: float = 0.0) -> list[Run]:
    """Keep *at_once* jobs in flight until *count* have begun or *seconds* have passed."""
    runs: list[Run] = []
    begun, end = itertools.count(), time.monotonic() + (seconds or 600)

    async def work() -> None:
        while time.monotonic() < end and (not count or next(begun) < count):
            runs.append(await job())

    await asyncio.gather(*(work() for _ in range(at_once)))
    return runs


async def at_rate(job: Job, *, rate: float, seconds: float) -> list[Run]:
    """Begin *rate* jobs a second, evenly, whether or not earlier ones have ended."""
    return await at_moments(job, (number / rate for number in range(int(rate * seconds))))


async def at_moments(
    work: Callable[[], Coroutine[Any, Any, Result]], moments: Iterable[float]
) -> list[Result]:
    """Begin at each of *moments*, in seconds from now, whether or not earlier ones have ended."""
    loop = asyncio.get_running_loop()
    began, tasks = loop.time(), list[asyncio.Task[Result]]()
    for moment in moments:
        await asyncio.sleep(max(0.0, began + moment - loop.time()))
        tasks.append(asyncio.create_task(work()))
    return list(await asyncio.gather(*tasks))


def refuse_failures(runs: list[Run], what: str) -> list[Run]:
    """Return *runs*; a figure of jobs that failed would be none."""
    if wrong := [run.wrong for run in runs if run.wrong]:
        raise SystemExit(f"{what}: {len(wrong)} of {len(runs)} jobs failed, such as: {wrong[0]}")
    return runs


async def event_delays(watcher: Grpc, runs: list[Run], most: int = 300) -> list[float]:
    """
    From an event's time in the database to its arrival at the client, in seconds, of *most* jobs.

    That time is the moment of its writing, before the commit, which is counted in.
    """
    step = max(1, len(runs) // most)
    found: list[float] = []
    for run in runs[::step]:
        with suppress(grpc.aio.AioRpcError):
            times = await watcher.event_times(run.job)
            found += [at - times[number] for number, at in run.arrivals.items() if number in times]
    return found
