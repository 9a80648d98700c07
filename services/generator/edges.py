"""From the machine's steps to the ledger's edges."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache

from google.protobuf import duration_pb2, json_format, struct_pb2
from google.rpc import code_pb2, status_pb2

from chassis import errors
from imagestudio.catalog.v1 import edge_pb2, ledger_pb2, ledger_service_pb2
from imagestudio.storage.v1 import storage_service_pb2
from imagestudio.type.v1 import cost_pb2, purchase_pb2
from services.generator import moves
from services.generator.models import Model
from services.generator.provider import Drawn, Inline, Link, Order
from services.generator.standing import Terms

RETRY_FAILED = 2.0  # seconds after work raised
_ENDINGS = {
    "REFUSED": purchase_pb2.PURCHASE_ENDING_REFUSED,
    "FAILED": purchase_pb2.PURCHASE_ENDING_FAILED,
    "CANCELED": purchase_pb2.PURCHASE_ENDING_CANCELED,
    "EXPIRED": purchase_pb2.PURCHASE_ENDING_EXPIRED,
}
_LONGEST = 2**31 / 1000  # seconds that the catalog can hold, which has milliseconds
_CHARGED = {
    True: cost_pb2.CHARGED_YES,
    False: cost_pb2.CHARGED_NO,
    None: cost_pb2.CHARGED_UNKNOWN,
}
_CODES = {
    "CONTENT_REFUSED": code_pb2.FAILED_PRECONDITION,
    "DISK_FULL": code_pb2.RESOURCE_EXHAUSTED,
    "IMAGE_UNREADABLE": code_pb2.INVALID_ARGUMENT,
    "JOB_CANCELED": code_pb2.CANCELLED,
    "OUTPUT_LOST": code_pb2.DATA_LOSS,
    "PROVIDER_BALANCE_EMPTY": code_pb2.FAILED_PRECONDITION,
    "PROVIDER_CREDENTIAL_REFUSED": code_pb2.FAILED_PRECONDITION,
    "PROVIDER_FAILED": code_pb2.UNKNOWN,
    "PROVIDER_RATE_LIMITED": code_pb2.RESOURCE_EXHAUSTED,
    "PROVIDER_UNAVAILABLE": code_pb2.UNAVAILABLE,
    "PURCHASE_UNCLEAR": code_pb2.UNKNOWN,
    "INTERNAL": code_pb2.INTERNAL,
    "SERVICE_UNAVAILABLE": code_pb2.UNAVAILABLE,
    "VAULT_UNAVAILABLE": code_pb2.UNAVAILABLE,
}

_TELLING = (moves.Ticketed, moves.Released, moves.Ended, moves.Doubted)  # of how an order fared


@dataclass(slots=True)
class Known:
    """What is known of a purchase in work, beside its state."""

    purchase_id: str
    fence: int
    model: Model
    terms: Terms
    order: Order
    price: Callable[[int], int]  # micro-USD for so many images, as they were asked for
    most: Callable[[int], int]  # that they may cost, with the tokens that nobody has counted
    images: int  # that were ordered
    next: Callable[[bool], ledger_pb2.PlannedPurchase | None]  # another model's, or the same's
    ticket: str = ""
    drawn: Drawn | None = None
    heard: edge_pb2.Heard | None = None  # of its provider, until it is written
    most_images: int = 0  # that may come of it, where that is more than were ordered
    seconds: float | None = None  # that it took, where its order was sent and answered here


def claim(purchase_id: str, worker_id: str, time_limit: float, account: str) -> edge_pb2.Edge:
    """The edge that takes a purchase; *time_limit* in seconds and *account* are the provider's."""
    made = edge_pb2.Edge(purchase_id=purchase_id)
    made.claim.worker_id, made.claim.account = worker_id, account
    made.claim.time_limit.CopyFrom(_seconds(time_limit))
    return made


def given_back(purchase_id: str, fence: int, step: moves.Step) -> edge_pb2.Edge:
    """The edge that sets down what nobody here has begun: Released or Parked."""
    made = edge_pb2.Edge(purchase_id=purchase_id, fence=fence)
    match step:
        case moves.Released(delay):
            made.release.delay.CopyFrom(_seconds(delay))
        case moves.Parked(delay):
            made.park.delay.CopyFrom(_seconds(delay))
    return made


def broken_off(purchase_id: str, fence: int, error: Exception) -> edge_pb2.Edge:
    """The edge for work that raised: a try, and a while until the next."""
    made = edge_pb2.Edge(purchase_id=purchase_id, fence=fence)
    made.fail.error.CopyFrom(errors.to_status(errors.Fault("INTERNAL", moves.defect(error))))
    made.fail.delay.CopyFrom(_seconds(RETRY_FAILED))
    return made


