"""Settles a purchase whose answer was lost: waits out the provider's lag, then asks."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import datetime
from time import monotonic

from google.protobuf.timestamp_pb2 import Timestamp

from chassis import faults, logs, telemetry
from services.generator import moves
from services.generator import provider as seam
from services.generator.standing import Terms

_RETRY = 5.0  # seconds until a provider that did not answer is asked again
_FORGOTTEN = 3600.0  # seconds; who is seen again later waits once more
log = logs.get()


@dataclass(slots=True)
class Seen:
    """
    Since when this process knows of orders whose answer was lost, by its own *clock*.

    They had left by then, whatever the database's clock says of it: that may have been set since.
    What outlives the process is in the ledger, by the provider's clock.
    """

    clock: Callable[[], float] = monotonic
    longest: float = 0.0  # seconds that any list was said to lag
    _since: dict[str, float] = field(default_factory=dict)

    def note(self, purchase_id: str) -> float:
        """Know of it from now on, if not before; returns since when."""
        now, kept = self.clock(), max(_FORGOTTEN, 2 * self.longest)
        while self._since and now - next(iter(self._since.values())) > kept:
            del self._since[next(iter(self._since))]
        return self._since.setdefault(purchase_id, now)

    def wait(self, purchase_id: str, lag: float) -> float:
        """Seconds until it is known of for so long as a list may *lag*, 0 at the least."""
        self.longest = max(self.longest, lag)
        return max(0.0, self.note(purchase_id) + lag - self.clock())


def wait(sent: Timestamp, terms: Terms, now: float) -> float:
    """Seconds until a call of *sent* should show in the provider's list, 0 at the least."""
    return max(0.0, terms.lag - (now - sent.ToMicroseconds() / 1e6))


async def look_up(
    provider: seam.Provider, order: seam.Order, hinted: Iterable[str], late: Callable[[], float]
) -> moves.Event:
    """
    Ask what became of *order*; only a provider's own word counts, also for an absence.

    *hinted* are tickets that webhooks named, which need not show in the list yet; *late*
    tells the seconds since the deadline.
    """
    if not isinstance(provider, seam.CanBeAsked):
        raise TypeError("only a provider that can be asked is asked")
    faults.point("lookup.before")
    try:
        with telemetry.span("look up"):
            looked = seam.Looked(await _recognized(provider, order, hinted))
            if not looked.tickets:
                looked = await provider.look_up(order)
    except seam.ProviderError as error:
        ours = isinstance(error, seam.Unread)
        return moves.OutOfSight(str(error), error.retry_after or _RETRY, late(), ours)
    faults.point("lookup.after")
    tickets = looked.tickets
    alike = any(ticket.alike for ticket in tickets)
    if len(tickets) > 1 and not alike:
        log.error("bought more than once", purchase_id=order.purchase_id, found=len(tickets))
    unproven = None
    if any(ticket.unsure for ticket in tickets):
        unproven = moves.OutOfSight("what the list has left shows no more", _RETRY, late())
    found = tuple(ticket.reference for ticket in tickets)
    return moves.LookedUp(found, alike, unproven, _time(looked.began), _time(looked.ended))


def _time(moment: datetime | None) -> float | None:
    return moment.timestamp() if moment else None


async def _recognized(
    provider: seam.Provider, order: seam.Order, hinted: Iterable[str]
) -> list[seam.Ticket]:
    """Those that the provider itself says are *order*'s: a URL may have been tampered with."""
    tickets = [seam.Ticket(reference) for reference in hinted]
    if not tickets or not isinstance(provider, seam.CanRecognize):
        return []
    return [ticket for ticket in tickets if await provider.recognize(order, ticket)]
