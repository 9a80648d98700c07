"""What is written beside a kept picture, so that the catalog's rows can be made of it again."""

from imagestudio.catalog.v1 import ledger_pb2
from services.generator import edges


def of(claim: ledger_pb2.LedgerPurchase, known: edges.Known) -> ledger_pb2.Provenance:
    """Say all that is known of the pictures of a purchase before they have their variants."""
    shown, drawn = claim.purchase, known.drawn
    made = ledger_pb2.Provenance(
        job=claim.job,
        subject=claim.subject,
        ticket=known.ticket,
        fingerprint=claim.fingerprint,
        outputs=len(drawn.images) if drawn else len(claim.outputs),
        image=edges.kept_image(known),
    )
    made.job.name = shown.job
    made.job.spec.CopyFrom(claim.spec)
    made.job.spec.prompt = ""  # the note has it already
    bought = made.purchase
    bought.provider, bought.model = shown.provider, shown.model
    bought.ordinal, bought.attempt = shown.ordinal, shown.attempt
    bought.cost.CopyFrom(edges.cost(known) if drawn else shown.cost)
    if shown.HasField("send_time"):
        bought.send_time.CopyFrom(shown.send_time)
    return made
