"""
The way of jobs into the ledger: while one call is under way the next jobs gather, no timer.

Each goes with a token of its own, so that whose job it is comes from his credential still.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

from chassis import errors, telemetry
from chassis.channel import MAX_MESSAGE, Peer, insisting
from chassis.gathering import Gathering
from imagestudio.catalog.v1 import ledger_service_pb2 as pb
from imagestudio.catalog.v1 import ledger_service_pb2_grpc

_MOST = 64  # jobs in one call
_FULL = MAX_MESSAGE // 2  # bytes of them, unless one is longer
_TIMEOUT = 10.0  # seconds
Result = pb.AdmitResponse | errors.Fault


@dataclass(slots=True)
class Admissions:
    """Sends jobs to the catalog by *peer*."""

    peer: Peer
    stub: "ledger_service_pb2_grpc.LedgerServiceAsyncStub"
    _gathering: Gathering[pb.Admission, pb.AdmitResponse] = field(init=False)

    def __post_init__(self) -> None:
        size = pb.Admission.ByteSize
        self._gathering = Gathering(self._together, most=_MOST, weigh=size, heaviest=_FULL)

    async def admit(self, request: pb.AdmitRequest) -> pb.AdmitResponse:
        """Admit a job of the running call's user; said again where the answer was cut off."""

        async def once() -> pb.AdmitResponse:
            token, trace = self.peer.token(), telemetry.carried()
            return await self._gathering.do(pb.Admission(request=request, token=token, trace=trace))

        return await insisting(once)

    async def _together(self, asked: Sequence[pb.Admission]) -> Sequence[Result]:
        request = pb.AdmitManyRequest(admissions=asked)
        answer = await self.peer.ask(self.stub.AdmitMany, request, timeout=_TIMEOUT, user_id=0)
        if len(answer.results) != len(asked):
            raise errors.Fault("INTERNAL", "The ledger answered for other jobs than it was sent.")
        return [_told(result) for result in answer.results]


def _told(result: pb.AdmitResult) -> Result:
    return result.admitted if result.HasField("admitted") else errors.from_status(result.status)
