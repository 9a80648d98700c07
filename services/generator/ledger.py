"""
The way into the ledger: while one Apply is under way the next edges gather, no timer.

An Apply whose answer was lost is said again for every edge but claims, in order: the same
edge again changes nothing, while of two claims only one wins and nobody knows which. One that
the ledger breaks at is said again alone, and not for ever: then its purchase has failed a try.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field

from chassis import errors, logs
from chassis.beside import Beside
from chassis.channel import MAX_MESSAGE, Peer
from imagestudio.catalog.v1 import edge_pb2, ledger_service_pb2, ledger_service_pb2_grpc

MOST = 500  # edges in one call
MOST_CLAIMS = 50  # of them
_TIMEOUT = 10.0  # seconds for one call
_TURNS = 5  # of the loop, so that edges which follow each other without any wait go together
_LONGEST_PAUSE = 1.0  # seconds
_MOST_DEFECTS = 5  # of the ledger at one edge that goes alone, until it is no more said again
_FULL = MAX_MESSAGE // 2  # bytes of edges in one call; a longer edge goes alone
_LONGEST = MAX_MESSAGE - 1024  # bytes of an edge that can be sent at all
log = logs.get()

Result = ledger_service_pb2.EdgeResult


class AnswerLostError(Exception):
    """Nobody knows what became of a claim."""


@dataclass(slots=True)
class _Waiting:
    edge: edge_pb2.Edge
    future: asyncio.Future[Result]
    alone: bool = False  # it may be what breaks a call
    defects: int = 0  # that it met alone

    def answer(self, outcome: Result | Exception) -> None:
        if self.future.done():
            return
        if isinstance(outcome, Exception):
            self.future.set_exception(outcome)
        elif outcome.status.code:
            self.future.set_exception(errors.from_status(outcome.status))
        else:
            self.future.set_result(outcome)


@dataclass(slots=True)
class Ledger:
    """Sends edges to the catalog by *peer*; *pause* waits between tries."""

    peer: Peer
    stub: "ledger_service_pb2_grpc.LedgerServiceAsyncStub"
    pause: Callable[[float], Awaitable[None]] = asyncio.sleep
    _waiting: list[_Waiting] = field(default_factory=list)
    _wake: asyncio.Event = field(default_factory=asyncio.Event)
    _beside: Beside = field(default_factory=Beside)

    def start(self) -> None:
        """Begin to send, in the context of whoever starts: no user's."""
        self._beside.start(self._run())

    async def close(self) -> None:
        """End; what still waits is dropped."""
        await self._beside.close()

    def submit(self, edge: edge_pb2.Edge) -> asyncio.Future[Result]:
        """
        Queue *edge* now; edges are written in the order in which they are submitted.

        The future brings the result of an edge that was taken, else a `Fault` (Stale: stop
        working on that purchase), for a claim also `AnswerLostError`. A future that is
        canceled takes its edge out of the queue. Invalid: no call can bring so long an edge.
        """
        future: asyncio.Future[Result] = asyncio.get_running_loop().create_future()
        if edge.ByteSize() > _LONGEST:
            future.set_exception(_too_long(edge))
            return future
        self._waiting.append(_Waiting(edge, future))
        self._wake.set()
        return future

    async def apply(self, edge: edge_pb2.Edge) -> Result:
        """Have *edge* written and return its result; see `submit`."""
        return await self.submit(edge)

    async def _run(self) -> None:
        failures = 0
        while True:
            await self._wake.wait()
            for _ in range(_TURNS):
                await asyncio.sleep(0)
            most = self._fitting()
            taken = [found for found in self._waiting[:most] if not found.future.done()]
            self._waiting = self._waiting[most:]
            if await self._send(taken):
                failures = 0
            else:
                failures += 1
                await self.pause(min(0.05 * 2**failures, _LONGEST_PAUSE))
            if not self._waiting:
                self._wake.clear()

    def _fitting(self) -> int:
        """How many of those that wait go into one call: each claim's answer brings a prompt."""
        claims = size = 0
        for index, found in enumerate(self._waiting[:MOST]):
            if found.alone:  # such wait at the head of all
                return 1
            claims += found.edge.HasField("claim")
            size += found.edge.ByteSize()
            if index and (claims > MOST_CLAIMS or size > _FULL):
                return index
        return MOST

    async def _send(self, taken: list[_Waiting]) -> bool:
        """Write *taken*; False where the answer was lost and they wait again."""
        if not taken:
            return True
        try:
            results = await self._ask(taken)
        except Exception as error:
            if isinstance(error, errors.Fault) and not _is_lost(error):
                if len(taken) > 1:
                    self._say_alone(taken, error)
                    return True
                if self._is_last_word(taken[0], error):
                    taken[0].answer(error)
                    return True
            log.warning("an answer of the ledger was lost", edges=len(taken), error=repr(error))
            self._say_again(taken)
            return False
        for found, result in zip(taken, results, strict=True):
            found.answer(result)
        return True

    def _is_last_word(self, only: _Waiting, fault: errors.Fault) -> bool:
        """Whether *only*, said again, would meet the same: a refusal, or a defect once more."""
        if type(fault) is not errors.Fault:
            return True
        only.alone, only.defects = True, only.defects + 1
        return only.edge.HasField("claim") or only.defects >= _MOST_DEFECTS

    def _say_again(self, taken: list[_Waiting]) -> None:
        again = []
        for found in taken:
            if found.edge.HasField("claim"):
                found.answer(AnswerLostError("the answer to a claim was lost"))
            else:
                again.append(found)
        self._waiting[:0] = again

    def _say_alone(self, taken: list[_Waiting], fault: errors.Fault) -> None:
        """Find the edge that breaks the call, so that the others are written."""
        log.error("the ledger refused a call", edges=len(taken), error=str(fault))
        for found in taken:
            found.alone = True
        if isinstance(fault, errors.Exhausted):  # perhaps the answer's length, after the deed
            self._say_again(taken)
        else:
            self._waiting[:0] = taken

    async def _ask(self, taken: list[_Waiting]) -> Sequence[Result]:
        request = ledger_service_pb2.ApplyRequest(edges=[found.edge for found in taken])
        response = await self.peer.ask(self.stub.Apply, request, timeout=_TIMEOUT)
        if len(response.results) != len(taken):
            raise errors.Fault("INTERNAL", "The ledger answered for other edges than it was sent.")
        return list(response.results)


def _is_lost(fault: errors.Fault) -> bool:
    """
    Whether it may be taken later: a database's full disk has room when somebody made some.

    A stream that broke is no defect: nobody knows whether its claims were taken.
    """
    full = isinstance(fault, errors.Exhausted) and fault.reason == "DISK_FULL"
    return full or errors.was_cut(fault) or isinstance(fault, errors.Unavailable | errors.Late)


def _too_long(edge: edge_pb2.Edge) -> errors.Invalid:
    said = f"An edge of {edge.ByteSize():,} bytes is longer than any call."
    return errors.Invalid("REQUEST_INVALID", said)
