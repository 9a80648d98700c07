"""
How late an order is, by two clocks: what is overdue is canceled and given up, and paid for.

Deadlines are the database's times, and its clock may be set forward while orders are drawn. None
is late before whoever has it in hand has known of it for as long as it may take, or hours later:
a generator that starts anew again and again knows of nothing for long.
"""

import math
from dataclasses import dataclass, field

from google.protobuf.timestamp_pb2 import Timestamp

from imagestudio.catalog.v1 import ledger_pb2

_SURELY = 6 * 3600.0  # seconds after a deadline that no clock is ahead by mistake
_MOST = 10_000  # orders that are remembered; of who is forgotten it is known anew


@dataclass(slots=True)
class Held:
    """Since when this process knows of orders that it set down and may take up again."""

    _since: dict[str, float] = field(default_factory=dict)

    def since(self, purchase_id: str, now: float) -> float:
        """When it first had it, by the loop's clock; *now* where that is not known."""
        return min(self._since.get(purchase_id, now), now)

    def note(self, purchase_id: str, since: float) -> None:
        """Remember it; the ones that were set down longest ago make room."""
        self._since.pop(purchase_id, None)
        self._since[purchase_id] = since
        while len(self._since) > _MOST:
            del self._since[next(iter(self._since))]


def late(claim: ledger_pb2.LedgerPurchase, now: float, held: float) -> float:
    """
    Return the seconds since the deadline of *claim*, minus infinity without one.

    *now* is the database's clock, in seconds since 1970, *held* the seconds since we know of
    the order. What a copy of the database knew has a deadline that nobody's order had.
    """
    shown = claim.purchase
    if not shown.HasField("deadline"):
        return -math.inf
    deadline, sent = _seconds(shown.deadline), _seconds(shown.send_time)
    if claim.restored or not shown.HasField("send_time"):
        return now - deadline
    over = now - deadline
    return min(over, max(held - (deadline - sent), over - _SURELY))


def _seconds(moment: Timestamp) -> float:
    return moment.ToMicroseconds() / 1e6
