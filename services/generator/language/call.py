"""
One paid call of a language model: held, made once, settled however it ends.

Leaving it in the middle ends it at the company, too; what it cost is not known then.
"""

import asyncio
import uuid
from collections.abc import AsyncIterator, Callable
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass, field

from chassis import faults
from chassis.errors import Fault
from imagestudio.catalog.v1 import ledger_service_pb2
from imagestudio.type.v1 import cost_pb2
from services.generator import provider
from services.generator.language import failures
from services.generator.language.meter import Bill, Meter
from services.generator.language.prices import Entry
from services.generator.language.seam import LanguageModel, Question, Stop, Told


@dataclass(frozen=True, slots=True)
class Voice:
    """The language model that is configured here."""

    entry: Entry
    model: LanguageModel


_UNKNOWN, _FREE = Bill(charged=None), Bill(charged=False)


def _nothing(_text: str) -> str:
    return ""


def _new_id() -> str:
    return str(uuid.uuid4())


@dataclass(slots=True, kw_only=True)
class Call:
    """Asks *question* for *purpose*; *keep* makes of the whole answer what is kept of it."""

    voice: Voice
    meter: Meter
    purpose: str
    question: Question
    keep: Callable[[str], str] = _nothing
    reservation: str = field(default_factory=_new_id)
    holder: str = field(default_factory=_new_id)
    begun: bool = False  # from here on asking settles it
    bill: Bill = _UNKNOWN
    told: Told | None = None
    said: str = ""

    @property
    def held(self) -> int:
        """What is held for it, in micro-USD."""
        return self.voice.entry.most(self.question)

    @property
    def cost(self) -> cost_pb2.Cost:
        """What it cost; all that was held where the company did not say."""
        if self.bill.charged is None:
            return cost_pb2.Cost(usd_micros=self.held, basis=cost_pb2.COST_BASIS_ESTIMATED)
        return cost_pb2.Cost(usd_micros=self.bill.cost, basis=cost_pb2.COST_BASIS_METERED)

    async def hold(
        self, order: ledger_service_pb2.ReserveSpendingRequest | None = None
    ) -> ledger_service_pb2.ReserveSpendingResponse:
        """
        Hold the money; SPEND_CAP_EXCEEDED where it is not left.

        *order* tells of the order of images that it is for, if it is for one.
        """
        request = ledger_service_pb2.ReserveSpendingRequest(
            reservation_id=self.reservation,
            holder=self.holder,
            usd_micros=self.held,
            purpose=self.purpose,
            model=self.voice.entry.key,
        )
        if order is not None:
            request.MergeFrom(order)
        return await self.meter.reserve(request)

    @asynccontextmanager
    async def holding(self) -> AsyncIterator[None]:
        """Hold the money for a block; where nothing was asked by its end, it is given back."""
        held = asyncio.create_task(self.hold())
        try:
            await asyncio.shield(held)
            yield
        finally:
            if not self.begun:
                await self._give_back(held)

    async def text(self) -> AsyncIterator[str]:
        """Make the call; yield its answer as it comes. Raises Fault by what was bought."""
        faults.point("language.before_call")
        self.begun = True
        answer = self.voice.model.ask(self.voice.entry.key, self.question)
        try:
            async with aclosing(answer) as pieces:  # type: ignore[type-var]
                async for piece in pieces:
                    if isinstance(piece, Told):
                        self._end(piece)
                    else:
                        self.said += piece
                        yield piece
            faults.point("language.after_answer")
        except (provider.Refused, provider.Unavailable) as error:
            self.bill = _FREE
            raise self._failed(error) from error
        except provider.ProviderError as error:
            raise self._failed(error) from error
        finally:
            await self._settle(self.bill, self.keep(self.said))
        faults.point("language.after_settle")
        if self.told and self.told.stop is Stop.REFUSED:
            raise failures.silent(self.voice.entry)

    def unfit(self, why: str) -> Fault:
        """Say that it was paid for, and that what was written is not what was asked for."""
        return failures.unfit(self.voice.entry, why, self.cost.usd_micros)

    async def _give_back(
        self, held: asyncio.Task[ledger_service_pb2.ReserveSpendingResponse]
    ) -> None:
        try:
            await held  # its caller may have left before it was answered
        except Fault:
            return
        await self._settle(_FREE)

    async def _settle(self, bill: Bill, answer: str = "") -> None:
        await self.meter.settle(self.reservation, self.holder, bill, answer)

    def _end(self, told: Told) -> None:
        self.told = told
        if told.usage:
            self.bill = Bill(charged=True, cost=self.voice.entry.cost(told.usage))

    def _failed(self, error: provider.ProviderError) -> Fault:
        return failures.failed(error, self.voice.entry, self.held)
