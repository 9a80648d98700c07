"""
What is really done for one purchase: each deed ends in the event that the machine waits
for. Nothing is decided here.
"""

import asyncio
import math
import time
from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from contextlib import aclosing
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime

from chassis import errors, faults, logs, telemetry
from chassis.channel import Peer
from imagestudio.catalog.v1 import ledger_pb2
from imagestudio.storage.v1 import storage_service_pb2, storage_service_pb2_grpc
from services.generator import (
    edges,
    identifiers,
    moves,
    overdue,
    patience,
    pictures,
    provenance,
    reconcile,
    signs,
    unbought,
)
from services.generator import provider as seam
from services.generator.disk import Disk
from services.generator.health import Health
from services.generator.ledger import Ledger, Result
from services.generator.live import Live
from services.generator.models import Registry
from services.generator.numbering import Numbering
from services.generator.receipts import Receipts
from services.generator.vendor import Vendor
from services.generator.wakeful import Wakeful

_RETRY = 1.0  # seconds until somebody tries again who could not reach a service of ours
_RETRY_PROVIDER = 2.0  # likewise a provider
# Seconds: a link's hour of waiting for a turn, and the half that storage gives a slow source.
_IMPORT_TIMEOUT = 5400.0
_PUBLISH_TIMEOUT = 600.0  # seconds: storage has a shorter one for each part of it
_OF_THE_SOURCE = ("PROVIDER_UNAVAILABLE", "SOURCE_FORBIDDEN")
_OF_THE_VAULT = ("VAULT_UNAVAILABLE", "DISK_FULL")
_SPOILT = (errors.Invalid, errors.DataLoss)
log = logs.get()


@dataclass(slots=True, kw_only=True)
class Tools:
    """What the work on every purchase shares; *notice* has strays looked for at a provider."""

    ledger: Ledger
    storage: Peer
    vault: "storage_service_pb2_grpc.StorageServiceAsyncStub"
    receipts: Receipts
    registry: Registry
    vendors: Mapping[str, Vendor]
    live: Live
    health: Health = field(default_factory=Health)
    seen: reconcile.Seen = field(default_factory=reconcile.Seen)  # of what is unclear
    held: overdue.Held = field(default_factory=overdue.Held)
    clock: Wakeful = field(default_factory=Wakeful)  # by which an order may still leave
    disk: Disk | None = None  # None: nobody asks whether what is bought can be kept
    numbering: Numbering | None = None  # None: nobody writes the numbers down
    notice: Callable[[str], None] = lambda _provider: None


