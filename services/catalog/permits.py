"""The rates of a provider, taken and given back in the transaction of the edge."""

from services.catalog.rows import PERMITTED, Batch, Purchase


def take_permit(batch: Batch, purchase: Purchase) -> bool:
    permits = batch.permits.get(purchase.provider)
    if permits is None:
        return True
    if permits.max_in_flight and permits.in_use >= permits.max_in_flight:
        return False
    if permits.max_per_minute and permits.tokens < 1:
        return False
    permits.in_use += 1
    permits.tokens -= 1 if permits.max_per_minute else 0
    return True


def give_permit_back(batch: Batch, purchase: Purchase) -> None:
    permits = batch.permits.get(purchase.provider)
    if permits is not None and purchase.state in PERMITTED:
        permits.in_use -= 1
