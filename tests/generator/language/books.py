"""The books of language calls and a pen that writes, both held back where a test says so."""

import asyncio

from chassis.errors import Late, Missing, Unavailable
from imagestudio.catalog.v1 import ledger_service_pb2 as pb
from imagestudio.catalog.v1 import ledger_service_pb2_grpc as stubs
from services.generator.language import prices
from services.generator.language.seam import Stop, Told, Usage

WHOLE = ['{"prompt": "a storm', 'y sea"}', Told(Usage(100, 10), Stop.WHOLE)]
[ENTRY] = [each for each in prices.EVERY if each.key == "claude-sonnet-5-5"]


class Gate:
    """Open until it is closed; *came* tells that somebody has come to it."""

    def __init__(self):
        self.came, self._open = asyncio.Event(), asyncio.Event()
        self._open.set()
        self.close, self.open = self._open.clear, self._open.set

    async def passed(self):
        self.came.set()
        await self._open.wait()


class Books(stubs.LedgerServiceServicer):
    """
    Keeps language calls as the catalog does; *age* is told of all, in seconds.

    Each is held back at its gate while that is closed. Of answers to come *cut* are cut off, by
    method; *held* has what was asked for each that is new.
    """

    def __init__(self):
        self.cut, self.held = {}, {}
        self.calls, self.age, self.admitted, self.refusal = {}, 0, None, None
        self.reserving, self.settling, self.settled = Gate(), Gate(), asyncio.Event()

    async def ReserveSpending(self, request, context):
        await self.reserving.passed()
        if self.admitted:
            return pb.ReserveSpendingResponse(admitted=self.admitted)
        if self.refusal:
            raise self.refusal
        known = self.calls.get(request.reservation_id)
        if known is None:
            self.held[request.reservation_id] = request
            self.calls[request.reservation_id] = pb.ReserveSpendingResponse(model=request.model)
            self._answered("reserve")
            return pb.ReserveSpendingResponse()
        self._answered("reserve")
        holder = self.held[request.reservation_id].holder
        told = pb.ReserveSpendingResponse(replayed=request.holder != holder)
        told.MergeFrom(known)
        told.age.FromSeconds(self.age)
        return told

    async def SettleSpending(self, request, context):
        await self.settling.passed()
        self._answered("settle")
        known = self.calls.get(request.reservation_id)
        if known is None or request.holder != self.held[request.reservation_id].holder:
            raise Missing("RESOURCE_UNKNOWN", "nobody holds it")
        known.charged, known.answer = request.charged, request.answer
        known.cost_usd_micros = request.cost_usd_micros
        self.settled.set()
        return pb.SettleSpendingResponse(cost_usd_micros=request.cost_usd_micros)

    def _answered(self, method):
        """Cut the answer off where one is to be: at once, or late and for good."""
        kinds = self.cut.get(method)
        if kinds:
            raise kinds.pop(0)("SERVICE_UNAVAILABLE", "it was cut off")


CUT, LATE = Unavailable, Late


class Pen:
    """Writes its next line; *gate* holds it back, *asked* counts its calls."""

    def __init__(self, *lines):
        self.lines, self.asked, self.gate = list(lines), 0, asyncio.Event()
        self.gate.set()
        self.begun = asyncio.Event()

    async def ask(self, _slug, _question):
        self.asked += 1
        self.begun.set()
        await self.gate.wait()
        for piece in self.lines.pop(0):
            if isinstance(piece, Exception):
                raise piece
            yield piece
