"""
Adopts what a look-up found: one ticket for the purchase, and whatever else bears its name.

Equal orders, of one job or of many, find each other's purchases where what was ordered is
all that tells them apart. Which of them has which does not matter, while each has one.
"""

import uuid
from collections.abc import Sequence

from imagestudio.catalog.v1 import edge_pb2
from services.catalog import endings, permits
from services.catalog.rows import Batch, Purchase

_WITHOUT_TICKET = frozenset({"sending", "unclear"})  # and may have bought something


def adopt(batch: Batch, purchase: Purchase, found: edge_pb2.SettleEdge.Found) -> None:
    """
    Give *purchase* the first ticket that nobody holds; nothing changes where there is none.

    A later purchase's list does not go back as far as an earlier one's: what is left to
    others is the newest. What is left over, alike and of no name, may be anybody's: it
    raises the alarm alone.
    """
    free = _free(batch, purchase, found.tickets)
    rivals = _rivals(batch, purchase) if found.alike else 0
    canceling = batch.job_of(purchase).state == "canceling"
    if not free or (canceling and len(free) <= rivals):
        return  # to be canceled, it may be an equal order's that is still wanted
    others = free[1 : max(1, len(free) - rivals)]
    purchase.state, purchase.ticket, purchase.not_before = "running", free[0], None
    permits.count_permit(batch, purchase)
    endings.tell_purchased(batch, purchase, found.typical_time, found=True)
    for ticket in others:
        batch.alarms.append(("doubled", purchase.purchase_id))
        if not found.alike:
            _adopt_twin(batch, purchase, ticket, found)


def _adopt_twin(
    batch: Batch, purchase: Purchase, ticket: str, found: edge_pb2.SettleEdge.Found
) -> None:
    twin = endings.attempt(batch, purchase, _twin_id(purchase, ticket), purchase.model_key)
    twin.state, twin.ticket, twin.sent_at = "running", ticket, purchase.sent_at
    twin.deadline, twin.provider = purchase.deadline, purchase.provider
    permits.count_permit(batch, twin)
    endings.tell_purchased(batch, twin, found.typical_time, found=True)


def _free(batch: Batch, purchase: Purchase, tickets: Sequence[str]) -> list[str]:
    """Those that no purchase holds, nor gets in this batch."""
    rows = (*batch.purchases.values(), *batch.planned)
    held = {each.ticket for each in rows if each.provider == purchase.provider}
    held |= batch.held.get(purchase.purchase_id, set())
    return [ticket for ticket in dict.fromkeys(tickets) if ticket not in held]


def _rivals(batch: Batch, purchase: Purchase) -> int:
    """How many other equal orders may have bought something, and have no ticket yet."""
    rivals = batch.rivals.get(purchase.purchase_id, ())
    here = (batch.purchases.get(each) for each in rivals)
    return sum(each is None or each.state in _WITHOUT_TICKET for each in here)


def _twin_id(purchase: Purchase, ticket: str) -> str:
    """Name the purchase of a second match: the same at every look-up."""
    return str(uuid.uuid5(uuid.UUID(purchase.purchase_id), ticket))
