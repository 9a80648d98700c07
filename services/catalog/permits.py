"""The rates of a provider, taken and given back in the transaction of the edge."""

from services.catalog.rows import PERMITTED, Batch, Permits, Purchase

LIMITS = 7003700370037004  # the advisory lock of hold_limits


def take_permit(batch: Batch, purchase: Purchase) -> bool:
    """Take a permit for *purchase*, or return that there is none now."""
    permits = _counted(batch, purchase)
    if permits is None:
        return True
    if permits.max_in_flight and permits.in_use >= permits.max_in_flight:
        return False
    if permits.max_per_minute and permits.tokens < 1:
        return False
    permits.in_use += 1
    if permits.max_per_minute:
        permits.tokens -= 1
        permits.tokens_taken += 1
    return True


def count_permit(batch: Batch, purchase: Purchase) -> None:
    """Count an order that turned out to be under way, whatever the limit is."""
    if permits := _counted(batch, purchase):
        permits.in_use += 1


def give_permit_back(batch: Batch, purchase: Purchase) -> None:
    """Give back the permit of *purchase*, if its state holds one."""
    permits = _counted(batch, purchase)
    if permits is not None and purchase.state in PERMITTED:
        permits.in_use -= 1


def _counted(batch: Batch, purchase: Purchase) -> Permits | None:
    permits = batch.permits.get(purchase.provider)
    return permits if permits and permits.limited else None
