"""
One purchase from its claim to kept pictures. Resuming is the same function: the machine in
`purchase.py` says what to do from any state, and here it is done.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any

from chassis import errors, faults, logs, telemetry
from chassis.channel import Peer
from imagestudio.catalog.v1 import ledger_pb2
from imagestudio.storage.v1 import storage_service_pb2, storage_service_pb2_grpc
from imagestudio.type.v1 import purchase_pb2
from services.generator import edges, identifiers, marks, moves, orders, plan, purchase, reconcile
from services.generator import provider as seam
from services.generator.ledger import Ledger, Result
from services.generator.live import Live
from services.generator.models import Registry
from services.generator.purchase import Stage
from services.generator.receipts import Receipts
from services.generator.vendor import Vendor

FRESH = 5.0  # seconds from a claim until its order may no longer leave
_RETRY = 1.0  # seconds until somebody tries again who could not reach a service of ours
_RETRY_PROVIDER = 2.0  # likewise a provider
_IMPORT_TIMEOUT = 60.0  # seconds
_AWAY = (errors.Unavailable, errors.Late, errors.Exhausted)
log = logs.get()
Work = Callable[..., Awaitable[moves.Event | None]]


@dataclass(slots=True, kw_only=True)
class Tools:
    """What the work on every purchase shares."""

    ledger: Ledger
    storage: Peer
    vault: "storage_service_pb2_grpc.StorageServiceAsyncStub"
    receipts: Receipts
    registry: Registry
    vendors: Mapping[str, Vendor]
    live: Live


class Errand:
    """
    The work on one claimed purchase.

    *claimed_at* is when the claim was sent, and *owned_until* says until when the ledger
    surely takes us for alive, both by the loop's clock: later no order leaves.
    """

    def __init__(
        self,
        tools: Tools,
        claim: ledger_pb2.LedgerPurchase,
        *,
        claimed_at: float,
        owned_until: Callable[[], float],
    ) -> None:
        self._tools, self._claim = tools, claim
        self._claimed_at, self._owned_until = claimed_at, owned_until
        shown = claim.purchase
        self.job, self.purchase_id = shown.job, shown.purchase_id
        self._user_id = identifiers.number_of(claim.user)
        self._vendor = tools.vendors[shown.provider]
        self._known = self._look_at(claim)
        self._assets: dict[int, storage_service_pb2.Asset] = {}
        self._events: asyncio.Queue[moves.Event] = asyncio.Queue()
        self._tasks: set[asyncio.Task[None]] = set()
        self._buying: asyncio.Task[None] | None = None
        self._interrupted = False

    def tell(self, event: moves.CancelAsked | moves.StopAsked) -> None:
        """Let it know what somebody wants."""
        self._events.put_nowait(event)

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
                for task in self._tasks:
                    task.cancel()

    def _look_at(self, claim: ledger_pb2.LedgerPurchase) -> edges.Known:
        shown, spec = claim.purchase, claim.spec
        model = self._tools.registry.known(shown.model)
        place = orders.place_of(shown.ordinal, spec)
        return edges.Known(
            purchase_id=shown.purchase_id,
            fence=claim.fence,
            model=model,
            terms=self._vendor.terms,
            order=orders.order(model, spec, place, shown.purchase_id),
            next=self._next,
        )

    def _next(self, other: bool) -> ledger_pb2.PlannedPurchase | None:  # noqa: FBT001
        """Plan a new attempt: with the next model that was not tried yet, or with the same."""
        claim, model = self._claim, self._known.model
        if other:
            tried = {*claim.models_tried, model.key}
            untried = [key for key in claim.spec.fallback_models if key not in tried]
            if not untried:
                return None
            model = self._tools.registry.known(untried[0])
        shown = claim.purchase
        return plan.planned(model, claim.spec, shown.ordinal, shown.reserved_usd_micros)

    def _begin(self) -> purchase.Next:
        claim, terms, canceling = self._claim, self._known.terms, self._claim.cancel_requested
        match claim.purchase.state:
            case purchase_pb2.PURCHASE_STATE_SENDING:
                return purchase.send(terms, canceling=canceling)
            case purchase_pb2.PURCHASE_STATE_RUNNING:
                return purchase.resume_running(terms, claim.ticket, canceling=canceling)
            case purchase_pb2.PURCHASE_STATE_DRAWN:
                drawn = ledger_pb2.OUTPUT_STATE_DRAWN
                missing = frozenset(each.index for each in claim.outputs if each.state == drawn)
                return purchase.resume_drawn(terms, missing, canceling=canceling)
        wait = reconcile.wait(claim.purchase.send_time, terms)
        return purchase.resume_unclear(terms, wait=wait, canceling=canceling)

    def _start(self, effect: moves.Effect) -> None:
        match effect:
            case moves.Commit(step):
                self._commit(step)
            case moves.Buy():
                self._buying = self._spawn(self._buy)
            case moves.Interrupt() if self._buying:
                self._interrupted = True
                self._buying.cancel()
            case moves.Follow(ticket):
                self._spawn(self._follow, ticket)
            case moves.CancelThere(ticket):
                self._spawn(self._cancel, ticket)
            case moves.Store(index):
                self._spawn(self._store, index)
            case moves.LookUp():
                self._spawn(self._look_up)

    def _spawn(self, work: Work, *about: Any) -> asyncio.Task[None]:
        task = asyncio.create_task(self._watched(work, *about))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    async def _watched(self, work: Work, *about: Any) -> None:
        try:
            event = await work(*about)
        except asyncio.CancelledError:
            raise
        except Exception as error:
            log.exception("work on a purchase raised")
            event = moves.Raised(f"{type(error).__name__}: {error}")
        if event is not None:
            self._events.put_nowait(event)

    # -- effects

    def _commit(self, step: moves.Step) -> None:
        """Queue the edge now, so that edges keep their order; wait for it beside."""
        marks.before(step)
        future = self._tools.ledger.submit(edges.edge(step, self._known, self._assets))
        self._spawn(self._committed, step, future)

    async def _committed(self, step: moves.Step, future: asyncio.Future[Result]) -> moves.Event:
        try:
            await future
        except errors.Stale:
            log.info("another worker has it now")
            return moves.Superseded()
        except errors.Fault as fault:
            log.warning("an edge was not taken", step=type(step).__name__, error=str(fault))
            return moves.Rejected(step, str(fault))
        marks.after(step)
        return moves.Committed(step)

    async def _buy(self) -> moves.Event:
        loop = asyncio.get_running_loop()
        if loop.time() > min(self._claimed_at + FRESH, self._owned_until()):
            return moves.NeverSent("the claim had grown too old to send by it", 0)
        sink = self._tools.receipts.sink(self.purchase_id, self._vendor.name, self._user_id)
        faults.point("buy.before_send")
        try:
            with telemetry.span("buy", provider=self._vendor.name):
                ticket = await self._vendor.provider.buy(self._known.order, sink, self._report)
        except asyncio.CancelledError:
            if not self._interrupted:
                raise
            return moves.Doubtful("it was interrupted")
        except Exception as error:
            return _unbought(error)
        finally:
            sink.abandon()
        faults.point("buy.after_send")
        return moves.Bought(ticket.reference)

    def _report(self, seen: seam.Working | seam.Preview) -> None:
        if isinstance(seen, seam.Working):
            model = self._known.model.key
            self._tools.live.progress(self.job, self.purchase_id, model, seen.fraction)

    async def _follow(self, ticket: str) -> moves.Event:
        faults.point("follow.before")
        try:
            with telemetry.span("follow", provider=self._vendor.name):
                async for seen in self._vendor.provider.follow(seam.Ticket(ticket)):
                    if isinstance(seen, seam.Drawn):
                        self._known.drawn = seen
                        faults.point("follow.after")
                        return moves.Finished(len(seen.images))
                    if isinstance(seen, seam.Ended):
                        return moves.Closed(seen.charged, seen.reason)
                    self._report(seen)
        except seam.Unclear as error:
            return moves.OutOfSight(str(error), error.retry_after or _RETRY_PROVIDER)
        raise RuntimeError(f"{self._vendor.name} stopped telling before the end")

    async def _cancel(self, ticket: str) -> None:
        """Ask for the end; what comes of it is told by the follow that goes on."""
        if isinstance(self._vendor.provider, seam.CanCancel):
            await self._vendor.provider.cancel(seam.Ticket(ticket))

    async def _store(self, index: int) -> moves.Event:
        if self._known.drawn is None:
            await self._learn()
        request = self._import(index)
        faults.point("import.before")
        try:
            with telemetry.span("import", index=index):
                answer = await self._tools.storage.ask(
                    self._tools.vault.ImportAsset,
                    request,
                    timeout=_IMPORT_TIMEOUT,
                    user_id=self._user_id,
                )
        except errors.Missing as fault:
            return moves.Vanished(index, str(fault))
        except _AWAY as fault:
            return moves.OutOfSight(str(fault), fault.retry_after or _RETRY)
        faults.point("import.after")
        self._assets[index] = answer.asset
        return moves.Stored(index)

    def _import(self, index: int) -> storage_service_pb2.ImportAssetRequest:
        request = storage_service_pb2.ImportAssetRequest(
            purchase_id=self.purchase_id,
            output_index=index,
            job=self.job,
            model=self._known.model.key,
            prompt=self._claim.spec.prompt,
        )
        recorded = {each.index: each for each in self._claim.outputs}
        if self._known.drawn and index not in recorded:
            recorded = dict(enumerate(edges.outputs(self._known.drawn, self.purchase_id)))
        request.source_uri = recorded[index].source
        if recorded[index].HasField("source_expire_time"):
            request.source_expire_time.CopyFrom(recorded[index].source_expire_time)
        return request

    async def _learn(self) -> None:
        """Read again what the provider told, for the variant's sake; without it goes, too."""
        try:
            async for seen in self._vendor.provider.follow(seam.Ticket(self._claim.ticket)):
                if isinstance(seen, seam.Drawn):
                    self._known.drawn = seen
                return
        except seam.Unclear as error:
            log.info("kept without the provider's details", error=str(error))

    async def _look_up(self) -> moves.Event:
        return await reconcile.look_up(self._vendor.provider, self._known.order)


def _unbought(error: Exception) -> moves.Event:
    """Say what a purchase that raised may have cost; what proves nothing is doubtful."""
    match error:
        case seam.ContentRefused():
            return moves.Declined(str(error), content=True)
        case seam.Refused():
            return moves.Declined(str(error))
        case seam.Unavailable(retry_after=wait):
            return moves.NeverSent(str(error), wait or _RETRY_PROVIDER)
        case seam.Unclear():
            log.warning("a purchase is unclear", error=str(error))
        case _:
            log.error("an adapter raised what it must not", exc_info=error)
    return moves.Doubtful(f"{type(error).__name__}: {error}")
