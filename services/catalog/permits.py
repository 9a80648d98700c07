"""
The rates and the health of a provider, in the transaction of the edge: a permit is taken for each
order and given back, and what the order told is heeded by every replica's next claim.
"""

from dataclasses import replace
from datetime import datetime

from imagestudio.catalog.v1 import edge_pb2
from services.catalog import breaker, outcome
from services.catalog.breaker import Sign, Verdict
from services.catalog.rows import PERMITTED, Allowance, Batch, Permits, Purchase

LIMITS = 7003700370037004  # the advisory lock of hold_limits
UNTOLD = 4  # orders out at once while a provider has yet to say how many it takes
OFFERED = 200  # purchases that are announced at once when orders may leave again
_SIGNS = {
    edge_pb2.PROVIDER_SIGN_UNSPECIFIED: Sign.NOTHING,
    edge_pb2.PROVIDER_SIGN_WELL: Sign.WELL,
    edge_pb2.PROVIDER_SIGN_FAILS: Sign.FAILS,
    edge_pb2.PROVIDER_SIGN_REFUSES_US: Sign.REFUSES_US,
}


def take_permit(batch: Batch, purchase: Purchase) -> Verdict:
    """Take a permit for *purchase*, unless there is none now or it may not be sent at all."""
    permits = _counted(batch, purchase)
    if permits is None:
        return Verdict.GO
    verdict, after = breaker.ask(permits.breaker, purchase.purchase_id, batch.now)
    if verdict is Verdict.NEVER:
        purchase.refusal = permits.breaker.refusal
        permits.in_use += 1
        permits.sending += 1
        return verdict
    if verdict is Verdict.WAIT or not _has_room(permits, batch.now):
        return Verdict.WAIT
    permits.in_use += 1
    permits.sending += 1
    permits.breaker = after
    if permits.max_per_minute:
        permits.tokens -= 1
        permits.tokens_taken += 1
    if (told := permits.allowance) and told.until > batch.now:
        permits.allowance = replace(told, left=told.left - 1)
    return verdict


def count_permit(batch: Batch, purchase: Purchase) -> None:
    """Count an order that turned out to be under way, whatever the limit is."""
    if permits := _counted(batch, purchase):
        permits.in_use += 1


def give_permit_back(batch: Batch, purchase: Purchase) -> None:
    """Give back the permit of *purchase*, if its state holds one."""
    permits = _counted(batch, purchase)
    if permits is not None and purchase.state in PERMITTED:
        permits.in_use -= 1


def give_rate_back(batch: Batch, purchase: Purchase) -> None:
    """Give back what *purchase* took of its provider's rate: its order never left."""
    permits = _counted(batch, purchase)
    if permits is None:
        return
    if permits.max_per_minute:
        permits.tokens = min(permits.max_per_minute, permits.tokens + 1)
        permits.tokens_taken -= 1
    if told := permits.allowance:
        permits.allowance = replace(told, left=told.left + 1)


def heed(batch: Batch, purchase: Purchase, heard: edge_pb2.Heard) -> None:
    """Take note that *purchase* is being sent no more, and of what that told of its provider."""
    permits = _counted(batch, purchase)
    if permits is None:
        return
    permits.sending -= 1
    permits.answered += 1
    if not permits.watched:
        return
    sign, refusal = _SIGNS[heard.sign], outcome.evidence(heard.refusal)
    permits.breaker = breaker.hear(permits.breaker, purchase.purchase_id, sign, batch.now, refusal)
    if heard.HasField("allowance"):  # it knows nothing yet of what is still on its way
        left = max(0, heard.allowance.orders_left - permits.sending)
        until = batch.now + heard.allowance.renewal.ToTimedelta()
        permits.allowance = Allowance(left, until)
    elif purchase.state == "running":  # it took the order, and limits nobody any more
        permits.allowance = None


def offered(before: Permits, after: Permits, now: datetime) -> int:
    """How many purchases may be claimed now that could not *before*; on trial see below."""
    if after.breaker.on_trial:
        return 0
    freed = max(0, before.in_use - after.in_use) if after.max_in_flight else 0
    if not after.watched or not _holds(before, now) or _holds(after, now):
        return freed
    return max(freed, _left(after, now))


def frees_on_trial(before: Permits, after: Permits, now: datetime) -> bool:
    """Whether an answer, or an end, has made room for one more order to a provider on trial."""
    freed = after.answered > 0 or after.in_use < before.in_use
    return after.breaker.on_trial and freed and _has_room(after, now)


def _counted(batch: Batch, purchase: Purchase) -> Permits | None:
    permits = batch.permits.get(purchase.provider)
    return permits if permits and permits.counted else None


def _has_room(permits: Permits, now: datetime) -> bool:
    if permits.max_in_flight and permits.in_use >= permits.max_in_flight:
        return False
    if permits.max_per_minute and permits.tokens < 1:
        return False
    return _left(permits, now) > 0


def _holds(permits: Permits, now: datetime) -> bool:
    """Whether all claims wait, be it for an answer or for a while."""
    return permits.breaker.state != breaker.CLOSED or _left(permits, now) <= 0


def _left(permits: Permits, now: datetime) -> int:
    """
    How many more orders may leave now; OFFERED where nothing limits them.

    On trial it is one more at once for each that was taken: all that waited would leave together,
    come back together, and stand in the way of other providers' work.
    """
    if not permits.watched:
        return OFFERED
    left = [OFFERED]
    if permits.breaker.on_trial:
        left.append(UNTOLD + permits.breaker.well - permits.sending)
    if _is_told(permits, now) and permits.allowance:
        left.append(permits.allowance.left)
    elif not _is_free(permits):
        left.append(UNTOLD - permits.sending)
    return min(left)


def _is_told(permits: Permits, now: datetime) -> bool:
    return permits.allowance is not None and permits.allowance.until > now


def _is_free(permits: Permits) -> bool:
    """Whether it has taken an order or refused one, and said nothing of how many it takes."""
    return permits.allowance is None and "+" in permits.breaker.recent
