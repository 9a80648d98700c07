"""The edges of the simulation's workers, as the generator renders them; what is alike once."""

from datetime import timedelta
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from imagestudio.catalog.v1 import ledger_pb2
from imagestudio.storage.v1 import storage_service_pb2
from services.generator import edges, moves
from services.generator import provider as seam
from services.generator.models import Model
from tests.generator.modelled_changes import Asked
from tests.generator.modelled_ledger import PRICE
from tests.generator.modelled_promises import EPOCH
from tests.generator.modelled_provider import LIMIT
from tests.generator.modelled_rows import PROVIDER

if TYPE_CHECKING:
    from tests.generator.modelled_ledger import Ledger
    from tests.generator.modelled_worker import Held

MODEL = Model(
    key="flux",
    display_name="Flux",
    provider=PROVIDER,
    slug="flux",
    shapes={"1:1": (64, 64)},
    price=PRICE,
    typical=8.0,
    time_limit=LIMIT,
)
ORDER = seam.Order(purchase_id="p", slug="flux", inputs={}, give_up_after=100)
ASSETS = {
    index: storage_service_pb2.Asset(
        name=f"assets/h{index}",
        path=f"/i/link{index}",
        media_type="image/png",
        cdn_url=f"https://cdn.test/link{index}",
        cdn_thumbnail_url=f"https://cdn.test/small/link{index}",
    )
    for index in range(2)
}
_RENDERED: dict[tuple[Any, ...], Asked] = {}
_MOST = 20_000  # edges that are kept: of the histories to come most need no others


@lru_cache(maxsize=1000)
def claim(purchase_id: str, worker_id: str) -> Asked:
    """The edge that takes a purchase."""
    return Asked(edges.claim(purchase_id, worker_id, LIMIT, ""))


def rendered(step: moves.Step, held: "Held") -> Asked:
    """The edge of *step*, of the purchase *held*."""
    width, heard, kind = held.world.ledger.width, None, type(step)
    if held.heard is not None and kind in edges._TELLING:
        heard = held.heard.SerializeToString()
    # All that an edge depends on, or a history would depend on those that were played before.
    key = step, width, held.world.vendor.kind, held.purchase_id, held.fence, heard
    if same := _RENDERED.get(key):
        if heard is not None:
            held.heard = None
        return same
    known = _known(held, width)
    asked = Asked(edges.edge(step, known, ASSETS))
    held.heard = known.heard
    if not _is_its_own(step) and len(_RENDERED) < _MOST:
        _RENDERED[key] = asked
    return asked


def _is_its_own(step: moves.Step) -> bool:
    """Whether it is seldom twice the same, or plans another purchase."""
    match step:
        case moves.Brought() | moves.Absent():
            return True
        case moves.Parked(delay, unlisted):
            return unlisted is not None or delay != int(delay)
        case moves.Ended(retry=retry):
            return retry
    return False


def _known(held: "Held", width: int) -> edges.Known:
    vendor, drawn = held.world.vendor, None
    if charge := vendor.charges.get(held.state.ticket):
        dies = EPOCH + timedelta(seconds=charge.dies_at) if charge.dies_at < 1e9 else None
        image = seam.Link("https://v.test/1", dies) if dies else seam.Inline(0, 4)
        drawn = seam.Drawn(images=(image,) * width, seconds=1.0)
    return edges.Known(
        purchase_id=held.purchase_id,
        fence=held.fence,
        model=MODEL,
        terms=vendor.terms,
        order=ORDER,
        price=lambda images: MODEL.price * images,
        most=lambda images: MODEL.price * images,
        images=width,
        drawn=drawn,
        heard=held.heard,
        next=lambda other: _planned(held.world.ledger, held.purchase_id, other=other),
    )


def _planned(
    ledger: "Ledger", purchase_id: str, *, other: bool
) -> ledger_pb2.PlannedPurchase | None:
    """A new attempt; another model's only while there are some that were not tried."""
    row = ledger.purchases[purchase_id]
    if other and row.attempt >= 3:
        return None
    return ledger_pb2.PlannedPurchase(
        purchase_id=ledger.new_id(),
        provider=PROVIDER,
        model_key="flux",
        ordinal=row.ordinal,
        fingerprint="f",
        reserved_usd_micros=row.reserved,
    )
