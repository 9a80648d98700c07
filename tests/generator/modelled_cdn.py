"""
A CDN for the simulation: it fails, dies for a while, takes what it does not answer for, and
refuses some for long. What is safe is never its to lose.
"""

from collections.abc import Iterator
from typing import TYPE_CHECKING

from services.generator import moves
from tests.generator.modelled_trouble import Dice

if TYPE_CHECKING:
    from tests.generator.modelled_worker import Held


class Cdn:
    """Where it is *wanted*, be it by chance, each kept output shall be there."""

    __slots__ = ("assets", "refuses", "rough", "wanted")

    def __init__(self, dice: Dice, *, wanted: bool) -> None:
        self.wanted = dice.random() < 0.7 or wanted
        self.refuses = dice.random() < 0.05  # a wrong secret, until somebody mends it
        # Times that something happens to who publishes what is left of a purchase that went wrong.
        self.rough = dice.choice((0, 0, 3))
        self.assets: set[tuple[str, int]] = set()

    def publish(self, held: "Held", effect: moves.Publish) -> Iterator[float | None]:
        """One upload of a worker's."""
        strikes, index = held.world.trouble.strikes, effect.index
        row = held.world.ledger.purchases[held.purchase_id]
        if self.rough and row.state in ("lost", "quarantined"):
            self.rough -= 1
            yield 0.0
            return self.befall(held, index)
        yield held.world.dice.choice((0.0, 0.0, 5.0))
        down = strikes("the CDN is away") or (self.refuses and not held.world.trouble.over)
        lost = not down and strikes("the CDN's answer is lost")  # and yet it was taken
        if not down:
            self.assets.add((held.purchase_id, index))
        yield None
        if down or lost:
            delay = 900.0 if self.refuses else 1.0
            held.happen(moves.Unpublished(index, "no answer", delay))
        elif strikes("publishing raises"):
            held.happen(moves.Raised("a defect"))
        else:
            held.happen(moves.Uploaded(index))

    def befall(self, held: "Held", index: int) -> None:
        """Have something happen to who publishes."""
        what = held.world.dice.randrange(4)
        if what == 0:
            held.world.crash(held.worker)
        elif what == 1:
            held.worker.stop()
            held.happen(moves.Uploaded(index))
        elif what == 2:
            held.happen(moves.Raised("a defect"))
        else:
            held.happen(moves.Unpublished(index, "no answer", 1.0))