@dataclass(slots=True)
class Deeds:
    """
    The deeds for one claimed purchase.

    *may_send* tells whether an order may still leave, *now* the database's time in seconds since
    1970, *late* the seconds since the deadline (negative before it, minus infinity without one);
    what is seen on the way, and ends no deed, goes to *tell*.
    """

    tools: Tools
    claim: ledger_pb2.LedgerPurchase
    vendor: Vendor
    known: edges.Known
    may_send: Callable[[], bool]
    now: Callable[[], float]
    late: Callable[[], float]
    tell: Callable[[moves.Event], None]
    interrupted: bool = False
    asking: asyncio.Timeout | None = None  # whether it may be sent
    sending: bool = False
    warned: bool = False
    assets: dict[int, storage_service_pb2.Asset] = field(default_factory=dict)
    early: dict[int, storage_service_pb2.ImportAssetResponse] = field(default_factory=dict)
    learned: bool = False
    learning: asyncio.Lock = field(default_factory=asyncio.Lock)  # one look for all outputs
    kept: dict[int, ledger_pb2.PurchaseOutput] = field(default_factory=dict)  # to be published

    def __post_init__(self) -> None:
        self.learn(self.claim.outputs)

    def learn(self, outputs: Iterable[ledger_pb2.PurchaseOutput]) -> None:
        """Take note of what the ledger has numbered and the CDN shall have."""
        kept = ledger_pb2.OUTPUT_STATE_KEPT
        self.kept |= {o.index: o for o in outputs if o.to_publish and o.state == kept}

    def number(self, index: int, outputs: Iterable[ledger_pb2.PurchaseOutput]) -> None:
        """Have the number of an output that was just kept written down."""
        for output in outputs:
            if output.index == index and output.variant and self.tools.numbering:
                self.tools.numbering.add(self.known.purchase_id, output)

    def part(self) -> None:
        """Forget whose deeds these are: what leads back to itself waits for the collector."""
        self.may_send, self.late = bool, float
        self.known.next = lambda _other: None

    async def buy(self) -> moves.Event:
        """Send the order, once."""
        user_id = identifiers.number_of(self.claim.user)
        about = self.known.purchase_id, self.vendor.name, user_id
        sink = self.tools.receipts.sink(*about, self)
        if unsent := await self._unsent():
            return unsent
        self.sending = True
        try:
            with (
                telemetry.span("buy", provider=self.vendor.name),
                pictures.for_user(user_id),
            ):
                ticket = await self.vendor.provider.buy(self.known.order, sink, self._report)
        except asyncio.CancelledError:
            if not self.interrupted:
                raise
            return moves.Doubtful("it was interrupted")
        except Exception as error:
            self.known.heard = signs.of_error(error, self.vendor.name)
            return unbought.told(error, another=self.known.next(True) is not None)
        self.known.heard, self.known.seconds = signs.of_ticket(ticket), ticket.seconds
        faults.point("buy.after_send")
        return moves.Bought(ticket.reference)

    async def _unsent(self) -> moves.Event | None:
        """Say why the order does not leave; None: it is to leave at once."""
        if not self.known.order.as_planned:
            return moves.Declined("this release would send another order than was planned")
        if fault := await self._withheld():
            return moves.NeverSent(str(fault), fault.retry_after or _RETRY, fault.reason)
        if self.interrupted:
            return moves.Declined("stopped before it was sent")
        faults.point("buy.before_send")
        if not self.may_send():  # the last thing before it leaves: who slept until now is late
            return moves.NeverSent("the claim had grown too old, or its worker ends", 0)
        return None

    async def _withheld(self) -> errors.Fault | None:
        """Ask why nothing may be bought now; whoever stops meanwhile does not wait to hear it."""
        if self.tools.disk is None or self.interrupted:
            return None
        try:
            async with asyncio.timeout(None) as self.asking:
                return await self.tools.disk.refusal()
        except TimeoutError:
            return None  # it will not be sent, whatever the answer is
        finally:
            self.asking = None

    def hurry(self) -> None:
        """Wait for nothing before it is sent: it is not to be."""
        if self.asking and not self.asking.expired():
            self.asking.reschedule(0)

    async def follow(self, ticket: str) -> moves.Event:
        """Ask until it is drawn or has ended."""
        self.known.ticket = ticket
        faults.point("follow.before")
        seen = self.vendor.provider.follow(self._named(ticket))
        try:
            with telemetry.span("follow", provider=self.vendor.name):
                async with aclosing(seen):  # type: ignore[type-var]
                    return await self._followed(seen)
        except seam.Unclear as error:
            wait = error.retry_after or _RETRY_PROVIDER
            ours = isinstance(error, seam.Unread)
            return moves.OutOfSight(str(error), wait, self.late(), ours)
        finally:
            self.tools.live.over(self.known.purchase_id)

    async def _followed(
        self, told: AsyncIterator[seam.Working | seam.Drawn | seam.Ended]
    ) -> moves.Event:
        async for seen in told:
            if isinstance(seen, seam.Drawn):
                self._count(seen)
                self.known.drawn = seen
                faults.point("follow.after")
                return moves.Finished(len(seen.images))
            if isinstance(seen, seam.Ended):
                return _closed(seen)
            self._report(seen)
            self.tell(moves.Drawing(self.late()))
        raise RuntimeError(f"{self.vendor.name} stopped telling before the end")

    def _named(self, ticket: str) -> seam.Ticket:
        return seam.Ticket(ticket, slug=self.known.order.slug)

    async def cancel(self, ticket: str) -> None:
        """Ask for the end; what comes of it is told by the follow that goes on."""
        if isinstance(self.vendor.provider, seam.CanCancel):
            faults.point("canceling.before_call")
            await self.vendor.provider.cancel(seam.Ticket(ticket))
            faults.point("canceling.after_call")

    async def store(self, index: int) -> moves.Event:
        """Have an output copied into the vault; what raises is told as this output's."""
        try:
            return await self._store(index)
        except Exception as error:
            log.exception("an output could not be stored", index=index)
            why = str(error) if isinstance(error, errors.Fault) else moves.defect(error)
            spoilt = isinstance(error, _SPOILT)
            return moves.Unstored(index, why, defect=True, spoilt=spoilt)

    async def _store(self, index: int) -> moves.Event:
        if self.known.drawn is None:
            await self._learn_once()
        if early := self.early.pop(index, None):
            self.assets[index] = early.asset
            return moves.Stored(index, early.publishable)
        request = self._import(index, self.known)
        faults.point("import.before")
        try:
            with telemetry.span("import", index=index):
                answer = await self.tools.storage.insist(
                    self.tools.vault.ImportAsset,
                    request,
                    timeout=_IMPORT_TIMEOUT,
                    user_id=identifiers.number_of(self.claim.user),
                )
        except errors.Missing as fault:
            return moves.Vanished(index, str(fault))
        except errors.Denied as fault:
            return _forbidden(index, fault, self._pause(fault, request))
        except patience.PASSING as fault:
            self.warn(fault)
            return moves.Unstored(index, str(fault), self._pause(fault, request))
        faults.point("import.after")
        self.assets[index] = answer.asset
        return moves.Stored(index, answer.publishable)

    def _pause(self, fault: errors.Fault, request: storage_service_pb2.ImportAssetRequest) -> float:
        """Seconds until storage is asked again; a vendor's no is asked for ever less often."""
        if fault.reason not in _OF_THE_SOURCE:
            return fault.retry_after or _RETRY
        sent = self.claim.purchase.send_time
        return patience.at_source(fault, sent, request.source_expire_time)

    def warn(self, fault: errors.Fault) -> None:
        """Have the job told, once, that a vault which takes nothing keeps its picture waiting."""
        if fault.reason in _OF_THE_VAULT and not self.warned:
            self.warned = True
            told = self.tools.ledger.submit(edges.waits(self.known, fault))
            told.add_done_callback(_unwarned)

    async def publish(self, index: int) -> moves.Event:
        """Have the CDN copy a kept output; meanwhile the vault serves it."""
        output, shown = self.kept[index], self.claim.purchase
        name = f"{shown.model}_{identifiers.number_of(shown.job)}_{output.version_number}"
        faults.point("publish.before_call")
        try:
            with telemetry.span("publish", index=index):
                answer = await self.tools.storage.ask(
                    self.tools.vault.PublishAsset,
                    storage_service_pb2.PublishAssetRequest(
                        name=f"assets/{output.image_hash}", display_name=name
                    ),
                    timeout=_PUBLISH_TIMEOUT,
                    user_id=identifiers.number_of(self.claim.user),
                )
        except errors.Fault as fault:
            log.warning("not published", index=index, error=str(fault))
            return moves.Unpublished(index, str(fault), patience.after(fault, shown.send_time))
        faults.point("publish.after_call")
        self.assets[index] = answer.asset
        return moves.Uploaded(index)

    async def look_up(self) -> moves.Event:
        """Ask the provider what became of the order; of our own we know that nobody hears more."""
        provider, hinted = self.vendor.provider, self.claim.webhook_tickets
        anothers = not self.sending and not self.claim.restored
        order = replace(
            self.known.order,
            asked=datetime.fromtimestamp(self.now(), UTC),
            awaited=anothers and -math.inf < self.late() < 0,
        )
        with pictures.for_user(identifiers.number_of(self.claim.user)):
            return await reconcile.look_up(provider, order, hinted, self.late)

    def _count(self, drawn: seam.Drawn) -> None:
        """All that came is kept, however many were ordered; that it differs is told here."""
        ordered, came = self.known.images, len(drawn.images)
        if not ordered <= came <= max(ordered, self.known.most_images):
            log.warning("not as many images as were ordered", ordered=ordered, came=came)

    def _report(self, seen: seam.Working | seam.Preview) -> None:
        shown, model = self.claim.purchase, self.known.model
        if isinstance(seen, seam.Preview):
            self.tools.live.preview(shown.job, shown.purchase_id, model.key, seen)
            return
        if seen.fraction is not None:
            self.tools.live.progress(shown.job, shown.purchase_id, model.key, seen.fraction)
            return
        sent = shown.send_time.ToMicroseconds() / 1e6 or time.time()
        self.tools.live.guess(
            *(shown.job, shown.purchase_id, model.key),
            typical=model.typical,
            elapsed=time.time() - sent,
        )

    def pictures(self, drawn: seam.Drawn, /) -> list[storage_service_pb2.ImportAssetRequest]:
        """Name what a receipt holds that is just being written, as `store` will."""
        ticket = f"receipt:{self.known.purchase_id}"
        known = replace(self.known, ticket=ticket, drawn=drawn)
        return [self._import(index, known) for index in range(len(drawn.images))]

    def pictured(self, kept: Iterable[storage_service_pb2.ImportAssetResponse], /) -> None:
        """Take note of what was kept with its receipt, so that `store` asks for it no more."""
        self.early = dict(enumerate(kept))

    def _import(self, index: int, known: edges.Known) -> storage_service_pb2.ImportAssetRequest:
        request = storage_service_pb2.ImportAssetRequest(
            purchase_id=known.purchase_id,
            output_index=index,
            job=self.claim.purchase.job,
            model=known.model.key,
            prompt=self.claim.spec.prompt,
            provider=self.vendor.name,
            provenance=provenance.of(self.claim, known),
        )
        recorded = {each.index: each for each in self.claim.outputs}
        if known.drawn and index not in recorded:
            recorded = dict(enumerate(edges.outputs(known.drawn, known.purchase_id)))
        request.source_uri = recorded[index].source
        if recorded[index].HasField("source_expire_time"):
            request.source_expire_time.CopyFrom(recorded[index].source_expire_time)
        return request

    async def _learn_once(self) -> None:
        async with self.learning:
            if not self.learned:
                await self._learn()
                self.learned = True

    async def _learn(self) -> None:
        """Read again what the provider told, for the variant's sake; without it goes, too."""
        try:
            async for seen in self.vendor.provider.follow(self._named(self.claim.ticket)):
                if isinstance(seen, seam.Drawn):
                    self.known.drawn = seen
                return
        except seam.Unclear as error:
            log.info("kept without the provider's details", error=str(error))


def _unwarned(told: asyncio.Future[Result]) -> None:
    """It is told or not: what has become of the purchase, its next edge hears."""
    if not told.cancelled() and (error := told.exception()):
        log.info("a job is not told that it waits", error=str(error))


def _forbidden(index: int, fault: errors.Denied, pause: float) -> moves.Event:
    """A source that may never be fetched is lost; nobody is to try for ever."""
    if fault.reason != "SOURCE_FORBIDDEN":
        raise fault
    if fault.retry_after is not None:
        return moves.Unstored(index, str(fault), pause)
    return moves.Vanished(index, str(fault))


def _closed(seen: seam.Ended) -> moves.Closed:
    return moves.Closed(seen.charged, seen.reason, seen.stopped, seen.content, seen.cost)
