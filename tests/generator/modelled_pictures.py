"""
The input images of a history's orders: they are read, and handed over, before an order leaves.

Nothing is bought meanwhile. Storage is away, slow, or has one no more; an upload fails.
"""

from collections.abc import Generator
from typing import TYPE_CHECKING

from services.generator import provider as seam
from tests.generator.modelled_trouble import ASKED, RECEIPT, Dice

if TYPE_CHECKING:
    from tests.generator.modelled_worker import Held

PREPARING = 10.0  # seconds, after which the order may be somebody else's: as `answered.ready`


class Pictures:
    """How many each order has; the built-in provider takes none."""

    __slots__ = ("number", "uploaded")

    def __init__(self, dice: Dice, kind: str, pair: tuple[str, str]) -> None:
        struck = any("input image" in name for name in pair)
        self.number = dice.choice((1, 2)) if struck else dice.choice((0, 0, 0, 1))
        self.number = 0 if kind == RECEIPT else self.number
        self.uploaded = kind in ASKED

    def hand_over(self, held: "Held") -> Generator[float, None, Exception | None]:
        """Have them ready; return what kept them from it, if anything did."""
        world = held.world
        began, strikes, dice = world.ledger.now, world.trouble.strikes, world.dice
        for _ in range(self.number):
            yield dice.choice((0.0, 0.0, 0.3))
            if strikes("an input image is slow"):
                yield dice.choice((4.0, 9.0, 11.0))
            if strikes("an input image is gone"):
                return seam.Unfit("there is none")
            if strikes("an input image is kept back"):
                return seam.NotReady("storage is away", retry_after=dice.choice((None, 1.0)))
            if self.uploaded and strikes("an input image is not uploaded"):
                return dice.choice((seam.Unavailable, seam.Unhanded))("it may be there")
        if world.ledger.now > began + PREPARING:  # whoever slept may not order any more
            return seam.NotReady("it came too late")
        return None
