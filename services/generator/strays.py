"""
Strays: what was bought at a provider and no purchase of ours holds, such as an order that a
proxy on the way made twice.

The ledger collects their tickets. Here the provider is asked whose each is, and one that is
ours becomes a purchase. Now and then one of all replicas reads the provider's list for those
of which no webhook told.
"""

import asyncio
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from chassis import errors, faults, logs, telemetry
from chassis.channel import Peer
from imagestudio.catalog.v1 import ledger_service_pb2 as pb
from services.generator import edges, orders
from services.generator import provider as seam
from services.generator.ledger import Ledger
from services.generator.models import Registry
from services.generator.vendor import Vendor

_MOST = 500  # tickets of a list in one call
_TIMEOUT = 30.0  # seconds
_SPAN = timedelta(minutes=30)  # of 600 orders a minute, Replicate's most, 180 pages
log = logs.get()


@dataclass(slots=True, kw_only=True)
class Strays:
    """Looks at each of *vendors* every *pause* seconds, and at once where somebody gives notice."""

    catalog: Peer
    ledger: Ledger
    registry: Registry
    vendors: Mapping[str, Vendor]
    pause: float
    _noticed: set[str] = field(default_factory=set)
    _wake: asyncio.Event = field(default_factory=asyncio.Event)

    def notice(self, provider: str) -> None:
        """Have what the ledger knows of *provider* looked at now; returns at once."""
        self._noticed.add(provider)
        self._wake.set()

    async def run(self) -> None:
        """Look for ever."""
        now = asyncio.get_running_loop().time
        due = now() + self.pause
        self._noticed.update(self.vendors)  # what the ledger knows from before
        while True:
            listing = now() >= due
            due = now() + self.pause if listing else due
            names = self.vendors.keys() if listing else self.vendors.keys() & self._noticed
            self._noticed.clear()
            self._wake.clear()
            for name in sorted(names):
                await self._guarded(name, listing=listing)
            await self._until(due)

    async def _until(self, due: float) -> None:
        try:
            async with asyncio.timeout_at(due):
                await self._wake.wait()
        except TimeoutError:
            return

    async def _guarded(self, name: str, *, listing: bool) -> None:
        try:
            await self.look(self.vendors[name], listing=listing)
        except (errors.Fault, seam.ProviderError) as error:
            log.warning("strays are not looked for now", provider=name, error=str(error))
        except Exception:
            log.exception("a look for strays broke off", provider=name)

    async def look(self, vendor: Vendor, *, listing: bool) -> None:
        """Judge what the ledger knows of, and where it is our turn what the list has, too."""
        with telemetry.span("strays", provider=vendor.name):
            known = await self._told(pb.FindStraysRequest(provider=vendor.name))
            await self._judge(vendor, known)
            if listing and isinstance(vendor.provider, seam.CanList):
                await self._read(vendor, vendor.provider)

    async def _read(self, vendor: Vendor, provider: seam.CanList) -> None:
        request = pb.BeginListingRequest(provider=vendor.name)
        request.interval.FromMilliseconds(round(self.pause * 900))  # so that the next is its turn
        stub = self.ledger.stub
        turn = await self.catalog.ask(stub.BeginListing, request, timeout=_TIMEOUT)
        if not turn.HasField("since_time"):
            return
        since, begin = turn.since_time.ToDatetime(UTC), turn.begin_time.ToDatetime(UTC)
        for start, end in _spans(since, begin):
            await self._read_span(vendor, provider, start, end)

    async def _read_span(
        self, vendor: Vendor, provider: seam.CanList, since: datetime, until: datetime
    ) -> None:
        """Read a part of the list, and note that it was read: the next turn goes on from there."""
        faults.point("listing.before")
        listed = [_listed(one) async for one in provider.sold(since, until)]
        faults.point("listing.after")
        for start in range(0, len(listed), _MOST):
            part = listed[start : start + _MOST]
            await self._told(pb.FindStraysRequest(provider=vendor.name, listed=part))
        end = pb.FindStraysRequest(provider=vendor.name)
        end.read_time.FromDatetime(until)
        await self._judge(vendor, await self._told(end))

    async def _told(self, request: pb.FindStraysRequest) -> Sequence[pb.Stray]:
        answer: pb.FindStraysResponse = await self.catalog.ask(
            self.ledger.stub.FindStrays, request, timeout=_TIMEOUT
        )
        return answer.strays

    async def _judge(self, vendor: Vendor, strays: Sequence[pb.Stray]) -> None:
        disowned = []
        for stray in strays:
            if stray.purchase.purchase.model not in self.registry:
                continue  # a newer release's, which has a replica of its own
            owned = await self._is_owned(vendor.provider, stray)
            if owned:
                await self._adopt(stray)
            elif owned is False:
                disowned.append(_named(stray))
        if disowned:
            request = pb.FindStraysRequest(provider=vendor.name, disowned=disowned)
            await self._told(request)

    async def _is_owned(self, provider: seam.Provider, stray: pb.Stray) -> bool | None:
        """Ask the provider; None where it cannot tell now. Our own answer needs no second word."""
        if stray.first_hand or not isinstance(provider, seam.CanRecognize):
            return stray.first_hand or None
        order = orders.of_claim(stray.purchase, self.registry)
        faults.point("stray.before_asking")
        try:
            owned = await provider.recognize(order, seam.Ticket(stray.ticket))
        except seam.ProviderError as error:
            if error.retry_after is not None:  # and it will tell nothing of the others, either
                raise
            log.warning("a stray cannot be judged now", ticket=stray.ticket, error=str(error))
            return None
        faults.point("stray.after_asking")
        return owned

    async def _adopt(self, stray: pb.Stray) -> None:
        shown = stray.purchase.purchase
        model = self.registry.known(shown.model, shown.provider)
        spec = stray.purchase.spec
        images = orders.images_of(shown.ordinal, spec, self.registry)
        log.error("an order that nobody held", purchase_id=shown.purchase_id, ticket=stray.ticket)
        try:
            reserve = orders.price(model, spec, orders.most_images(model, spec, images))
            await self.ledger.apply(edges.adopted(stray, model, reserve))
        except errors.Precondition as fault:  # it is looked up by its owner meanwhile
            log.info("a stray is not adopted now", ticket=stray.ticket, error=str(fault))


def _spans(since: datetime, until: datetime) -> Iterator[tuple[datetime, datetime]]:
    """From *since* to *until*, oldest first, in parts that a provider can list to their end."""
    while until - since > _SPAN:
        yield since, since + _SPAN
        since += _SPAN
    yield since, until


def _listed(sold: seam.Sold) -> pb.ListedTicket:
    return pb.ListedTicket(ticket=sold.reference, purchase_id=sold.purchase_id, ours=sold.ours)


def _named(stray: pb.Stray) -> pb.ListedTicket:
    named = stray.purchase.purchase.purchase_id
    return pb.ListedTicket(ticket=stray.ticket, purchase_id=named)
