"""
Smart prompts: before anything of a job is planned, its prompt is rewritten.

One order of images pays for that once, however often it is sent: the call has an id made of the
order's, and what it brought is kept beside what it cost. The call goes on when its order's caller
has left, so that whoever sends the order again finds it. Whatever goes wrong, the job goes on
with the prompt as it is.
"""

import asyncio
import uuid
from collections.abc import Sequence
from contextlib import aclosing
from dataclasses import dataclass, field

from chassis import identity
from chassis.beside import Beside
from chassis.errors import Fault
from imagestudio.catalog.v1 import ledger_service_pb2
from imagestudio.type.v1 import cost_pb2, job_event_pb2
from services.generator.language import instructions, rewriting
from services.generator.language.call import Call, Voice
from services.generator.language.meter import Meter
from services.generator.plan import Smart, Wish

LONGEST = 20.0  # seconds for a better prompt: whoever orders waits for it
_SPARE = 5.0  # seconds until a call that nobody settled is taken for lost
_LOOK = 0.2  # seconds between two looks at a call that another process makes
_ORDERS = uuid.UUID("0b3a2f53-6c1e-5f0e-8f0b-64d1f0a3c7d2")  # namespace of orders' calls
_EARLIER = {  # by what it was settled on: the reason, and what is told
    cost_pb2.CHARGED_NO: (
        "PROVIDER_FAILED",
        "An earlier try at this order got none, and nothing was charged; it is not asked again.",
    ),
    cost_pb2.CHARGED_YES: (
        "LANGUAGE_ANSWER_UNFIT",
        "An earlier try at this order paid for an answer without one; it is not asked again.",
    ),
}
_LOST = (
    "LANGUAGE_ANSWER_LOST",
    "An earlier try at this order lost it; that may have been charged, and is not asked again.",
)
Admitted = ledger_service_pb2.AdmitResponse


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """
    An order of images whose prompt is to be rewritten, with the ids that make it the same.

    *beside* is what its images may cost with the prompt as it is, in micro-USD, and *providers*
    are those that they need: where they would be refused nothing is written.
    """

    prompt: str
    models: list[str]
    use_case: str
    request_id: str
    fingerprint: str
    beside: int = 0
    providers: tuple[str, ...] = ()

    @property
    def for_ledger(self) -> ledger_service_pb2.ReserveSpendingRequest:
        """What the ledger is told of it."""
        return ledger_service_pb2.ReserveSpendingRequest(
            request_id=self.request_id,
            fingerprint=self.fingerprint,
            beside_usd_micros=self.beside,
            providers_needed=self.providers,
        )


@dataclass(slots=True)
class Rewriter:
    """Rewrites by *voice*; a better prompt takes *patience* seconds at most."""

    meter: Meter
    voice: Voice | None
    patience: float = LONGEST
    _writing: Beside = field(default_factory=Beside)

    @property
    def wish(self) -> Wish | None:
        """What rewriting a prompt costs at most; None where nobody is there to do it."""
        return self._most if self.voice else None

    async def rewrite(self, order: Order) -> Smart | Admitted:
        """Rewrite the prompt of *order*, or return the job that it has admitted already."""
        return await asyncio.shield(self._writing.start(self._rewritten(order)))

    async def close(self, patience: float) -> None:
        """End what is being written after *patience* seconds, and have it settled."""
        await self._writing.close(patience)

    def _most(self, prompt: str, models: Sequence[str], use_case: str) -> int:
        assert self.voice is not None
        return self.voice.entry.most(instructions.enhance(prompt, [*models], use_case, ""))

    async def _rewritten(self, order: Order) -> Smart | Admitted:
        assert self.voice is not None
        asked = order.prompt, order.models, order.use_case, ""
        user = identity.current.get().require_user()
        same = f"{user}/{order.request_id}/{order.fingerprint}"
        call = Call(
            voice=self.voice, meter=self.meter, purpose="enhance",
            question=instructions.enhance(*asked), keep=rewriting.rewritten,
            reservation=str(uuid.uuid5(_ORDERS, same)),
        )  # fmt: skip
        held = await call.hold(order.for_ledger)
        if held.HasField("admitted"):
            return held.admitted
        if held.replayed:
            return await self._earlier(call, order, held)
        return await self._made(call)

    async def _made(self, call: Call) -> Smart:
        try:
            async with asyncio.timeout(self.patience), aclosing(call.text()) as pieces:  # type: ignore[type-var]
                async for _ in pieces:
                    pass
        except Fault as fault:
            return Smart(cost=call.cost.usd_micros, reason=fault.reason, why=fault.message)
        except TimeoutError:
            if call.told is None:  # else it is whole, and only its settling takes longer
                why = f"{call.voice.entry.key} had no better one within {self.patience:g} seconds."
                cost = call.cost.usd_micros
                return Smart(cost=cost, reason="LANGUAGE_ANSWER_LOST", why=why)
        if better := rewriting.rewritten(call.said):
            return _better(better, call.voice.entry.key, call.cost)
        unfit = call.unfit("no prompt is in it")
        return Smart(cost=call.cost.usd_micros, reason=unfit.reason, why=unfit.message)

    async def _earlier(
        self, call: Call, order: Order, held: ledger_service_pb2.ReserveSpendingResponse
    ) -> Smart | Admitted:
        """What became of the call that this order has made before."""
        longest = (self.patience + _SPARE) * 1000
        while not held.charged and held.age.ToMilliseconds() < longest:
            await asyncio.sleep(_LOOK)
            held = await call.hold(order.for_ledger)
            if held.HasField("admitted"):
                return held.admitted
        if held.answer:
            metered = cost_pb2.COST_BASIS_METERED
            cost = cost_pb2.Cost(usd_micros=held.cost_usd_micros, basis=metered)
            return _better(held.answer, held.model, cost)
        reason, why = _EARLIER.get(held.charged, _LOST)
        counts = held.cost_usd_micros if held.charged else call.held  # nobody told: all of it
        return Smart(cost=counts, reason=reason, why=why)


def _better(prompt: str, writer: str, cost: cost_pb2.Cost) -> Smart:
    told = job_event_pb2.JobEvent.PromptEnhanced(prompt=prompt, enhanced_by=writer, cost=cost)
    return Smart(cost=cost.usd_micros, told=told)
