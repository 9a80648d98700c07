"""In over gRPC."""

from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import grpc
from google.protobuf import json_format
from grpc_status import rpc_status

from chassis import errors
from chassis.channel import OPTIONS
from cli.chaos import pictures
from cli.chaos.ways import Broken, Heard, Refused, Wrong, digest
from imagestudio.generator.v1 import generator_service_pb2 as pb
from imagestudio.generator.v1.generator_service_pb2_grpc import GeneratorServiceStub
from imagestudio.type.v1.image_pb2 import ReferenceRole
from imagestudio.type.v1.job_event_pb2 import JobEvent
from imagestudio.type.v1.job_pb2 import JobSpec

_PATIENCE = 15.0  # seconds for a call that answers once
_PASSING = (errors.Unavailable, errors.Late)
_OTHERWISE = frozenset({"size", "max_cost_usd", "references"})  # fields that gRPC spells its way
_OF_TRANSPORT = (grpc.StatusCode.INTERNAL, grpc.StatusCode.UNKNOWN)


def channel(target: str) -> grpc.aio.Channel:
    """Open a channel; call it inside the running loop."""
    return grpc.aio.insecure_channel(target, options=OPTIONS)


@dataclass(frozen=True, slots=True)
class Rpc:
    """The studio behind *channel* for the user of *key*."""

    channel: grpc.aio.Channel
    key: str

    async def start(self, request: dict[str, Any], request_id: str) -> str:
        asked = pb.StartGenerationRequest(spec=_spec(request), request_id=request_id)
        with _translated():
            answer = await self._stub.StartGeneration(
                asked, metadata=self._metadata, timeout=_PATIENCE, wait_for_ready=True
            )
        return _number(answer.job.name)

    async def glance(self, request: dict[str, Any], request_id: str) -> str:
        async for heard in self.generate(request, request_id):
            return heard.job
        raise Broken("the stream ended before its first event")

    async def generate(self, request: dict[str, Any], request_id: str) -> AsyncIterator[Heard]:
        asked = pb.GenerateImagesRequest(spec=_spec(request), request_id=request_id)
        async for heard in self._heard(self._stub.GenerateImages, asked):
            yield heard

    async def watch(self, job: str, after: int) -> AsyncIterator[Heard]:
        asked = pb.WatchGenerationRequest(name=f"jobs/{job}", after_sequence=after)
        async for heard in self._heard(self._stub.WatchGeneration, asked):
            yield heard

    async def cancel(self, job: str) -> None:
        asked = pb.CancelGenerationRequest(name=f"jobs/{job}")
        with _translated():
            await self._stub.CancelGeneration(
                asked, metadata=self._metadata, timeout=_PATIENCE, wait_for_ready=True
            )

    async def _heard(self, method: Any, request: Any) -> AsyncIterator[Heard]:
        call = method(request, metadata=self._metadata)
        try:
            with _translated():
                async for answer in call:
                    if (heard := _event(answer.event)) is not None:
                        yield heard
        finally:
            call.cancel()

    @property
    def _stub(self) -> Any:
        return GeneratorServiceStub(self.channel)

    @property
    def _metadata(self) -> list[tuple[str, str]]:
        return [("authorization", f"Bearer {self.key}")]


@contextmanager
def _translated() -> Iterator[None]:
    try:
        yield
    except grpc.aio.AioRpcError as error:
        fault = errors.from_rpc(error, "the studio")
        if fault.reason == "SPEND_CAP_EXCEEDED":
            raise Refused(str(fault)) from error
        if isinstance(fault, _PASSING) or _is_the_transports(error):
            raise Broken(str(fault)) from error
        raise Wrong(f"{error.code()} {fault.reason}: {fault}") from error


def _is_the_transports(error: grpc.aio.AioRpcError) -> bool:
    """Whether nobody of ours says so: Envoy resets a stream whose generator has died."""
    status = rpc_status.from_call(error)
    return error.code() in _OF_TRANSPORT and (status is None or not status.details)


def _spec(request: dict[str, Any]) -> JobSpec:
    spec = {name: value for name, value in request.items() if name not in _OTHERWISE}
    found = json_format.ParseDict(spec, JobSpec())
    for each in request.get("references", ()):
        role = ReferenceRole.Value(f"REFERENCE_ROLE_{each['role'].upper()}")
        found.references.add(content=pictures.picture(each["picture"]), role=role)
    if "size" in request:
        width, _, height = request["size"].partition("x")
        found.size.width, found.size.height = int(width), int(height)
    if "max_cost_usd" in request:
        found.max_cost_usd_micros = round(request["max_cost_usd"] * 1_000_000)
    return found


def _event(event: JobEvent) -> Heard | None:
    kind = event.WhichOneof("event")
    if kind is None or kind == "heartbeat":
        return None
    text = event.SerializeToString(deterministic=True)
    return Heard(_number(event.job), event.sequence, kind, digest(text))


def _number(name: str) -> str:
    return name.rpartition("/")[2]
