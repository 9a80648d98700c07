"""
One purchase from its claim to kept pictures, and those to the CDN. Resuming is the same
function: the machine in `purchase.py` says what to do from any state, and here it is set going.
"""

import asyncio
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any

from chassis import errors, logs, telemetry
from imagestudio.catalog.v1 import ledger_pb2
from imagestudio.type.v1 import purchase_pb2
from services.generator import (
    edges,
    keeping,
    marks,
    moves,
    orders,
    overdue,
    plan,
    purchase,
    reconcile,
    settling,
    standing,
)
from services.generator.deeds import Deeds, Tools
from services.generator.ledger import Result
from services.generator.standing import Stage
from services.generator.vendor import unknown

SAME = 5  # orders at one place of one model, of which the provider has nothing
FRESH = 5.0  # seconds from a claim until its order may no longer leave
THROUGH = frozenset(
    {  # for their jobs; what is safe of them is still to be published
        purchase_pb2.PURCHASE_STATE_KEPT,
        purchase_pb2.PURCHASE_STATE_LOST,
        purchase_pb2.PURCHASE_STATE_QUARANTINED,
    }
)
SET_DOWN = (moves.Parked, moves.Failed)
Work = Callable[..., Awaitable[moves.Event | None]]
log = logs.get()


class Errand:
    """
    The work on one claimed purchase.

    *claimed_at* is when the claim was sent, and *owned_until* says until when the ledger
    surely takes us for alive, both by the tools' clock: later no order leaves. *now* is the
    database's clock, by which deadlines are written, in seconds since 1970.
    """

    def __init__(
        self,
        tools: Tools,
        claim: ledger_pb2.LedgerPurchase,
        *,
        claimed_at: float,
        owned_until: Callable[[], float],
        now: Callable[[], float],
    ) -> None:
        self._tools, self._claim, self._now = tools, claim, now
        self._claimed_at, self._owned_until = claimed_at, owned_until
        self.job, self.purchase_id = claim.purchase.job, claim.purchase.purchase_id
        self._since = tools.held.since(self.purchase_id, asyncio.get_running_loop().time())
        provider = claim.purchase.provider
        vendor = tools.vendors.get(provider) or unknown(provider)
        self._known = self._look_at(vendor.terms)
        self._events: asyncio.Queue[moves.Event] = asyncio.Queue()
        self._deeds = Deeds(
            *(tools, claim, vendor, self._known, self._may_send, now, self._late),
            self._events.put_nowait,
        )
        self._under_way: set[asyncio.Future[Any]] = set()
        self._buying: asyncio.Task[None] | None = None
        self._wishes: set[moves.CancelAsked | moves.StopAsked] = set()

    def tell(self, event: moves.CancelAsked | moves.StopAsked) -> None:
        """Let it know what somebody wants; said again, it is one wish still."""
        if event not in self._wishes:
            self._wishes.add(event)
            self._events.put_nowait(event)
            self._deeds.hurry()

    @property
    def is_unheard(self) -> bool:
        """Whether the answer to an order of ours may come, and what it brings is nowhere else."""
        return self._deeds.sending and not self._known.terms.conclusive

    async def run(self) -> None:
        """Work until it is not ours any more; canceled: let go of at once, nothing written."""
        with (
            logs.bind(job=self.job, purchase_id=self.purchase_id),
            telemetry.span("purchase", purchase_id=self.purchase_id, job=self.job),
        ):
            state, effects = self._begin()
            try:
                while True:
                    for effect in effects:
                        self._start(effect)
                    if state.stage is Stage.GONE:
                        return
                    state, effects = purchase.step(state, await self._events.get())
            finally:
                self._tools.receipts.forget(self.purchase_id)
                for each in self._under_way:
                    each.cancel()
                self._deeds.part()

    def _look_at(self, terms: standing.Terms) -> edges.Known:
        shown, registry = self._claim.purchase, self._tools.registry
        order = orders.of_claim(self._claim, registry)
        model = registry.known(shown.model, shown.provider)
        images = orders.images_of(shown.ordinal, self._claim.spec, registry)
        if not order.as_planned:
            log.warning("another release planned it", purchase_id=shown.purchase_id)
        return edges.Known(
            purchase_id=shown.purchase_id,
            fence=self._claim.fence,
            model=model,
            terms=terms,
            order=order,
            price=partial(orders.price, model, self._claim.spec),
            most=partial(orders.most, model, self._claim.spec),
            images=images,
            most_images=orders.most_images(model, self._claim.spec, images),
            next=self._next,
            ticket=self._claim.ticket,
        )

    def _next(self, other: bool) -> ledger_pb2.PlannedPurchase | None:  # noqa: FBT001
        """
        Plan a new attempt: with the next model that was not tried yet, or with the same.

        None where there is none. Nor is there where planning it raises: that tells nothing of
        this order, of which we know by then that it was not bought.
        """
        try:
            return self._planned(other=other)
        except Exception:
            log.exception("no other attempt could be planned", purchase_id=self.purchase_id)
            return None

    def _planned(self, *, other: bool) -> ledger_pb2.PlannedPurchase | None:
        claim, model, images = self._claim, self._known.model, self._known.images
        if not self._known.order.as_planned:  # its calls bring other numbers of images
            return None
        if other:
            tried = {*claim.models_tried, model.key}
            here = [key for key in claim.spec.fallback_models if key in self._tools.registry]
            untried = [key for key in here if key not in tried]
            if not untried:
                return None
            model = self._tools.registry.known(untried[0])
        elif list(claim.models_tried).count(model.key) >= SAME:  # it may fail there for ever
            return None
        shown = claim.purchase
        return plan.planned(model, claim.spec, shown.ordinal, images, shown.reserved_usd_micros)

    def _may_send(self) -> bool:
        if self._wishes:  # nobody wants it, or we could not wait for the answer
            return False
        return self._tools.clock() <= min(self._claimed_at + FRESH, self._owned_until())

    def _late(self) -> float:
        held = asyncio.get_running_loop().time() - self._since
        return overdue.late(self._claim, self._now(), held)

    def _begin(self) -> standing.Next:
        claim, terms, canceling = self._claim, self._known.terms, self._claim.cancel_requested
        match claim.purchase.state:
            case purchase_pb2.PURCHASE_STATE_SENDING if claim.HasField("refusal"):
                why = errors.from_status(claim.refusal)
                return purchase.refuse(terms, why.message, why.reason, canceling=canceling)
            case purchase_pb2.PURCHASE_STATE_SENDING:
                return purchase.send(terms, canceling=canceling, sent_back=_sent_back(claim))
            case purchase_pb2.PURCHASE_STATE_RUNNING:
                return purchase.resume_running(terms, claim.ticket, canceling=canceling)
            case purchase_pb2.PURCHASE_STATE_DRAWN:
                drawn = ledger_pb2.OUTPUT_STATE_DRAWN
                missing = frozenset(each.index for each in claim.outputs if each.state == drawn)
                kept = frozenset(self._deeds.kept)
                return keeping.resume_drawn(terms, missing, kept, canceling=canceling)
            case shown if shown in THROUGH:
                return keeping.resume_kept(terms, frozenset(self._deeds.kept))
        return settling.resume_unclear(
            terms,
            wait=reconcile.wait(claim.purchase.send_time, terms, self._now()),
            unlisted=self._tools.seen.wait(self.purchase_id, terms.lag),
            canceling=canceling,
            hinted=bool(claim.webhook_tickets),
            since=_unlisted_since(claim),
        )

    def _start(self, effect: moves.Effect) -> None:
        deeds = self._deeds
        match effect:
            case moves.Commit(step):
                self._commit(step)
            case moves.Buy():
                self._buying = self._spawn(deeds.buy)
            case moves.Interrupt():
                deeds.interrupted = True
                if self._buying and deeds.sending:  # a task that never ran would say nothing
                    self._buying.cancel()
            case moves.Follow(ticket):
                self._spawn(deeds.follow, ticket)
            case moves.CancelThere(ticket):
                self._spawn(deeds.cancel, ticket)
            case moves.Store(index):
                self._spawn(deeds.store, index)
            case moves.Publish(index):
                self._spawn(deeds.publish, index)
            case moves.LookUp():
                self._spawn(deeds.look_up)

    def _spawn(self, work: Work, *about: Any) -> asyncio.Task[None]:
        task = asyncio.create_task(self._watched(work, *about))
        self._under_way.add(task)
        task.add_done_callback(self._under_way.discard)
        return task

    async def _watched(self, work: Work, *about: Any) -> None:
        try:
            event = await work(*about)
        except asyncio.CancelledError:
            raise
        except Exception as error:
            event = _raised(error)
        if event is not None:
            self._events.put_nowait(event)

    def _commit(self, step: moves.Step) -> None:
        """Queue the edge now, so that edges keep their order; wait for it beside."""
        marks.before(step)
        if isinstance(step, moves.Doubted):  # it has left, or never will
            self._tools.seen.note(self.purchase_id)
        if isinstance(step, SET_DOWN):
            self._tools.held.note(self.purchase_id, self._since)
        future = self._tools.ledger.submit(edges.edge(step, self._known, self._deeds.assets))
        self._under_way.add(future)
        future.add_done_callback(partial(self._committed, step))  # no task: there are many

    def _committed(self, step: moves.Step, future: asyncio.Future[Result]) -> None:
        self._under_way.discard(future)
        if future.cancelled():
            return
        try:
            event = self._outcome(step, future)
        except Exception as error:
            event = _raised(error)
        self._events.put_nowait(event)

    def _outcome(self, step: moves.Step, future: asyncio.Future[Result]) -> moves.Event:
        try:
            result = future.result()
        except errors.Stale:
            log.info("another worker has it now")
            if isinstance(step, moves.Ticketed):  # bought, and perhaps nobody's now
                self._tools.notice(self._claim.purchase.provider)
            return moves.Superseded()
        except errors.Fault as fault:
            log.warning("an edge was not taken", step=type(step).__name__, error=str(fault))
            return moves.Rejected(step, str(fault))
        marks.after(step)
        if isinstance(step, moves.Found):  # while it was looked up, others waited to be judged
            self._tools.notice(self._claim.purchase.provider)
            if result.purchase.fence != self._claim.fence:  # left to others: it is looked up anew
                return moves.Superseded()
        self._deeds.learn(result.purchase.outputs)
        if isinstance(step, moves.Kept):
            self._deeds.number(step.index, result.purchase.outputs)
        return moves.Committed(step, result.purchase.ticket)


def _raised(error: Exception) -> moves.Event:
    log.error("work on a purchase raised", exc_info=error)
    return moves.Raised(moves.defect(error))


def _unlisted_since(claim: ledger_pb2.LedgerPurchase) -> float | None:
    """Since when others know of it, by the provider's clock."""
    told = claim.HasField("unlisted_time")
    return claim.unlisted_time.ToMicroseconds() / 1e6 if told else None


def _sent_back(claim: ledger_pb2.LedgerPurchase) -> standing.SentBack:
    """How often it came back; both times are the database's."""
    if not claim.sent_back:
        return purchase.NEVER
    sent, since = claim.purchase.send_time, claim.sent_back_time
    seconds = (sent.ToMicroseconds() - since.ToMicroseconds()) / 1e6
    reason = errors.from_status(claim.purchase.error).reason
    return standing.SentBack(claim.sent_back, seconds, reason)
