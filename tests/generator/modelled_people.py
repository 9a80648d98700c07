"""
Who reads the provider's invoice, and tells the ledger what nobody else could: whether it charged.

They tell the truth, in the end: of what did not get through they tell again.
"""

from typing import TYPE_CHECKING, Any

from chassis.errors import Fault
from services.catalog import ledger, settlement
from services.catalog.rows import Purchase
from tests.generator.modelled_promises import promise
from tests.generator.modelled_trouble import INVOICED, TELLING, Dice

if TYPE_CHECKING:
    from tests.generator.simulation import World

SAID = ("yes", "no")


class People:
    """Some histories have them; `waits` says whether there is something that they will tell."""

    __slots__ = ("dice", "heard", "read", "world")
    __deletable__ = ("world",)  # for mypyc

    def __init__(self, world: "World", dice: Dice, kind: str, pair: tuple[str, str]) -> None:
        self.world, self.dice = world, dice
        self.read = kind in INVOICED and (bool(TELLING & set(pair)) or dice.random() < 0.1)
        self.heard: set[str] = set()  # purchases of which the ledger has confirmed what was told

    def forget(self) -> None:
        """Let go of the world, which has this."""
        del self.world

    @property
    def waits(self) -> bool:
        return self.read and bool(self._unknown())

    def tell(self) -> None:
        """Tell of all that may have been charged, once all that was sent has arrived."""
        if self.read and not self.world.flights:
            for row in self._unknown():
                self._tell(row)

    def _unknown(self) -> list[Purchase]:
        settlements, rows = self.world.ledger.settlements, self.world.ledger.purchases.values()
        return [
            row
            for row in rows
            if row.charged == "unknown"
            or (row.purchase_id in settlements and row.purchase_id not in self.heard)
        ]

    def _tell(self, row: Purchase) -> None:
        world, key = self.world, row.purchase_id
        if world.trouble.strikes("a told charge is not written"):
            return
        paid = self._was_charged(row)
        world.tell("told", key[-4:], SAID[not paid])
        answer = self._say(row, SAID[not paid])
        heard = not isinstance(answer, Fault)
        promise(heard, "what is told is heard, told twice, too", row, answer)
        if world.trouble.strikes("the answer to a told charge is lost"):
            return
        self.heard.add(key)
        if self.dice.random() < 0.5:
            spent = world.ledger.spent
            answer = self._say(row, SAID[paid])
            stays = isinstance(answer, Fault) and world.ledger.spent == spent
            promise(stays, "what is settled is not unsaid", row, answer)

    def _was_charged(self, row: Purchase) -> bool:
        charges = self.world.vendor.charges
        if row.ticket:
            return not charges[row.ticket].is_free
        mine = (each for each in charges.values() if each.purchase_id == row.purchase_id)
        return any(not each.is_free for each in mine)

    def _say(self, row: Purchase, charged: str) -> Any:
        said = settlement.Verdict(
            user_id=row.user_id,
            job_id=row.job_id,
            purchase_id=row.purchase_id,
            charged=charged,
            cost=None,
        )
        change = ledger.Change(said.purchase_id, "charge", lambda on: settlement.settle(on, said))
        return self.world.ledger.change([change])[0]
