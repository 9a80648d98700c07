"""What is done to the simulation's ledger beside the edges as they were asked for."""

from chassis.errors import Precondition
from services.catalog import ledger, sweeper
from services.catalog.rows import Batch, Purchase


def orphan(row: Purchase, together: int) -> ledger.Change:
    """Take *row* from its dead owner, who had so many *together*."""
    found = {"purchase_id": row.purchase_id, "fence": row.fence, "together": together}
    return ledger.Change(row.purchase_id, "owner dies", sweeper._orphan(found).apply)


def refused(change: ledger.Change) -> ledger.Change:
    """Have *change* refused, as by a constraint, or a value that no column takes."""
    return ledger.Change(change.purchase_id, change.kind, _refuse)


def _refuse(_batch: Batch) -> None:
    raise Precondition("STATE_CONFLICT", "A value in it forbids this edge.")
