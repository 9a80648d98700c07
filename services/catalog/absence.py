"""
Since when it is known of an order that no list shows it, for who reads the next one.

A list proves an absence where it was read so long after that as it may lag: who knows of the
order may have died by then, and its wait must not begin anew with each. Whoever reads it judges
that by the provider's clock, of which one wrong answer would be enough; so he is told of it
only once it is long enough ago by the database's, too.
"""

from datetime import datetime, timedelta

from imagestudio.catalog.v1 import edge_pb2
from services.catalog import guards
from services.catalog.rows import Batch, Purchase

UNTOLD_LAG = 120.0  # seconds, where no worker has said yet how late a list may be


def note(batch: Batch, purchase: Purchase, step: edge_pb2.ParkEdge) -> None:
    """Write it down once; anew where a clock has been set back behind what it told."""
    if purchase.state != "unclear" or not step.HasField("unlisted_time"):
        return
    since, before, at = guards.moment(step.unlisted_time), purchase.unlisted_since, batch.now
    if before is None or before > since or (purchase.unlisted_at or at) > at:
        purchase.unlisted_since, purchase.unlisted_at = since, at


def forget(purchase: Purchase) -> None:
    """Forget it: an order that leaves now was not looked for yet."""
    purchase.unlisted_since = purchase.unlisted_at = None


def told(batch: Batch, purchase: Purchase) -> datetime | None:
    """Since when, by the provider's clock; None where that is not long enough ago."""
    if (at := purchase.unlisted_at) is None:
        return None
    limits = batch.permits.get(purchase.provider)
    lag = timedelta(seconds=limits.lookup_lag if limits else UNTOLD_LAG)
    return purchase.unlisted_since if batch.now - at >= lag else None
