"""What is done to the simulation's ledger beside the edges as they were asked for."""

from typing import Any

from chassis.errors import Precondition
from imagestudio.catalog.v1 import edge_pb2
from services.catalog import ledger, sweeper
from services.catalog.rows import Batch, Purchase


class Asked:
    """An edge that is asked for, read once, as it is often said again; not to be changed."""

    __slots__ = ("called", "change", "edge", "fence", "kind", "purchase_id")

    def __init__(self, edge: edge_pb2.Edge) -> None:
        self.edge, self.change = edge, ledger._change(edge)
        self.purchase_id, self.fence, self.kind = edge.purchase_id, edge.fence, self.change.kind
        self.called = self.purchase_id[-4:]  # in the trace


def orphan(row: Purchase, together: int) -> ledger.Change:
    """Take *row* from its dead owner, who had so many *together*."""
    found: Any = {"purchase_id": row.purchase_id, "fence": row.fence, "together": together}
    return ledger.Change(row.purchase_id, "owner dies", sweeper._orphan(found).apply)


def refused(change: ledger.Change) -> ledger.Change:
    """Have *change* refused, as by a constraint, or a value that no column takes."""
    return ledger.Change(change.purchase_id, change.kind, _refuse)


def _refuse(_batch: Batch) -> None:
    raise Precondition("STATE_CONFLICT", "A value in it forbids this edge.")
