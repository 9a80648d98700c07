"""
Adopts what was bought and is nobody's: what a look-up found for its order, and second ones.

Equal orders, of one job or of many, find each other's purchases where what was ordered is
all that tells them apart. Which of them has which does not matter, while each has one.
"""

import uuid
from collections.abc import Iterable, Mapping, Sequence
from datetime import timedelta

from google.protobuf.duration_pb2 import Duration

from chassis.errors import Invalid
from imagestudio.catalog.v1 import edge_pb2
from imagestudio.type.v1 import job_event_pb2
from services.catalog import endings, guards, permits
from services.catalog.rows import Batch, Purchase, cost_message

_WITHOUT_TICKET = frozenset({"sending", "unclear"})  # and may have bought something
_AGAIN = timedelta(seconds=5)  # until one that leaves others the choice looks again


def adopt(batch: Batch, purchase: Purchase, found: edge_pb2.SettleEdge.Found) -> None:
    """
    Give *purchase* the first ticket that nobody holds; nothing changes where there is none.

    A later purchase's list does not go back as far as an earlier one's: what is left to
    others is the newest. For the same reason one whose own may be there unseen takes none
    that an equal order could miss: to that one, an absence would be proven. What is left
    over, alike and of no name, may be anybody's: it raises the alarm alone.
    """
    free = _free(batch, purchase, found.tickets)
    rivals = _open(batch, batch.rivals, purchase) if found.alike else 0
    if not free or (found.unproven and len(free) <= rivals):
        return
    unwanted = found.alike and batch.job_of(purchase).state == "canceling"
    if unwanted and len(free) <= _open(batch, batch.wanted, purchase):
        _stand_back(batch, purchase)
        return
    others = free[1 : max(1, len(free) - rivals)]
    purchase.state, purchase.ticket, purchase.not_before = "running", free[0], None
    permits.count_permit(batch, purchase)
    endings.tell_purchased(batch, purchase, found.typical_time, found=True)
    for ticket in others:
        if found.alike:
            batch.alarms.append(("doubled", purchase.purchase_id))
        else:
            reserve = purchase.reserved
            twin = _adopt_twin(batch, purchase, ticket, found.typical_time, reserve)
            _tell_doubled(batch, purchase, twin)


def adopt_stray(batch: Batch, purchase: Purchase, step: edge_pb2.AdoptEdge) -> None:
    """
    Make a purchase of a ticket that the provider says was ordered for *purchase*.

    Of one that never had a ticket it is not a second order but its own, found when it had been
    given up: what counted for it until now is the new one's to tell.
    """
    if not step.ticket or step.reserved_usd_micros < 0:
        raise Invalid("REQUEST_INVALID", "A stray has a ticket, and does not cost less than 0.")
    if not _free(batch, purchase, [step.ticket]):
        return
    if purchase.state in _WITHOUT_TICKET:
        raise guards.conflict(purchase, "its own answer or look-up tells whose the ticket is")
    own = purchase.ticket is None and purchase.charged in ("unknown", "yes")
    if own:
        before, purchase.charged = cost_message(purchase), "no"
        batch.settle(purchase, cost=0)
        endings.tell_settled(batch, purchase, before)
    twin = _adopt_twin(batch, purchase, step.ticket, step.typical_time, step.reserved_usd_micros)
    if not own:
        _tell_doubled(batch, purchase, twin)


def _adopt_twin(
    batch: Batch, purchase: Purchase, ticket: str, typical: Duration, reserve: int
) -> Purchase:
    twin = endings.attempt(batch, purchase, _twin_id(purchase, ticket), purchase.model_key)
    twin.state, twin.ticket, twin.sent_at = "running", ticket, purchase.sent_at
    twin.deadline, twin.provider = purchase.deadline, purchase.provider
    batch.reserve(twin, reserve)
    permits.count_permit(batch, twin)
    endings.tell_purchased(batch, twin, typical, found=True)
    return twin


def _tell_doubled(batch: Batch, purchase: Purchase, twin: Purchase) -> None:
    warning = job_event_pb2.JobEvent.Warning(
        reason="ORDER_DOUBLED",
        message="One order was made twice at the provider; what the second brings is kept, too.",
        model=twin.model_key,
        purchase_id=twin.purchase_id,
    )
    batch.tell(twin, warning=warning)
    batch.alarms.append(("doubled", purchase.purchase_id))


def _stand_back(batch: Batch, purchase: Purchase) -> None:
    """
    Leave the tickets to equal orders that are still wanted, and look again once they have chosen.

    To be canceled, it may have bought one of them and is not absent: a new fence keeps who
    looked it up from saying so.
    """
    purchase.fence += 1
    batch.let_go_of(purchase, batch.now + _AGAIN)


def _free(batch: Batch, purchase: Purchase, tickets: Iterable[str]) -> list[str]:
    """Those that no purchase holds, nor gets in this batch."""
    rows = (*batch.purchases.values(), *batch.planned)
    held = {each.ticket for each in rows if each.provider == purchase.provider}
    held |= batch.held.get(purchase.purchase_id, set())
    return [ticket for ticket in dict.fromkeys(tickets) if ticket not in held]


def _open(batch: Batch, orders: Mapping[str, Sequence[str]], purchase: Purchase) -> int:
    """How many other equal *orders* may have bought something, and have no ticket yet."""
    here = (batch.purchases.get(each) for each in orders.get(purchase.purchase_id, ()))
    return sum(each is None or each.state in _WITHOUT_TICKET for each in here)


def _twin_id(purchase: Purchase, ticket: str) -> str:
    """Name the purchase of a second match: the same at every look-up."""
    return str(uuid.uuid5(uuid.UUID(purchase.purchase_id), ticket))
