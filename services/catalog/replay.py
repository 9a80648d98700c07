"""
Has the ledger take what is safe in the vault: purchases that are open for it, or new to it.

A purchase is led through the edges of its life in one batch, as if its worker had told them.
So events, versions, shares of the cost, money and the job's end follow as ever.
"""

from collections.abc import Sequence

from google.protobuf.duration_pb2 import Duration

from imagestudio.catalog.v1 import edge_pb2, ledger_pb2
from services.catalog import edges, endings, outcome, permits
from services.catalog.ledger import Change
from services.catalog.rows import Batch, Kept, Purchase
from services.catalog.sidecars import Picture

_IN_THE_VAULT = "the vault had it already"
_SUPERSEDED = "It brought nothing, and another order took its place after the copy was made."


def drawn(purchase_id: str, pictures: Sequence[Picture]) -> Change:
    """Bring a purchase, planned, sent, unclear or running, to the outputs that it brought."""

    def apply(batch: Batch) -> None:
        purchase = batch.purchases[purchase_id]
        if not purchase.is_open or purchase.state == "drawn":
            return
        _run(batch, purchase, pictures[0])
        step = edge_pb2.DrawnEdge(
            outputs=[
                ledger_pb2.PurchaseOutput(index=index, source=_IN_THE_VAULT)
                for index in range(pictures[0].outputs)
            ],
            cost=pictures[0].told.purchase.cost,
        )
        _take(batch, purchase, drawn=step)

    return Change(purchase_id, "drawn", apply)


def kept(picture: Picture) -> Change:
    """Keep one output; one that was kept before stays as it is."""

    def apply(batch: Batch) -> None:
        purchase = batch.purchases[picture.purchase_id]
        step = edge_pb2.KeepEdge(
            output_index=picture.index, image=picture.told.image, file=picture.file.record
        )
        job, before = batch.job_of(purchase), batch.job_of(purchase).last_version
        if picture.version is not None:
            job.last_version = picture.version - 1  # whose the next one is
        _take(batch, purchase, keep=step)
        job.last_version = max(job.last_version, before)
        for _job_id, event in batch.events:
            if isinstance(event, Kept) and event.output is purchase.outputs[picture.index]:
                event.variant_id = picture.variant_id

    return Change(picture.purchase_id, "keep", apply)


def lost(purchase_id: str, index: int) -> Change:
    """Say that an output of which the vault has nothing is lost."""

    def apply(batch: Batch) -> None:
        error = outcome.status(outcome.said("OUTPUT_LOST", "The vault has it not.", code=15))
        step = edge_pb2.LoseEdge(output_index=index, error=error)
        _take(batch, batch.purchases[purchase_id], lose=step)

    return Change(purchase_id, "lose", apply)


def superseded(purchase_id: str) -> Change:
    """Close an open purchase in whose place a later one was made that brought its pictures."""

    def apply(batch: Batch) -> None:
        purchase = batch.purchases[purchase_id]
        if purchase.state == "unclear":
            purchase.fence += 1
            purchase.error = outcome.said("PROVIDER_FAILED", _SUPERSEDED)
            endings.void(batch, purchase, None)

    return Change(purchase_id, "settle", apply)


def _run(batch: Batch, purchase: Purchase, picture: Picture) -> None:
    permits.give_permit_back(batch, purchase)
    purchase.fence += 1
    purchase.owner, purchase.not_before = None, None
    purchase.state = "running"
    purchase.ticket = purchase.ticket or picture.told.ticket or f"vault:{purchase.purchase_id}"
    permits.count_permit(batch, purchase)
    endings.tell_purchased(batch, purchase, Duration(), found=True)


def _take(
    batch: Batch,
    purchase: Purchase,
    *,
    drawn: edge_pb2.DrawnEdge | None = None,
    keep: edge_pb2.KeepEdge | None = None,
    lose: edge_pb2.LoseEdge | None = None,
) -> None:
    edge = edge_pb2.Edge(
        purchase_id=purchase.purchase_id, fence=purchase.fence, drawn=drawn, keep=keep, lose=lose
    )
    edges.take(batch, edge)