def waits(known: Known, fault: errors.Fault) -> edge_pb2.Edge:
    """The edge that tells its job what keeps a picture that was paid for waiting."""
    made = edge_pb2.Edge(purchase_id=known.purchase_id, fence=known.fence)
    made.warn.error.CopyFrom(errors.to_status(errors.Fault(fault.reason, fault.message)))
    return made


def adopted(stray: ledger_service_pb2.Stray, model: Model, reserve: int) -> edge_pb2.Edge:
    """The edge that makes a purchase of *stray*, which may cost *reserve* micro-USD."""
    made = edge_pb2.Edge(purchase_id=stray.purchase.purchase.purchase_id)
    made.adopt.ticket = stray.ticket
    made.adopt.typical_time.CopyFrom(_seconds(model.typical))
    made.adopt.reserved_usd_micros = reserve
    return made


def never_begun(purchase_id: str, fence: int, error: Exception) -> edge_pb2.Edge:
    """The edge for an order that could not even be made: certainly nothing was bought."""
    made = edge_pb2.Edge(purchase_id=purchase_id, fence=fence)
    made.end.ending, made.end.charged = _ENDINGS["REFUSED"], _CHARGED[False]
    made.end.error.CopyFrom(errors.to_status(errors.Fault("INTERNAL", moves.defect(error))))
    return made


def edge(
    step: moves.Step, known: Known, assets: dict[int, storage_service_pb2.Asset]
) -> edge_pb2.Edge:
    """Render any other *step*; *assets* are the stored outputs by index."""
    made = edge_pb2.Edge(purchase_id=known.purchase_id, fence=known.fence)
    match step:
        case moves.Ticketed(ticket):
            made.ticket.ticket = ticket
            made.ticket.typical_time.CopyFrom(_seconds(known.model.typical))
        case moves.Brought():
            made.drawn.CopyFrom(_drawn(known))
        case moves.Kept(index, to_publish):
            made.keep.CopyFrom(_keep(known, index, assets[index]))
            made.keep.to_publish = to_publish
        case moves.Published(index):
            made.publish.output_index = index
            made.publish.cdn_url = assets[index].cdn_url
            made.publish.thumbnail_url = assets[index].cdn_thumbnail_url
        case moves.Lost(index, why):
            made.lose.output_index = index
            made.lose.error.CopyFrom(_status("OUTPUT_LOST", why, known))
        case moves.Ended():
            made.end.CopyFrom(_end(step, known))
        case _:
            _set_down(made, step, known)
    if known.heard and isinstance(step, _TELLING):
        made.heard.CopyFrom(known.heard)
        known.heard = None
    return made


def source(image: Link | Inline, purchase_id: str) -> str:
    """Where storage finds *image*."""
    if isinstance(image, Link):
        return image.url
    raw = ";raw" if image.raw else ""
    return f"receipt:{purchase_id}#{image.start}-{image.stop}{raw}"


def outputs(drawn: Drawn, purchase_id: str) -> Sequence[ledger_pb2.PurchaseOutput]:
    """The outputs of *drawn* as the ledger records them."""
    found = []
    for index, image in enumerate(drawn.images):
        output = ledger_pb2.PurchaseOutput(index=index, source=source(image, purchase_id))
        if isinstance(image, Link) and image.expires_at:
            output.source_expire_time.FromDatetime(image.expires_at)
        found.append(output)
    return found


def kept_image(known: Known) -> ledger_pb2.KeptImage:
    """
    What is known of every image of a purchase, but for its hash.

    What the provider says beside a picture and the catalog could not hold is left out: it must
    not keep out the picture.
    """
    inputs = dict(known.order.inputs)
    inputs.pop("prompt", None)
    seed, drawn = inputs.pop("seed", None), known.drawn
    image = ledger_pb2.KeptImage(
        model_version=_legible(drawn.version) if drawn else "",
        negative_prompt=str(inputs.pop("negative_prompt", "")),
        parameters=json_format.ParseDict(inputs, struct_pb2.Struct()),
    )
    if known.model.provider == "replicate":
        image.replicate_prediction_id = known.ticket
    if drawn and drawn.seed is not None and -(2**63) <= drawn.seed < 2**63:
        image.seed = drawn.seed
    elif isinstance(seed, int) and known.order.as_planned:
        image.seed = seed
    seconds = drawn.seconds if drawn and drawn.seconds is not None else known.seconds
    if seconds is not None and 0 <= seconds < _LONGEST:
        image.generation_time.FromMilliseconds(round(seconds * 1000))
    return image


def _legible(text: str) -> str:
    return text.encode("utf-8", "ignore").decode().replace("\0", "")[:200]


def cost(known: Known) -> cost_pb2.Cost:
    """What was drawn costs: as the provider tells, else by the model's price."""
    drawn = known.drawn
    if drawn is None:
        raise ValueError("nothing is drawn")
    if drawn.cost is not None:
        return cost_pb2.Cost(usd_micros=drawn.cost, basis=cost_pb2.COST_BASIS_METERED)
    micros = known.price(len(drawn.images))
    return cost_pb2.Cost(usd_micros=micros, basis=cost_pb2.COST_BASIS_ESTIMATED)


