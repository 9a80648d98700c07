"""
The way of jobs into the ledger: while one call is under way the next jobs gather, no timer.

Each goes with a token of its own, so that whose job it is comes from his credential still. It is
signed when the call leaves: a token lives for a minute, and a job may wait for longer.
"""

import contextvars
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial

from chassis import errors, telemetry
from chassis.channel import MAX_MESSAGE, Peer, insisting
from chassis.gathering import Gathering
from imagestudio.catalog.v1 import ledger_service_pb2 as pb
from imagestudio.catalog.v1 import ledger_service_pb2_grpc

_MOST = 64  # jobs in one call
_FULL = MAX_MESSAGE // 2  # bytes of them, unless one is longer
_TIMEOUT = 10.0  # seconds
Result = pb.AdmitResponse | errors.Fault


@dataclass(frozen=True, slots=True)
class _Waiting:
    admission: pb.Admission
    sign: Callable[[], str]  # makes the token of whose job it is

    @property
    def size(self) -> int:
        """Bytes of the job; a token's are few beside what is left of a call."""
        return self.admission.ByteSize()

    def leaving(self) -> pb.Admission:
        """It with a token of now."""
        self.admission.token = self.sign()
        return self.admission


@dataclass(slots=True)
class Admissions:
    """Sends jobs to the catalog by *peer*."""

    peer: Peer
    stub: "ledger_service_pb2_grpc.LedgerServiceAsyncStub"
    _gathering: Gathering[_Waiting, pb.AdmitResponse] = field(init=False)

    def __post_init__(self) -> None:
        self._gathering = Gathering(
            self._together, most=_MOST, weigh=lambda each: each.size, heaviest=_FULL
        )

    async def admit(self, request: pb.AdmitRequest) -> pb.AdmitResponse:
        """
        Admit a job of the running call's user; said again where the answer was cut off.

        A catalog of an earlier release knows of no jobs that come together.
        """

        async def once() -> pb.AdmitResponse:
            admission = pb.Admission(request=request, trace=telemetry.carried())
            sign = partial(contextvars.copy_context().run, self.peer.token)
            return await self._gathering.do(_Waiting(admission, sign))

        try:
            return await insisting(once)
        except errors.Unimplemented:
            alone: pb.AdmitResponse = await self.peer.insist(
                self.stub.Admit, request, timeout=_TIMEOUT
            )
            return alone

    async def _together(self, asked: Sequence[_Waiting]) -> Sequence[Result]:
        request = pb.AdmitManyRequest(admissions=[each.leaving() for each in asked])
        answer = await self.peer.ask(self.stub.AdmitMany, request, timeout=_TIMEOUT, user_id=0)
        if len(answer.results) != len(asked):
            raise errors.Fault("INTERNAL", "The ledger answered for other jobs than it was sent.")
        return [_told(result) for result in answer.results]


def _told(result: pb.AdmitResult) -> Result:
    return result.admitted if result.HasField("admitted") else errors.from_status(result.status)
