"""
Callers of every kind at the edge, who do what clients do and count each call that fails.

An event stream that ends, or breaks, is taken up after its last event: that is no failure, the
call that takes it up may be one. Each job has a request id, and nothing is ever sent again.
"""

import asyncio
import json
import uuid
from collections import Counter
from collections.abc import AsyncIterator, Callable
from typing import Any

import grpc
import httpx

from imagestudio.catalog.v1 import catalog_service_pb2 as catalog
from imagestudio.catalog.v1.catalog_service_pb2_grpc import CatalogServiceStub
from imagestudio.generator.v1 import generator_service_pb2 as pb
from imagestudio.generator.v1.generator_service_pb2_grpc import GeneratorServiceStub
from imagestudio.type.v1.job_pb2 import JobSpec
from tests import patient

_PATIENCE = 120.0  # seconds for any one call
_WAIT = 60.0  # seconds for a job
_LOOK = 0.4  # seconds between two looks at one
Log = list[int]  # the numbers of a job's durable events, as they came


class Callers:
    """At the edge on *port*; each `run` is a job of *model*, from its order to its picture."""

    def __init__(self, port: int, model: str) -> None:
        self.url, self.model = f"http://127.0.0.1:{port}", model
        self.failed: list[str] = []
        self.logs: dict[str, Log] = {}
        self.seen: Counter[str] = Counter()
        self._channel = grpc.aio.insecure_channel(f"127.0.0.1:{port}")
        self._generator = GeneratorServiceStub(self._channel)
        self._catalog = CatalogServiceStub(self._channel)
        self._http = patient.AsyncClient(
            base_url=self.url, timeout=_PATIENCE, limits=httpx.Limits(max_connections=None)
        )

    async def close(self) -> None:
        await self._http.aclose()
        await self._channel.close()

    async def keep_calling(self, at_once: int, enough: Callable[[], bool]) -> None:
        """Have so many jobs under way, of each kind in turn, until there are *enough*."""
        kinds = (self.by_stream, self.by_grpc, self.by_rest, self.by_grpc_stream)

        async def work(number: int) -> None:
            while not enough():
                await kinds[number % len(kinds)]()
                number += 1

        await asyncio.gather(*(work(number) for number in range(at_once)))

    # -- one job each

    async def by_rest(self) -> None:
        """Order, look until it is done, list, and fetch the picture."""
        answer = await self._ask("POST", "/images/generate", json=self._body(), headers=_key())
        if answer is None:
            return
        place, job = answer.headers["location"], answer.json()["job_id"]
        found = await self._ask("GET", place)
        for _ in range(int(_WAIT / _LOOK)):
            if found is None or found.json()["ended_at"]:
                break
            await asyncio.sleep(_LOOK)
            found = await self._ask("GET", place)
        await self._ask("GET", "/images/models")
        await self._ask("GET", "/images/jobs?page_size=5")
        if found and found.json()["images"]:
            await self._ask("GET", found.json()["images"][0]["vault_url"].removeprefix(self.url))
            self._count("rest", job, None)

    async def by_stream(self) -> None:
        """Order and watch by server-sent events."""
        ask: dict[str, Any] = {"json": self._body(), "headers": _key()}
        method, path, log, job = "POST", "/images/generate/stream", Log(), ""
        ended = False
        while not ended:
            try:
                async with self._http.stream(method, path, **ask) as answer:
                    if answer.status_code != 200:
                        text = (await answer.aread()).decode()
                        self.failed.append(f"{method} {path}: {answer.status_code} {text[:300]}")
                        return
                    # A gateway that ends may say so in place of the first event.
                    job = job or answer.headers["location"].rpartition("/")[2]
                    async for kind, number, _data in frames(answer.aiter_lines()):
                        log += [number] if number else []
                        ended = ended or kind == "completed"
            except httpx.ReadError as error:
                self.seen["streams that broke"] += 1
                if not job:
                    self.failed.append(f"{method} {path}: {error!r}")
                    return
            except httpx.HTTPError as error:
                if not (job and isinstance(error, httpx.RemoteProtocolError)):
                    self.failed.append(f"{method} {path}: {error!r}")
                    return
                self.seen["streams that broke"] += 1
            method, path = "GET", f"/images/jobs/{job}/events"
            ask = {"headers": {"Last-Event-ID": str(log[-1] if log else 0)}}
        self._count("stream", job, log)

    async def by_grpc(self) -> None:
        """Start a job, wait for it, and list."""
        started = await self._call(
            self._generator.StartGeneration,
            pb.StartGenerationRequest(spec=self._spec(), request_id=str(uuid.uuid4())),
        )
        if started is None:
            return
        asked = pb.GetGenerationRequest(name=started.job.name)
        asked.wait.FromSeconds(5)
        for _ in range(int(_WAIT / 5)):
            found = await self._call(self._generator.GetGeneration, asked)
            if found is None or found.job.HasField("end_time"):
                break
        await self._call(self._catalog.ListJobs, catalog.ListJobsRequest(page_size=5))
        await self._call(self._generator.ListModels, pb.ListModelsRequest())
        if found and found.job.images:
            self._count("grpc", started.job.name.rpartition("/")[2], None)

    async def by_grpc_stream(self) -> None:
        """Start a job and watch it over gRPC."""
        request = pb.GenerateImagesRequest(spec=self._spec(), request_id=str(uuid.uuid4()))
        calls, log, job, ended = self._generator.GenerateImages(request), Log(), "", False
        while not ended:
            try:
                async for answer in calls:
                    job = job or answer.event.job
                    log += [answer.event.sequence] if answer.event.sequence else []
                    ended = ended or answer.event.HasField("completed")
            except grpc.aio.AioRpcError as error:
                if not job or error.code() is not grpc.StatusCode.UNAVAILABLE:
                    self.failed.append(f"GenerateImages: {error.code().name} {error.details()}")
                    return
                self.seen["streams sent elsewhere"] += 1
                await asyncio.sleep(0.05)
            last = log[-1] if log else 0
            watch = pb.WatchGenerationRequest(name=job, after_sequence=last)
            calls = self._generator.WatchGeneration(watch)
        self._count("grpc stream", job.rpartition("/")[2], log)

    # -- calls

    async def _ask(self, method: str, path: str, **more: Any) -> httpx.Response | None:
        try:
            answer = await self._http.request(method, path, **more)
        except httpx.HTTPError as error:
            self.failed.append(f"{method} {path}: {error!r}")
            return None
        if answer.is_success:
            return answer
        self.failed.append(f"{method} {path}: {answer.status_code} {answer.text[:300]}")
        return None

    async def _call(self, method: Any, request: Any) -> Any:
        try:
            return await method(request, timeout=_PATIENCE)
        except grpc.aio.AioRpcError as error:
            words = f"{error.code().name} {error.details()}"
            self.failed.append(f"{type(request).__name__}: {words}")
            return None

    def _count(self, kind: str, job: str, log: Log | None) -> None:
        self.seen[kind] += 1
        self.logs[job] = log or []
        if log is not None and log != [*range(1, len(log) + 1)]:
            self.failed.append(f"{kind} {job}: a gap or a double in {log}")

    def _body(self) -> dict[str, Any]:
        return {"prompt": f"a lighthouse {uuid.uuid4()}", "models": [self.model]}

    def _spec(self) -> JobSpec:
        return JobSpec(**self._body())


def _key() -> dict[str, str]:
    return {"Idempotency-Key": str(uuid.uuid4())}


async def frames(lines: AsyncIterator[str]) -> AsyncIterator[tuple[str, int, dict[str, Any]]]:
    """Parse server-sent events into (event, id or 0, data); a frame without its end is none."""
    kind, number, text = "", 0, ""
    async for line in lines:
        name, _, value = line.partition(": ")
        match name:
            case "event":
                kind = value
            case "id":
                number = int(value)
            case "data":
                text = value
        if not line and text:
            yield kind, number, json.loads(text)
        if not line:
            kind, number, text = "", 0, ""
