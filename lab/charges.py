"""What the vendors charged: each purchase once, for a test or a person to read."""

from dataclasses import dataclass, field
from datetime import datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Given:
    """
    What an order brought beside its words, as it came.

    *images* are the SHA-256 of its input images, in its order, a mask last; a link to elsewhere,
    which nobody fetches, stands for itself. *seed* is None where it named none.
    """

    images: tuple[str, ...] = ()
    seed: int | None = None
    negative_prompt: str = ""

    def as_json(self) -> dict[str, object]:
        return {
            "images": list(self.images), "seed": self.seed, "negative_prompt": self.negative_prompt,
        }  # fmt: skip


NOTHING = Given()


@dataclass(frozen=True, slots=True, kw_only=True)
class Charge:
    """One purchase that was paid for; *images* came of what was *given*, for *usd* in all."""

    vendor: str
    model: str
    ticket: str
    images: int
    usd: float
    purchase_id: str | None
    at: datetime
    given: Given = NOTHING

    def as_json(self) -> dict[str, object]:
        return {
            "vendor": self.vendor,
            "model": self.model,
            "ticket": self.ticket,
            "images": self.images,
            "usd": round(self.usd, 6),
            "purchase_id": self.purchase_id,
            "at": self.at.isoformat(),
            "given": self.given.as_json(),
        }


@dataclass(frozen=True, slots=True)
class Charges:
    """The ledger: a vendor's ticket is charged at most once."""

    _charged: dict[tuple[str, str], Charge] = field(default_factory=dict)

    def add(self, charge: Charge) -> None:
        """Write *charge* down; raise ValueError where its ticket was charged before."""
        key = charge.vendor, charge.ticket
        if key in self._charged:
            raise ValueError(f"{charge.vendor} charged {charge.ticket} before")
        self._charged[key] = charge

    def as_json(self) -> list[dict[str, object]]:
        """All charges, in the order in which they were made."""
        return [charge.as_json() for charge in self._charged.values()]

    def clear(self) -> None:
        self._charged.clear()
