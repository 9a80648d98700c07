"""The balance sheet: every charge beside the purchase that it is for, by what became of it."""

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any

from cli.chaos.evidence import KEPT, OPEN, Evidence, Row, micros

UNHEARD = "of no purchase"
NOT_CHARGED = "not charged, says the ledger"
STILL_OPEN = "still open"
UNPAID = "charged, says the ledger, and was not"
HELD = "charge unknown, and was none"
UNKNOWN = "ended, charge unknown"
_ORDER = (
    "kept", "ended, charged", UNKNOWN, HELD, "lost", "quarantined", STILL_OPEN,
    NOT_CHARGED, UNPAID, UNHEARD,
)  # fmt: skip
BAD = frozenset({"lost", "quarantined", STILL_OPEN, NOT_CHARGED, UNPAID, UNHEARD})


@dataclass(slots=True)
class Line:
    """One category: the vendors' charges, and the ledger's purchases; money in micro-USD."""

    what: str
    charges: int = 0
    images: int = 0
    charged_micros: int = 0
    purchases: int = 0
    outputs: int = 0
    booked_micros: int = 0

    def as_json(self) -> dict[str, Any]:
        return asdict(self)


def lines(found: Evidence) -> list[Line]:
    """The sheet by category, those that have something, and the sum."""
    sheet = {what: Line(what) for what in _ORDER}
    for charge, purchase in found.matched:
        line = sheet[category(purchase)]
        line.charges += 1
        line.images += charge["images"]
        line.charged_micros += micros(charge)
    for purchase, what in _booked(found):
        line = sheet[what]
        line.purchases += 1
        line.outputs += len(found.kept(purchase))
        line.booked_micros += purchase["cost"]
    told = [line for line in sheet.values() if line.charges or line.purchases]
    return [*told, _sum(told)]


def category(purchase: Row | None) -> str:
    """What became of *purchase*, None where a charge has none."""
    if purchase is None:
        return UNHEARD
    state = purchase["state"]
    if state in OPEN:
        return STILL_OPEN
    if state in ("lost", "quarantined"):
        return str(state)
    said = {"yes": "ended, charged", "unknown": UNKNOWN}
    return "kept" if state in KEPT else said.get(purchase["charged"], NOT_CHARGED)


def _booked(found: Evidence) -> Iterator[tuple[Row, str]]:
    """Each purchase that was charged, or says so, or may have been."""
    for purchase in found.bought:
        what = category(purchase)
        if found.times_charged[purchase["purchase_id"]]:
            yield purchase, what
        elif what == UNKNOWN:
            yield purchase, HELD
        elif what not in (NOT_CHARGED, STILL_OPEN) and purchase["charged"] != "no":
            yield purchase, UNPAID


def _sum(told: list[Line]) -> Line:
    total = Line("in all")
    for line in told:
        for name in (
            "charges",
            "images",
            "charged_micros",
            "purchases",
            "outputs",
            "booked_micros",
        ):
            setattr(total, name, getattr(total, name) + getattr(line, name))
    return total