def _set_down(made: edge_pb2.Edge, step: moves.Step, known: Known) -> None:
    """Render the edges after which a purchase waits for somebody, or is settled."""
    match step:
        case moves.Doubted(why):
            made.unclear.error.CopyFrom(_status("PURCHASE_UNCLEAR", why, known))
            made.unclear.lookup_possible = known.terms.askable
            made.unclear.lookup_lag.CopyFrom(_seconds(known.terms.lag))
        case moves.Found(tickets, alike, unproven):
            made.settle.found.tickets.extend(tickets)
            made.settle.found.alike = alike
            made.settle.found.unproven = unproven
            made.settle.found.typical_time.CopyFrom(_seconds(known.model.typical))
        case moves.Absent(again):
            made.settle.absent.SetInParent()
            if again and (following := known.next(False) or known.next(True)):
                made.settle.absent.next.CopyFrom(following)
        case moves.Unknowable(why):
            made.settle.not_askable.SetInParent()
            if why:
                made.settle.not_askable.error.CopyFrom(_status("PURCHASE_UNCLEAR", why, known))
        case moves.Released(delay, why, reason, back):
            made.release.sent_back = back
            made.release.delay.CopyFrom(_seconds(delay))
            made.release.error.CopyFrom(_status(reason, why, known))
        case moves.Failed(why, reason):
            made.fail.delay.CopyFrom(_seconds(RETRY_FAILED))
            made.fail.error.CopyFrom(_status(reason, why, known))
        case moves.Parked():
            made.park.CopyFrom(_park(step))


def _park(step: moves.Parked) -> edge_pb2.ParkEdge:
    made = edge_pb2.ParkEdge(delay=_seconds(step.delay))
    if step.unlisted is not None:
        made.unlisted_time.FromMicroseconds(round(step.unlisted * 1e6))
    return made


def _drawn(known: Known) -> edge_pb2.DrawnEdge:
    found = cost(known)
    assert known.drawn is not None
    made = edge_pb2.DrawnEdge(outputs=outputs(known.drawn, known.purchase_id), cost=found)
    if known.drawn.cost is not None:
        came = min(len(known.drawn.images), known.most_images)  # of a series each is as expected
        made.estimate.usd_micros = known.price(max(known.images, came))
        made.estimate.basis = cost_pb2.COST_BASIS_ESTIMATED
    if known.order.as_planned:  # else its calls bring other numbers of images
        made.ordered_count = known.images
    return made


def _keep(known: Known, index: int, asset: storage_service_pb2.Asset) -> edge_pb2.KeepEdge:
    image = kept_image(known)
    image.image_hash = asset.name.removeprefix("assets/")
    file = ledger_pb2.FileRecord(
        image_hash=image.image_hash,
        link=asset.path.rpartition("/")[2],
        media_type=asset.media_type,
        size_bytes=asset.size_bytes,
        size=asset.size,
        readable=asset.readable,
    )
    return edge_pb2.KeepEdge(output_index=index, image=image, file=file)


def _end(step: moves.Ended, known: Known) -> edge_pb2.EndEdge:
    charged = step.charged
    if charged and step.cost is None and known.most_images > known.images:
        charged = None  # for how many of a series nobody has told; it can be settled so
    ended = edge_pb2.EndEdge(
        ending=_ENDINGS[step.ending],
        charged=_CHARGED[charged],
        error=_status(step.reason, step.why, known),
    )
    if step.cost is not None:
        ended.cost.usd_micros, ended.cost.basis = step.cost, cost_pb2.COST_BASIS_METERED
    elif charged is not False:
        told = known.most if charged is None else known.price
        ended.cost.usd_micros = told(max(known.images, known.most_images))
        ended.cost.basis = cost_pb2.COST_BASIS_ESTIMATED
    if step.retry and (following := known.next(True)):
        ended.next.CopyFrom(following)
    return ended


def _status(reason: str, why: str, known: Known) -> status_pb2.Status:
    metadata = {
        "provider": known.model.provider,
        "model": known.model.key,
        "purchase_id": known.purchase_id,
    }
    if reason == "CONTENT_REFUSED":  # of which a vendor may say a word in capitals alone
        why = f"The vendor refuses it: word it otherwise ({why or 'it says no more'})"
    made = errors.to_status(errors.Fault(reason, why[:2000], metadata=metadata))
    made.code = _CODES[reason]
    return made


@lru_cache(maxsize=64)
def _seconds(seconds: float) -> duration_pb2.Duration:
    """Render a length of time, the usual ones once: not to be changed."""
    made = duration_pb2.Duration()
    made.FromMilliseconds(round(seconds * 1000))
    return made
